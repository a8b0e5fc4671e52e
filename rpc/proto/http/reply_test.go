package http_test

import (
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/http"
	"github.com/dserver/dserver/rpc/status"
)

const notFound = `{"code":404,"msg":"Not Found","cause":"no route"}`

func TestRepliesOfAllKinds(t *testing.T) {
	for _, test := range []struct {
		head, body string
		codec      byte
		want       string // the body, or the status
		last       bool
	}{
		{"HTTP/1.1 200 OK\nContent-Length: 1\nContent-Type: application/json;charset=utf-8\nX-Mtype: 2\nX-Seq: 3", "6", 'j', "6", false},
		{"HTTP/1.1 200 \nContent-Length: 1\nContent-Type: text/plain\nX-Seq: 3", "6", 's', "6", false},
		{"HTTP/1.1 201\nContent-Length: 1\nContent-Type: image/png\nX-Seq: 3", "6", 0, "6", false},
		{"HTTP/1.1 204 No Content\nX-Seq: 3", "", 0, "", false},
		{"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nContent-Type: text/xml\nX-Seq: 3", "2\r\n<a\r\n2\r\n/>\r\n0\r\n\r\n", 'x', "<a/>", false},
		{"HTTP/1.1 200 OK\nContent-Length: 0\nConnection: close\nX-Seq: 3", "", 0, "", true},
		{"HTTP/1.0 200 OK\nContent-Length: 0\nX-Seq: 3", "", 0, "", true},
		{"HTTP/1.0 200 OK\nContent-Length: 0\nConnection: keep-alive\nX-Seq: 3", "", 0, "", false},
		{"HTTP/1.1 100 Continue\n\nHTTP/1.1 103 Early Hints\nLink: x\n\nHTTP/1.1 200 OK\nContent-Length: 0\nX-Seq: 3", "", 0, "", false},
		{"HTTP/1.1 299 Business Error\nContent-Length: 49\nX-Seq: 3", notFound, 0, "404 Not Found: no route", false},
		{"HTTP/1.1 404 Not Found\nContent-Length: 49\nX-Seq: 3", notFound, 0, "404 Not Found: no route", false},
		{"HTTP/1.1 422 Unprocessable Entity\nContent-Length: 24\nX-Seq: 3", `{"code":1001,"msg":"no"}`, 0, "1001 no", false},
		{"HTTP/1.1 404 Not Here\nContent-Length: 6\nContent-Type: text/html\nX-Seq: 3", "<html>", 0, "404 Not Found: Not Here", false},
		{"HTTP/1.1 404 Not Found\nContent-Length: 12\nContent-Type: text/plain\nX-Seq: 3", "no such pag\xff", 0, "404 Not Found: no such pag\ufffd", false},
		{"HTTP/1.1 502 Bad Gateway\nContent-Length: 0\nX-Seq: 3", "", 0, "502 Bad Gateway", false},
		{"HTTP/1.1 302 Found\nContent-Length: 0\nX-Seq: 3", "", 0, "302 Found", false},
		{"HTTP/1.1 304 Not Modified\nContent-Length: 77\nX-Seq: 3", "", 0, "304 Not Modified", false},
		{"HTTP/1.1 500 Oh\nContent-Length: 2\nX-Seq: 3", "{}", 0, "500 Internal Server Error: Oh", false},
		{"HTTP/1.1 299 Business Error\nContent-Length: 2\nX-Seq: 3", "{}", 0, "-1 Unknown Error: Business Error", false},
		{"HTTP/1.1 200 OK\nContent-Length: 1\nContent-Encoding: br\nX-Seq: 3", "x", 0,
			"415 Unsupported Media Type: of the content encodings there is gzip only", false},
		{"HTTP/1.1 200 OK\nContent-Length: 1\nX-Meta: ?\nX-Seq: 3", "x", 0,
			"400 Bad Message: cannot read X-Meta: illegal base64 data at input byte 0", false},
	} {
		s := newSide(t, http.Options{}, proto.Limits{})
		s.feed(test.head, test.body).feed("HTTP/1.1 200 OK\nContent-Length: 0\nX-Seq: 4", "")
		m := s.read()
		got := string(m.Body)
		if m.Status != nil {
			got = m.Status.Error()
		}
		if m.Type != message.Reply || m.Seq != 3 || m.Codec != test.codec || got != test.want || m.Last != test.last || m.Refusal != nil {
			t.Errorf("%s: got %+v, %q", test.head, m, got)
		}
		if m.Status != nil && len(m.Body) > 0 {
			t.Errorf("%s: an error has a body", test.head)
		}
		if m := s.read(); m.Seq != 4 {
			t.Errorf("%s: then %+v", test.head, m)
		}
	}
}

