package inorder

import (
	"errors"
	"io"
)

// ErrNotAsked says that no question of that number waits for an answer.
var ErrNotAsked = errors.New("no question of this number waits")

// Queue has the questions whose answers have not left, each with a note on what its
// answer depends on. Make it with [New].
type Queue[T any] struct {
	first int32     // the number of the oldest
	slots []slot[T] // the oldest first
	held  int       // bytes that wait in them
}

type slot[T any] struct {
	note     T
	waiting  []byte // until everything older has left
	answered bool
}

// New makes a queue that numbers from first on; numbers wrap.
func New[T any](first int32) *Queue[T] { return &Queue[T]{first: first} }

// Ask adds a question and gives its number.
func (q *Queue[T]) Ask(note T) int32 {
	q.slots = append(q.slots, slot[T]{note: note})
	return q.Newest()
}

// Newest is the number that was given last.
func (q *Queue[T]) Newest() int32 { return q.first + int32(len(q.slots)) - 1 }

// Len is the number of questions whose answers have not left.
func (q *Queue[T]) Len() int { return len(q.slots) }

// Held is the number of bytes that wait for older answers.
func (q *Queue[T]) Held() int { return q.held }

// Note gives the note of a question that was not answered, nil if there is none. It
// can be changed until the next Ask.
func (q *Queue[T]) Note(number int32) *T {
	if s := q.open(number); s != nil {
		return &s.note
	}
	return nil
}

func (q *Queue[T]) open(number int32) *slot[T] {
	if i := int64(number - q.first); i >= 0 && i < int64(len(q.slots)) && !q.slots[i].answered {
		return &q.slots[i]
	}
	return nil
}

// Say writes what has to be said before the answer to number, as soon as everything
// older has left.
func (q *Queue[T]) Say(w io.Writer, number int32, b []byte) error {
	s := q.open(number)
	switch {
	case s == nil:
		return ErrNotAsked
	case number == q.first:
		_, err := w.Write(b)
		return err
	}
	s.waiting = append(s.waiting, b...)
	q.held += len(b)
	return nil
}

// Answer writes the answer to number, and the younger ones that waited for it, or keeps
// a copy until it is due.
func (q *Queue[T]) Answer(w io.Writer, number int32, answer []byte) error {
	if err := q.Say(w, number, answer); err != nil {
		return err
	}
	q.open(number).answered = true
	if number != q.first {
		return nil
	}
	due := 0
	defer func() {
		q.first += int32(due)
		clear(q.slots[:due])
		q.slots = q.slots[due:] // moving the rest would cost more with each that waits
	}()
	for i := range q.slots {
		s := &q.slots[i]
		q.held -= len(s.waiting)
		if _, err := w.Write(s.waiting); err != nil {
			return err
		}
		if s.waiting = nil; !s.answered {
			return nil
		}
		due++
	}
	return nil
}
