package http_test

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	nethttp "net/http"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/http"
	"github.com/dserver/dserver/rpc/proto/prototest"
)

func seeds(f *testing.F) {
	for _, v := range prototest.Read(f, "httpproto.json") {
		if frame := v.Frame(f); len(frame) < 1<<10 {
			f.Add(frame)
		}
	}
	for _, text := range []string{
		"GET /a?x=%20y HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n",
		"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\nGET / HTTP/1.0\r\n\r\n",
		"POST /a HTTP/1.1\r\nUser-Agent: dserver-http/1\r\nX-Seq: 1\r\nX-MType: 3\r\nX-Meta: eyJhIjoiYiJ9\r\nb: c\r\n\r\n",
		"POST /a HTTP/1.1\r\nContent-Length: 1\r\nExpect: 100-continue\r\nX-MType: 3\r\n\r\nx",
		"POST  HTTP/1.1\r\nUser-Agent: drpc-httpproto/1.1\r\nX-Mtype: 4\r\nX-Seq: -1\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
		"HTTP/1.1 404 Not Found\r\nContent-Length: 25\r\nX-Seq: 1\r\n\r\n{\"code\":404,\"msg\":\"no\"}\r\n",
		"POST /a HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
		"POST /a HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
	} {
		f.Add([]byte(text))
	}
}

// FuzzUnpack: no input panics or makes us send what is no HTTP; whatever is read can be
// answered, and comes back when it is written.
func FuzzUnpack(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		s := newSide(t, http.Options{Headers: []string{"B"}}, proto.Limits{Message: 1 << 16, Metadata: 1 << 12})
		s.in.Write(in)
		for range 50 {
			var m message.Message
			err := s.p.Unpack(&m)
			if m.Type == message.Call && (err == nil || m.Refusal != nil) {
				if err := s.p.Pack(&message.Message{Type: message.Reply, Seq: m.Seq, Status: m.Refusal, Codec: 'j', Body: []byte("1")}); err != nil {
					t.Fatalf("%q cannot be answered: %v", in, err)
				}
			}
			if err != nil || m.Last {
				break
			}
			if m.Refusal == nil {
				wantSame(t, &m)
			}
		}
		if !bytes.Contains(in, []byte("HEAD ")) { // whose answers end before they say
			checkAnswers(t, s.out.Bytes())
		}
	})
}

func wantSame(t *testing.T, m *message.Message) {
	if m.Type == message.AuthCall && len(m.Filters) > 0 && len(m.Body) == 0 || strings.Contains(m.Method, "?") || strings.HasPrefix(m.Method, "http") {
		return // a method with a question mark is a path with a query
	}
	out := newSide(t, http.Options{}, proto.Limits{})
	if err := out.p.Pack(m); err != nil {
		t.Fatalf("%+v cannot be written: %v", m, err)
	}
	out.in.Write(out.out.Bytes())
	got := out.read()
	if got.Seq != m.Seq || got.Type != m.Type || got.Method != m.Method || got.Codec != m.Codec && m.Status == nil || !bytes.Equal(got.Body, m.Body) ||
		!maps.Equal(maps.Collect(got.Meta.All()), maps.Collect(m.Meta.All())) || (got.Status == nil) != (m.Status == nil) {
		t.Fatalf("%+v came back as %+v from %q", m, got, out.out.Bytes())
	}
}

// checkAnswers reads what was sent as others do.
func checkAnswers(t *testing.T, sent []byte) {
	r := bufio.NewReader(bytes.NewReader(sent))
	for {
		if _, err := r.Peek(1); err != nil {
			return
		}
		resp, err := nethttp.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("we sent %q: %v", sent, err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatalf("we sent %q: %v", sent, err)
		}
	}
}

// FuzzFraming: where a request ends is the same for us and for net/http, whenever both
// take it.
func FuzzFraming(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		s := newSide(t, http.Options{}, proto.Limits{Message: 1 << 16, Metadata: 1 << 12})
		s.in.Write(in)
		if bytes.HasPrefix(in, []byte("HTTP/")) || bytes.HasPrefix(in, []byte("\r\n")) {
			return
		}
		var m message.Message
		if s.p.Unpack(&m) != nil {
			return
		}
		ours := len(in) - s.in.Len() - s.r.Buffered()
		r := bufio.NewReader(bytes.NewReader(in))
		req, err := nethttp.ReadRequest(r)
		if err != nil {
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		if m.Refusal == nil && req.URL.RawQuery == "" && len(m.Filters) == 0 && !bytes.Equal(body, m.Body) {
			t.Fatalf("%q: body %q, for others %q", in, m.Body, body)
		}
		if theirs := len(in) - r.Buffered(); ours != theirs {
			t.Fatalf("%q: we read %d bytes, others %d", in, ours, theirs)
		}
	})
}
