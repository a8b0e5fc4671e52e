package rpc_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/json"
	"github.com/dserver/dserver/rpc/proto/raw"
	"github.com/dserver/dserver/rpc/status"
)

// liveCapture is one conversation between two older peers, in testdata, and how each
// of them is played by an endpoint of ours.
type liveCapture struct {
	name   string
	proto  proto.Factory // that they spoke
	server rpc.Config    // of ours; Proto is set
	client rpc.Config
	// routes makes ours what the recorded server was.
	routes func(t *testing.T, e *rpc.Endpoint)
	// ours turns the n-th thing that the recorded server did into what ours does
	// instead: a message, or nil for hanging up. nil is: all as recorded.
	ours func(n int, m *message.Message) *message.Message
	// act does what the recorded client did, and knows what came of it.
	act func(t *testing.T, e *rpc.Endpoint, address string)
}

func liveCaptures() []liveCapture {
	accepts := rpc.Config{Codecs: []codec.Codec{codec.JSON{}, flat{}}}
	return []liveCapture{
		{name: "raw_calls", proto: raw.New, server: accepts, routes: recordedRoutes, ours: rawCallsOfOurs, act: actRawCalls},
		{name: "jsonproto_escapes", proto: json.New, routes: recordedRoutes, ours: escapesOfOurs, act: actEscapes},
	}
}

// TestLiveCaptures replays the captures with an endpoint in the place of either side.
func TestLiveCaptures(t *testing.T) {
	for _, c := range liveCaptures() {
		t.Run(c.name+"/server", c.playServer)
		t.Run(c.name+"/client", c.playClient)
	}
}

func recordedRoutes(t *testing.T, e *rpc.Endpoint) {
	mustHandle(t, e, "/math/add", func(_ rpc.Context, nums []int) (sum int, err error) {
		for _, n := range nums {
			sum += n
		}
		return sum, nil
	})
	mustHandle(t, e, "/math/fail", func(rpc.Context, []int) (int, error) {
		return 0, &status.Status{Code: 1001, Msg: "业务错误", Cause: "why"}
	})
	mustHandle(t, e, "/math/boom", func(rpc.Context, []int) (int, error) { panic("boom") })
	mustHandle(t, e, "/math/echo", func(ctx rpc.Context, m map[string]string) (map[string]string, error) {
		ctx.SetMeta("k", "v")
		return m, nil
	})
}

// flat is a codec that has the id of plain texts and refuses a map, as the recorded
// one did.
type flat struct{ codec.JSON }

func (flat) ID() byte                    { return codec.IDPlain }
func (flat) Name() string                { return "flat" }
func (flat) Marshal(any) ([]byte, error) { return nil, errors.New("it has no text") }

// rawCallsOfOurs: the texts of a panic, of a decoder and of an encoder stay in the log.
func rawCallsOfOurs(n int, m *message.Message) *message.Message {
	switch n {
	case 2, 4, 5:
		m.Status.Cause = "incident ID"
	}
	return m
}

func actRawCalls(t *testing.T, e *rpc.Endpoint, address string) {
	s := mustDial(t, e, address)
	var sum int
	if err := s.Call(t.Context(), "/math/add", []int{1, 2}, &sum); err != nil || sum != 3 {
		t.Errorf("1 + 2 is %d, %v", sum, err)
	}
	failures := []struct {
		method string
		arg    any
		want   status.Status
	}{
		{"/math/fail", []int{1, 2}, status.Status{Code: 1001, Msg: "业务错误", Cause: "why"}},
		{"/math/boom", []int{1, 2}, status.Status{Code: 500, Msg: "Internal Server Error", Cause: "boom"}},
		{"/nope", []int{1, 2}, status.Status{Code: 404, Msg: "Not Found"}},
	}
	for _, f := range failures {
		wantStatus(t, s.Call(t.Context(), f.method, f.arg, nil), f.want)
	}
	if err := s.Push(t.Context(), "/nope", 1); err != nil {
		t.Error(err)
	}
	wantStatus(t, s.Call(t.Context(), "/math/add", "not-an-array", &sum),
		status.Status{Code: 400, Msg: "Bad Message", Cause: "json: cannot unmarshal string into Go value of type []int"})
	var meta message.Meta
	wantStatus(t, s.Call(t.Context(), "/math/echo", map[string]string{"q": "1"}, nil,
		rpc.WithMeta("X-Accept-Body-Codec", "115"), rpc.WithMeta("a", "b"), rpc.WithReplyMeta(&meta)),
		status.Status{Code: 500, Msg: "Internal Server Error", Cause: "plain codec: map[string]string can not be directly converted to []byte type"})
	if meta.Value("k") != "v" {
		t.Errorf("the metadata of an error is %v", meta)
	}
}

