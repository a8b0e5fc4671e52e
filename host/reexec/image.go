package reexec

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxState bounds the state, in bytes.
const maxState = 1 << 30

// Image is the program that is to run in place of this one.
type Image struct {
	// Path is the absolute path of the executable.
	Path string
	// File is an open executable; it is preferred to Path. Exactly this code runs,
	// whatever has happened to its path. Scripts cannot be run so.
	File *os.File
	// Args is the argument list, the program's own name included.
	Args []string
	// Env is the whole environment, NAME=value each.
	Env []string
	// State is for the new program, at most 1 GiB; see [Taken.State].
	State []byte
	// Files stay open over the change, each with its blocking mode; see
	// [Taken.Files]. None may be given twice, nor descriptor 0, 1 or 2, which stay
	// open in any case. All others that are closed on exec, as all that Go opens
	// are, end with this program.
	Files []syscall.Conn
	// Signals is a channel that package os/signal notifies, or nil. The signals that
	// wait in it at the very end go along; see [Taken.Signals]. Who reads it
	// meanwhile must not begin to act on what he read.
	Signals chan os.Signal
}

func (i Image) validate() error {
	if len(i.Args) == 0 {
		return errors.New("there are no arguments, not even a program name")
	}
	if i.File == nil && !filepath.IsAbs(i.Path) {
		return fmt.Errorf("the path %q is not absolute", i.Path)
	}
	if len(i.State) > maxState {
		return fmt.Errorf("the state has %d bytes, at most %d are possible", len(i.State), maxState)
	}
	for _, texts := range [][]string{{i.Path}, i.Args, i.Env} {
		for _, text := range texts {
			if strings.Contains(text, "\x00") {
				return fmt.Errorf("%q contains a zero byte", text)
			}
		}
	}
	return nil
}

// what is the executable's name in errors.
func (i Image) what() string {
	if i.File != nil {
		return i.File.Name()
	}
	return i.Path
}
