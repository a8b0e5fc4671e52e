// Package text writes single values as people do, and reads them: what the codecs
// plain and form have in common. It imports the standard library alone; its functions
// are safe for concurrent use.
package text
