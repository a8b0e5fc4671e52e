package http_test

import (
	"bytes"
	"compress/gzip"
	"runtime"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/http"
	"github.com/dserver/dserver/rpc/status"
)

func TestWhatPlainClientsAskFor(t *testing.T) {
	const typed = "Content-Length: 1\nContent-Type: "
	for _, test := range []struct {
		head, body string
		method     string
		codec      byte
		want       string
		accept     string
	}{
		{"POST /a/b HTTP/1.1\nContent-Length: 2", "[]", "/a/b", 'j', "[]", ""},
		{"POST /a HTTP/1.1", "", "/a", 0, "", ""},
		{"POST /a HTTP/1.1\n" + typed + "application/json", "1", "/a", 'j', "1", ""},
		{"POST /a HTTP/1.1\n" + typed + "Application/JSON ; charset=\"x\"", "1", "/a", 'j', "1", ""},
		{"POST /a HTTP/1.1\n" + typed + "application/x-protobuf", "1", "/a", 'p', "1", ""},
		{"POST /a HTTP/1.1\n" + typed + "application/x-www-form-urlencoded", "1", "/a", 'f', "1", ""},
		{"POST /a HTTP/1.1\n" + typed + "text/plain", "1", "/a", 's', "1", ""},
		{"POST /a HTTP/1.1\n" + typed + "text/xml", "1", "/a", 'x', "1", ""},
		{"POST /a HTTP/1.1\n" + typed + "application/x-codec-85", "1", "/a", 'U', "1", ""},
		{"GET /a?x=1&y=%20 HTTP/1.1", "", "/a", 'f', "x=1&y=%20", "106"},
		{"HEAD /a?x=1 HTTP/1.1", "", "/a", 'f', "x=1", "106"},
		{"GET /a HTTP/1.1\nAccept: */*", "", "/a", 0, "", "106"},
		{"GET /a HTTP/1.1\nAccept: text/html,application/xml;q=0.9,*/*;q=0.8", "", "/a", 0, "", "106"},
		{"GET /a HTTP/1.1\nAccept: text/xml;q=0.5, text/plain", "", "/a", 0, "", "115"},
		{"GET /a HTTP/1.1\nAccept: text/xml;q=0.5\nAccept: application/json;q=0.6;x=y", "", "/a", 0, "", "106"},
		{"POST /a HTTP/1.1\nAccept: text/xml;q=0, application/x-protobuf;q=x", "", "/a", 0, "", ""},
		{"POST /a HTTP/1.1\nAccept: application/x-protobuf", "", "/a", 0, "", "112"},
		{"GET http://host:80/a?x=1 HTTP/1.1", "", "/a", 'f', "x=1", "106"},
		{"GET https://host?x=1 HTTP/1.1", "", "", 'f', "x=1", "106"},
		{"GET http://host HTTP/1.1", "", "", 0, "", "106"},
		{"GET Math.Add HTTP/1.1", "", "Math.Add", 0, "", "106"},
		{"GET //a%2fb%00?? HTTP/1.1", "", "//a/b\x00", 'f', "?", "106"},
		{"POST /a HTTP/1.1\nTransfer-Encoding: chunked", "3;x=\"y\"\r\n[1,\r\n2\r\n2]\r\n0\r\nTrailer: x\r\n\r\n", "/a", 'j', "[1,2]", ""},
		{"POST /a HTTP/1.1\nTransfer-Encoding: Chunked", "A \r\n0123456789\r\n000\r\n\r\n", "/a", 'j', "0123456789", ""},
	} {
		s := newSide(t, http.Options{}, proto.Limits{})
		s.feed(test.head, test.body).feed("GET /next HTTP/1.1", "")
		m := s.read()
		if m.Type != message.Call || m.Method != test.method || m.Codec != test.codec || string(m.Body) != test.want || m.Refusal != nil {
			t.Errorf("%s: got %+v, body %q", test.head, m, m.Body)
		}
		if got := m.Meta.Value("X-Accept-Body-Codec"); got != test.accept {
			t.Errorf("%s: the reply's codec shall be %q, want %q", test.head, got, test.accept)
		}
		if m := s.read(); m.Method != "/next" {
			t.Errorf("%s: then %+v", test.head, m)
		}
	}
}

