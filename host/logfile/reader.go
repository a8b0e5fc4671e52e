package logfile

import "fmt"

// Reader is a log to be read by [Search], whether or not anybody writes to it. Make
// one with [OpenReader], or take that of a [Writer], which knows what the Writer has
// collected and not yet written.
type Reader struct {
	path  string
	form  form
	label string
	owner string
	flush func() error
	news  *news
}

// OpenReader returns a Reader of the log at path, which need not exist yet, in any
// format.
func OpenReader(path string, f Format) (*Reader, error) {
	form, err := formOf(f)
	if err != nil {
		return nil, fmt.Errorf("cannot read the log: %w", err)
	}
	return newReader(path, form), nil
}

func newReader(path string, f form) *Reader {
	return &Reader{path: path, form: f, owner: Master, flush: func() error { return nil }, news: &news{path: path}}
}

// Labelled returns a Reader of the same log whose lines have the label as their
// Log. Lines of unknown form are those of owner; in a raw log all are.
func (r *Reader) Labelled(label, owner string) *Reader {
	labelled := *r
	labelled.label, labelled.owner = label, owner
	return &labelled
}

// End gives the offset behind everything that has been written.
func (r *Reader) End() (int64, error) {
	if err := r.flush(); err != nil {
		return 0, err
	}
	return r.end()
}

func (r *Reader) end() (int64, error) {
	w, err := newWalk(r.path, r.form)
	if err != nil {
		return 0, err
	}
	newest, err := w.next()
	if newest == nil || err != nil {
		return 0, err
	}
	size, err := newest.size()
	if err := newest.close(); err != nil {
		return 0, err
	}
	return newest.base + size, err
}
