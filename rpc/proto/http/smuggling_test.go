package http_test

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/http"
	"github.com/dserver/dserver/rpc/status"
)

func itoa(n int) string { return strconv.Itoa(n) }
func hex(n int) string  { return strconv.FormatInt(int64(n), 16) }

// TestWhatTwoReadersCouldTakeDifferentlyEndsTheSession with an answer.
func TestWhatTwoReadersCouldTakeDifferentlyEndsTheSession(t *testing.T) {
	const post, chunked = "POST /a HTTP/1.1\r\n", "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, test := range map[string]struct {
		text string
		code status.Code
	}{
		"two lengths":              {post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400},
		"the same length twice":    {post + "Content-Length: 1\r\ncontent-length: 1\r\n\r\nx", 400},
		"a list of lengths":        {post + "Content-Length: 1, 1\r\n\r\nx", 400},
		"length and chunks":        {post + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		"chunks and length":        {post + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n", 400},
		"chunks twice":             {post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		"chunks in chunks":         {post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 501},
		"another coding":           {post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
		"no coding":                {post + "Transfer-Encoding: identity\r\n\r\n", 501},
		"an empty coding":          {post + "Transfer-Encoding:\r\n\r\n", 501},
		"nearly chunks":            {post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
		"a control before chunks":  {post + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400},
		"chunks of HTTP/1.0":       {"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		"negative length":          {post + "Content-Length: -1\r\n\r\nx", 400},
		"signed length":            {post + "Content-Length: +1\r\n\r\nx", 400},
		"no length":                {post + "Content-Length:\r\n\r\nx", 400},
		"hexadecimal length":       {post + "Content-Length: 0x1\r\n\r\nx", 400},
		"length beyond 63 bits":    {post + "Content-Length: 9223372036854775808\r\n\r\nx", 400},
		"length beyond all bits":   {post + "Content-Length: 99999999999999999999999\r\n\r\nx", 400},
		"length in other digits":   {post + "Content-Length: ١\r\n\r\nx", 400},
		"folded header":            {post + "A: b\r\n c\r\n\r\n", 400},
		"folded with a tab":        {post + "A: b\r\n\tContent-Length: 1\r\n\r\n", 400},
		"folded first header":      {post + " A: b\r\n\r\n", 400},
		"bare LF":                  {post + "A: b\nContent-Length: 1\r\n\r\nx", 400},
		"bare LF in the end":       {post + "A: b\r\n\n", 400},
		"bare LF in the first":     {"POST /a HTTP/1.1\nA: b\r\n\r\n", 400},
		"bare CR":                  {post + "A: b\rContent-Length: 1\r\n\r\nx", 400},
		"two CR":                   {post + "A: b\r\r\n\r\n", 400},
		"NUL":                      {post + "A: b\x00\r\n\r\n", 400},
		"DEL":                      {post + "A: \x7f\r\n\r\n", 400},
		"blank before the colon":   {post + "Content-Length : 1\r\n\r\nx", 400},
		"tab before the colon":     {post + "Content-Length\t: 1\r\n\r\nx", 400},
		"no colon":                 {post + "Content-Length\r\n\r\n", 400},
		"no name":                  {post + ": 1\r\n\r\n", 400},
		"a name with an accent":    {post + "é: 1\r\n\r\n", 400},
		"a name with a bracket":    {post + "A(b): 1\r\n\r\n", 400},
		"two hosts":                {post + "Host: a\r\nHost: b\r\n\r\n", 400},
		"two types":                {post + "Content-Type: text/plain\r\nContent-Type: text/xml\r\n\r\n", 400},
		"two numbers":              {post + "X-Seq: 1\r\nX-Seq: 2\r\n\r\n", 400},
		"two types of message":     {post + "X-MType: 1\r\nX-Mtype: 3\r\n\r\n", 400},
		"two metadata texts":       {post + "X-Meta: e30\r\nX-Meta: e30\r\n\r\n", 400},
		"two expectations":         {post + "Expect: 100-continue\r\nExpect: x\r\n\r\n", 400},
		"no number":                {post + "X-Seq: x\r\n\r\n", 400},
		"a number beyond 32 bits":  {post + "X-Seq: 2147483648\r\n\r\n", 400},
		"no type of message":       {post + "X-MType: 6\r\n\r\n", 400},
		"a reply as a request":     {post + "X-MType: 2\r\n\r\n", 400},
		"two blanks":               {"POST  /a HTTP/1.1\r\n\r\n", 400},
		"blank at the end":         {"POST /a HTTP/1.1 \r\n\r\n", 400},
		"tab in the first":         {"POST\t/a HTTP/1.1\r\n\r\n", 400},
		"tab in the target":        {"POST /\ta HTTP/1.1\r\n\r\n", 400},
		"control in the target":    {"POST /\x01 HTTP/1.1\r\n\r\n", 400},
		"CR in the target":         {"POST /a\rb HTTP/1.1\r\n\r\n", 400},
		"no version":               {"GET /a\r\n\r\n", 400},
		"a lower version":          {"GET /a http/1.1\r\n\r\n", 400},
		"a short version":          {"GET /a HTTP/1\r\n\r\n", 400},
		"HTTP/0.9":                 {"GET /a HTTP/0.9\r\n\r\n", 505},
		"HTTP/2":                   {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		"no method":                {" /a HTTP/1.1\r\n\r\n", 400},
		"another protocol":         {"\x16\x03\x01\x02\x00\x01\n", 400},
		"empty lines":              {"\r\n\r\n\r\n", 400},
		"a chunk without a size":   {chunked + "\r\n\r\n", 400},
		"a chunk with a bad size":  {chunked + "g\r\nx\r\n0\r\n\r\n", 400},
		"a chunk with a sign":      {chunked + "+1\r\nx\r\n0\r\n\r\n", 400},
		"a chunk in 0x":            {chunked + "0x1\r\nx\r\n0\r\n\r\n", 400},
		"a chunk beyond 63 bits":   {chunked + "8000000000000000\r\nx\r\n0\r\n\r\n", 400},
		"a huge chunk":             {chunked + "7fffffffffffffff\r\nx\r\n0\r\n\r\n", 413},
		"a chunk line with LF":     {chunked + "1\nx\r\n0\r\n\r\n", 400},
		"a chunk with LF":          {chunked + "1\r\nx\n0\r\n\r\n", 400},
		"a chunk with CR":          {chunked + "1\r\nx\r0\r\n\r\n", 400},
		"a chunk that is longer":   {chunked + "1\r\nxy\r\n0\r\n\r\n", 400},
		"a control in a chunk":     {chunked + "1;\x00\r\nx\r\n0\r\n\r\n", 400},
		"a trailer without colon":  {chunked + "0\r\nx\r\n\r\n", 400},
		"a trailer with a bare LF": {chunked + "0\r\nA: b\n\r\n", 400},
		"a folded trailer":         {chunked + "0\r\nA: b\r\n c\r\n\r\n", 400},
	} {
		s := newSide(t, http.Options{}, proto.Limits{Message: 1 << 20, Metadata: 1 << 10})
		s.in.WriteString(test.text + "GET /smuggled HTTP/1.1\r\n\r\n")
		st := s.broken()
		if st.Code != test.code || st.Cause == "" || st.Msg == "" || strings.HasPrefix(st.Msg, "code ") {
			t.Errorf("%s: got %v, want %d", name, st, test.code)
		}
		if got := s.answer(message.Message{Status: st}); !strings.HasPrefix(got, "HTTP/1.1 "+itoa(int(test.code))+" ") ||
			!strings.Contains(got, "Connection: close\r\n") {
			t.Errorf("%s: answered %q", name, got)
		}
		s.feed("GET /smuggled HTTP/1.1", "")
		for range 3 {
			if m := new(message.Message); s.p.Unpack(m) == nil && m.Type != message.Push {
				t.Errorf("%s: then %+v", name, m)
			}
		}
	}
}

// TestWhatEndsEarly is no message and has no answer; before the first byte it is the
// orderly end.
func TestWhatEndsEarly(t *testing.T) {
	for _, full := range []string{
		"POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\n12345",
		"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\nA: b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Seq: 1\r\n\r\n12345",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\nA: b\r\n\r\n",
	} {
		for n := range len(full) {
			s := newSide(t, http.Options{}, proto.Limits{})
			s.in.WriteString(full[:n])
			want := io.ErrUnexpectedEOF
			if n == 0 {
				want = io.EOF
			}
			var m message.Message
			if err := s.p.Unpack(&m); !errors.Is(err, want) || m.Refusal != nil {
				t.Errorf("%q: got %v, %v", full[:n], err, m.Refusal)
			}
		}
		s := newSide(t, http.Options{}, proto.Limits{})
		s.in.WriteString(full)
		s.read()
	}
}

// TestHostIsNotAskedFor: older peers send none, and it decides nothing.
func TestHostIsNotAskedFor(t *testing.T) {
	for _, host := range []string{"", "\nHost:", "\nHost: any"} {
		s := newSide(t, http.Options{}, proto.Limits{})
		wantMeta(t, s.feed("POST /a HTTP/1.1"+host, "").read())
	}
}
