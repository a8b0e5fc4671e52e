package inorder

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

// ErrFull is what Begin wraps when too much waits.
var ErrFull = errors.New("too much waits for an answer")

// entryCost is what a question costs besides its note and its answer, in bytes.
const entryCost = 64

// Queue holds the questions that are not answered, and the answers whose turn has not
// come. T is what a protocol notes with a question.
type Queue[T any] struct {
	most int // bytes

	mu    sync.Mutex
	first *entry[T] // the oldest one; it is not answered
	last  *entry[T]
	open  map[int32]*entry[T] // those that are not answered
	cost  int                 // of all of them
}

// entry is one question.
type entry[T any] struct {
	note     T
	cost     int
	answered bool
	frame    []byte // the answer
	next     *entry[T]
}

// New makes a queue in which questions and answers that wait may take most bytes.
func New[T any](most int) *Queue[T] {
	return &Queue[T]{most: most, open: make(map[int32]*entry[T])}
}

// Begin puts a question behind the others. The note takes size bytes. It refuses a
// number that waits already, and wraps ErrFull when more waits than may.
func (q *Queue[T]) Begin(seq int32, note T, size int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, taken := q.open[seq]; taken {
		return fmt.Errorf("number %d waits for its answer already", seq)
	}
	e := &entry[T]{note: note, cost: entryCost + size}
	if q.first != nil && q.cost+e.cost > q.most {
		return fmt.Errorf("%w: %d bytes, %d calls of them are not answered", ErrFull, q.cost, len(q.open))
	}
	q.open[seq] = e
	q.cost += e.cost
	if q.first == nil {
		q.first = e
	} else {
		q.last.next = e
	}
	q.last = e
	return nil
}

// Note gives what was noted with a question that waits for its answer.
func (q *Queue[T]) Note(seq int32) (note T, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.open[seq]
	if e == nil {
		return note, false
	}
	return e.note, true
}

// Done takes dst[from:] as the answer to seq. The result is dst[:from] and all that is
// due: nothing, if an older question waits, else this answer and those that waited for
// it. An answer that nobody waits for is dropped.
func (q *Queue[T]) Done(seq int32, dst []byte, from int) []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.open[seq]
	if e == nil {
		return dst[:from]
	}
	delete(q.open, seq)
	e.answered = true
	if e != q.first {
		e.frame = slices.Clone(dst[from:])
		e.cost += len(e.frame)
		q.cost += len(e.frame)
		return dst[:from]
	}
	for q.first != nil && q.first.answered {
		dst = append(dst, q.first.frame...)
		q.cost -= q.first.cost
		q.first = q.first.next
	}
	if q.first == nil {
		q.last = nil
	}
	return dst
}
