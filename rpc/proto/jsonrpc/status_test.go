package jsonrpc_test

import (
	"fmt"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/jsonrpc"
	"github.com/dserver/dserver/rpc/status"
)

// TestErrorsInBothForms, and back: whoever reads one has the status that was written.
func TestErrorsInBothForms(t *testing.T) {
	full := &status.Status{Code: 1001, Msg: "none \"left\"\a<", Cause: "why\n", Retry: true, Details: []byte("[1,\n2]")}
	for _, test := range []struct {
		s            *status.Status
		plain, older string
	}{
		{status.New(404, "no /a"),
			`{"code":-32601,"message":"Method not found","data":{"code":404,"cause":"no /a"}}`,
			`{"code":404,"message":"Not Found","data":null,"cause":"no /a"}`},
		{status.New(400, ""),
			`{"code":-32602,"message":"Invalid params","data":{"code":400,"cause":""}}`,
			`{"code":400,"message":"Bad Message","data":null}`},
		{status.New(500, "incident 1"),
			`{"code":-32603,"message":"Internal error","data":{"code":500,"cause":"incident 1"}}`,
			`{"code":500,"message":"Internal Server Error","data":null,"cause":"incident 1"}`},
		{&status.Status{Code: 404, Msg: "no such user"},
			`{"code":-32601,"message":"no such user","data":{"code":404,"cause":""}}`,
			`{"code":404,"message":"no such user","data":null}`},
		{status.New(401, "who"),
			`{"code":401,"message":"Unauthorized","data":{"code":401,"cause":"who"}}`,
			`{"code":401,"message":"Unauthorized","data":null,"cause":"who"}`},
		{status.New(-1, ""),
			`{"code":-1,"message":"Unknown Error","data":{"code":-1,"cause":""}}`,
			`{"code":-1,"message":"Unknown Error","data":null}`},
		{full,
			`{"code":1001,"message":"none \"left\"\u0007\u003c","data":{"code":1001,"cause":"why\n","retry":true,"details":[1,2]}}`,
			`{"code":1001,"message":"none \"left\"\u0007\u003c","data":null,"cause":"why\n","retry":true,"details":[1,2]}`},
		{&status.Status{Code: 7, Msg: "m", Details: []byte("[1")},
			`{"code":7,"message":"m","data":{"code":7,"cause":""}}`,
			`{"code":7,"message":"m","data":null}`},
	} {
		s := newSide(t, proto.Stream{})
		inPlain := s.answer(s.readOne(plain("2")), "", test.s)
		want(t, inPlain, `{"jsonrpc":"2.0","error":`+test.plain+`,"id":2}`)
		inOlder := s.answer(s.readOne(ours("2")), "", test.s)
		want(t, inOlder, `{"jsonrpc":"2.0","id":2,"context":{},"error":`+test.older+`}`)
		for _, line := range []string{inPlain, inOlder} {
			m := newSide(t, proto.Stream{}).readOne(line + "\n")
			if m.Type != message.Reply || m.Seq != 2 || m.Codec != 0 || len(m.Body) > 0 || m.Status == nil ||
				m.Status.Code != test.s.Code || m.Status.Cause != test.s.Cause || m.Status.Retry != test.s.Retry {
				t.Errorf("%s: got %+v, status %+v", line, m, m.Status)
			}
			if test.s == full && string(m.Status.Details) != "[1,2]" {
				t.Errorf("%s: details %s", line, m.Status.Details)
			}
		}
	}
}

