package http_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/http"
	"github.com/dserver/dserver/rpc/status"
)

const (
	oldCall = "POST /math/add HTTP/1.1\nAccept-Encoding: gzip\nContent-Length: 7\n" +
		"Content-Type: application/json;charset=utf-8\nUser-Agent: drpc-httpproto/1.1\nX-Mtype: 1\nX-Seq: 5"
	ourCall = "POST /math/add HTTP/1.1\nContent-Length: 7\n" +
		"Content-Type: application/json;charset=utf-8\nUser-Agent: dserver-http/1\nX-MType: 1\nX-Seq: 5"
)

func TestF40AnswersAreForWhoAsked(t *testing.T) {
	s := newSide(t, http.Options{}, proto.Limits{})
	s.feed(oldCall, "[1,2,3]")
	wantMessage(t, s.read(), 5, message.Call, "/math/add", 'j', "[1,2,3]")
	wantText(t, "old", s.answerStatus(status.NotFound), lines("HTTP/1.1 299 Business Error", "Content-Length: 41",
		"Content-Type: application/json", "X-MType: 2", "X-Seq: 5")+`{"code":404,"msg":"Not Found","cause":""}`)
	wantText(t, "old", s.feed(oldCall, "[1,2,3]").read().Method, "/math/add")
	wantText(t, "old", s.answerOK("6"), lines("HTTP/1.1 200 OK", "Content-Length: 1",
		"Content-Type: application/json;charset=utf-8", "X-MType: 2", "X-Seq: 5")+"6")
	if s.peer.Ours() {
		t.Error("an older peer is taken for ours")
	}

	s = newSide(t, http.Options{}, proto.Limits{})
	s.feed(ourCall, "[1,2,3]")
	wantMessage(t, s.read(), 5, message.Call, "/math/add", 'j', "[1,2,3]")
	wantText(t, "ours", s.answerStatus(status.NotFound), lines("HTTP/1.1 404 Not Found", "Content-Length: 41",
		"Content-Type: application/json", "Server: dserver-http/1", "X-MType: 2", "X-Seq: 5")+`{"code":404,"msg":"Not Found","cause":""}`)
	if !s.peer.Ours() {
		t.Error("our peer is not known as such")
	}

	s = newSide(t, http.Options{}, proto.Limits{})
	s.feed("POST /math/add HTTP/1.1\nHost: h\nContent-Length: 7\nUser-Agent: curl/7", "[1,2,3]").read()
	wantText(t, "plain", s.answerStatus(status.NotFound), lines("HTTP/1.1 404 Not Found", "Content-Length: 41",
		"Content-Type: application/json", "X-Content-Type-Options: nosniff")+`{"code":404,"msg":"Not Found","cause":""}`)
	if s.peer.Ours() {
		t.Error("a plain client is taken for ours")
	}
}

// TestOldPeerWithoutNumbersIsAnsweredInOrder in its own form.
func TestOldPeerWithoutNumbersIsAnsweredInOrder(t *testing.T) {
	s := newSide(t, http.Options{}, proto.Limits{})
	s.feed("POST /a HTTP/1.1\nUser-Agent: drpc-httpproto/1.1", "").read()
	wantText(t, "error", s.answerStatus(404), lines("HTTP/1.1 299 Business Error", "Content-Length: 41",
		"Content-Type: application/json", "X-MType: 2", "X-Seq: 0")+`{"code":404,"msg":"Not Found","cause":""}`)
	s.feed("POST /a HTTP/1.1\nUser-Agent: drpc-httpproto/1.1\nX-MType: 3", "").read()
	wantText(t, "PUSH", s.sent(), "")
}

func TestStatusCodesOfHTTP(t *testing.T) {
	for code, want := range map[status.Code]string{
		400: "400 Bad Request", 401: "401 Unauthorized", 408: "408 Request Timeout", 499: "499 ", 599: "599 ",
		500: "500 Internal Server Error", 503: "503 Service Unavailable",
		1: "400 Bad Request", 100: "502 Bad Gateway", 102: "502 Bad Gateway", 199: "502 Bad Gateway",
		-1: "500 Internal Server Error", 2: "422 Unprocessable Entity", 200: "422 Unprocessable Entity",
		399: "422 Unprocessable Entity", 600: "422 Unprocessable Entity", 1001: "422 Unprocessable Entity",
		-2: "422 Unprocessable Entity",
	} {
		s := newSide(t, http.Options{}, proto.Limits{})
		s.feed("GET /a HTTP/1.1", "").read()
		first, _, _ := strings.Cut(s.answerStatus(code), "\r\n")
		wantText(t, code.String(), first, "HTTP/1.1 "+want)
	}
}

