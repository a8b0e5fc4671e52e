package logfile

import (
	"context"
	"fmt"
)

// Reader reads a log, whether or not anybody writes to it. Make one with
// [NewReader], or take that of a [Writer], which knows what the Writer has
// collected and not yet written.
type Reader struct {
	path  string
	form  form
	label string
	owner string
	flush func() error
	news  *news
}

// NewReader returns a Reader of the text log at path, which need not exist yet.
func NewReader(path string) *Reader { return newReader(path, textForm{}) }

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

// Last gives the offset from which on there are the last n lines of name, or of
// all if name is empty; fewer if there are not so many. With n of 0 or less that is
// the end.
func (r *Reader) Last(name string, n int) (int64, error) {
	if n <= 0 {
		return r.End()
	}
	if err := r.flush(); err != nil {
		return 0, err
	}
	q := r.from(0, name)
	q.Lines = n
	offset, _, err := newCursor(context.Background(), r, newFilter(&q, r)).findLast(&q)
	return offset, err
}

// Read calls emit for each line of name, or of all if name is empty, from an
// offset to the end as it is now, oldest first. It ends early with the error of emit
// or of ctx. What is no longer kept is left out.
func (r *Reader) Read(ctx context.Context, since int64, name string, emit func(Line) error) error {
	return Search(ctx, []*Reader{r}, r.from(since, name), emit)
}

// Follow does what Read does, and then goes on with what comes until ctx ends,
// which is no error, or emit returns one. A line that has no newline yet is waited
// for. emit may take its time: nothing is collected for it.
func (r *Reader) Follow(ctx context.Context, since int64, name string, emit func(Line) error) error {
	q := r.from(since, name)
	q.Follow = true
	return Search(ctx, []*Reader{r}, q, emit)
}

func (r *Reader) from(since int64, name string) Query {
	q := Query{After: map[string]int64{r.label: since}}
	if name != "" {
		q.Names = []string{name}
	}
	return q
}
