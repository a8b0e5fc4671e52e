package jsonrpc

import (
	"bytes"
	"strconv"
	"sync"
)

// Bounds on what a peer can make a session keep.
const (
	maxCalls = 65536 // calls without an answer
	maxBatch = 1000  // entries of one batch
	maxID    = 256   // bytes of an id
	// reserve is what an answer in a batch can always have: enough for an error with
	// the longest id and a text of ours.
	reserve = 512
	// heldBytes is how much the answers in open batches may have where a line has no
	// limit.
	heldBytes = 16 << 20
)

// calls are those of the peer that have no answer yet, by the number that the
// endpoint knows them by. No two have the same, whatever ids the peer uses.
type calls struct {
	most int // bytes of the answers in open batches

	mu       sync.Mutex
	open     map[int32]asked
	invented int32 // the last number that was no id
	held     int   // bytes in open batches, answered or reserved
}

// asked is how a call wants to be answered. The zero value is for one that nobody
// remembers: with its number as id, and as older peers expect.
type asked struct {
	id    string // as the peer wrote it; empty: the number
	plain bool   // by the letter of JSON-RPC 2.0
	code  int    // that of an error to a plain peer, if it is not the one by its status
	batch *batch // that it came in; nil is none
	place int    // in there
}

// batch collects answers until there is one for each call.
type batch struct {
	answers [][]byte
	left    int
	size    int // of the answers, with their commas
}

func newCalls(limit int) *calls {
	if limit <= 0 {
		limit = heldBytes
	}
	return &calls{most: limit - len("[]"+lineEnd), open: make(map[int32]asked)}
}

// plainID tells whether an id is a number of the endpoint's, written as we do.
func plainID(id []byte) (seq int32, ok bool) {
	const longest = len("-2147483648")
	if len(id) > longest {
		return 0, false
	}
	n, err := strconv.ParseInt(string(id), 10, 32)
	if err != nil || string(strconv.AppendInt(nil, n, 10)) != string(id) {
		return 0, false
	}
	return int32(n), true
}

// add gives the number of a new call: its id if that is a number and free.
func (c *calls) add(id []byte, a asked) int32 {
	seq, ok := plainID(id)
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, taken := c.open[seq]; !ok || taken {
		a.id = string(id)
		seq = c.invent()
	}
	c.open[seq] = a
	return seq
}

// invent counts down: the numbers of peers count up.
func (c *calls) invent() int32 {
	for {
		c.invented--
		if _, taken := c.open[c.invented]; !taken {
			return c.invented
		}
	}
}

// full tells whether no further call can be remembered. Only who reads adds calls.
func (c *calls) full() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open) >= maxCalls
}

func (c *calls) lookup(seq int32) asked {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open[seq]
}

func (c *calls) remove(seq int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, seq)
}

// cancelled forgets a call that will have no answer. Who cancels knows it by its
// number, and sends no batches.
func (c *calls) cancelled(seq int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.open[seq]; a.id == "" && a.batch == nil {
		delete(c.open, seq)
	}
}

// mostAnswers is how many a batch may want; each must have room for an error at least.
func (c *calls) mostAnswers() int { return min(max(c.most/2/reserve, 1), maxBatch) }

// newBatch makes room for answers; nil means that there is none right now.
func (c *calls) newBatch(answers int) *batch {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held > 0 && c.held+answers*reserve > c.most {
		return nil
	}
	c.held += answers * reserve
	return &batch{answers: make([][]byte, answers), left: answers}
}

// answer puts what write makes, with at most so many bytes, into the batch of a call.
// With the last answer it appends them all to dst.
func (c *calls) answer(dst []byte, seq int32, write func(most int) ([]byte, error)) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.open[seq]
	b := a.batch
	if b == nil {
		return dst, nil // somebody else has answered
	}
	text, err := write(c.most - c.held + reserve - len(","))
	if err != nil {
		return dst, err
	}
	delete(c.open, seq)
	b.answers[a.place] = text
	b.size += len(text) + len(",")
	c.held += len(text) + len(",") - reserve
	if b.left--; b.left > 0 {
		return dst, nil
	}
	c.held -= b.size
	dst = append(dst, '[')
	dst = append(dst, bytes.Join(b.answers, []byte(","))...)
	return append(dst, "]"+lineEnd...), nil
}
