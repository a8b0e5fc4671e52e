package host

import (
	"context"
	"sync"

	"github.com/dserver/dserver/rpc"
)

// line is one side's view of a control session that outlives its connection: when
// a master executes a new build, or another one takes its place, the session ends
// and a new one goes on. It is safe for concurrent use.
type line struct {
	mu      sync.Mutex
	session *rpc.Session
	renewed chan struct{} // closed when session is another one
	over    chan struct{} // closed when there will be no other
	ended   bool
}

func newLine() *line {
	return &line{renewed: make(chan struct{}), over: make(chan struct{})}
}

// renew makes s the session.
func (l *line) renew(s *rpc.Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.session = s
	close(l.renewed)
	l.renewed = make(chan struct{})
}

// end says that there will be no other session.
func (l *line) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		l.ended = true
		close(l.over)
	}
}

// current gives the session, which may have ended, and what is closed when there
// is another one.
func (l *line) current() (*rpc.Session, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session, l.renewed
}

// call calls the other side. A call that the end of a session has cut is made
// again on the next one, so what is called must bear to be done twice.
func (l *line) call(ctx context.Context, route string, req, res any) error {
	return l.do(ctx, func(s *rpc.Session) error { return s.Call(ctx, route, req, res) })
}

// do makes try on the session, and again on the next one if it ends meanwhile.
func (l *line) do(ctx context.Context, try func(s *rpc.Session) error) error {
	for {
		s, renewed := l.current()
		err := try(s)
		if err == nil || ctx.Err() != nil || !isClosed(s.Done()) {
			return err
		}
		select {
		case <-renewed:
		case <-l.over:
			return err
		case <-ctx.Done():
			return err
		}
	}
}

// push tells the other side something if it is there.
func (l *line) push(ctx context.Context, route string, body any) {
	s, _ := l.current()
	_ = s.Push(ctx, route, body) // nobody waits for it
}

// close ends the session for good.
func (l *line) close() {
	l.end()
	s, _ := l.current()
	_ = s.Close()
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
