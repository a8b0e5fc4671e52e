package securebody

import (
	"encoding/base64"

	"github.com/dserver/dserver/rpc"
)

// BeforeWriteCall encrypts the body, and remembers what the reply shall be.
func (p *Plugin) BeforeWriteCall(c rpc.WriteCtx) error {
	wish := c.Metadata().Value(MetaSecureReply)
	x := &exchange{reply: p.required || wish != "false"}
	var err error
	switch {
	case p.required || secure(c.Metadata()):
		err = p.seal(c, x)
	case wish == "true":
		err = p.sendID(c, x)
	default:
		return nil
	}
	c.Attributes().Store(exchangeKey{}, x)
	return err
}

// BeforeWritePush encrypts the body.
func (p *Plugin) BeforeWritePush(c rpc.WriteCtx) error {
	if !p.required && !secure(c.Metadata()) {
		return nil
	}
	return p.seal(c, &exchange{reply: true})
}

// AfterDisconnect forgets the session.
func (p *Plugin) AfterDisconnect(s rpc.BaseSession) error {
	if ended, ok := s.(*rpc.Session); ok {
		p.ours.end(ended)
	}
	return nil
}

func (p *Plugin) seal(c rpc.WriteCtx, x *exchange) error {
	plain, err := c.Encode(c.Body())
	if err != nil {
		return err
	}
	var e envelope
	if p.classic {
		k := p.keys.Load().first()
		text, err := k.classic.AppendPack(nil, plain)
		if err != nil {
			return err
		}
		e = newEnvelope(k.version, text)
	} else if e, err = p.sealNew(c, x, plain); err != nil {
		return err
	}
	c.SetBody(e.encode(c.Codec(), c.Encode))
	c.Metadata().Set(MetaSecure, "true")
	p.stats.encrypted.Add(1)
	return nil
}

func (p *Plugin) sealNew(c rpc.WriteCtx, x *exchange, plain []byte) (e envelope, err error) {
	if err := p.number(c, x); err != nil {
		return e, err
	}
	x.head.plainReply = !x.reply
	at := place{kind: c.Type(), dialed: c.Session().Dialed(), codec: c.Codec(), head: x.head, method: c.Method()}
	text := x.aead.Seal(x.head.append(nil), nil, plain, at.additional())
	return newEnvelope(sealedVersion+x.key.id, text), nil
}

// sendID sends what an encrypted reply can belong to.
func (p *Plugin) sendID(c rpc.WriteCtx, x *exchange) error {
	if p.classic {
		return nil
	}
	if err := p.number(c, x); err != nil {
		return err
	}
	c.Metadata().Set(MetaSecureID, base64.StdEncoding.EncodeToString(x.head.append(nil)))
	return nil
}

// number gives the message a head.
func (p *Plugin) number(c rpc.WriteCtx, x *exchange) error {
	s, err := p.ours.of(c.Session())
	if err != nil {
		return err
	}
	x.key = p.keys.Load().first()
	x.head, x.aead, err = s.next(x.key, p.senders.now())
	return err
}
