// Package gotext reads texts that older writers quoted by the rules of Go, which is
// not always JSON.
//
// Packages status and proto/json import it; it imports nothing of ours. It keeps no
// state.
package gotext
