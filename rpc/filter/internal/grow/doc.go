// Package grow reads what filters decompress, within a limit. Its function is safe for
// concurrent use.
package grow