// TestF41AuthenticationBothWays, with older peers, who write X-Mtype and read X-MType.
func TestF41AuthenticationBothWays(t *testing.T) {
	for name, o := range map[string]http.Options{"default": {}, "classic": {Classic: true}} {
		s := newSide(t, o, proto.Limits{})
		for _, target := range []string{"", "/"} {
			s.feed("POST "+target+" HTTP/1.1\nAccept-Encoding: gzip\nContent-Length: 9\nContent-Type: application/json;charset=utf-8\n"+
				"User-Agent: drpc-httpproto/1.1\nX-Mtype: 4\nX-Seq: 1", `"token-1"`)
			wantMessage(t, s.read(), 1, message.AuthCall, "", 'j', `"token-1"`)
		}
		got := s.pack(&message.Message{Seq: 7, Type: message.AuthReply, Codec: 'j', Body: []byte(`"pass"`)})
		wantText(t, name, got, lines("HTTP/1.1 200 OK", "Content-Length: 6", "Content-Type: application/json;charset=utf-8",
			"X-MType: 5", "X-Seq: 7")+`"pass"`)

		s = newSide(t, o, proto.Limits{})
		got = s.pack(&message.Message{Seq: 1, Type: message.AuthCall, Codec: 'j', Body: []byte(`"token-1"`)})
		if !strings.HasPrefix(got, "POST  HTTP/1.1\r\n") || !strings.Contains(got, "\r\nX-MType: 4\r\n") {
			t.Errorf("%s: got %q", name, got)
		}
		s.feed("HTTP/1.1 299 Business Error\nContent-Length: 44\nContent-Type: application/json\nX-Mtype: 5\nX-Seq: 1",
			`{"code":401,"msg":"Unauthorized","cause":""}`)
		if m := s.read(); m.Type != message.AuthReply || m.Seq != 1 || m.Status == nil || m.Status.Code != 401 {
			t.Errorf("%s: got %+v", name, m)
		}
	}
}

func TestF41QueryIsDecoded(t *testing.T) {
	for _, agent := range []string{"drpc-httpproto/1.1", "dserver-http/1", "curl/7"} {
		s := newSide(t, http.Options{}, proto.Limits{})
		s.feed("POST /a%20b?x=%20y&z=1&z=2&e&%C3%A9=1%2B1 HTTP/1.1\nX-Seq: 1\nUser-Agent: "+agent, "")
		m := s.read()
		wantText(t, agent, m.Method, "/a b")
		wantMeta(t, m, "x", " y", "z", "2", "e", "", "é", "1+1")
	}
}

func TestF39NamesOfHeadersInAnyCase(t *testing.T) {
	for _, change := range []func(string) string{strings.ToLower, strings.ToUpper, func(s string) string { return s }} {
		s := newSide(t, http.Options{}, proto.Limits{})
		for range 2 {
			var head []string
			for line := range strings.SplitSeq(oldCall+"\nX-Content-Encoding: identity", "\n") {
				if name, value, found := strings.Cut(line, ":"); found {
					line = change(name) + ":" + value
				}
				head = append(head, line)
			}
			s.feed(strings.Join(head, "\n"), "[1,2,3]")
			wantMessage(t, s.read(), 5, message.Call, "/math/add", 'j', "[1,2,3]")
			wantMeta(t, &s.last)
		}
		if s.in.Len()+s.r.Buffered() > 0 {
			t.Error("something is left")
		}
	}
}

func TestPush(t *testing.T) {
	for _, agent := range []string{"drpc-httpproto/1.1", "dserver-http/1"} {
		s := newSide(t, http.Options{}, proto.Limits{})
		s.feed("POST /news HTTP/1.1\nContent-Length: 1\nContent-Type: text/plain\nUser-Agent: "+agent+"\nX-MType: 3\nX-Seq: 8", "x")
		wantMessage(t, s.read(), 8, message.Push, "/news", 's', "x")
		wantText(t, agent+" is not answered", s.sent(), "")
	}
	s := newSide(t, http.Options{}, proto.Limits{})
	s.feed("POST /news HTTP/1.1\nContent-Length: 1\nX-MType: 3", "1")
	if m := s.read(); m.Type != message.Push || m.Method != "/news" || m.Refusal != nil {
		t.Errorf("got %+v", m)
	}
	wantText(t, "plain", s.sent(), lines("HTTP/1.1 204 No Content", "X-Content-Type-Options: nosniff"))
	for _, method := range []string{"/_goaway", "/_cancel?seq=1"} {
		if st := s.feed("POST "+method+" HTTP/1.1\nX-MType: 3", "").refused(); st.Code != status.NotFound {
			t.Errorf("%s: got %v", method, st)
		}
		s.answerStatus(status.NotFound)
	}
	if st := s.feed("POST /a HTTP/1.1\nX-MType: 4", "").refused(); st.Code != status.TypeNotAllowed {
		t.Errorf("got %v", st)
	}
}

