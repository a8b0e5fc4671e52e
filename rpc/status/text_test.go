package status_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/status"
)

func TestTextIsWhatOlderWritersWrite(t *testing.T) {
	tests := []struct {
		s    *status.Status
		want string
	}{
		{nil, `{"code":0,"msg":"","cause":""}`},
		{status.New(status.NotFound, ""), `{"code":404,"msg":"Not Found","cause":""}`},
		{&status.Status{Code: -1, Msg: "a\"b\\c\nd", Cause: "<é\u00a0🙂>"}, `{"code":-1,"msg":"a\"b\\c\nd","cause":"<é\u00a0🙂>"}`},
		{&status.Status{Code: 1, Retry: true, Details: []byte(`[1]`)}, `{"code":1,"msg":"","cause":"","retry":true,"details":[1]}`},
		{&status.Status{Code: 1, Details: []byte(`[1`)}, `{"code":1,"msg":"","cause":""}`},
	}
	for _, test := range tests {
		if got := string(status.AppendText([]byte("x"), test.s)); got != "x"+test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

// Go's own escapes are no JSON: they are never written, whatever the text.
func TestF36StatusTextsAreJSONAndSurvive(t *testing.T) {
	for _, text := range []string{"\a\v\x00\x7f\U000e0001", "\x1b[1m\r\n\t\b\f", "plain", "\u2028\ufeff", `\x41 \a`} {
		b := status.AppendText(nil, &status.Status{Code: 7, Msg: text, Cause: text})
		if !json.Valid(b) {
			t.Errorf("%q: not JSON: %s", text, b)
		}
		s, err := status.ParseText(b)
		if err != nil || s.Msg != text || s.Cause != text {
			t.Errorf("%q: got %+v, %v", text, s, err)
		}
	}
}

func TestF36OlderWritersEscapesAreRead(t *testing.T) {
	for _, text := range []string{"\a\v\x00\x7f\U000e0001", "a\\x41\"\a", "é\v🙂", "\\", "\v\\a"} {
		old := `{"code":7,"msg":` + strconv.Quote(text) + `,"cause":""}`
		s, err := status.ParseText([]byte(old))
		if err != nil || s.Msg != text {
			t.Errorf("%s: got %+v, %v", old, s, err)
		}
	}
	s, err := status.ParseText([]byte(`{"code":7,"msg":"\xff\a"}`))
	if err != nil || s.Msg != "\ufffd\a" {
		t.Errorf("bytes that were no text: got %+v, %v", s, err)
	}
}

func TestParseTextIsTolerant(t *testing.T) {
	for _, text := range []string{"", "null", "{}", `{"code":0}`, " {\"msg\":\"x\"} "} {
		if s, err := status.ParseText([]byte(text)); s != nil || err != nil {
			t.Errorf("%q: got %v, %v", text, s, err)
		}
	}
	s, err := status.ParseText([]byte(`{"cause":"c","new":{"a":[1]},"code":5}`))
	if err != nil || s.Code != 5 || s.Cause != "c" || s.Msg != "" {
		t.Errorf("got %+v, %v", s, err)
	}
}

func TestParseTextRefusesWhatIsNoObject(t *testing.T) {
	for _, text := range []string{"7", `"x"`, "[]", "{", `{"code":"x"}`, `{"code":7} {}`, `{"code":7,"msg":"\`, `{"msg":"\x4"}`, `{"msg":"\Uzzzzzzzz"}`, " "} {
		if s, err := status.ParseText([]byte(text)); err == nil {
			t.Errorf("%q: got %v", text, s)
		}
	}
}

func FuzzParseText(f *testing.F) {
	f.Add([]byte(`{"code":404,"msg":"Not Found","cause":"\a\v\x00\U000e0001"}`))
	f.Add([]byte(`{"code":1001,"retry":true,"details":{"a":1}}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := status.ParseText(in)
		if err != nil || s == nil {
			return
		}
		again, err := status.ParseText(status.AppendText(nil, s))
		if err != nil || again.Code != s.Code || again.Retry != s.Retry ||
			again.Msg != strings.ToValidUTF8(s.Msg, "\ufffd") || again.Cause != strings.ToValidUTF8(s.Cause, "\ufffd") {
			t.Fatalf("%+v became %+v, %v", s, again, err)
		}
	})
}
