package securebody_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/internal/rpctest"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/plugin/securebody"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/raw"
	"github.com/dserver/dserver/rpc/status"
)

// recorded is a call between two older peers and its reply.
type recorded struct {
	call, reply           message.Message
	callBytes, replyBytes []byte
}

// recording reads what an older client and an older server with the key of the tests have
// sent each other.
func recording(t *testing.T) (list []recorded) {
	t.Helper()
	b, err := os.ReadFile("testdata/securebody.json")
	if err != nil {
		t.Fatal(err)
	}
	var frames []struct{ Dir, Hex string }
	if err := json.Unmarshal(b, &frames); err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(frames); i += 2 {
		if frames[i].Dir != "c2s" || frames[i+1].Dir != "s2c" {
			t.Fatalf("frames %d and %d are no call and reply", i, i+1)
		}
		var r recorded
		r.callBytes, r.call = unpack(t, frames[i].Hex)
		r.replyBytes, r.reply = unpack(t, frames[i+1].Hex)
		list = append(list, r)
	}
	if len(list) != 6 {
		t.Fatalf("%d calls are recorded", len(list))
	}
	return list
}

func unpack(t *testing.T, text string) ([]byte, message.Message) {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	var m message.Message
	if err := raw.New(proto.Stream{Reader: bufio.NewReader(bytes.NewReader(b))}).Unpack(&m); err != nil {
		t.Fatal(err)
	}
	return b, m
}

// same compares what older peers would see of two messages.
func same(t *testing.T, name string, got, want message.Message) {
	t.Helper()
	if got.Seq != want.Seq || got.Type != want.Type || got.Method != want.Method || got.Codec != want.Codec ||
		!bytes.Equal(got.Body, want.Body) || !bytes.Equal(got.Meta.AppendText(nil), want.Meta.AppendText(nil)) || status.CodeOf(statusError(got)) != status.CodeOf(statusError(want)) {
		t.Errorf("%s: got %+v, body %s, want %+v, body %s", name, got, got.Body, want, want.Body)
	}
}

func statusError(m message.Message) error {
	if m.Status == nil {
		return nil
	}
	return m.Status
}

// mathAdd is the route of the recording.
func mathAdd(t *testing.T, e *rpc.Endpoint) {
	rpctest.Handle(t, e, "/math/add", func(_ rpc.Context, nums []int) (int, error) {
		sum := 0
		for _, n := range nums {
			sum += n
		}
		return sum, nil
	})
}

// TestServerAnswersAnOlderClientAsRecorded, but for the body without a version: there the
// older server has run its handler.
func TestServerAnswersAnOlderClientAsRecorded(t *testing.T) {
	server, _ := secured(t, securebody.Options{Classic: true})
	mathAdd(t, server)
	address := rpctest.OnLoopback(t, server)
	for i, r := range recording(t) {
		w := dialWire(t, address)
		if _, err := w.Write(r.callBytes); err != nil {
			t.Fatal(err)
		}
		got, err := w.read()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(r.call.Body), `"cipherVersion":""`) {
			if status.CodeOf(got.Status) != status.Conflict || len(got.Body) > 0 {
				t.Errorf("call %d: got %+v, body %s", i, got, got.Body)
			}
			continue
		}
		same(t, "reply", *got, r.reply)
	}
}

// TestClientCallsAnOlderServerAsRecorded and takes what that has answered.
func TestClientCallsAnOlderServerAsRecorded(t *testing.T) {
	list := recording(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan message.Message, 10)
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		w := newWire(conn)
		for _, r := range list[:4] {
			m, err := w.read()
			if err != nil {
				return
			}
			served <- *m
			conn.Write(r.replyBytes)
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
	})
	client, _ := secured(t, securebody.Options{Classic: true})
	s := rpctest.Dial(t, client, "tcp://"+ln.Addr().String())
	for i, opts := range [][]rpc.CallOption{
		{securebody.WithSecureBody()},
		{securebody.WithSecureBody(), securebody.WithSecureReply(false)},
		{securebody.WithSecureReply(true)},
		nil,
	} {
		var sum int
		if err := s.Call(t.Context(), "/math/add", []int{1, 2, 3}, &sum, opts...); err != nil || sum != 6 {
			t.Errorf("call %d: got %d, %v", i, sum, err)
		}
		same(t, "call", <-served, list[i].call)
	}
}

// TestReplyOfAnOlderServerWithAnotherKeyIsItsStatus.
func TestReplyOfAnOlderServerWithAnotherKeyIsItsStatus(t *testing.T) {
	last := recording(t)[5]
	conns := make(chan *wire, 1)
	client, _ := secured(t, securebody.Options{Classic: true})
	s := rpctest.Dial(t, client, newMirror(t, conns))
	call := s.Go(t.Context(), "/math/add", []int{1, 2, 3}, nil, securebody.WithSecureBody())
	w := rpctest.Receive(t, "the client calls", conns)
	defer w.Close()
	if _, err := w.read(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(last.replyBytes); err != nil {
		t.Fatal(err)
	}
	if st := rpctest.Code(t, call.Wait(), status.Conflict); st.Cause != last.reply.Status.Cause {
		t.Errorf("got %+v", st)
	}
}
