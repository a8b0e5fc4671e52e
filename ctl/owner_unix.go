//go:build unix

package ctl

import (
	"io/fs"
	"os"
	"syscall"
)

// mine tells whether this process may replace the file: it owns it, or is root.
func mine(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && (int(st.Uid) == os.Geteuid() || os.Geteuid() == 0)
}
