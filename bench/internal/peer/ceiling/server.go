package ceiling

import (
	"bufio"
	"net"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"github.com/dserver/dserver/bench/internal/payload"
)

// server answers over one connection.
type server struct {
	out     sender
	pushed  *atomic.Int64
	buffers sync.Pool // of *[]byte
	calls   sync.WaitGroup
}

// serveBytes answers in the reading goroutine.
func (s *server) serveBytes(c net.Conn) {
	r := bufio.NewReaderSize(c, readSize)
	var buf []byte
	for {
		f, body, err := readFrame(r, buf)
		if err == nil {
			buf = body
			err = payload.ServeBytes(body)
		}
		switch {
		case err != nil:
		case f.push():
			s.pushed.Add(1)
		default:
			err = s.out.send(f, body, r.Buffered() > headerSize)
		}
		if err != nil {
			_ = c.Close()
			s.out.fail(err)
			return
		}
	}
}

// serveProto answers each request on a goroutine of its own.
func (s *server) serveProto(c net.Conn) {
	r := bufio.NewReaderSize(c, readSize)
	for {
		buf := s.buffer()
		f, body, err := readFrame(r, *buf)
		*buf = body
		if err != nil {
			_ = c.Close()
			s.out.fail(err)
			s.calls.Wait()
			return
		}
		s.calls.Go(func() {
			if err := s.handle(f, buf); err != nil {
				_ = c.Close()
			}
		})
	}
}

func (s *server) buffer() *[]byte {
	if buf, ok := s.buffers.Get().(*[]byte); ok {
		return buf
	}
	return new([]byte)
}

// handle answers the request in buf, in which the answer is written as well.
func (s *server) handle(f frame, buf *[]byte) error {
	m := payload.New(f.body())
	err := proto.Unmarshal(*buf, m)
	if err == nil {
		err = payload.ServeProto(m)
	}
	switch {
	case err != nil:
	case f.push():
		s.pushed.Add(1)
	default:
		if *buf, err = (proto.MarshalOptions{}).MarshalAppend((*buf)[:0], m); err == nil {
			err = s.out.send(f, *buf, false)
		}
	}
	s.buffers.Put(buf)
	return err
}