// TestWhatIsRefusedGoesOn: the next request is read.
func TestWhatIsRefusedGoesOn(t *testing.T) {
	for _, test := range []struct {
		head, body string
		code       status.Code
	}{
		{"PUT /a HTTP/1.1\nContent-Length: 3", "abc", 405},
		{"OPTIONS * HTTP/1.1", "", 405},
		{"CONNECT host:80 HTTP/1.1", "", 405},
		{"get /a HTTP/1.1", "", 405},
		{"POST /a HTTP/1.1\nContent-Length: 1\nContent-Type: image/png", "x", 415},
		{"POST /a HTTP/1.1\nContent-Length: 1\nContent-Type:", "x", 415},
		{"POST /a HTTP/1.1\nContent-Length: 1\nContent-Type: application/x-codec-0", "x", 415},
		{"POST /a HTTP/1.1\nContent-Length: 1\nContent-Type: application/x-codec-256", "x", 415},
		{"POST /a HTTP/1.1\nContent-Length: 1\nContent-Encoding: br", "x", 415},
		{"POST /a HTTP/1.1\nContent-Length: 1\nContent-Encoding: gzip, gzip", "x", 415},
		{"POST /a HTTP/1.1\nContent-Length: 1\nX-Content-Encoding: md5", "x", 415},
		{"POST /a HTTP/1.1\nContent-Length: 1\nContent-Encoding: gzip", "x", 400},
		{"POST /%zz HTTP/1.1", "", 400},
		{"POST /a?%zz HTTP/1.1", "", 400},
		{"POST /a?a;b HTTP/1.1", "", 400},
		{"GET /a?x=1 HTTP/1.1\nContent-Length: 1", "x", 400},
	} {
		s := newSide(t, http.Options{}, proto.Limits{})
		s.feed(test.head, test.body).feed("GET /next HTTP/1.1", "")
		if st := s.refused(); st.Code != test.code || st.Cause == "" || s.last.Type != message.Call {
			t.Errorf("%s: got %v", test.head, st)
		}
		got := s.answer(message.Message{Status: s.last.Refusal})
		if !strings.Contains(got, `,"cause":"`+s.last.Refusal.Cause[:5]) || strings.Contains(got, "Connection") ||
			strings.Contains(got, "Allow: GET, HEAD, POST") != (test.code == 405) {
			t.Errorf("%s: answered %q", test.head, got)
		}
		if m := s.read(); m.Method != "/next" {
			t.Errorf("%s: then %+v", test.head, m)
		}
	}
}

// TestF1HugeLengthIsRefusedAtOnce, and nothing is allocated for it.
func TestF1HugeLengthIsRefusedAtOnce(t *testing.T) {
	for _, agent := range []string{"curl/7", "drpc-httpproto/1.1", "dserver-http/1"} {
		for _, limit := range []int{0, 1000} {
			s := newSide(t, http.Options{}, proto.Limits{Message: limit, Metadata: 1000})
			s.feed("POST /a HTTP/1.1\nContent-Length: 99999999999\nUser-Agent: "+agent+"\nX-Seq: 4", "x")
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			st := s.broken()
			runtime.ReadMemStats(&after)
			if used := after.TotalAlloc - before.TotalAlloc; st.Code != 413 || used > 16<<10 {
				t.Errorf("%s: got %v for %d bytes", agent, st, used)
			}
			got := s.answer(message.Message{Status: s.last.Refusal})
			want := map[string]string{
				"curl/7": "HTTP/1.1 413 Request Entity Too Large", "drpc-httpproto/1.1": "HTTP/1.1 299 Business Error",
				"dserver-http/1": "HTTP/1.1 413 Request Entity Too Large",
			}[agent]
			if !strings.HasPrefix(got, want+"\r\n") || strings.Contains(got, "Connection: close") != (agent == "curl/7") {
				t.Errorf("%s: got %q", agent, got)
			}
		}
	}
}

