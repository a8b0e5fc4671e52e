package ceiling

import (
	"bufio"
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"github.com/dserver/dserver/bench/internal/payload"
	"github.com/dserver/dserver/bench/internal/peer"
)

var errClosed = errors.New("the connection is closed")

// conn is the client's side.
type conn struct {
	protobuf bool
	conn     net.Conn
	out      sender
	number   atomic.Uint32
	calls    pending
	reader   sync.WaitGroup
}

func newConn(p Peer, c net.Conn) *conn {
	n := &conn{protobuf: p.protobuf, conn: c, out: p.sender(c)}
	n.calls.init()
	n.reader.Go(n.read)
	return n
}

// read hands each reply to who waits for it. It is decoded here.
func (c *conn) read() {
	r := bufio.NewReaderSize(c.conn, readSize)
	var buf []byte
	for {
		f, body, err := readFrame(r, buf)
		if err != nil {
			_ = c.conn.Close()
			c.out.fail(err)
			c.calls.fail(err)
			return
		}
		buf = body
		if w := c.calls.take(f.number); w != nil {
			w.done <- w.read(body)
		}
	}
}

// call sends a request and waits.
func (c *conn) call(b payload.Body, body []byte, w *waiter) error {
	number := c.number.Add(1)
	if err := c.calls.add(number, w); err != nil {
		return err
	}
	if err := c.out.send(frame{number, byte(b)}, body, false); err != nil {
		return err
	}
	return <-w.done
}

func (c *conn) Caller(b payload.Body) peer.Call {
	if !c.protobuf {
		request := payload.NewBytes(b)
		w := &waiter{done: make(chan error, 1), read: request.Check}
		return func(tag uint32) error { return c.call(b, request.Next(tag), w) }
	}
	var (
		request = payload.NewProto(b)
		reply   proto.Message
		buf     []byte
	)
	w := &waiter{done: make(chan error, 1), read: func(body []byte) error { return proto.Unmarshal(body, reply) }}
	return func(tag uint32) (err error) {
		reply = request.Reply()
		if buf, err = (proto.MarshalOptions{}).MarshalAppend(buf[:0], request.Next(tag)); err != nil {
			return err
		}
		if err := c.call(b, buf, w); err != nil {
			return err
		}
		return request.Check(reply)
	}
}

func (c *conn) Pusher(b payload.Body) (peer.Call, error) {
	f := frame{kind: byte(b) | pushBit}
	if !c.protobuf {
		request := payload.NewBytes(b)
		return func(tag uint32) error { return c.out.send(f, request.Next(tag), false) }, nil
	}
	request := payload.NewProto(b)
	var buf []byte
	return func(tag uint32) (err error) {
		if buf, err = (proto.MarshalOptions{}).MarshalAppend(buf[:0], request.Next(tag)); err != nil {
			return err
		}
		return c.out.send(f, buf, false)
	}, nil
}

func (c *conn) Close() error {
	err := c.conn.Close()
	c.out.fail(errClosed)
	c.reader.Wait()
	return err
}