// TestErrorsOfOthers, whatever they have for one.
func TestErrorsOfOthers(t *testing.T) {
	for text, st := range map[string]status.Status{
		`{"code":-32700,"message":"Parse error"}`:             {Code: 400, Msg: "Parse error"},
		`{"code":-32600,"message":"Invalid Request"}`:         {Code: 400, Msg: "Invalid Request"},
		`{"code":-32601,"message":"Method not found"}`:        {Code: 404, Msg: "Method not found"},
		`{"code":-32602,"message":"Invalid params","data":7}`: {Code: 400, Msg: "Invalid params", Details: []byte(`7`)},
		`{"code":-32603,"message":"x","data":{"a":1}}`:        {Code: 500, Msg: "x", Details: []byte(`{"a":1}`)},
		`{"code":-32000,"message":"x","data":{"code":"E1"}}`:  {Code: -32000, Msg: "x", Details: []byte(`{"code":"E1"}`)},
		`{"code":-32601,"message":"x","data":{"code":405}}`:   {Code: 405, Msg: "x"},
		`{"code":1001,"data":{"code":0}}`:                     {Code: 1001, Msg: "code 1001", Details: []byte(`{"code":0}`)},
		`{"message":"x"}`:                                     {Code: -1, Msg: "x"},
		`{"code":0,"message":"x"}`:                            {Code: -1, Msg: "x"},
		`{"code":99999999999,"message":"x"}`:                  {Code: -1, Msg: "x"},
		`{"code":"7","message":{}}`:                           {Code: -1, Msg: "Unknown Error"},
		`{}`:                                                  {Code: -1, Msg: "Unknown Error"},
		`"boom"`:                                              {Code: -1, Msg: "boom"},
		`[1]`:                                                 {Code: -1, Msg: "Unknown Error", Details: []byte(`[1]`)},
	} {
		m := newSide(t, proto.Stream{}).readOne(fmt.Sprintf(`{"jsonrpc":"2.0","result":null,"error":%s,"id":1}`, text) + "\n")
		if m.Status == nil || m.Status.Code != st.Code || m.Status.Msg != st.Msg || m.Status.Cause != "" || string(m.Status.Details) != string(st.Details) {
			t.Errorf("%s: got %+v", text, m.Status)
		}
	}
}

// TestOnlyOursWriteACause, and only ours write a PUSH with context.
func TestOnlyOursWriteACause(t *testing.T) {
	for _, form := range []proto.Factory{jsonrpc.New, jsonrpc.Options{Classic: true}.New} {
		peer := new(proto.Peer)
		writer := &side{t, form(proto.Stream{}).(proto.Framer)}
		line := writer.write(&message.Message{Type: message.Reply, Seq: 1, Status: status.New(404, "cause")})
		newSide(t, proto.Stream{Peer: peer}).readOne(line + "\n")
		if classic := line == `{"jsonrpc":"2.0","id":1,"context":{},"error":{"code":404,"message":"Not Found","data":null}}`; peer.Ours() == classic {
			t.Errorf("%s: ours: %v", line, peer.Ours())
		}
	}
}

// TestRepliesOfAllKinds: a success may have nothing to say, and what is no number of
// ours is nobody's.
func TestRepliesOfAllKinds(t *testing.T) {
	for text, reply := range map[string]message.Message{
		`{"jsonrpc":"2.0","id":9,"result":6,"context":{}}`:               {Seq: 9, Body: []byte(`6`)},
		`{"jsonrpc":"2.0","id":9,"result":{"a":"}"}}`:                    {Seq: 9, Body: []byte(`{"a":"}"}`)},
		`{"result":[1],"error":null,"id":-9}`:                            {Seq: -9, Body: []byte(`[1]`)},
		`{"jsonrpc":"2.0","id":9,"result":null,"context":{}}`:            {Seq: 9, Body: []byte(`null`)},
		`{"jsonrpc":"2.0","id":9,"error":null}`:                          {Seq: 9, Body: []byte(`null`)},
		`{"jsonrpc":"2.0","id":9}`:                                       {Seq: 9, Body: []byte(`null`)},
		`{"jsonrpc":"2.0","id":"9","result":6}`:                          {Seq: 0, Body: []byte(`6`)},
		`{"jsonrpc":"2.0","id":9.0,"result":6}`:                          {Seq: 0, Body: []byte(`6`)},
		`{"jsonrpc":"2.0","result":6}`:                                   {Seq: 0, Body: []byte(`6`)},
		`{"jsonrpc":"2.0","id":null,"error":{"code":-32700}}`:            {Seq: 0, Status: status.New(400, "")},
		`{"jsonrpc":"2.0","id":9,"result":1,"context":[]}`:               {Seq: 9, Status: status.New(400, "")},
		`{"id":9,"error":{"code":7,"message":"m"},"context":{"k":"\n"}}`: {Seq: 9, Status: &status.Status{Code: 7}},
	} {
		s := newSide(t, proto.Stream{})
		want(t, s.write(&message.Message{Type: message.Call, Seq: 9, Method: "/a"}),
			`{"jsonrpc":"2.0","method":"/a","params":null,"id":9,"context":{}}`)
		m := s.readOne(text + "\n")
		if m.Type != message.Reply || m.Seq != reply.Seq || string(m.Body) != string(reply.Body) || (m.Codec == 'j') != (reply.Status == nil) ||
			(m.Status == nil) != (reply.Status == nil) || m.Status != nil && m.Status.Code != reply.Status.Code {
			t.Errorf("%s: got %+v, status %v", text, m, m.Status)
		}
	}
}
