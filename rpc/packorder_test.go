package rpc_test

import (
	"bufio"
	"bytes"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
)

// countingProto numbers what it packs, holds every second message back until the next
// one, and says a number of its own before it reads on.
type countingProto struct {
	lineProto
	mu     sync.Mutex
	number int
	held   []*message.Message
}

func newCountingProto(s proto.Stream) proto.Proto { return &countingProto{lineProto: lineProto{s}} }

func (p *countingProto) next() string {
	p.number++
	return strconv.Itoa(p.number)
}

func (p *countingProto) Pack(m *message.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.held) == 0 && m.Type == message.Reply {
		c := *m
		c.Body = bytes.Clone(m.Body)
		p.held = append(p.held, &c)
		return nil
	}
	for _, m := range append(p.held, m) {
		m.Meta.Set("number", p.next())
		if err := p.lineProto.Pack(m); err != nil {
			return err
		}
	}
	p.held = nil
	return nil
}

func (p *countingProto) Unpack(m *message.Message) error {
	p.mu.Lock()
	interim := `{"type":3,"meta":{"number":"` + p.next() + `"}}` + "\n"
	p.mu.Unlock()
	p.s.Interim([]byte(interim))
	return p.lineProto.Unpack(m)
}

// TestPackedFirstIsSentFirst, whoever packs, so that a protocol can promise an order.
func TestPackedFirstIsSentFirst(t *testing.T) {
	const calls = 2000
	b := newBed(t, rpc.Config{Proto: newCountingProto}, rpc.Config{}, "tcp://127.0.0.1:0")
	echo(t, b.server)
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.address, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	p := &lineProto{proto.Stream{Reader: bufio.NewReader(conn), Writer: conn, Limits: proto.Limits{Message: 1 << 20}}}
	sent := make(chan error, 1)
	go func() {
		var err error
		for seq := int32(1); seq <= calls && err == nil; seq++ {
			err = p.Pack(&message.Message{Seq: seq, Type: message.Call, Method: "/echo", Codec: 'j', Body: []byte(`"x"`)})
		}
		sent <- err
	}()
	var last, replies int
	for replies < calls {
		var m message.Message
		if err := p.Unpack(&m); err != nil {
			t.Fatalf("after %d replies: %v", replies, err)
		}
		if m.Type == message.Reply {
			replies++
		}
		// An interim is numbered a moment before it is sent, so only replies are in order.
		if number, _ := strconv.Atoi(m.Meta.Value("number")); m.Type == message.Reply {
			if number <= last {
				t.Fatalf("%d came after %d", number, last)
			}
			last = number
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

// TestInterimComesBehindWhatWasPacked: what Unpack has seen packed is sent before.
func TestInterimComesBehindWhatWasPacked(t *testing.T) {
	b := newBed(t, rpc.Config{Proto: newChattyProto}, rpc.Config{}, "tcp://127.0.0.1:0")
	echo(t, b.server)
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.address, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	in := bufio.NewReader(conn)
	for i := range 500 {
		line := `{"seq":` + strconv.Itoa(i) + `,"type":1,"method":"/echo"}` + "\n"
		if _, err := conn.Write([]byte(line + line)); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`{"seq"`, "packed", `{"seq"`, "packed"} {
			if got, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(got, want) {
				t.Fatalf("round %d: got %q, %v, want %s", i, got, err, want)
			}
		}
	}
}

// chattyProto says of each reply that it was packed, and reads the next message then.
type chattyProto struct {
	lineProto
	packed  chan struct{}
	waiting bool
}

func newChattyProto(s proto.Stream) proto.Proto {
	return &chattyProto{lineProto: lineProto{s}, packed: make(chan struct{}, 10)}
}

func (p *chattyProto) Pack(m *message.Message) error {
	err := p.lineProto.Pack(m)
	p.packed <- struct{}{}
	return err
}

func (p *chattyProto) Unpack(m *message.Message) error {
	if p.waiting {
		<-p.packed
		p.s.Interim([]byte("packed\n"))
	}
	err := p.lineProto.Unpack(m)
	p.waiting = err == nil
	return err
}

// TestInterimToAPeerThatDoesNotRead ends its session.
func TestInterimToAPeerThatDoesNotRead(t *testing.T) {
	b := newBed(t, rpc.Config{Proto: newFloodProto, Limits: rpc.Limits{WriteQueue: 1 << 10}}, rpc.Config{}, "tcp://127.0.0.1:0")
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.address, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	eventually(t, "the session ends", func() bool {
		return b.server.Stats().Sessions == 0 && strings.Contains(b.serverLog.String(), "queue is full")
	})
}

// floodProto has a lot to say and never reads.
type floodProto struct{ lineProto }

func newFloodProto(s proto.Stream) proto.Proto { return &floodProto{lineProto{s}} }

func (p *floodProto) Unpack(*message.Message) error {
	for range 10_000 {
		p.s.Interim(make([]byte, 10_000))
	}
	_, err := p.s.Reader.ReadByte()
	return err
}
