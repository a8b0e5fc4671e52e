package ws_test

import (
	"encoding/binary"
	"io"
	"testing"

	"github.com/dserver/dserver/rpc/transport/ws"
)

// FuzzRead: whatever a peer sends, what is read are whole frames within the limit, and
// then there is an end.
func FuzzRead(f *testing.F) {
	p := &peer{masks: true}
	f.Add(p.frame(final|opBinary, "payload"))
	f.Add(append(p.frame(opText, "a"), p.frame(final|opContinuation, "b")...))
	f.Add(append(p.frame(final|opPing, "ping"), p.frame(final|opClose, code(1000))...))
	f.Add([]byte{final | opBinary, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{final | opBinary | 0x40, 0x80, 0, 0, 0, 0})
	f.Add((&peer{}).frame(final|opBinary, "not masked"))
	f.Fuzz(func(t *testing.T, in []byte) {
		c, p := onPipe(t, ws.Options{Message: 1000})
		done := make(chan struct{}, 2)
		go func() {
			p.Write(in)
			p.Close()
			done <- struct{}{}
		}()
		go func() {
			io.Copy(io.Discard, p)
			done <- struct{}{}
		}()
		out, _ := io.ReadAll(c)
		c.Close()
		<-done
		<-done
		for len(out) > 0 {
			if len(out) < 4 || len(out)-4 < int(binary.BigEndian.Uint32(out)) || binary.BigEndian.Uint32(out) > 1000 {
				t.Fatalf("left are %x", out)
			}
			out = out[4+binary.BigEndian.Uint32(out):]
		}
	})
}
