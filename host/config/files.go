package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/dserver/dserver/host/rundir"
)

const (
	maxFile    = 256 << 10 // bytes of one file
	maxInclude = 256       // files that one file may include
)

// files lays the main file, what it includes, and the overlay. It says which folder
// relative paths are relative to.
func (r *reader) files(o Options) error {
	main := o.File
	if main == "" {
		main = r.only(filepath.Join(o.Dir, "dserver"))
	}
	base := filepath.Join(o.Dir, "dserver")
	if main != "" {
		base = stem(main)
	}
	var err error
	if r.base, err = filepath.Abs(filepath.Dir(base)); err != nil {
		return fmt.Errorf("cannot find the working folder: %w", err)
	}
	if main != "" {
		if layer := r.file(main); layer != nil {
			r.include(layer, main)
			r.lay(layer)
		}
	}
	if o.Env != "" {
		r.overlay(base, o.Env)
	}
	return nil
}

// overlay lays the file of an environment.
func (r *reader) overlay(base, env string) {
	if err := rundir.CheckName(env); err != nil {
		r.fault(r.place("flag --env"), fmt.Errorf("cannot use %q: %w", cut(env, 80), err))
		return
	}
	found := len(r.found)
	path := r.only(base + "." + env)
	switch {
	case path != "":
		if layer := r.file(path); layer != nil {
			r.noInclude(layer)
			r.lay(layer)
		}
	case len(r.found) == found && envLevel(env) == "":
		r.found = append(r.found, finding{at: r.place("flag --env"), err: KeyError{
			Reason:  fmt.Sprintf("there is no environment %s: %s.%s.toml does not exist", env, base, env),
			Nearest: nearest(env, []string{"dev", "test", "product"}),
			err:     fs.ErrNotExist,
		}})
	}
}

// only finds the one file called base in any format. Two of them are an error:
// nobody could tell which one counts.
func (r *reader) only(base string) string {
	var found []string
	for _, ext := range extensions() {
		if _, err := os.Lstat(base + ext); err == nil {
			found = append(found, base+ext)
		}
	}
	switch len(found) {
	case 0:
		return ""
	case 1:
		return found[0]
	}
	r.fail(r.place(found[0]), fmt.Errorf("there is also %s; keep one of them, or choose with -c",
		strings.Join(found[1:], " and ")))
	return ""
}

// file reads and parses one file; nil if that failed.
func (r *reader) file(path string) *node {
	at := r.place(path)
	data, err := readFile(path)
	if err != nil {
		r.fail(at, err)
		return nil
	}
	layer, err := parse(path, data, at)
	if err != nil {
		r.fail(at, err)
		return nil
	}
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	r.read = append(r.read, path)
	return layer
}

// readFile reads a regular file. It does not wait for a fifo, nor take one: what
// comes out of it would be gone at the next reload.
func readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		var bad *fs.PathError
		if errors.As(err, &bad) {
			err = bad.Err // the path stands in front of it already
		}
		return nil, fmt.Errorf("cannot read it: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read it: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("cannot read it: it is not a regular file")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read it: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("cannot read it: it has more than %s", formatSize(maxFile))
	}
	return data, nil
}

// include adds the files that layer includes to it. A key that two of them set is
// an error: overlays are what files are overridden with.
func (r *reader) include(layer *node, main string) {
	list, ok := layer.kids["include"]
	if !ok {
		return
	}
	patterns, err := list.asTexts()
	if err != nil {
		r.refuse(list, err)
		return
	}
	seen := map[string]bool{filepath.Clean(main): true}
	for _, pattern := range patterns {
		paths, err := expand(filepath.Dir(main), pattern)
		if err != nil {
			r.refuse(list, err)
			continue
		}
		for _, path := range paths {
			if seen[path] {
				continue
			}
			if seen[path] = true; len(seen) > maxInclude+1 {
				r.refuse(list, fmt.Errorf("includes more than %d files", maxInclude))
				return
			}
			if more := r.file(path); more != nil {
				r.noInclude(more)
				layer.merge(more, r.twice)
			}
		}
	}
}

// expand gives the files of a pattern, sorted. A pattern may match none, a plain
// name must exist.
func expand(dir, pattern string) ([]string, error) {
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(dir, pattern)
	}
	if !strings.ContainsAny(pattern, `*?[\`) {
		return []string{pattern}, nil
	}
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("the pattern is malformed: %w", err)
	}
	slices.Sort(paths)
	return paths, nil
}

func (r *reader) noInclude(layer *node) {
	if n, ok := layer.kids["include"]; ok {
		r.unknown(n, "only the main file may include others", "")
		layer.remove("include")
	}
}

func (r *reader) twice(old, again *node) {
	r.unknown(again, "is set already at "+old.where(), "")
}
