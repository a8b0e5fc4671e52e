package http

import (
	"errors"
	nethttp "net/http"
	"time"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/status"
)

// Unpack reads the next request or reply. Of a request that cannot be handed on, m has
// the Refusal; if nothing that follows can be read either there is an error as well.
func (p *Proto) Unpack(m *message.Message) error {
	p.awaitRoom()
	h, err := p.readHead()
	for h.reply && err == nil && h.code < 200 {
		if h.code == nethttp.StatusSwitchingProtocols {
			return bad("the server changes the protocol")
		}
		size := h.size
		h, err = p.readHead() // that was no reply yet
		h.size += size
	}
	switch {
	case h.reply && err == nil:
		return p.unpackReply(m, h)
	case h.reply:
		return err
	case err == nil:
		return p.unpackRequest(m, h)
	}
	return p.fail(m, h, err)
}

// How far a client that counts on the order may run ahead of its answers: it is owed so
// many at most. Who goes beyond that waits for a while and is refused then.
const (
	mostWaiting = 64
	roomTime    = time.Second
)

// awaitRoom waits while the client is too far ahead, and not for ever: when the session
// ends nothing more may be answered. enter looks again.
func (p *Proto) awaitRoom() {
	if !p.isFull() {
		return
	}
	t := time.NewTimer(roomTime)
	defer t.Stop()
	for p.isFull() {
		select {
		case <-p.room:
		case <-t.C:
			return
		}
	}
}

func (p *Proto) isFull() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.full()
}

// full is isFull with the lock held.
func (p *Proto) full() bool {
	limit := p.stream.Limits.Message
	return p.waiting.Len() >= mostWaiting || limit > 0 && p.waiting.Held() > limit
}

// fail ends the session for what was read. Who asked is told why.
func (p *Proto) fail(m *message.Message, h *head, err error) error {
	answer, ok := status.From(err)
	if !ok && errors.Is(err, proto.ErrTooLarge) {
		answer = refusal(nethttp.StatusRequestEntityTooLarge, "%v", err)
	}
	if answer == nil {
		return err
	}
	if m.Type == message.Undefined {
		h.close = true
		p.enter(m, h)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.waiting.Note(m.Seq); a != nil {
		m.Type, a.last, p.ending = message.Call, true, true
	}
	m.Refusal = answer
	return err
}

// asker tells who sent a request and how it wants to be answered.
func (h *head) asker() asker {
	a := asker{
		seq: h.seq, hasSeq: h.hasSeq, bare: h.method == nethttp.MethodHead,
		gzip: acceptsGzip(h.acceptEncoding), last: !h.lasts(), keep: h.minor == 0 && h.lasts(),
	}
	switch {
	case h.agent == oldAgent:
		a.kind = older
	case h.agent == ourAgent && h.hasSeq:
		a.kind = kin
	}
	return a
}

// enter takes note of a request and numbers it. With ok it can be handed on.
func (p *Proto) enter(m *message.Message, h *head) (a asker, ok bool) {
	a = h.asker()
	m.Type = message.Call
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ending {
		// The client was told that nothing more is taken here, so it makes this call
		// elsewhere: it must be neither carried out nor answered.
		m.Type, m.Last = message.Push, true
		m.Refusal = refusal(status.ConnectionClosed, "the end of the connection had been announced")
		return a, false
	}
	if a.kind != stranger && a.hasSeq && p.waiting.Note(a.seq) == nil {
		p.peer, m.Seq, m.Last = a.kind, a.seq, a.last
		if a.kind == kin {
			p.stream.Peer.MarkOurs()
		}
		return a, true
	}
	if p.full() {
		m.Refusal = refusal(status.Overloaded, "too many requests wait for their answers").WithRetry()
	}
	a.waits = true
	a.last = a.last || m.Refusal != nil || p.goaway != nil
	p.plain, p.ending = true, a.last
	p.stream.Peer.MarkUntold()
	m.Seq, m.Last = p.waiting.Ask(a), a.last
	return a, m.Refusal == nil
}
