package http_test

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/http"
	"github.com/dserver/dserver/rpc/proto/prototest"
	"github.com/dserver/dserver/rpc/status"
)

// side is one end of a connection with its protocol, whose other end is bytes.
type side struct {
	t    testing.TB
	in   bytes.Buffer // what the other end sends
	out  bytes.Buffer // what it gets
	r    *bufio.Reader
	p    proto.Proto
	peer proto.Peer
	last message.Message
}

func newSide(t testing.TB, o http.Options, limits proto.Limits) *side {
	s := &side{t: t}
	s.r = bufio.NewReader(&s.in)
	s.p = o.New(proto.Stream{
		Reader: s.r, Writer: &s.out, Limits: limits, Peer: &s.peer, Filters: prototest.Filters(t),
		Interim: func(b []byte) { s.out.Write(b) },
	})
	return s
}

// request feeds lines and a body.
func (s *side) feed(lines string, body string) *side {
	head := strings.ReplaceAll(strings.TrimSpace(lines), "\n", "\r\n") + "\r\n\r\n"
	s.in.WriteString(head + body)
	return s
}

// read gives the next message, which must come without an error.
func (s *side) read() *message.Message {
	s.t.Helper()
	s.last = message.Message{}
	before := s.in.Len() + s.r.Buffered()
	if err := s.p.Unpack(&s.last); err != nil {
		s.t.Fatalf("cannot read: %v", err)
	}
	if read := before - s.in.Len() - s.r.Buffered(); s.last.Size != read && !s.last.Last {
		s.t.Errorf("Size is %d of %d bytes", s.last.Size, read)
	}
	return &s.last
}

// refused gives the status that answers the next message.
func (s *side) refused() *status.Status {
	s.t.Helper()
	m := s.read()
	if m.Refusal == nil {
		s.t.Fatalf("%+v is not refused", m)
	}
	return m.Refusal
}

// broken gives the status that answers the next message, with which the session ends.
func (s *side) broken() *status.Status {
	s.t.Helper()
	s.last = message.Message{}
	err := s.p.Unpack(&s.last)
	if err == nil || s.last.Refusal == nil || s.last.Type != message.Call {
		s.t.Fatalf("got %+v, %v", s.last, err)
	}
	return s.last.Refusal
}

// pack writes m and gives what that sends.
func (s *side) pack(m *message.Message) string {
	s.t.Helper()
	s.out.Reset()
	if err := s.p.Pack(m); err != nil {
		s.t.Fatalf("cannot write: %v", err)
	}
	return s.sent()
}

// sent gives what was sent since, with a date that is always the same.
func (s *side) sent() string {
	text := s.out.String()
	s.out.Reset()
	return undated(text)
}

func undated(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "Date: ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// answer replies to the message read last.
func (s *side) answer(m message.Message) string {
	s.t.Helper()
	m.Type, m.Seq = message.Reply, s.last.Seq
	return s.pack(&m)
}

func (s *side) answerOK(body string) string {
	s.t.Helper()
	return s.answer(message.Message{Codec: 'j', Body: []byte(body)})
}

func (s *side) answerStatus(code status.Code) string {
	s.t.Helper()
	return s.answer(message.Message{Status: status.New(code, "")})
}

// lines joins the lines of a head.
func lines(list ...string) string { return strings.Join(list, "\r\n") + "\r\n\r\n" }

func wantText(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got\n%q, want\n%q", what, got, want)
	}
}

func wantMeta(t testing.TB, m *message.Message, pairs ...string) {
	t.Helper()
	want := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		want[pairs[i]] = pairs[i+1]
	}
	if got := maps.Collect(m.Meta.All()); !maps.Equal(got, want) {
		t.Errorf("metadata is %q, want %q", got, want)
	}
}

func wantMessage(t testing.TB, m *message.Message, seq int32, kind message.Type, method string, codec byte, body string) {
	t.Helper()
	got := fmt.Sprintf("%d %v %q %q %q %v", m.Seq, m.Type, m.Method, m.Codec, m.Body, m.Refusal)
	want := fmt.Sprintf("%d %v %q %q %q %v", seq, kind, method, codec, body, (*status.Status)(nil))
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
