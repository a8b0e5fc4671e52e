package inorder_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/dserver/dserver/rpc/proto/internal/inorder"
)

func begin(t *testing.T, q *inorder.Queue[string], numbers ...int32) {
	t.Helper()
	for _, seq := range numbers {
		if err := q.Begin(seq, fmt.Sprint("note ", seq), 0); err != nil {
			t.Fatal(err)
		}
	}
}

// done answers a number with itself and a dot.
func done(q *inorder.Queue[string], seq int32) string {
	out := fmt.Appendf([]byte(">"), "%d.", seq)
	return string(q.Done(seq, out, 1))
}

func TestAnswersWaitForTheirTurn(t *testing.T) {
	q := inorder.New[string](1 << 10)
	begin(t, q, 7, -1, 3) // numbers mean nothing, their order does
	for _, step := range []struct {
		seq int32
		due string
	}{{3, ">"}, {3, ">"}, {7, ">7."}, {-1, ">-1.3."}, {9, ">"}} {
		if due := done(q, step.seq); due != step.due {
			t.Errorf("after %d: %q is due, want %q", step.seq, due, step.due)
		}
	}
	begin(t, q, 3)
	if due := done(q, 3); due != ">3." {
		t.Errorf("a number that is used again: %q", due)
	}
}

func TestNotesLastAsLongAsTheQuestion(t *testing.T) {
	q := inorder.New[string](1 << 10)
	begin(t, q, 1, 2)
	if note, ok := q.Note(2); !ok || note != "note 2" {
		t.Errorf("got %q, %v", note, ok)
	}
	if err := q.Begin(2, "", 0); err == nil || errors.Is(err, inorder.ErrFull) {
		t.Errorf("a number that waits was taken: %v", err)
	}
	done(q, 2)
	if note, ok := q.Note(2); ok {
		t.Errorf("an answered one has the note %q", note)
	}
}

// What waits is bounded, and one question always has its place.
func TestQueueIsBounded(t *testing.T) {
	q := inorder.New[string](1000)
	if err := q.Begin(1, "", 5000); err != nil {
		t.Fatal(err)
	}
	if err := q.Begin(2, "", 0); !errors.Is(err, inorder.ErrFull) || !strings.Contains(err.Error(), "1 calls") {
		t.Errorf("got %v", err)
	}
	done(q, 1)
	begin(t, q, 1, 2)
	q.Done(2, make([]byte, 900), 0)
	if err := q.Begin(3, "", 0); !errors.Is(err, inorder.ErrFull) {
		t.Errorf("an answer that waits costs nothing: %v", err)
	}
	done(q, 1)
	for seq := range int32(1000) { // each leaves as much room as it found
		begin(t, q, seq)
		done(q, seq)
	}
}

// Whoever answers, and in whatever order: what is due comes in the order of the
// questions. The lock stands for what the writer of a session does.
func TestManyGoroutinesAnswer(t *testing.T) {
	q := inorder.New[string](1 << 20)
	const count = 1000
	numbers := rand.Perm(count)
	var all sync.WaitGroup
	var write sync.Mutex
	var got strings.Builder
	for n := range count {
		begin(t, q, int32(n))
	}
	for part := range 4 {
		all.Go(func() {
			for _, n := range numbers[part*count/4 : (part+1)*count/4] {
				write.Lock()
				got.WriteString(done(q, int32(n))[1:])
				write.Unlock()
			}
		})
	}
	all.Wait()
	var want strings.Builder
	for n := range count {
		fmt.Fprintf(&want, "%d.", n)
	}
	if got.String() != want.String() {
		t.Error("answers are not in order")
	}
}