// TestLimits: a message and its parts, to the byte.
func TestLimits(t *testing.T) {
	limits := proto.Limits{Message: 16 << 10, Metadata: 100}
	longest := limits.Metadata + 8<<10
	head := "POST /a HTTP/1.1\nContent-Length: 00000"
	size := len(head) + 5 // with its line ends
	for over, want := range map[int]status.Code{0: 0, 1: 413} {
		s := newSide(t, http.Options{}, limits)
		n := limits.Message - size + over
		s.feed(strings.Replace(head, "00000", strings.Repeat("0", 5-len(itoa(n)))+itoa(n), 1), strings.Repeat("x", n))
		wantBroken(t, s, "length", want)

		s = newSide(t, http.Options{}, limits)
		n = limits.Message - len("POST /a HTTP/1.1\nTransfer-Encoding: chunked") - 5 + over
		s.feed("POST /a HTTP/1.1\nTransfer-Encoding: chunked", hex(n)+"\r\n"+strings.Repeat("x", n)+"\r\n0\r\n\r\n")
		wantBroken(t, s, "chunked", want)

		want = map[status.Code]status.Code{413: 431}[want]
		s = newSide(t, http.Options{}, limits)
		s.feed("GET / HTTP/1.1\nA: "+strings.Repeat("x", longest-len("GET / HTTP/1.1\nA: ")-5+over), "")
		wantBroken(t, s, "head", want)

		s = newSide(t, http.Options{}, limits)
		s.feed("GET / HTTP/1.1"+strings.Repeat("\nA: b", 256+over), "")
		wantBroken(t, s, "headers", want)

		want = map[status.Code]status.Code{431: 414}[want]
		s = newSide(t, http.Options{}, limits)
		s.feed("GET /"+strings.Repeat("x", longest-len("GET / HTTP/1.1")-4+3*over)+" HTTP/1.1", "")
		wantBroken(t, s, "target", want)
	}
	s := newSide(t, http.Options{Headers: []string{"A"}}, limits)
	s.feed("GET / HTTP/1.1\nA: "+strings.Repeat("x", 99), "").read()
	if st := s.feed("GET / HTTP/1.1\nA: "+strings.Repeat("x", 100), "").refused(); st.Code != 431 {
		t.Errorf("metadata: got %v", st)
	}
	s = newSide(t, http.Options{}, limits)
	s.feed("POST /a HTTP/1.1\nTransfer-Encoding: chunked", "1\r\nx\r\n0\r\n"+strings.Repeat("A: b\r\n", 900)+"\r\n")
	wantBroken(t, s, "trailer", 400)
	s = newSide(t, http.Options{}, limits)
	s.feed("POST /a HTTP/1.1\nTransfer-Encoding: chunked", "1;"+strings.Repeat("x", 5000)+"\r\nx\r\n0\r\n\r\n")
	wantBroken(t, s, "extension", 400)
}

// wantBroken expects the answer with which the session ends; code 0 is none.
func wantBroken(t *testing.T, s *side, what string, code status.Code) {
	t.Helper()
	if code == 0 {
		if m := s.read(); m.Refusal != nil {
			t.Errorf("%s: within the limit: %v", what, m.Refusal)
		}
		return
	}
	if st := s.broken(); st.Code != code {
		t.Errorf("%s: got %v, want %d", what, st, code)
	}
}

