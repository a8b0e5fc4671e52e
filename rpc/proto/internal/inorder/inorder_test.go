package inorder_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/proto/internal/inorder"
)

func TestAnswersLeaveInTheOrderOfTheQuestions(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	// Numbers wrap on the way.
	q := inorder.New[int](math.MaxInt32 - 500)
	var out bytes.Buffer
	var open []int32
	var want strings.Builder
	asked := 0
	for asked < 1000 || len(open) > 0 {
		if asked < 1000 && (len(open) == 0 || r.IntN(2) == 0) {
			open = append(open, q.Ask(asked))
			fmt.Fprintf(&want, "said %d, answer %d\n", asked, asked)
			asked++
			continue
		}
		i := r.IntN(len(open))
		number := open[i]
		open = append(open[:i], open[i+1:]...)
		note := q.Note(number)
		if note == nil {
			t.Fatalf("%d has no note", number)
		}
		if err := q.Say(&out, number, fmt.Appendf(nil, "said %d, ", *note)); err != nil {
			t.Fatal(err)
		}
		if err := q.Answer(&out, number, fmt.Appendf(nil, "answer %d\n", *note)); err != nil {
			t.Fatal(err)
		}
		if q.Note(number) != nil || !errors.Is(q.Answer(&out, number, nil), inorder.ErrNotAsked) {
			t.Fatalf("%d can be answered twice", number)
		}
	}
	if out.String() != want.String() {
		t.Error("another order")
	}
	if q.Len() != 0 || q.Held() != 0 {
		t.Errorf("%d questions and %d bytes are left", q.Len(), q.Held())
	}
}

func TestQueueTellsWhatItHolds(t *testing.T) {
	q := inorder.New[string](1)
	var out bytes.Buffer
	if q.Note(1) != nil || q.Note(q.Newest()) != nil || q.Len() != 0 {
		t.Error("an empty queue has something")
	}
	first, second := q.Ask("first"), q.Ask("second")
	if first != 1 || second != 2 || q.Newest() != second || *q.Note(second) != "second" {
		t.Errorf("got numbers %d and %d", first, second)
	}
	for number, b := range map[int32]string{second: "later", 0: "", 3: "", math.MinInt32: ""} {
		err := q.Answer(&out, number, []byte(b))
		if number == second != (err == nil) {
			t.Errorf("answer to %d: %v", number, err)
		}
	}
	if out.Len() != 0 || q.Held() != len("later") || q.Len() != 2 {
		t.Errorf("%q left, %d bytes of %d questions are held", out.String(), q.Held(), q.Len())
	}
	if err := q.Say(&out, first, []byte("soon ")); err != nil || out.String() != "soon " {
		t.Errorf("got %q, %v", out.String(), err)
	}
	if err := q.Answer(&out, first, []byte("now ")); err != nil || out.String() != "soon now later" || q.Len() != 0 {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

// TestWordsBeforeAnAnswerLeaveWhenTheirTurnComes: they do not wait for the answer.
func TestWordsBeforeAnAnswerLeaveWhenTheirTurnComes(t *testing.T) {
	q := inorder.New[struct{}](1)
	var out bytes.Buffer
	q.Ask(struct{}{})
	q.Ask(struct{}{})
	err := errors.Join(q.Say(&out, 2, []byte("b")), q.Answer(&out, 1, []byte("a")))
	if err != nil || out.String() != "ab" || q.Held() != 0 || q.Len() != 1 {
		t.Errorf("got %q, %v", out.String(), err)
	}
	if err := q.Answer(&out, 2, []byte("c")); err != nil || out.String() != "abc" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}
