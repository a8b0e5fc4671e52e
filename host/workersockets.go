package host

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dserver/dserver/internal/inherit"
	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/sandbox"
)

// passingLimit is how long a descriptor may take from the master to a worker;
// the master sends it before it answers.
const passingLimit = 5 * time.Second

// workerSockets are the sockets that a worker was handed. What it was not
// handed it asks the master for.
type workerSockets struct {
	agent   *agent
	passing atomic.Pointer[net.UnixConn] // where the master of now sends descriptors

	asking sync.Mutex // requests are answered one after the other
	mu     sync.Mutex
	files  map[string]*os.File // by label
}

func newWorkerSockets(a *agent, passing *net.UnixConn, files map[string]*os.File) *workerSockets {
	s := &workerSockets{agent: a, files: files}
	s.passing.Store(passing)
	return s
}

// Listener implements sandbox.Sockets.
func (s *workerSockets) Listener(ctx context.Context, name string, l sandbox.Listen) (net.Listener, error) {
	file, err := s.file(ctx, name, l)
	if err != nil {
		return nil, err
	}
	return inherit.Listener(file)
}

// PacketConn implements sandbox.Sockets.
func (s *workerSockets) PacketConn(ctx context.Context, name string, l sandbox.Listen) (net.PacketConn, error) {
	file, err := s.file(ctx, name, l)
	if err != nil {
		return nil, err
	}
	return inherit.PacketConn(file)
}

func (s *workerSockets) file(ctx context.Context, name string, l sandbox.Listen) (*os.File, error) {
	s.asking.Lock()
	defer s.asking.Unlock()
	label := socketLabel(name, l)
	if file := s.held(label); file != nil {
		return file, nil
	}
	var file *os.File
	err := s.agent.line.do(ctx, func(session *rpc.Session) (err error) {
		file, err = s.ask(ctx, session, label, listenRequest{Sandbox: name, Listen: l})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot get a socket from the master: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[label] = file
	return file, nil
}

func (s *workerSockets) held(label string) *os.File {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files[label]
}

// ask lets the master open a socket and takes it from where that one sends it.
func (s *workerSockets) ask(ctx context.Context, session *rpc.Session, label string, q listenRequest) (*os.File, error) {
	passing := s.passing.Load()
	if err := session.Call(ctx, routeListen, q, nil); err != nil {
		return nil, fromWire(err)
	}
	if err := passing.SetReadDeadline(time.Now().Add(passingLimit)); err != nil {
		return nil, err
	}
	got, file, err := inherit.ReceiveFile(passing)
	if err != nil {
		return nil, err
	}
	if got != label {
		file.Close()
		return nil, fmt.Errorf("asked for %s, got %s", label, got)
	}
	return file, nil
}

// renew takes sockets from another master from now on.
func (s *workerSockets) renew(passing *net.UnixConn) {
	_ = s.passing.Swap(passing).Close() // nobody is at its other end
}

// labels names the sockets that are held, in a fixed order.
func (s *workerSockets) labels() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	labels := make([]string, 0, len(s.files))
	for label := range s.files {
		labels = append(labels, label)
	}
	slices.Sort(labels)
	return labels
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

var _ sandbox.Sockets = (*workerSockets)(nil)