func TestGzipOfPlainClients(t *testing.T) {
	packed := gzipped(t, "[1,2,3]")
	for _, encoding := range []string{"gzip", "GZip", "x-gzip"} {
		for accept, want := range map[string]bool{"gzip": true, "br, gzip;q=0.5": true, "gzip;q=0": false, "": false, "br": false} {
			s := newSide(t, http.Options{}, proto.Limits{})
			s.feed("POST /a HTTP/1.1\nContent-Encoding: "+encoding+"\nAccept-Encoding: "+accept+"\nContent-Length: "+itoa(len(packed)), packed)
			m := s.read()
			if string(m.Body) != "[1,2,3]" || string(m.Filters) != "z" || m.Refusal != nil {
				t.Errorf("%s: got %+v", encoding, m)
			}
			got := s.answer(message.Message{Codec: 'j', Body: []byte("6"), Filters: []byte("z")})
			if strings.Contains(got, "Content-Encoding: gzip") != want || strings.HasSuffix(got, "\r\n\r\n6") == want {
				t.Errorf("%s: answered %q", accept, got)
			}
		}
	}
	s := newSide(t, http.Options{}, proto.Limits{Message: 1000})
	bomb := gzipped(t, strings.Repeat("x", 100_000))
	if st := s.feed("POST /a HTTP/1.1\nContent-Encoding: gzip\nContent-Length: "+itoa(len(bomb)), bomb).refused(); st.Code != 413 {
		t.Errorf("a bomb: %v", st)
	}
	if s.answer(message.Message{Status: s.last.Refusal}); len(s.last.Filters) > 0 {
		t.Errorf("filters %q are left", s.last.Filters)
	}
	if err := s.p.Pack(&message.Message{Seq: 1, Type: message.Reply, Filters: []byte("5")}); err == nil {
		t.Error("md5 is written")
	}
}

