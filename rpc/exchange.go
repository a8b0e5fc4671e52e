package rpc

import (
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
)

// exchange is what a CALL has in common with its REPLY; a PUSH has one of its own. It
// is made when a hook asks for it.
type exchange struct {
	attributes Attributes

	mu    sync.Mutex
	atEnd []func(err error)
	ended bool
	err   error
}

// exchange of a REPLY is that of its CALL.
func (p *passage) exchange() *exchange {
	if p.request != nil {
		p = p.request
	}
	if x := p.shared.Load(); x != nil {
		return x
	}
	p.shared.CompareAndSwap(nil, new(exchange))
	return p.shared.Load()
}

func (p *passage) Attributes() *Attributes { return &p.exchange().attributes }

func (p *passage) OnEnd(f func(err error)) {
	x := p.exchange()
	x.mu.Lock()
	ended, err := x.ended, x.err
	if !ended {
		x.atEnd = append(x.atEnd, f)
	}
	x.mu.Unlock()
	if ended {
		p.runAtEnd(f, err)
	}
}

// end calls what OnEnd was given, the last one first.
func (p *passage) end(err error) {
	x := p.shared.Load()
	if x == nil {
		return
	}
	x.mu.Lock()
	list := x.atEnd
	x.atEnd, x.ended, x.err = nil, true, err
	x.mu.Unlock()
	for _, f := range slices.Backward(list) {
		p.runAtEnd(f, err)
	}
}

func (p *passage) runAtEnd(f func(err error), err error) {
	defer func() {
		if v := recover(); v != nil {
			p.session.log().Error("hook panicked", "hook", "OnEnd", "error", fmt.Sprint(v), "stack", string(debug.Stack()))
		}
	}()
	f(err)
}
