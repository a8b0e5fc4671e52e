package host

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/dserver/dserver/ctl"
)

// build is one executable. The open file pins the code: what is started from it
// later is this very build, even if the path has been given another file or none.
type build struct {
	file *os.File
	path string
	id   func() string // content hash, computed once, in the order of 10 ms for 20 MiB
	info *buildinfo.BuildInfo
}

// openBuild opens the executable at path, which must be a Go program.
func openBuild(path string) (*build, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("cannot find the new build: %w", err)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the build: %w", err)
	}
	info, err := buildinfo.Read(file)
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("cannot use %s as a build: %w", path, err)
	}
	return &build{file: file, path: path, info: info, id: sync.OnceValue(func() string { return contentID(file) })}, nil
}

// ownBuild opens the executable of this process. It reads through the process'
// own link, which works even when the path is gone.
func ownBuild() (*build, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("cannot find the own executable: %w", err)
	}
	b, err := openBuild("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	b.path = path
	return b, nil
}

// contentID is the first 12 hex digits of the SHA-256 of a file: builds with
// equal IDs are equal. It reads at offsets, so that the file can be shared.
func contentID(file *os.File) string {
	hash := sha256.New()
	if _, err := io.Copy(hash, io.NewSectionReader(file, 0, 1<<40)); err != nil {
		return "unreadable"
	}
	return hex.EncodeToString(hash.Sum(nil))[:12]
}

// record is the build as the control API shows it.
func (b *build) record() ctl.Build {
	r := b.unhashed()
	r.ID = b.id()
	return r
}

// unhashed is record without the ID.
func (b *build) unhashed() ctl.Build {
	return ctl.Build{Path: b.path, Module: b.info.Path, Go: b.info.GoVersion}
}

func (b *build) close() { b.file.Close() }
