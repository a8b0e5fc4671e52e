package http_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/http"
	"github.com/dserver/dserver/rpc/proto/prototest"
	"github.com/dserver/dserver/rpc/status"
)

// comeBack packs m in one form and reads it in another.
func comeBack(t *testing.T, from, to http.Options, m *message.Message) *message.Message {
	t.Helper()
	s := newSide(t, to, proto.Limits{})
	s.in.Write(prototest.Encode(t, from.New, m))
	return s.read()
}

var everyForm = [...]http.Options{{}, {Classic: true}, {Host: "h:80"}}

func TestMethodsComeBack(t *testing.T) {
	for _, method := range []string{
		"", "/", "/a", "/math/add", "Math.Add", "/a b", "/a%20b", "/100%", "/a#b", "/é/业", "/a:b", "a:b:c/d:e", "//x/y", "*",
		"/\x00\r\n\x7f", "/{a}|<b>\\^`\"", "/a+b", "/..;/.", "/_x",
	} {
		for _, from := range everyForm {
			m := comeBack(t, from, http.Options{}, &message.Message{Seq: 1, Type: message.Call, Method: method})
			wantText(t, "method", m.Method, method)
			wantMeta(t, m)
		}
	}
}

func TestMethodsThatAreURLs(t *testing.T) {
	for method, want := range map[string]struct{ first, host string }{
		"http://h:9090/home/test?id=110": {"POST /home/test?id=110 HTTP/1.1", "Host: h:9090"},
		"https://h/a%20b":                {"POST /a%20b HTTP/1.1", "Host: h"},
		"http://h":                       {"POST  HTTP/1.1", "Host: h"},
		"/a?b c&d=é":                     {"POST /a?b%20c&d=%C3%A9 HTTP/1.1", ""},
		"/a?b#c":                         {"POST /a?b%23c HTTP/1.1", ""},
		"/a?":                            {"POST /a? HTTP/1.1", ""},
		"http://h/a?x=\"1\" 2#not sent":  {"POST /a?x=%221%22%202 HTTP/1.1", "Host: h"},
	} {
		s := newSide(t, http.Options{}, proto.Limits{})
		got := s.pack(&message.Message{Seq: 1, Type: message.Call, Method: method})
		if !strings.HasPrefix(got, want.first+"\r\n") || strings.Contains(got, "Host:") != (want.host != "") || !strings.Contains(got, want.host) {
			t.Errorf("%s: got %q", method, got)
		}
	}
	for _, method := range []string{"http://h/\x00", "http://h:x/", "http://%zz/"} {
		s := newSide(t, http.Options{}, proto.Limits{})
		if err := s.p.Pack(&message.Message{Type: message.Call, Method: method}); err == nil {
			t.Errorf("%q is written: %q", method, s.sent())
		}
	}
	s := newSide(t, http.Options{Host: "a\r\nb: c"}, proto.Limits{})
	if err := s.p.Pack(&message.Message{Type: message.Call, Method: "/a"}); err == nil {
		t.Errorf("a host of two lines is written: %q", s.sent())
	}
}

func TestMetadataComesBack(t *testing.T) {
	pairs := []string{
		"a", "1", "A", "2", "peer_id", "110", "empty", "", "é", "é", "value", "é <\"&>\t x", "control", "a\x00\r\nContent-Length: 5",
		"blank", " x", "blanks", "x\t", "", "no name", "a b", "a blank", "a:b", "a colon", "Host", "h", "content-length", "77",
		"Connection", "close", "X-Seq", "x", "X-Meta", "m", "User-Agent", "me", "X-Real-IP", "1.2.3.4:5", "x-real-ip", "another",
		"hb_", "3", "Hb_", "4", "X-Timeout-Ms", "5", "del", "\x7f",
	}
	m := &message.Message{Seq: 1, Type: message.Call, Method: "/a", Codec: 'j', Body: []byte("1")}
	for i := 0; i < len(pairs); i += 2 {
		m.Meta.Set(pairs[i], pairs[i+1])
	}
	for _, from := range everyForm {
		for _, m.Type = range []message.Type{message.Call, message.Push, message.Reply, message.AuthReply} {
			got := comeBack(t, from, http.Options{}, m)
			wantMeta(t, got, pairs...)
			if string(got.Body) != "1" {
				t.Errorf("got body %q", got.Body)
			}
		}
	}
	many := &message.Message{Seq: 1, Type: message.Call, Method: "/a"}
	var all []string
	for i := range 3000 {
		all = append(all, fmt.Sprint("name", i), fmt.Sprint(i))
		many.Meta.Set(fmt.Sprint("name", i), fmt.Sprint(i))
	}
	wantMeta(t, comeBack(t, http.Options{}, http.Options{}, many), all...)
}

