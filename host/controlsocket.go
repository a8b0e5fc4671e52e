package host

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/internal/inherit"
)

// controlSocket is the control API of a master: one socket for the life of the
// instance, and a server that can be put aside while it is not clear which
// process shall answer.
type controlSocket struct {
	listener *net.UnixListener
	master   ctl.Master
	log      *slog.Logger
	group    *group.Group

	mu     sync.Mutex
	server *ctl.Server // nil while nobody serves here
}

func newControlSocket(ln *net.UnixListener, m ctl.Master, log *slog.Logger) *controlSocket {
	ln.SetUnlinkOnClose(false) // the socket may live on in a successor
	return &controlSocket{listener: ln, master: m, log: log, group: group.New(context.Background(), nil)}
}

// relisten goes over to a new socket: the path of the old one has vanished.
func (c *controlSocket) relisten(ln *net.UnixListener) {
	c.pause()
	ln.SetUnlinkOnClose(false)
	c.mu.Lock()
	old := c.listener
	c.listener = ln
	c.mu.Unlock()
	_ = old.Close() // nobody can reach it any more
	c.serve()
}

// serve answers from now on; it does nothing if it does already.
func (c *controlSocket) serve() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server != nil {
		return
	}
	// pause has left a deadline in the past.
	if err := c.listener.SetDeadline(time.Time{}); err != nil {
		c.log.Error("cannot serve the control socket", "error", err)
		return
	}
	server, listener := ctl.NewServer(c.master, ctl.Config{Logger: c.log}), c.listener
	c.server = server
	c.group.Go("control server", func(context.Context) {
		if err := server.Serve(listener); !errors.Is(err, ctl.ErrClosed) {
			c.log.Error("the control socket is not served any more", "error", err)
		}
	})
}

// pause accepts no more; what was accepted is answered, streams end.
func (c *controlSocket) pause() {
	c.mu.Lock()
	server := c.server
	c.server = nil
	c.mu.Unlock()
	if server != nil {
		server.Drain()
		c.group.Go("control answers", func(ctx context.Context) { _ = server.Shutdown(ctx) })
	}
}

// settle waits until every answer has been written, or limit is over.
func (c *controlSocket) settle(limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	_ = c.group.Wait(ctx) // who has asked for what goes on now cannot have his answer
}

// close waits until every answer has been written, or ctx ends.
func (c *controlSocket) close(ctx context.Context) error {
	c.pause()
	err := c.group.Wait(ctx)
	return errors.Join(err, c.group.Stop(ctx), c.listener.Close())
}

// file gives a copy of the socket's descriptor for a successor.
func (c *controlSocket) file() (*os.File, error) { return inherit.Dup(c.listener, fileCtl) }
