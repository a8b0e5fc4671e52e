package securebody

import (
	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// BeforeWriteReply encrypts the result.
func (r *receiver) BeforeWriteReply(c rpc.WriteCtx) error {
	if c.Status() != nil {
		return nil // it has no body
	}
	x := lookup(c.Attributes())
	forced := r.required || secure(c.Metadata())
	switch {
	case x == nil && !forced, x != nil && !x.reply && !forced:
		return nil
	case x != nil && (x.sent || x.opened != nil && x.opened != r.vault):
		return nil // another one in the list has done it, or will
	case x == nil && !r.classic:
		return status.New(status.Conflict, "the caller has sent nothing that an encrypted reply could belong to")
	case x == nil:
		x = &exchange{classic: true}
		c.Attributes().Store(exchangeKey{}, x)
	}
	plain, err := c.Encode(c.Body())
	if err != nil {
		return err
	}
	e, err := r.sealReply(c, x, plain)
	if err != nil {
		return err
	}
	c.SetBody(e.encode(c.Codec(), c.Encode))
	c.Metadata().Set(MetaSecure, "true")
	x.sent = true
	r.stats.encrypted.Add(1)
	return nil
}

// sealReply uses the key of the call, or the first one if that was plain.
func (v *vault) sealReply(c rpc.WriteCtx, x *exchange, plain []byte) (e envelope, err error) {
	if x.key == nil {
		x.key = v.keys.Load().first()
	}
	if x.classic {
		text, err := x.key.classic.AppendPack(nil, plain)
		return newEnvelope(x.key.version, text), err
	}
	if x.aead == nil {
		if x.aead, err = x.key.aead(x.head.sender); err != nil {
			return e, err
		}
	}
	p := place{kind: message.Reply, dialed: c.Session().Dialed(), codec: c.Codec(), head: x.head, method: c.Method()}
	return newEnvelope(sealedVersion+x.key.id, x.aead.Seal(nil, nil, plain, p.additional())), nil
}

// BeforeReadReplyBody decrypts the result.
func (p *Plugin) BeforeReadReplyBody(c rpc.ReadCtx) error {
	x := lookup(c.Attributes())
	switch {
	case secure(c.Metadata()):
	case p.required || x != nil && x.reply:
		return p.refuse("the reply must be encrypted")
	default:
		return nil
	}
	// The exchange stays as the call left it, whatever the form of the reply.
	return p.decrypt(c, new(exchange), func(id string, text []byte) ([]byte, error) { return p.unsealReply(c, x, id, text) })
}

func (v *vault) unsealReply(c rpc.ReadCtx, x *exchange, id string, text []byte) ([]byte, error) {
	if x == nil || x.head.counter == 0 {
		return nil, v.refuse("an encrypted reply was not asked for")
	}
	k, aead := x.key, x.aead
	if k.id != id {
		var err error
		if k = v.keys.Load().sealed(id); k == nil {
			return nil, v.refuse("no key has this id")
		}
		if aead, err = k.aead(x.head.sender); err != nil {
			return nil, err
		}
	}
	at := place{kind: message.Reply, dialed: !c.Session().Dialed(), codec: c.Codec(), head: x.head, method: c.Method()}
	plain, err := aead.Open(nil, nil, text, at.additional())
	if err != nil {
		return nil, v.refuse("the body cannot be decrypted")
	}
	return plain, nil
}
