package http

import (
	"fmt"
	nethttp "net/http"
	"strings"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// business is the code of every error of an older writer; net/http has no name for it.
const business = 299

func (p *Proto) unpackReply(m *message.Message, h *head) error {
	switch h.mtype {
	case message.Undefined, message.Reply:
		m.Type = message.Reply
	case message.AuthReply:
		m.Type = message.AuthReply
	default:
		return fmt.Errorf("%v is no reply", h.mtype)
	}
	if h.code == nethttp.StatusNoContent || h.code == nethttp.StatusNotModified {
		h.chunked, h.length = false, 0
	}
	body, err := p.readBody(h)
	if err != nil {
		return err
	}
	m.Size, m.Last = h.size, !h.lasts()
	p.fillReply(m, h, body, p.replied(m, h))
	return nil
}

// replied pairs a reply with its request and tells who sent it.
func (p *Proto) replied(m *message.Message, h *head) kind {
	if p.number(m, h); !h.hasSeq {
		return stranger
	}
	p.catchUp()
	if h.server == ourAgent {
		p.stream.Peer.MarkOurs()
		return kin
	}
	return older
}

func (p *Proto) number(m *message.Message, h *head) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !h.hasSeq {
		m.Seq = p.asked.next()
		return
	}
	p.asked.stop()
	m.Seq, p.peer = h.seq, older
	if h.server == ourAgent {
		p.peer = kin
	}
}

// fillReply reads what the reply says. What it cannot read fails the call alone.
func (p *Proto) fillReply(m *message.Message, h *head, body []byte, from kind) {
	if from != stranger {
		if err := unpackMeta(&m.Meta, h.meta); err != nil {
			m.Status = refusal(status.BadMessage, "%v", err)
			return
		}
	}
	p.setHeaders(m, h.foreign, from)
	if m.Status = p.checkMeta(&m.Meta); m.Status != nil {
		m.Meta.Clear()
		return
	}
	if m.Status = p.unpackBody(m, h, body); m.Status != nil {
		return
	}
	if h.code < 300 && h.code != business {
		m.Codec, _ = codecOf(h.contentType)
		return
	}
	m.Status, m.Body = h.failure(m.Body), nil
}

// failure is the status in the body of an error, or what an error of others comes to.
func (h *head) failure(body []byte) *status.Status {
	if s, err := status.ParseText(body); err == nil && s != nil {
		return s
	}
	code := status.Code(h.code)
	if h.code == business {
		code = status.Unknown
	}
	s := refusal(code, "%s", h.reason)
	if id, ok := codecOf(h.contentType); ok && id != 0 && len(body) > 0 {
		const most = 200 // bytes of what may be a page
		s.Cause = strings.ToValidUTF8(string(body[:min(len(body), most)]), "\ufffd")
	}
	return s
}
