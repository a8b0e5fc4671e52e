//go:build unix && !linux

package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// supported tells what this system lacks for a master.
func supported() error {
	return fmt.Errorf("a master needs Linux 5.10 or newer (pidfd, descriptors over exec), this is %s; "+
		"the other verbs, the control client and package rpc work here: %w", runtime.GOOS, errors.ErrUnsupported)
}

// replaceDescriptor makes number refer to the open file behind fd.
func replaceDescriptor(fd, number int) error { return unix.Dup2(fd, number) }

// needsLauncher is false: there is no master to launch.
func needsLauncher(*os.File) bool { return false }

func launch(context.Context, []string) (int, error) { return 0, supported() }
