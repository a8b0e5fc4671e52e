package message_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc/message"
)

// Meta behaves as a map does, whatever is done to it.
func TestMetaAgainstAMap(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	var m message.Meta
	want := map[string]string{}
	for i := range 2000 {
		key, value := fmt.Sprint("k", r.IntN(30)), fmt.Sprint(i)
		switch r.IntN(5) {
		case 0:
			m.Delete(key)
			delete(want, key)
		default:
			m.Set(key, value)
			want[key] = value
		}
		if v, ok := m.Lookup(key); v != want[key] || ok != (want[key] != "") {
			t.Fatalf("step %d: %q is %q, %v, want %q", i, key, v, ok, want[key])
		}
	}
	if got := maps.Collect(m.All()); !maps.Equal(got, want) || m.Len() != len(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	// encoding/json sorts the names of a map and escapes as the wire does.
	if b, _ := json.Marshal(want); string(b) != string(m.AppendText(nil)) {
		t.Errorf("got %s, want %s", m.AppendText(nil), b)
	}
	c := m.Clone()
	m.Clear()
	if m.Len() != 0 || c.Len() != len(want) {
		t.Error("a clone shares memory with its original")
	}
}

func TestMetaTextIsThatOfEncodingJSON(t *testing.T) {
	for _, value := range []string{"", "a b", `"\`, "<&>", "值 é", "\u2028", "\x00\n\x7f", "\xff"} {
		var m message.Meta
		m.Set(value, value)
		want, _ := json.Marshal(map[string]string{value: value})
		if got := m.AppendText(nil); string(got) != string(want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestMetaParsesWhatOlderPeersWrite(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", "{}"}, {"null", "{}"}, {"{}", "{}"}, {" { } ", "{}"},
		{`{"b":"2","a":"1"}`, `{"a":"1","b":"2"}`},
		{`{"a":"1","a":"2","b":"","a":"3"}`, `{"a":"3","b":""}`},
		{`{"n":1.50,"t":true,"z":null,"o":{"x":[1, 2]}}`, `{"n":"1.50","o":"{\"x\":[1, 2]}","t":"true","z":""}`},
	}
	for _, test := range tests {
		var m message.Meta
		m.Set("old", "gone")
		if err := m.ParseText([]byte(test.text)); err != nil || string(m.AppendText(nil)) != test.want {
			t.Errorf("%s: got %s, %v, want %s", test.text, m.AppendText(nil), err, test.want)
		}
	}
	for _, text := range []string{"7", `"a":"1"}`, `,"a":"1"}`, `{"a":"1"}}`, `{"a":"1","b"}`, `{"a":"1","b":}`, `{"a":"1" "b":"2"}`, "{\"a\":\"\n\"}", `{"a":"1"`, `{"a":"1`, "[]", `"x"`, "{", `{"a"}`, `{"a":}`, `{"a":"1",}`, `{"a":"1"} x`, `{"a":"1"}{}`, "nul", "null null", `{a:1}`} {
		var m message.Meta
		if err := m.ParseText([]byte(text)); err == nil {
			t.Errorf("%s: no error, got %s", text, m.AppendText(nil))
		}
	}
}

// TestPlainMetadataIsReadWithoutADecoder: one piece of memory has all of it, and the list
// of a message that is used again is there already.
func TestPlainMetadataIsReadWithoutADecoder(t *testing.T) {
	text := []byte(`{"traceparent":"00-4bf92f3577b34da6-01","x-timeout-ms":"1500"}`)
	var m message.Meta
	n := testing.AllocsPerRun(100, func() {
		if err := m.ParseText(text); err != nil || m.Len() != 2 {
			t.Fatal(m.Len(), err)
		}
	})
	if n > 1 {
		t.Errorf("%v allocations", n)
	}
}

// Names sent backwards must not cost more than names sent in order.
func TestMetaParsingManyNamesIsQuick(t *testing.T) {
	var b strings.Builder
	for i := 99999; i > 0; i-- {
		fmt.Fprintf(&b, `,"%05d":""`, i)
	}
	start := time.Now()
	var m message.Meta
	if err := m.ParseText([]byte("{" + b.String()[1:] + "}")); err != nil || m.Len() != 99999 {
		t.Fatal(m.Len(), err)
	}
	// Inserting one by one takes over ten times as long.
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("took %v", d)
	}
}

func TestResetKeepsNothing(t *testing.T) {
	m := message.Message{Seq: 1, Type: message.Call, Method: "/a", Codec: 'j', Body: []byte("x"), Size: 9}
	m.Meta.Set("k", "v")
	m.Reset()
	if m.Seq != 0 || m.Type != message.Undefined || m.Method != "" || m.Codec != 0 || m.Body != nil || m.Size != 0 || m.Meta.Len() != 0 {
		t.Errorf("left over: %+v", m)
	}
}

func TestTypeNames(t *testing.T) {
	want := []string{"UNDEFINED", "CALL", "REPLY", "PUSH", "AUTH_CALL", "AUTH_REPLY", "UNDEFINED"}
	for i, name := range want {
		if got := message.Type(i).String(); got != name {
			t.Errorf("%d: got %s, want %s", i, got, name)
		}
	}
}

func FuzzMetaParseText(f *testing.F) {
	f.Add([]byte(`{"a":"1","b":2,"a":null}`))
	f.Add([]byte(`{"\u003c":"\ud83d\ude00"}`))
	f.Add([]byte(`{"b":"1","a":"","b":"3"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		var m, again message.Meta
		if m.ParseText(in) != nil {
			return
		}
		text := m.AppendText(nil)
		if err := again.ParseText(text); err != nil || string(again.AppendText(nil)) != string(text) {
			t.Fatalf("%s became %s, %v", text, again.AppendText(nil), err)
		}
		// A space makes it one that is read with more care.
		if spaced := bytes.Replace(in, []byte("{"), []byte("{ "), 1); again.ParseText(spaced) != nil || string(again.AppendText(nil)) != string(text) {
			t.Fatalf("%s is %s, and with a space %s", in, text, again.AppendText(nil))
		}
	})
}