// TestPlainClientTakesAnswersOnly: what cannot be sent is an error of who wants to.
func TestPlainClientTakesAnswersOnly(t *testing.T) {
	s := newSide(t, http.Options{}, proto.Limits{})
	call := &message.Message{Seq: 1, Type: message.Call, Method: "/a"}
	if got := s.pack(call); !strings.HasPrefix(got, "POST /a HTTP/1.1\r\n") {
		t.Errorf("before it is known: got %q", got)
	}
	s.feed("GET /a HTTP/1.1", "").read()
	for _, kind := range []message.Type{message.Call, message.Push, message.AuthCall} {
		call.Type = kind
		if err := s.p.Pack(call); !errors.Is(err, http.ErrPlain) {
			t.Errorf("%v: got %v", kind, err)
		}
	}
	if err := s.p.Pack(&message.Message{Seq: 1, Type: message.Reply}); err == nil {
		t.Error("a reply to nothing is written")
	}
	s.answerOK("1")
	if err := s.p.Pack(&message.Message{Seq: s.last.Seq, Type: message.Reply}); err == nil {
		t.Error("a second reply is written")
	}
	if s.out.Len() > 0 {
		t.Errorf("sent %q", s.sent())
	}
}

func TestUnknownTypesAreNotWritten(t *testing.T) {
	s := newSide(t, http.Options{}, proto.Limits{})
	for _, kind := range []message.Type{message.Undefined, 6, 200} {
		if err := s.p.Pack(&message.Message{Type: kind, Method: "/a"}); err == nil {
			t.Errorf("%d is written", kind)
		}
	}
}

// TestGoaway: peers are told by a PUSH, as soon as it is known that they understand.
func TestGoaway(t *testing.T) {
	goaway := func() *message.Message {
		m := &message.Message{Seq: 9, Type: message.Push, Method: "/_goaway"}
		m.Meta.Set("seq", "5")
		m.Meta.Set("deadline_ms", "1000")
		return m
	}
	want := lines("POST /_goaway HTTP/1.1", "Accept-Encoding: gzip", "Content-Length: 0", "User-Agent: dserver-http/1",
		"X-MType: 3", "X-Seq: 9", "deadline_ms: 1000", "seq: 5")
	for _, call := range []string{oldCall, ourCall} {
		s := newSide(t, http.Options{}, proto.Limits{})
		s.feed(call, "[1,2,3]").read()
		wantText(t, "known", s.pack(goaway()), want)
		wantText(t, "again", s.pack(goaway()), want)

		s = newSide(t, http.Options{}, proto.Limits{})
		wantText(t, "unknown", s.pack(goaway()), "")
		s.feed(call, "[1,2,3]").read()
		wantText(t, "later", s.sent(), want)
		s.feed(call, "[1,2,3]").read()
		wantText(t, "told", s.sent(), "")
	}
	s := newSide(t, http.Options{}, proto.Limits{})
	s.pack(&message.Message{Seq: 1, Type: message.Call, Method: "/a"})
	wantText(t, "a server that is unknown", s.pack(goaway()), "")
	s.feed("HTTP/1.1 200 OK\nContent-Length: 0\nServer: dserver-http/1\nX-MType: 2\nX-Seq: 1", "").read()
	wantText(t, "a server of ours", s.sent(), want)
	if !s.peer.Ours() {
		t.Error("our server is not known as such")
	}
}

func TestGoawayForPlainClientsIsAHeader(t *testing.T) {
	const get = "GET /a HTTP/1.1"
	s := newSide(t, http.Options{}, proto.Limits{})
	s.feed(get, "").feed(get, "").read()
	first := s.last.Seq
	s.read()
	goaway := &message.Message{Seq: 9, Type: message.Push, Method: "/_goaway"}
	wantText(t, "GOAWAY", s.pack(goaway), "")
	closes := "\r\nConnection: close\r\n"
	if got := s.pack(&message.Message{Seq: first, Type: message.Reply}); strings.Contains(got, closes) {
		t.Errorf("an answer is owed after %q", got)
	}
	if got := s.answerOK("1"); !strings.Contains(got, closes) {
		t.Errorf("the last answer is %q", got)
	}
	// What comes now is repeated by its client on another connection.
	m := s.feed(get, "").read()
	if m.Type != message.Push || m.Refusal == nil || !m.Last {
		t.Errorf("after the end: %+v", m)
	}

	// The request after GOAWAY is the last.
	s = newSide(t, http.Options{}, proto.Limits{})
	s.feed(get, "").read()
	s.answerOK("1")
	s.pack(goaway)
	if m := s.feed(get, "").read(); !m.Last || m.Refusal != nil {
		t.Errorf("got %+v", m)
	}
	if got := s.answerOK("1"); !strings.Contains(got, closes) {
		t.Errorf("the last answer is %q", got)
	}

	// A PUSH is answered by the protocol itself.
	s = newSide(t, http.Options{}, proto.Limits{})
	s.pack(goaway)
	if m := s.feed("POST /a HTTP/1.1\nX-MType: 3", "").read(); !m.Last || !strings.Contains(s.sent(), closes) {
		t.Errorf("got %+v", m)
	}
}