// escapesOfOurs: where the recorded server hung up on a body whose quotes were escaped
// once too seldom, ours answers.
func escapesOfOurs(n int, m *message.Message) *message.Message {
	if n == 1 {
		m = &message.Message{Seq: 2, Type: message.Reply, Codec: codec.IDJSON, Body: []byte(`{"q":"quote\"inside"}`)}
		m.Meta.Set("k", "v")
	}
	return m
}

func actEscapes(t *testing.T, e *rpc.Endpoint, address string) {
	s := mustDial(t, e, address)
	var got map[string]string
	var meta message.Meta
	err := s.Call(t.Context(), "/math/echo", map[string]string{"q": "plain"}, &got, rpc.WithReplyMeta(&meta))
	if err != nil || got["q"] != "plain" || meta.Value("k") != "v" {
		t.Errorf("got %v, %v, %v", got, meta, err)
	}
	st := wantCode(t, s.Call(t.Context(), "/math/echo", map[string]string{"q": `quote"inside`}, nil), status.ConnectionClosed)
	if st.Retry {
		t.Error("it is not known that the call was not executed")
	}
}

func mustDial(t *testing.T, e *rpc.Endpoint, address string) *rpc.Session {
	t.Helper()
	s, err := e.Dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func wantStatus(t *testing.T, err error, want status.Status) {
	t.Helper()
	got := wantCode(t, err, want.Code)
	if got.Msg != want.Msg || got.Cause != want.Cause || got.Retry {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// playServer sends what the recorded client sent to an endpoint of ours and compares
// the answers with the recorded ones.
func (c *liveCapture) playServer(t *testing.T) {
	server := c.server
	server.Proto = c.proto
	b := newBed(t, server, rpc.Config{}, "tcp://127.0.0.1:0")
	c.routes(t, b.server)
	n := 0
	for _, conversation := range c.conversations(t) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(b.address, "tcp://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		in := c.reader(conn)
		for _, step := range conversation {
			if step.client {
				if _, err := conn.Write(step.bytes); err != nil {
					t.Fatal(err)
				}
				continue
			}
			for _, m := range step.messages {
				if c.ours != nil {
					m = c.ours(n, m)
				}
				n++
				if err := expect(conn, in, m); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// playClient answers an endpoint of ours with what the recorded server answered, and
// compares what it sends with what the recorded client sent.
func (c *liveCapture) playClient(t *testing.T) {
	client := c.client
	client.Proto = c.proto
	e := newEndpoint(t, client)
	conversations := c.conversations(t)
	address, conns := silentServer(t)
	played := make(chan error, 1)
	go func() { played <- c.answerAll(conns, conversations) }()
	defer func() {
		e.Close()
		if err := within(t, 30*time.Second, "all has been said", played); err != nil {
			t.Error(err)
		}
	}()
	c.act(t, e, address)
}

func (c *liveCapture) answerAll(conns chan net.Conn, conversations [][]liveStep) error {
	for i, conversation := range conversations {
		select {
		case conn := <-conns:
			err := c.answer(conn, conversation)
			conn.Close()
			if err != nil {
				return err
			}
		case <-time.After(10 * time.Second):
			return fmt.Errorf("the client has not dialled %d times", i+1)
		}
	}
	return nil
}

func (c *liveCapture) answer(conn net.Conn, conversation []liveStep) error {
	in := c.reader(conn)
	for _, step := range conversation {
		switch {
		case step.client:
			for _, m := range step.messages {
				if err := expect(conn, in, m); err != nil {
					return err
				}
			}
		case step.bytes == nil:
			return nil // the recorded server hung up
		default:
			if _, err := conn.Write(step.bytes); err != nil {
				return err
			}
		}
	}
	return nil
}

// liveStep is what one side wrote at once. No bytes and one message that is nil mean
// that it hung up.
type liveStep struct {
	client   bool
	bytes    []byte
	messages []*message.Message
}

// conversations reads the capture. Those that were recorded one after the other
// are told apart by the numbers of the client, which begin anew.
func (c *liveCapture) conversations(t *testing.T) [][]liveStep {
	t.Helper()
	file, err := os.ReadFile("testdata/live_captures.json")
	if err != nil {
		t.Fatal(err)
	}
	var captures map[string][]struct{ Dir, Hex string }
	if err := stdjson.Unmarshal(file, &captures); err != nil {
		t.Fatal(err)
	}
	list := make([][]liveStep, 1)
	last := int32(0)
	for _, piece := range captures[c.name] {
		step := liveStep{client: piece.Dir == "c2s", messages: []*message.Message{nil}}
		if step.bytes, err = hex.DecodeString(piece.Hex); err != nil {
			t.Fatal(err)
		}
		switch string(step.bytes) {
		case "<ERR>": // the other side had hung up
			continue
		case "<EOF>":
			step.bytes = nil
		default:
			step.messages = c.read(t, step.bytes)
		}
		if first := step.messages[0]; step.client && first != nil {
			if first.Seq <= last {
				list = append(list, nil)
			}
			last = step.messages[len(step.messages)-1].Seq
		}
		list[len(list)-1] = append(list[len(list)-1], step)
	}
	if len(list[0]) == 0 {
		t.Fatalf("there is no capture %s", c.name)
	}
	return list
}

func (c *liveCapture) reader(r io.Reader) proto.Proto {
	return c.proto(proto.Stream{Reader: bufio.NewReader(r)})
}

func (c *liveCapture) read(t *testing.T, b []byte) (list []*message.Message) {
	t.Helper()
	in := c.reader(bytes.NewReader(b))
	for {
		m := new(message.Message)
		switch err := in.Unpack(m); {
		case err == nil:
			list = append(list, m)
		case errors.Is(err, io.EOF) && list != nil:
			return list
		default:
			t.Fatalf("cannot read %x: %v", b, err)
		}
	}
}

// expect reads one message and compares all but the id of an incident and how many
// bytes there were; nil expects the end.
func expect(conn net.Conn, in proto.Proto, want *message.Message) error {
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	got := new(message.Message)
	err := in.Unpack(got)
	if errors.Is(err, io.EOF) && want == nil {
		return nil
	}
	if err != nil || want == nil {
		return fmt.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if got.Status != nil {
		got.Status.Cause = regexp.MustCompile(`^incident [0-9a-f]+$`).ReplaceAllString(got.Status.Cause, "incident ID")
	}
	if inWords(got) != inWords(want) {
		return fmt.Errorf("got\n%s, want\n%s", inWords(got), inWords(want))
	}
	return nil
}

func inWords(m *message.Message) string {
	text := fmt.Sprintf("%v %d %q, codec %d, filters %q, body %q, metadata", m.Type, m.Seq, m.Method, m.Codec, m.Filters, m.Body)
	for key, value := range m.Meta.All() {
		text += fmt.Sprintf(" %q=%q", key, value)
	}
	if m.Status == nil {
		return text
	}
	return text + fmt.Sprintf(", status %d %q %q %v %s", m.Status.Code, m.Status.Msg, m.Status.Cause, m.Status.Retry, m.Status.Details)
}
