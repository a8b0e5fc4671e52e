package host

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/dserver/dserver/internal/inherit"
	"github.com/dserver/dserver/sandbox"
)

// workerSockets are the sockets that a worker was handed. What it was not
// handed it asks the master for.
type workerSockets struct {
	agent   *agent
	passing *net.UnixConn // where the master sends descriptors

	mu    sync.Mutex
	files map[string]*os.File // by label
}

// Listener implements sandbox.Sockets.
func (s *workerSockets) Listener(ctx context.Context, name string, l sandbox.Listen) (net.Listener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	file, err := s.fileLocked(ctx, name, l)
	if err != nil {
		return nil, err
	}
	return inherit.Listener(file)
}

// PacketConn implements sandbox.Sockets.
func (s *workerSockets) PacketConn(ctx context.Context, name string, l sandbox.Listen) (net.PacketConn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	file, err := s.fileLocked(ctx, name, l)
	if err != nil {
		return nil, err
	}
	return inherit.PacketConn(file)
}

func (s *workerSockets) fileLocked(ctx context.Context, name string, l sandbox.Listen) (*os.File, error) {
	label := socketLabel(name, l)
	if file, ok := s.files[label]; ok {
		return file, nil
	}
	return s.askLocked(ctx, label, listenRequest{Sandbox: name, Listen: l})
}

// askLocked lets the master open a socket and takes it from the passing pair,
// where requests are answered one after the other.
func (s *workerSockets) askLocked(ctx context.Context, label string, q listenRequest) (*os.File, error) {
	if err := s.agent.session.Call(ctx, routeListen, q, nil); err != nil {
		return nil, fmt.Errorf("cannot get a socket from the master: %w", fromWire(err))
	}
	if err := s.passing.SetReadDeadline(time.Now().Add(passingLimit)); err != nil {
		return nil, fmt.Errorf("cannot get a socket from the master: %w", err)
	}
	got, file, err := inherit.ReceiveFile(s.passing)
	if err != nil {
		return nil, fmt.Errorf("cannot get a socket from the master: %w", err)
	}
	if got != label {
		file.Close()
		return nil, fmt.Errorf("cannot get a socket from the master: asked for %s, got %s", label, got)
	}
	s.files[label] = file
	return file, nil
}

// closeAll lets go of the sockets. Listeners made of them are not touched: they
// close when their sandboxes drain.
func (s *workerSockets) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, file := range s.files {
		_ = file.Close() // a descriptor for holding only
	}
	clear(s.files)
}

// passingLimit is how long a descriptor may take from the master to a worker;
// the master sends it before it answers.
const passingLimit = 5 * time.Second

var _ sandbox.Sockets = (*workerSockets)(nil)
