package jsonrpc_test

import (
	"errors"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/jsonrpc"
	"github.com/dserver/dserver/rpc/status"
)

// TestF42PushGoesOnlyToWhoTakesIt: an older peer would run it and answer.
func TestF42PushGoesOnlyToWhoTakesIt(t *testing.T) {
	note := &message.Message{Type: message.Push, Seq: 5, Method: "/note", Codec: 'j', Body: []byte(`"x"`)}
	note.Meta.Set("k", "v")
	const line = `{"jsonrpc":"2.0","method":"/note","params":"x","context":{"k":"v"}}`
	const bare = `{"jsonrpc":"2.0","method":"/_goaway","context":{}}`
	control := &message.Message{Type: message.Push, Method: "/_goaway"}
	for _, test := range []struct {
		name, read      string
		taken, controls bool
	}{
		{"nothing", "", false, false},
		{"a request with context", ours("1"), false, false},
		{"a reply with context", `{"jsonrpc":"2.0","id":1,"result":1,"context":{}}` + "\n", false, false},
		{"a reply of JSON-RPC 1.0", `{"id":1,"result":1,"error":null}` + "\n", false, false},
		{"an invalid request", `{"jsonrpc":"2.0","method":1}` + "\n", false, false},
		{"an empty line", "\n", false, false},
		{"a plain request", plain("1"), true, false},
		{"a plain notification", `{"jsonrpc":"2.0","method":"/a"}` + "\n", true, false},
		{"a plain reply", `{"jsonrpc":"2.0","id":1,"result":1}` + "\n", true, false},
		{"a notification with context", `{"jsonrpc":"2.0","method":"/a","context":{}}` + "\n", true, true},
		{"a cause", `{"id":1,"error":{"code":1,"message":"","data":null,"cause":"c"},"context":{}}` + "\n", true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSide(t, proto.Stream{})
			s.read(test.read)
			if test.taken {
				want(t, s.write(note), line)
			} else if out, err := s.AppendFrame(nil, note); !errors.Is(err, jsonrpc.ErrNotCarried) || len(out) > 0 {
				t.Errorf("got %q, %v", out, err)
			}
			out, err := s.AppendFrame(nil, control)
			if test.controls != (err == nil) || err != nil && !errors.Is(err, jsonrpc.ErrNotCarried) {
				t.Errorf("control: got %q, %v", out, err)
			}
		})
	}
	peer := new(proto.Peer)
	peer.MarkOurs()
	s := newSide(t, proto.Stream{Peer: peer})
	want(t, s.write(note), line)
	s.read(plain("1"))
	want(t, s.write(control), bare)
}

func TestWriterRefusesWhatNoLineCanSay(t *testing.T) {
	for name, test := range map[string]struct {
		m    message.Message
		want error
	}{
		"AUTH_CALL":      {message.Message{Type: message.AuthCall, Codec: 'j', Body: []byte(`"x"`)}, jsonrpc.ErrNotCarried},
		"AUTH_REPLY":     {message.Message{Type: message.AuthReply}, jsonrpc.ErrNotCarried},
		"UNDEFINED":      {message.Message{}, jsonrpc.ErrNotCarried},
		"filters":        {message.Message{Type: message.Call, Filters: []byte("5")}, jsonrpc.ErrFiltered},
		"another codec":  {message.Message{Type: message.Call, Codec: 's', Body: []byte(`1`)}, jsonrpc.ErrNotJSON},
		"no codec":       {message.Message{Type: message.Reply, Body: []byte(`1`)}, jsonrpc.ErrNotJSON},
		"no JSON":        {message.Message{Type: message.Call, Codec: 'j', Body: []byte(`1} {`)}, jsonrpc.ErrNotJSON},
		"two values":     {message.Message{Type: message.Reply, Codec: 'j', Body: []byte("1\n2")}, jsonrpc.ErrNotJSON},
		"what is binary": {message.Message{Type: message.Reply, Codec: 'j', Body: []byte("\"\xff\"")}, jsonrpc.ErrNotJSON},
	} {
		s := newSide(t, proto.Stream{})
		if out, err := s.AppendFrame([]byte("before"), &test.m); !errors.Is(err, test.want) || string(out) != "before" {
			t.Errorf("%s: got %q, %v", name, out, err)
		}
	}
}

// TestBodyBecomesOneLine, however it is laid out.
func TestBodyBecomesOneLine(t *testing.T) {
	s := newSide(t, proto.Stream{})
	body := []byte("{\n\t\"a\": \"\\n <\",\r\n\t\"b\": [1,\n2]\n}\n")
	want(t, s.write(&message.Message{Type: message.Call, Seq: -3, Method: "/a\n<\xff", Codec: 'j', Body: body}),
		`{"jsonrpc":"2.0","method":"/a\n\u003c\ufffd","params":{"a":"\n <","b":[1,2]},"id":-3,"context":{}}`)
	want(t, s.answer(s.readOne(plain("1")), string(body), nil), `{"jsonrpc":"2.0","result":{"a":"\n <","b":[1,2]},"id":1}`)
}

// TestNoParamsAreLeftOutOnlyForPlainPeers: older ones are used to null, which is no
// params by the letter.
func TestNoParamsAreLeftOutOnlyForPlainPeers(t *testing.T) {
	s := newSide(t, proto.Stream{})
	m := &message.Message{Type: message.Call, Seq: 1, Method: "/a", Codec: 'j'}
	want(t, s.write(m), `{"jsonrpc":"2.0","method":"/a","params":null,"id":1,"context":{}}`)
	s.readOne(plain("1"))
	want(t, s.write(m), `{"jsonrpc":"2.0","method":"/a","id":1,"context":{}}`)
}

// TestClassicFormAnswersEverybodyAsAnOlderPeer.
func TestClassicFormAnswersEverybodyAsAnOlderPeer(t *testing.T) {
	s := &side{t, jsonrpc.Options{Classic: true}.New(proto.Stream{}).(proto.Framer)}
	for _, request := range []string{plain("7"), ours("7"), `{"method":"/a","id":7}` + "\n"} {
		want(t, s.answer(s.readOne(request), "6", nil), `{"jsonrpc":"2.0","id":7,"result":6,"context":{}}`)
	}
	st := status.New(404, "lost").WithRetry()
	want(t, s.answer(s.readOne(plain(`"x"`)), "", st), `{"jsonrpc":"2.0","id":"x","context":{},"error":{"code":404,"message":"Not Found","data":null}}`)
	want(t, s.write(&message.Message{Type: message.Call, Seq: 1, Method: "/a", Filters: []byte("5"), Codec: 'j', Body: []byte("1")}),
		`{"jsonrpc":"2.0","method":"/a","params":1,"id":1,"context":{}}`)
	if out, err := s.AppendFrame(nil, &message.Message{Type: message.Push, Method: "/note"}); !errors.Is(err, jsonrpc.ErrNotCarried) {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestTraits(t *testing.T) {
	p := jsonrpc.New(proto.Stream{})
	if traits := p.(proto.Particular).Traits(); traits.Codec != 'j' || !traits.Untold || traits.InOrder {
		t.Errorf("got %+v", traits)
	}
	if id, name := p.Version(); id != 3 || name != "jsonrpc" {
		t.Errorf("got %d, %s", id, name)
	}
}
