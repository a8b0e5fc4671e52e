package rpc

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/json"
	"github.com/dserver/dserver/rpc/proto/raw"
)

// TestNobodyUsesABufferThatWasPutBack, be it small, a whole batch, or too large to be
// kept, written at once or by somebody else.
func TestNobodyUsesABufferThatWasPutBack(t *testing.T) {
	for name, p := range map[string]proto.Factory{"raw": raw.New, "json": json.New} {
		for _, network := range []string{"tcp", "pipe", "tcp/eager"} {
			t.Run(name+"/"+network, func(t *testing.T) {
				network, eager := strings.CutSuffix(network, "/eager")
				near, far := connected(t, network)
				s := poisonedSession(t, p, near, eager)
				poisonedSession(t, p, far, eager)
				var all sync.WaitGroup
				for caller := range 20 {
					all.Go(func() {
						for n := range 12 {
							callPoisoned(t, s, caller*1000+n)
						}
					})
				}
				all.Wait()
			})
		}
	}
}

func callPoisoned(t *testing.T, s *Session, n int) {
	sizes := []int{1, 100, 1 << 10, 5000, 30 << 10, 70 << 10}
	body := bytes.Repeat([]byte{byte('a' + n%26)}, sizes[n%len(sizes)])
	method := []string{"/pooled", "/inline"}[n%2]
	var got []byte
	if err := s.Call(context.Background(), method, body, &got); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%s: %d bytes came back as %d others, %v", method, len(body), len(got), err)
	}
	var text string
	if err := s.Call(context.Background(), method+"/text", string(body), &text); err != nil || text != string(body) {
		t.Errorf("%s: a text of %d bytes came back as another of %d, %v", method, len(body), len(text), err)
	}
}

// appender encodes texts into memory that is used again.
type appender struct{ codec.Bytes }

var _ codec.Appender = appender{}

func (appender) Size(v any) int { return len(v.(string)) }

func (appender) AppendMarshal(dst []byte, v any) ([]byte, error) {
	return append(dst, v.(string)...), nil
}

func poisonedSession(t *testing.T, p proto.Factory, conn net.Conn, eager bool) *Session {
	t.Helper()
	e, err := New(Config{Proto: p, Codecs: []codec.Codec{appender{}}})
	if err != nil {
		t.Fatal(err)
	}
	e.bufs.poison, e.relief.eager = true, eager
	t.Cleanup(func() { e.Close() })
	answer := func(_ Context, v []byte) ([]byte, error) { return v, nil }
	if err := Handle(e, "/pooled", answer); err != nil {
		t.Fatal(err)
	}
	if err := Handle(e, "/inline", answer, Inline()); err != nil {
		t.Fatal(err)
	}
	text := func(_ Context, v string) (string, error) { return v, nil }
	if err := Handle(e, "/pooled/text", text); err != nil {
		t.Fatal(err)
	}
	if err := Handle(e, "/inline/text", text, Inline()); err != nil {
		t.Fatal(err)
	}
	s, err := e.ServeConn(conn)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
