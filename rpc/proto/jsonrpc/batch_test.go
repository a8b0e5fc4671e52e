package jsonrpc_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/status"
)

const invalidRequest = `{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request","data":{"code":400,"cause":"%s"}},"id":%s}`

// TestF42BatchIsAnsweredAsOneArray when the last answer is there, in its own order.
func TestF42BatchIsAnsweredAsOneArray(t *testing.T) {
	s := newSide(t, proto.Stream{})
	line := ` [ {"jsonrpc":"2.0","method":"/a","params":["]",1],"id":"1"} , {"jsonrpc":"2.0","method":"/note"},` +
		` 7, {"jsonrpc":"2.0","method":"/b","id":1,"context":{"k":"v"}},{"jsonrpc":"2.0","id":5,"result":6} ] ` + "\r\n"
	list := s.read(line + plain("9"))
	if len(list) != 6 {
		t.Fatalf("%d messages", len(list))
	}
	a, note, bad, b, reply, next := list[0], list[1], list[2], list[3], list[4], list[5]
	if a.Method != "/a" || string(a.Body) != `["]",1]` || note.Type != message.Push || note.Method != "/note" ||
		bad.Refusal == nil || b.Meta.Value("k") != "v" || b.Seq != 1 || reply.Type != message.Reply || reply.Seq != 5 || string(reply.Body) != "6" {
		t.Errorf("got %+v", list)
	}
	want(t, s.answer(b, "2", nil), "")
	want(t, s.answer(next, "9", nil), `{"jsonrpc":"2.0","result":9,"id":9}`)
	want(t, s.answer(bad, "", nil), "")
	want(t, s.answer(a, "1", nil), `[{"jsonrpc":"2.0","result":1,"id":"1"},`+fmt.Sprintf(invalidRequest, "it is no object", "null")+
		`,{"jsonrpc":"2.0","id":1,"result":2,"context":{}}]`)
}

func TestF42BatchOfNotificationsIsNotAnswered(t *testing.T) {
	s := newSide(t, proto.Stream{})
	for _, m := range s.read(`[{"jsonrpc":"2.0","method":"/a"},{"jsonrpc":"2.0","method":"/b","params":[7]}]` + "\n") {
		if m.Type != message.Push {
			t.Errorf("got %+v", m)
		}
	}
}

func TestF42BatchesThatAreNone(t *testing.T) {
	s := newSide(t, proto.Stream{})
	want(t, s.answer(s.readOne("[]\n"), "", nil), fmt.Sprintf(invalidRequest, "the batch is empty", "null"))
	want(t, s.answer(s.readOne("[ ]\r\n"), "", nil), fmt.Sprintf(invalidRequest, "the batch is empty", "null"))
	tooMany := "[1" + strings.Repeat(",1", 1000) + "]\n"
	want(t, s.answer(s.readOne(tooMany), "", nil), fmt.Sprintf(invalidRequest, "the batch has 1001 entries, the most is 1000", "null"))
	if n := len(s.read("[1" + strings.Repeat(",1", 999) + "]\n")); n != 1000 {
		t.Errorf("%d entries", n)
	}
	small := newSide(t, proto.Stream{Limits: proto.Limits{Message: 10240}})
	want(t, small.answer(small.readOne("[1"+strings.Repeat(",1", 9)+"]\n"), "", nil),
		fmt.Sprintf(invalidRequest, "the batch has 10 entries, the most is 9", "null"))
}

// TestBatchIsAnsweredWithinTheLimit: an answer that does not fit is an error, and for
// an error there is always room.
func TestBatchIsAnsweredWithinTheLimit(t *testing.T) {
	const limit = 20_000
	s := newSide(t, proto.Stream{Limits: proto.Limits{Message: limit}})
	id := `"` + strings.Repeat("i", 254) + `"`
	list := s.read("[" + strings.TrimSpace(plain(id)) + strings.Repeat(","+strings.TrimSpace(plain(id)), 18) + "]\n")
	big, all := `"`+strings.Repeat("x", 3000)+`"`, ""
	fit := 0
	for _, m := range list {
		reply := message.Message{Type: message.Reply, Seq: m.Seq, Codec: 'j', Body: []byte(big)}
		out, err := s.AppendFrame(nil, &reply)
		if err != nil {
			if !errors.Is(err, proto.ErrTooLarge) || len(out) > 0 {
				t.Fatalf("got %d bytes, %v", len(out), err)
			}
			all = s.answer(m, "", &status.Status{Code: 503, Msg: big, Cause: big, Details: []byte(big)})
			continue
		}
		fit++
	}
	if !json.Valid([]byte(all)) || len(all)+2 > limit || fit < 3 || strings.Count(all, `"message":"Overloaded"`) != len(list)-fit {
		t.Errorf("%d fit, %d bytes: %.300s", fit, len(all), all)
	}
}

// TestOpenBatchesAreBoundedTogether: what they hold is, however many there are.
func TestOpenBatchesAreBoundedTogether(t *testing.T) {
	s := newSide(t, proto.Stream{Limits: proto.Limits{Message: 20_000}})
	two := "[" + strings.TrimSpace(plain("1")) + "," + strings.TrimSpace(plain("2")) + "]\n"
	var open []message.Message
	for len(open) < 1000 {
		list := s.read(two)
		if len(list) == 1 {
			want(t, s.answer(list[0], "", nil), `{"jsonrpc":"2.0","error":{"code":503,"message":"Overloaded","data":{"code":503,`+
				`"cause":"the batches that wait for their answers hold too much memory","retry":true}},"id":null}`)
			break
		}
		open = append(open, list...)
	}
	if len(open) != 38 {
		t.Errorf("%d calls were let in", len(open))
	}
	for _, m := range open {
		s.answer(m, "1", nil)
	}
	if n := len(s.read(two)); n != 2 {
		t.Errorf("afterwards: %d messages", n)
	}
}

// TestBatchAnsweredByMany handlers at once, while the rest of its line is read.
func TestBatchAnsweredByMany(t *testing.T) {
	s := newSide(t, proto.Stream{})
	const batches, entries = 20, 50
	var line strings.Builder
	var all sync.WaitGroup
	var mu sync.Mutex
	var lines []string
	for b := range batches {
		line.Reset()
		for i := range entries {
			fmt.Fprintf(&line, `,{"jsonrpc":"2.0","method":"/a","id":"%d.%d"}`, b, i)
		}
		for buf := []byte("[" + line.String()[1:] + "]\n"); len(buf) > 0; {
			var m message.Message
			n, err := s.CutFrame(buf, &m)
			if err != nil {
				t.Fatal(err)
			}
			buf = buf[n:]
			all.Go(func() {
				for range rand.IntN(3) {
					s.AppendFrame(nil, &message.Message{Type: message.Reply, Seq: m.Seq, Codec: '?', Body: []byte("cannot be written")})
				}
				if line := s.answer(m, "1", nil); line != "" {
					mu.Lock()
					defer mu.Unlock()
					lines = append(lines, line)
				}
			})
		}
	}
	all.Wait()
	if len(lines) != batches {
		t.Errorf("%d lines", len(lines))
	}
	for _, line := range lines {
		var answers []struct{ ID string }
		if err := json.Unmarshal([]byte(line), &answers); err != nil || len(answers) != entries {
			t.Fatalf("%d answers, %v", len(answers), err)
		}
		batch, _, _ := strings.Cut(answers[0].ID, ".")
		for i, a := range answers {
			want(t, a.ID, fmt.Sprintf("%s.%d", batch, i))
		}
	}
}
