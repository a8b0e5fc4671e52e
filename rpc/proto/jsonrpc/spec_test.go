package jsonrpc_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/dserver/dserver/rpc/internal/rpctest"
)

// TestF42ExamplesOfTheSpecification are those of section 7 of JSON-RPC 2.0, with real
// connections. Only data is not compared, which the server may fill.
func TestF42ExamplesOfTheSpecification(t *testing.T) {
	const parseError = `{"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": null}`
	const invalid = `{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}`
	e, notes := newServer(t)
	c := dialLines(t, rpctest.OnLoopback(t, e))
	for _, test := range []struct {
		name, request, response string
		notes                   []string
	}{
		{name: "positional parameters", request: `{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}`,
			response: `{"jsonrpc": "2.0", "result": 19, "id": 1}`},
		{name: "positional parameters, the other way", request: `{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}`,
			response: `{"jsonrpc": "2.0", "result": -19, "id": 2}`},
		{name: "named parameters", request: `{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}`,
			response: `{"jsonrpc": "2.0", "result": 19, "id": 3}`},
		{name: "named parameters, the other way", request: `{"jsonrpc": "2.0", "method": "subtract", "params": {"minuend": 42, "subtrahend": 23}, "id": 4}`,
			response: `{"jsonrpc": "2.0", "result": 19, "id": 4}`},
		{name: "a notification", request: `{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}`, notes: []string{"update[1,2,3,4,5]"}},
		{name: "a notification of nobody", request: `{"jsonrpc": "2.0", "method": "foobar"}`},
		{name: "a method that does not exist", request: `{"jsonrpc": "2.0", "method": "foobar", "id": "1"}`,
			response: `{"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "1"}`},
		{name: "invalid JSON", request: `{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]`, response: parseError},
		{name: "an invalid request", request: `{"jsonrpc": "2.0", "method": 1, "params": "bar"}`, response: invalid},
		{name: "a batch of invalid JSON", response: parseError,
			request: `[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"}, {"jsonrpc": "2.0", "method"]`},
		{name: "an empty array", request: `[]`, response: invalid},
		{name: "an invalid batch that is not empty", request: `[1]`, response: `[` + invalid + `]`},
		{name: "an invalid batch", request: `[1,2,3]`, response: `[` + invalid + `,` + invalid + `,` + invalid + `]`},
		{name: "a batch", notes: []string{"notify_hello[7]"},
			request: `[
				{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
				{"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
				{"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},
				{"foo": "boo"},
				{"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
				{"jsonrpc": "2.0", "method": "get_data", "id": "9"}
			]`,
			response: `[
				{"jsonrpc": "2.0", "result": 7, "id": "1"},
				{"jsonrpc": "2.0", "result": 19, "id": "2"},
				{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},
				{"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "5"},
				{"jsonrpc": "2.0", "result": ["hello", 5], "id": "9"}
			]`},
		{name: "a batch of notifications", notes: []string{"notify_hello[7]", "notify_sum[1,2,4]"},
			request: `[{"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]}, {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			c.send(oneLine(test.request))
			if test.response != "" {
				if got := c.receive(); !reflect.DeepEqual(withoutData(t, got), withoutData(t, test.response)) {
					t.Errorf("got %s\nwant %s", got, test.response)
				}
			}
			got := map[string]bool{}
			for range test.notes {
				got[rpctest.Receive(t, "a notification", notes)] = true
			}
			for _, note := range test.notes {
				if !got[note] {
					t.Errorf("notifications %v, want %v", got, test.notes)
				}
			}
		})
		// Nothing else was answered.
		want(t, c.ask(`{"jsonrpc":"2.0","method":"sum","params":[1,1],"id":"next"}`), `{"jsonrpc":"2.0","result":2,"id":"next"}`)
	}
	if len(notes) > 0 {
		t.Errorf("a notification more: %s", <-notes)
	}
}

// oneLine is what a text of several lines means.
func oneLine(text string) string {
	var out json.RawMessage
	if json.Unmarshal([]byte(text), &out) != nil {
		return text // it is meant to be broken
	}
	b, _ := json.Marshal(out)
	return string(b)
}
