//go:build !unix

package unix

import "io/fs"

// Without owners the folder's permissions are all the protection there is.
func ownedByUs(fs.FileInfo) bool { return true }
