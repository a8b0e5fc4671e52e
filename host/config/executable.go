package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// defaultPath is where executables are looked for if nothing sets PATH.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// executable gives the absolute path of what the first word of a command names:
// in search, a PATH, if it is a name, or beside the configuration file. The error
// says where it was looked for.
func (b *builder) executable(word, search string) (string, error) {
	if strings.Contains(word, "/") {
		path := b.beside(word)
		return path, checkExecutable(path)
	}
	if search == "" {
		search = defaultPath
	}
	var unusable error
	for _, dir := range filepath.SplitList(search) {
		if !filepath.IsAbs(dir) {
			continue // it would mean another file in every folder
		}
		path := filepath.Join(dir, word)
		err := checkExecutable(path)
		if err == nil {
			return path, nil
		}
		if unusable == nil && !errors.Is(err, fs.ErrNotExist) {
			unusable = err
		}
	}
	if unusable != nil {
		return "", unusable
	}
	return "", fmt.Errorf("there is no executable %s in PATH (%s)", cut(word, 80), cut(search, 200))
}

// beside makes a path absolute: relative ones lie beside the configuration file.
func (b *builder) beside(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(b.base, path)
}

func checkExecutable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return fmt.Errorf("cannot run %s: %w", cut(path, 200), bare(err))
	case info.IsDir():
		return fmt.Errorf("cannot run %s: it is a folder", cut(path, 200))
	case !info.Mode().IsRegular():
		return fmt.Errorf("cannot run %s: it is not a regular file", cut(path, 200))
	case unix.Faccessat(unix.AT_FDCWD, path, unix.X_OK, unix.AT_EACCESS) != nil:
		return fmt.Errorf("cannot run %s: it is not executable (%v)", cut(path, 200), info.Mode())
	}
	return checkInterpreter(path)
}

// checkInterpreter looks whether what a script begins with exists. The kernel would
// say of the script that there is no such file, which is not how it is looked for on.
func checkInterpreter(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return nil // it may be run, if not read
	}
	defer f.Close()
	head := make([]byte, 256)
	n, _ := f.Read(head)
	line, ok := bytes.CutPrefix(head[:n], []byte("#!"))
	line, _, ended := bytes.Cut(line, []byte("\n"))
	words := strings.Fields(string(line))
	if !ok || !ended || len(words) == 0 || !filepath.IsAbs(words[0]) {
		return nil
	}
	if _, err := os.Stat(words[0]); err != nil {
		return fmt.Errorf("cannot run %s: its first line asks for %s: %v", cut(path, 200), cut(words[0], 80), bare(err))
	}
	return nil
}

// bare takes the path and the operation off an error that says both already.
func bare(err error) error {
	var bad *fs.PathError
	if errors.As(err, &bad) {
		return bad.Err
	}
	return err
}

// regular checks that a path names a regular file that can be read, and makes it
// absolute.
func (b *builder) regular(path string) (string, error) {
	if err := checkPath(path); err != nil {
		return "", err
	}
	path = b.beside(path)
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", fmt.Errorf("cannot read %s: %w", cut(path, 200), bare(err))
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("cannot read %s: it is not a regular file", cut(path, 200))
	}
	if err := unix.Faccessat(unix.AT_FDCWD, path, unix.R_OK, unix.AT_EACCESS); err != nil {
		return "", fmt.Errorf("cannot read %s: %w", cut(path, 200), err)
	}
	return path, nil
}

// folder checks that a path names a folder, and makes it absolute.
func (b *builder) folder(path string) (string, error) {
	if err := checkPath(path); err != nil {
		return "", err
	}
	path = b.beside(path)
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", fmt.Errorf("cannot use %s: %w", cut(path, 200), bare(err))
	case !info.IsDir():
		return "", fmt.Errorf("cannot use %s: it is not a folder", cut(path, 200))
	}
	return path, nil
}

func checkPath(path string) error {
	switch {
	case path == "":
		return errors.New("the path is empty")
	case strings.ContainsRune(path, 0):
		return errors.New("the path has a zero byte")
	}
	return nil
}