func TestReplyThatEndsWithTheConnection(t *testing.T) {
	s := newSide(t, http.Options{}, proto.Limits{Message: 1000})
	s.feed("HTTP/1.1 200 OK\nContent-Type: text/plain\nX-Seq: 3", "to the end")
	if m := s.read(); string(m.Body) != "to the end" || !m.Last {
		t.Errorf("got %+v", m)
	}
	s = newSide(t, http.Options{}, proto.Limits{Message: 1000})
	s.feed("HTTP/1.1 200 OK\nX-Seq: 3", strings.Repeat("x", 1000))
	if err := s.p.Unpack(new(message.Message)); status.CodeOf(err) != 413 {
		t.Errorf("got %v", err)
	}
}

func TestBadRepliesEndTheSession(t *testing.T) {
	for _, text := range []string{
		"HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP/1.1 99 OK\r\n\r\n", "HTTP/1.1 0200 OK\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n",
		"HTTP/1.1\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/x.1 200 OK\r\n\r\n", "HTTP/1.1 200 O\x01K\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX-MType: 1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "HTTP/1.1 200 OK\n\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX-Seq: 1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n\r\n",
	} {
		s := newSide(t, http.Options{}, proto.Limits{})
		s.in.WriteString(text)
		var m message.Message
		if err := s.p.Unpack(&m); err == nil || m.Refusal != nil || s.out.Len() > 0 {
			t.Errorf("%q: got %v, %v", text, err, m.Refusal)
		}
	}
}

// TestServersThatKnowNoNumbersAreUnderstoodByTheirOrder.
func TestServersThatKnowNoNumbersAreUnderstoodByTheirOrder(t *testing.T) {
	s := newSide(t, http.Options{Host: "example.org", Headers: []string{"X-Page"}}, proto.Limits{})
	for seq, kind := range []message.Type{message.Call, message.Push, message.Call} {
		got := s.pack(&message.Message{Seq: int32(10 + seq), Type: kind, Method: "/a"})
		if !strings.Contains(got, "\r\nHost: example.org\r\n") {
			t.Errorf("asked %q", got)
		}
	}
	for want := range int32(3) {
		s.feed("HTTP/1.1 200 OK\nContent-Length: 1\nContent-Type: application/json\nDate: now\nServer: others\nSet-Cookie: c\nx-page: 1", "1")
		wantMessage(t, s.read(), 10+want, message.Reply, "", 'j', "1")
		wantMeta(t, &s.last, "X-Page", "1")
	}
	// Numbers count, once there are any.
	s.pack(&message.Message{Seq: 20, Type: message.Call, Method: "/a"})
	s.pack(&message.Message{Seq: 21, Type: message.Call, Method: "/a"})
	s.feed("HTTP/1.1 200 OK\nContent-Length: 0\nX-Seq: 21", "")
	if m := s.read(); m.Seq != 21 {
		t.Errorf("got %+v", m)
	}
	s.feed("HTTP/1.1 200 OK\nContent-Length: 0", "")
	if m := s.read(); m.Seq != 0 {
		t.Errorf("got %+v", m)
	}
}

// TestNumbersThatNobodyAsksForAreForgotten: one who only pushes is never answered.
func TestNumbersThatNobodyAsksForAreForgotten(t *testing.T) {
	s := newSide(t, http.Options{}, proto.Limits{})
	for seq := range int32(5000) {
		s.pack(&message.Message{Seq: seq + 1, Type: message.Push, Method: "/a"})
	}
	s.feed("HTTP/1.1 200 OK\nContent-Length: 0", "")
	if m := s.read(); m.Seq != 0 {
		t.Errorf("got %+v", m)
	}
}
