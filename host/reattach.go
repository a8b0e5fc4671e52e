package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/dserver/dserver/internal/inherit"
)

// offer is the first packet that a worker without a master sends to one.
type offer struct {
	Protocol int      `json:"protocol"`
	Token    string   `json:"token"`
	Sockets  []string `json:"sockets"` // labels of those that it holds
}

// answer is what a master says to an offer. If it welcomes the worker, that one
// sends the wanted sockets, and gets the end of a new control session.
type answer struct {
	Welcome bool     `json:"welcome"`
	Sockets []string `json:"sockets,omitempty"` // labels of those that it wants
	Error   string   `json:"error,omitempty"`   // why the worker is not welcome
}

// controlLabel is the label of the control session's end on its way to a worker.
const controlLabel = "control"

// seekInterval is how often a worker looks for a new master. One that only
// executes a new build is there at once.
const seekInterval = 200 * time.Millisecond

// errUnwelcome means that there is a master which does not want this worker.
var errUnwelcome = errors.New("the new master does not know this worker")

// keepLine goes over to the next master whenever the session with one ends. It
// returns when the worker has drained, or when there is a master that does not want
// it.
func (g *agent) keepLine(ctx context.Context, s *workerSockets) {
	defer g.leave()
	defer g.line.end()
	for {
		session, _ := g.line.current()
		select {
		case <-session.Done():
		case <-g.line.over:
			return
		case <-ctx.Done():
			return
		}
		if isClosed(g.drained) {
			return // the master has its report, or is not there to want it
		}
		if !g.opened.Load() {
			g.log.Warn("the master has gone before it ordered this worker to serve")
			return
		}
		if err := g.seek(ctx, s); err != nil {
			g.log.Warn("there is no master any more", "error", err)
			return
		}
	}
}

// seek looks for a master until there is one. When none has come for as long as a
// worker may serve without, it lets the worker drain, and goes on looking meanwhile:
// a master that comes then waits for what runs.
func (g *agent) seek(ctx context.Context, s *workerSockets) error {
	grace := time.NewTimer(g.home.Grace)
	defer grace.Stop()
	again := time.NewTicker(seekInterval)
	defer again.Stop()
	for {
		err := g.present(ctx, s)
		if err == nil || errors.Is(err, errUnwelcome) {
			return err
		}
		select {
		case <-again.C:
		case <-grace.C:
			g.log.Warn("no master has come: this worker finishes what runs and ends", "orphan_grace", g.home.Grace)
			g.draining.Store(true) // a master that comes from now on must not take it for one that serves
			g.leave()
		case <-g.drained:
			return err
		case <-ctx.Done():
			return err
		}
	}
}

// present offers this worker to whoever receives at home, and begins a session
// with that master.
func (g *agent) present(ctx context.Context, s *workerSockets) error {
	ctx, cancel := context.WithTimeout(ctx, admissionLimit)
	defer cancel()
	var d net.Dialer
	dialled, err := d.DialContext(ctx, "unixpacket", g.home.Path)
	if err != nil {
		return err
	}
	conn := dialled.(*net.UnixConn)
	cut := context.AfterFunc(ctx, func() { _ = conn.Close() })
	control, err := g.introduce(conn, s)
	if !cut() && err == nil {
		err = errors.Join(context.Cause(ctx), control.Close())
	}
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	s.renew(conn)
	_, err = g.meet(ctx, control, g.presence())
	return err
}

func (g *agent) introduce(conn *net.UnixConn, s *workerSockets) (net.Conn, error) {
	if p, err := inherit.Peer(conn); err != nil || p.UID != g.masterUID && p.UID != 0 {
		return nil, errors.Join(fmt.Errorf("user %d is there, not the master's", p.UID), err)
	}
	labels := s.labels()
	if err := sendPacket(conn, offer{Protocol: controlProtocol, Token: g.home.Token, Sockets: labels}); err != nil {
		return nil, err
	}
	var a answer
	if err := receivePacket(conn, &a); err != nil {
		return nil, err
	}
	if !a.Welcome {
		return nil, fmt.Errorf("%w: %s", errUnwelcome, a.Error)
	}
	for _, label := range a.Sockets {
		file := s.held(label)
		if file == nil {
			return nil, fmt.Errorf("the master wants the socket %s, which is not here", label)
		}
		if err := inherit.SendFile(conn, label, file); err != nil {
			return nil, err
		}
	}
	label, file, err := inherit.ReceiveFile(conn)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if label != controlLabel {
		return nil, fmt.Errorf("got %s instead of a control session", label)
	}
	return inherit.Conn(file)
}

// maxPacket is the longest packet between a worker and a master that do not have
// a session, in bytes.
const maxPacket = 64 << 10

func sendPacket(conn *net.UnixConn, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("cannot encode a packet: %w", err)
	}
	if len(text) > maxPacket {
		return fmt.Errorf("cannot send a packet of %d bytes: %d are the limit", len(text), maxPacket)
	}
	_, err = conn.Write(text)
	return err
}

func receivePacket(conn *net.UnixConn, v any) error {
	buf := make([]byte, maxPacket)
	n, err := conn.Read(buf)
	if err != nil {
		return err
	}
	if n == 0 {
		return os.ErrClosed // the other side ended without a word
	}
	if err := json.Unmarshal(buf[:n], v); err != nil {
		return fmt.Errorf("cannot understand a packet: %w", err)
	}
	return nil
}