func gzipped(t testing.TB, text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestGzipWithoutTheFilterIsRefused.
func TestGzipWithoutTheFilterIsRefused(t *testing.T) {
	s := newSide(t, http.Options{}, proto.Limits{})
	bare := http.New(proto.Stream{Reader: s.r, Writer: &s.out})
	s.feed("POST /a HTTP/1.1\nContent-Encoding: gzip\nContent-Length: 1", "x")
	var m message.Message
	if err := bare.Unpack(&m); err != nil || m.Refusal == nil || m.Refusal.Code != 415 {
		t.Errorf("got %+v, %v", m, err)
	}
	if err := bare.Pack(&message.Message{Type: message.Call, Method: "/a", Filters: []byte("z")}); err == nil {
		t.Error("it is written")
	}
}

func TestConnectionOfPlainClients(t *testing.T) {
	for _, test := range []struct {
		head string
		last bool
		want string
	}{
		{"GET / HTTP/1.1", false, ""},
		{"GET / HTTP/1.1\nConnection: keep-alive", false, ""},
		{"GET / HTTP/1.1\nConnection: x, Close", true, "Connection: close"},
		{"GET / HTTP/1.1\nConnection: x\nConnection: close", true, "Connection: close"},
		{"GET / HTTP/1.0", true, "Connection: close"},
		{"GET / HTTP/1.0\nConnection: Keep-Alive", false, "Connection: keep-alive"},
		{"GET / HTTP/1.0\nConnection: keep-alive, close", true, "Connection: close"},
	} {
		s := newSide(t, http.Options{}, proto.Limits{})
		m := s.feed(test.head, "").read()
		got := s.answerOK("1")
		if m.Last != test.last || !strings.Contains(got, test.want) || test.want == "" && strings.Contains(got, "Connection") {
			t.Errorf("%s: last is %v, answered %q", test.head, m.Last, got)
		}
	}
}

func TestHeadIsAnsweredWithoutABody(t *testing.T) {
	s := newSide(t, http.Options{}, proto.Limits{})
	s.feed("HEAD /a HTTP/1.1\nX-Seq: 77", "").read()
	wantText(t, "HEAD", s.answerOK("[1,2,3]"), lines("HTTP/1.1 200 OK", "Content-Length: 7",
		"Content-Type: application/json;charset=utf-8", "X-Content-Type-Options: nosniff", "X-Seq: 77"))
	s.feed("HEAD /a HTTP/1.1", "").read()
	if got := s.answerStatus(404); !strings.HasSuffix(got, "\r\n\r\n") || !strings.Contains(got, "Content-Length: 41\r\n") {
		t.Errorf("an error: %q", got)
	}
}

func TestExpectation(t *testing.T) {
	const head = "POST /a HTTP/1.1\nContent-Length: 2\nExpect: 100-Continue"
	goOn := lines("HTTP/1.1 100 Continue")
	for name, test := range map[string]struct {
		head   string
		bodies string // that come at once
		want   string
	}{
		"waits":            {head, "", goOn},
		"does not wait":    {head, "[", ""},
		"nothing to send":  {"GET /a HTTP/1.1\nExpect: 100-continue", "", ""},
		"no bytes to send": {"POST /a HTTP/1.1\nContent-Length: 0\nExpect: 100-continue", "", ""},
		"an old client":    {"POST /a HTTP/1.0\nContent-Length: 2\nExpect: 100-continue", "", ""},
		"chunks":           {"POST /a HTTP/1.1\nTransfer-Encoding: chunked\nExpect: 100-continue", "", goOn},
		"a peer":           {head + "\nUser-Agent: dserver-http/1\nX-Seq: 1", "", goOn},
	} {
		s := newSide(t, http.Options{}, proto.Limits{})
		s.feed(test.head, test.bodies)
		_ = s.p.Unpack(&s.last) // the body does not come
		wantText(t, name, s.sent(), test.want)
	}
	s := newSide(t, http.Options{}, proto.Limits{Message: 1000})
	if st := s.feed("POST /a HTTP/1.1\nContent-Length: 2\nExpect: the worst", "").broken(); st.Code != 417 {
		t.Errorf("got %v", st)
	}
	s = newSide(t, http.Options{}, proto.Limits{Message: 1000})
	if st := s.feed("POST /a HTTP/1.1\nContent-Length: 1001\nExpect: 100-continue", "").broken(); st.Code != 413 || s.out.Len() > 0 {
		t.Errorf("got %v, sent %q", st, s.sent())
	}
}

func TestHeadersOfPlainClientsThatAreMetadata(t *testing.T) {
	s := newSide(t, http.Options{Headers: []string{"X-Tenant", "lower-case"}}, proto.Limits{})
	s.feed("POST /a?q=1&X-Tenant=evil&x-tenant=evil&X-Real-IP=1.1.1.1&x-real-ip=1.1.1.1&traceparent=evil HTTP/1.1\nHost: h\n"+
		"x-timeout-ms: 100\nTraceParent: 00-1\ntracestate: a\nTRACESTATE: b\nx-tenant: t\nLower-Case: é\n"+
		"X-Real-IP: 1.2.3.4\nCookie: c\nX-Other: o\nX-Meta: eyJhIjoiYiJ9", "")
	wantMeta(t, s.read(), "q", "1", "X-Timeout-Ms", "100", "traceparent", "00-1", "tracestate", "a, b", "X-Tenant", "t", "lower-case", "é")
}

// TestAnEmptyLineTooManyIsForgiven, once.
func TestAnEmptyLineTooManyIsForgiven(t *testing.T) {
	s := newSide(t, http.Options{}, proto.Limits{})
	s.in.WriteString("\r\nGET /a HTTP/1.1\r\n\r\n\r\nGET /b HTTP/1.1\r\n\r\n\r\n\r\nGET /c HTTP/1.1\r\n\r\n")
	for _, want := range []string{"/a", "/b"} {
		wantText(t, "request", s.read().Method, want)
	}
	if st := s.broken(); st.Code != status.BadMessage {
		t.Errorf("got %v", st)
	}
}
