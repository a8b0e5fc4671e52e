package host

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/internal/inherit"
)

// admissionLimit is how long a worker and a master may take to introduce themselves.
const admissionLimit = 5 * time.Second

// reception is where workers come whose session with a master has ended: those
// of a master that was killed, those of one that executed a new build, and one
// that has lost its session by a fault. Its socket has an abstract address, so
// that it is there for workers of other users as well and does not go with the
// runtime folder; each side checks who the other one is.
type reception struct {
	listener *net.UnixListener
	log      *slog.Logger
	guests   *group.Group

	mu       sync.Mutex
	expected map[string]func(visitor) // by token
}

// visitor is a worker at the reception.
type visitor struct {
	conn  *net.UnixConn
	pid   int // the kernel's word
	offer offer
}

// openReception opens the socket at address, or at a new one if that is empty.
func openReception(address string, log *slog.Logger) (*reception, error) {
	if address == "" {
		address = "@dserver-" + newToken()
	}
	ln, err := net.ListenUnix("unixpacket", &net.UnixAddr{Net: "unixpacket", Name: address})
	if err != nil {
		return nil, fmt.Errorf("cannot receive workers: %w", err)
	}
	return newReception(ln, log), nil
}

func newReception(ln *net.UnixListener, log *slog.Logger) *reception {
	r := &reception{listener: ln, log: log, guests: group.New(context.Background(), nil), expected: make(map[string]func(visitor))}
	return r
}

// newToken gives 32 hexadecimal digits that nobody can guess.
func newToken() string {
	var token [16]byte
	rand.Read(token[:]) // never fails
	return hex.EncodeToString(token[:])
}

// open begins to receive. Who comes before has to wait.
func (r *reception) open() {
	r.guests.Go("reception", func(ctx context.Context) {
		for {
			conn, err := r.listener.AcceptUnix()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				r.log.Warn("cannot receive a worker", "error", err)
				if !wait(ctx, busyWait) {
					return
				}
				continue
			}
			r.guests.Go("visitor", func(context.Context) { r.receive(conn) })
		}
	})
}

// address is where workers find it.
func (r *reception) address() string { return r.listener.Addr().String() }

// expect calls welcome when the worker with this token comes.
func (r *reception) expect(token string, welcome func(visitor)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expected[token] = welcome
}

// forget says that nobody with this token is expected any more.
func (r *reception) forget(token string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.expected, token)
}

func (r *reception) receive(conn *net.UnixConn) {
	v, welcome, err := r.identify(conn)
	if err == nil {
		welcome(v)
		return
	}
	r.log.Warn("a worker came that is not welcome", "pid", v.pid, "error", err)
	_ = sendPacket(conn, answer{Error: err.Error()}) // it may have gone
	_ = conn.Close()
}

func (r *reception) identify(conn *net.UnixConn) (v visitor, welcome func(visitor), err error) {
	v.conn = conn
	if err := conn.SetDeadline(time.Now().Add(admissionLimit)); err != nil {
		return v, nil, err
	}
	peer, err := inherit.Peer(conn)
	if err != nil {
		return v, nil, err
	}
	v.pid = peer.Pid
	if err := receivePacket(conn, &v.offer); err != nil {
		return v, nil, err
	}
	if p := v.offer.Protocol; p < controlProtocolMin || p > controlProtocol {
		return v, nil, fmt.Errorf("%w: it speaks %d, the master %d to %d", errProtocol, p, controlProtocolMin, controlProtocol)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if welcome = r.expected[v.offer.Token]; welcome == nil {
		return v, nil, errors.New("nobody with its token is expected")
	}
	return v, welcome, nil
}

// admit takes the wanted sockets from a visitor and gives the end of a new
// control session. From then on its connection is for passing sockets.
func (v visitor) admit(wanted []string) (control net.Conn, sockets map[string]*os.File, err error) {
	if err := sendPacket(v.conn, answer{Welcome: true, Sockets: wanted}); err != nil {
		return nil, nil, err
	}
	sockets = make(map[string]*os.File, len(wanted))
	for range wanted {
		label, file, err := inherit.ReceiveFile(v.conn)
		if err != nil {
			return nil, sockets, err
		}
		sockets[label] = file
	}
	ours, theirs, err := inherit.Pair()
	if err != nil {
		return nil, sockets, err
	}
	defer theirs.Close()
	err = inherit.SendFile(v.conn, controlLabel, theirs)
	if err == nil {
		err = v.conn.SetDeadline(time.Time{})
	}
	if err != nil {
		return nil, sockets, errors.Join(err, ours.Close())
	}
	return ours, sockets, nil
}

// close receives nobody any more.
func (r *reception) close(ctx context.Context) error {
	return errors.Join(r.listener.Close(), r.guests.Stop(ctx))
}