// TestNamesGoOutAsTheyAre, so that older readers have the true ones.
func TestNamesGoOutAsTheyAre(t *testing.T) {
	m := &message.Message{Seq: 1, Type: message.Call, Method: "/a"}
	m.Meta.Set("peer_id", "110")
	m.Meta.Set("bad name", "x")
	s := newSide(t, http.Options{}, proto.Limits{})
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"bad name":"x"}`))
	wantText(t, "request", s.pack(m), lines("POST /a HTTP/1.1", "Accept-Encoding: gzip", "Content-Length: 0",
		"User-Agent: dserver-http/1", "X-MType: 1", "X-Meta: "+text, "X-Seq: 1", "peer_id: 110"))
}

// TestOldSpellingsAreUndone where everybody looks for another one.
func TestOldSpellingsAreUndone(t *testing.T) {
	s := newSide(t, http.Options{Headers: []string{"peer_id"}}, proto.Limits{})
	s.feed("POST /a HTTP/1.1\nUser-Agent: drpc-httpproto/1.1\nX-Seq: 1\nHb_: 3\nX-Real-Ip: 1.2.3.4\nPeer_id: 110\nOther_name: x\n"+
		"X-Accept-Body-Codec: 106\nX-Secure-Body: true\nX-Reply-Secure-Body: false\nX-Timeout-Ms: 1\nTraceparent: t", "")
	wantMeta(t, s.read(), "hb_", "3", "X-Real-IP", "1.2.3.4", "peer_id", "110", "Other_name", "x", "X-Accept-Body-Codec", "106",
		"X-Secure-Body", "true", "X-Reply-Secure-Body", "false", "X-Timeout-Ms", "1", "traceparent", "t")
}

// TestHeadersCountMore than what came in a way that proxies do not look at.
func TestHeadersCountMore(t *testing.T) {
	s := newSide(t, http.Options{}, proto.Limits{})
	text := base64.URLEncoding.EncodeToString([]byte(`{"X-Real-IP":"meta","a":"meta","b":"meta"}`))
	s.feed("POST /a?X-Real-IP=query&b=query HTTP/1.1\nUser-Agent: dserver-http/1\nX-Seq: 1\nX-Meta: "+text+"\nX-Real-IP: header", "")
	wantMeta(t, s.read(), "X-Real-IP", "header", "a", "meta", "b", "query")
	s.feed("POST /a HTTP/1.1\nUser-Agent: dserver-http/1\nX-Seq: 1\nX-Meta: W10", "")
	if st := s.refused(); st.Code != status.BadMessage {
		t.Errorf("got %v", st)
	}
}

func TestBodiesComeBack(t *testing.T) {
	for _, body := range [][]byte{nil, []byte("1"), {0, 0xff, '\r', '\n'}, bytes.Repeat([]byte("x"), 300_000)} {
		for _, codec := range []byte{'j', 'p', 'f', 's', 'x', 'r', 'U'} {
			for _, filters := range []string{"", "z"} {
				m := &message.Message{Seq: -7, Type: message.Call, Method: "/a", Codec: codec, Body: body, Filters: []byte(filters)}
				for _, m.Type = range []message.Type{message.Call, message.Reply} {
					got := comeBack(t, http.Options{}, http.Options{}, m)
					if got.Codec != codec || !bytes.Equal(got.Body, body) || string(got.Filters) != filters || got.Seq != -7 {
						t.Errorf("codec %c, filters %q: got %d bytes, %+v", codec, filters, len(got.Body), got)
					}
				}
			}
		}
	}
}

func TestErrorsComeBack(t *testing.T) {
	for _, code := range []status.Code{-1, 1, 104, 400, 404, 408, 500, 503, 1001, 299, 2} {
		for _, filters := range []string{"", "z"} {
			for _, from := range everyForm {
				st := status.New(code, "cause \"é\"\n").WithRetry()
				m := comeBack(t, from, http.Options{}, &message.Message{Seq: 1, Type: message.Reply, Status: st, Filters: []byte(filters)})
				if m.Status == nil || m.Status.Code != code || m.Status.Cause != st.Cause || m.Status.Msg != st.Msg || !m.Status.Retry {
					t.Errorf("got %+v, want %+v", m.Status, st)
				}
			}
		}
	}
}

// TestWhatIsTooLargeIsNotWritten, and the next message is.
func TestWhatIsTooLargeIsNotWritten(t *testing.T) {
	limits := proto.Limits{Message: 10_000, Metadata: 1000}
	for name, change := range map[string]func(m *message.Message){
		"body":     func(m *message.Message) { m.Body = make([]byte, 10_001) },
		"all":      func(m *message.Message) { m.Body = make([]byte, 9_950) },
		"unpacked": func(m *message.Message) { m.Body, m.Filters = make([]byte, 10_001), []byte("z") },
		"metadata": func(m *message.Message) { m.Meta.Set("a", strings.Repeat("x", 1000)) },
		"method":   func(m *message.Message) { m.Method = "/" + strings.Repeat("x", 10_000); m.Type = message.Call },
	} {
		for _, kind := range []message.Type{message.Call, message.Reply} {
			s := newSide(t, http.Options{}, limits)
			m := &message.Message{Seq: 1, Type: kind, Method: "/a", Codec: 'j'}
			change(m)
			if err := s.p.Pack(m); !errors.Is(err, proto.ErrTooLarge) || s.out.Len() > 0 {
				t.Errorf("%s: got %v, %d bytes", name, err, s.out.Len())
			}
			if got := s.pack(&message.Message{Seq: 2, Type: message.Call, Method: "/b"}); !strings.HasPrefix(got, "POST /b ") {
				t.Errorf("%s: then %q", name, got)
			}
		}
	}
}

func TestOtherFiltersAreRefused(t *testing.T) {
	for _, filters := range []string{"5", "a", "zz", "z5", "?"} {
		s := newSide(t, http.Options{}, proto.Limits{})
		if err := s.p.Pack(&message.Message{Type: message.Call, Method: "/a", Filters: []byte(filters)}); err == nil || s.out.Len() > 0 {
			t.Errorf("%s: got %v, %q", filters, err, s.sent())
		}
	}
}

// TestCodecWithoutATypeInClassicForm is what older writers make of it.
func TestCodecWithoutATypeInClassicForm(t *testing.T) {
	s := newSide(t, http.Options{Classic: true}, proto.Limits{})
	for _, codec := range []byte{0, 'U'} {
		call := s.pack(&message.Message{Seq: 1, Type: message.Call, Method: "/a", Codec: codec})
		reply := s.pack(&message.Message{Seq: 1, Type: message.Reply, Codec: codec})
		if !strings.Contains(call, "\r\nContent-Type: text/plain;charset=utf-8\r\n") || !strings.Contains(reply, "\r\nContent-Type: text/plain\r\n") {
			t.Errorf("got %q and %q", call, reply)
		}
		for _, kind := range []message.Type{message.Call, message.Reply} {
			if err := s.p.Pack(&message.Message{Seq: 1, Type: kind, Method: "/a", Codec: codec, Body: []byte("1")}); err == nil {
				t.Errorf("a body of codec %d is written", codec)
			}
		}
	}
}
