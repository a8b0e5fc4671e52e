package http_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/http"
	"github.com/dserver/dserver/rpc/status"
)

// TestAnswersComeInTheOrderOfTheRequests, whatever is ready first.
func TestAnswersComeInTheOrderOfTheRequests(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 50 {
		s := newSide(t, http.Options{}, proto.Limits{})
		var numbers []int32
		var want strings.Builder
		for i := range 30 {
			name := fmt.Sprint("/", i)
			switch r.IntN(4) {
			case 0:
				s.feed("POST "+name+" HTTP/1.1\nX-MType: 3", "").read()
				want.WriteString("204\n")
			case 1:
				s.feed("PUT "+name+" HTTP/1.1\nX-Seq: "+itoa(i), "").read()
				fmt.Fprintf(&want, "200 %d\n", i)
				numbers = append(numbers, s.last.Seq)
			case 2:
				s.feed("GET "+name+" HTTP/1.1\nX-Seq: "+itoa(i), "").read()
				fmt.Fprintf(&want, "200 %d\n", i)
				numbers = append(numbers, s.last.Seq)
			default: // a peer on the same connection is answered at once
				s.feed("POST /x HTTP/1.1\nUser-Agent: dserver-http/1\nX-Seq: "+itoa(1000+i), "").read()
				numbers = append(numbers, s.last.Seq)
			}
		}
		for _, i := range r.Perm(len(numbers)) {
			m := &message.Message{Type: message.Reply, Seq: numbers[i]}
			if err := s.p.Pack(m); err != nil || m.Size == 0 {
				t.Fatalf("%d bytes, %v", m.Size, err)
			}
		}
		if got := firstLines(s.sent()); got != want.String() {
			t.Fatalf("got\n%s, want\n%s", got, want.String())
		}
	}
}

// firstLines gives code and number of the answers that are not for a peer.
func firstLines(text string) string {
	var b strings.Builder
	for answer := range strings.SplitSeq(text, "HTTP/1.1 ") {
		_, seq, _ := strings.Cut(answer, "X-Seq: ")
		seq, _, _ = strings.Cut(seq, "\r\n")
		if answer != "" && !strings.Contains(answer, "Server: ") {
			b.WriteString(strings.TrimSpace(answer[:3]+" "+seq) + "\n")
		}
	}
	return b.String()
}

// TestGoOnIsSaidWhenItIsTheirTurn: before, it would be taken for the answer to another
// request.
func TestGoOnIsSaidWhenItIsTheirTurn(t *testing.T) {
	s := newSide(t, http.Options{}, proto.Limits{})
	s.feed("GET /a HTTP/1.1", "").read()
	first := s.last.Seq
	s.feed("POST /b HTTP/1.1\nContent-Length: 1\nExpect: 100-continue", "")
	_ = s.p.Unpack(new(message.Message)) // the body has not come
	wantText(t, "before", s.sent(), "")
	got := s.pack(&message.Message{Type: message.Reply, Seq: first})
	if !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(got, "\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n") {
		t.Errorf("got %q", got)
	}
}

// TestNumbersOfPeersAndPlainClientsAreKeptApart on one connection, which a proxy may
// give to both.
func TestNumbersOfPeersAndPlainClientsAreKeptApart(t *testing.T) {
	s := newSide(t, http.Options{}, proto.Limits{})
	s.feed("GET /a HTTP/1.1", "").read()
	plain := s.last.Seq
	s.feed("POST /b HTTP/1.1\nUser-Agent: dserver-http/1\nX-Seq: "+itoa(int(plain)), "").read()
	if s.last.Seq == plain {
		t.Fatal("two requests have one number")
	}
	wantText(t, "second", s.pack(&message.Message{Type: message.Reply, Seq: s.last.Seq}), "")
	got := s.pack(&message.Message{Type: message.Reply, Seq: plain})
	if strings.Count(got, "HTTP/1.1 200 OK") != 2 || !strings.Contains(got, "X-Seq: "+itoa(int(plain))) {
		t.Errorf("got %q", got)
	}
}

// TestWhoRunsTooFarAheadWaitsAndIsRefused, and the session ends in order.
func TestWhoRunsTooFarAheadWaitsAndIsRefused(t *testing.T) {
	s := newSide(t, http.Options{}, proto.Limits{})
	var numbers []int32
	for range 64 {
		s.feed("GET /a HTTP/1.1", "").read()
		numbers = append(numbers, s.last.Seq)
	}
	s.feed("POST /too-far HTTP/1.1\nContent-Length: 1", "x")
	start := time.Now()
	m := s.read()
	if m.Refusal == nil || m.Refusal.Code != status.Overloaded || !m.Refusal.Retry || !m.Last || m.Method != "/too-far" {
		t.Errorf("got %+v", m)
	}
	if waited := time.Since(start); waited < 500*time.Millisecond {
		t.Errorf("it waited for %v only", waited)
	}
	wantText(t, "the refusal", s.answer(message.Message{Status: m.Refusal}), "")
	var got strings.Builder
	for _, number := range numbers {
		got.WriteString(s.pack(&message.Message{Type: message.Reply, Seq: number}))
	}
	if text := got.String(); strings.Count(text, "HTTP/1.1 200 OK") != 64 || strings.Count(text, "HTTP/1.1 503 ") != 1 ||
		strings.Count(text, "Connection: close") != 1 {
		t.Errorf("got %q", text)
	}
}

// TestWaitingForRoomEndsWithAnAnswer.
func TestWaitingForRoomEndsWithAnAnswer(t *testing.T) {
	s := newSide(t, http.Options{}, proto.Limits{})
	for range 64 {
		s.feed("GET /a HTTP/1.1", "").read()
	}
	first := s.last.Seq - 63
	s.feed("GET /b HTTP/1.1", "")
	done := make(chan error, 1)
	go func() { done <- s.p.Pack(&message.Message{Type: message.Reply, Seq: first}) }()
	if m := s.read(); m.Refusal != nil || m.Last {
		t.Errorf("got %+v", m)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestAnswersThatAreHeldBackCountAsWell.
func TestAnswersThatAreHeldBackCountAsWell(t *testing.T) {
	s := newSide(t, http.Options{}, proto.Limits{Message: 1000})
	for range 3 {
		s.feed("GET /a HTTP/1.1", "").read()
		if s.last.Seq%2 != 0 || s.last.Seq > -1<<31+1 {
			s.answer(message.Message{Codec: 's', Body: make([]byte, 700)})
		}
	}
	if m := s.feed("GET /a HTTP/1.1", "").read(); m.Refusal == nil || m.Refusal.Code != status.Overloaded {
		t.Errorf("got %+v", m)
	}
}
