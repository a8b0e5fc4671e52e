package securebody

import (
	"crypto/cipher"
	"encoding/base64"
	"strings"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/message"
)

// exchange is what is kept with a CALL for its REPLY, on either side.
type exchange struct {
	opened  *vault // has decrypted the body
	reply   bool   // shall be encrypted
	classic bool   // in this form
	head    head   // to which the reply belongs, in the form Sealed; without a counter there is none
	key     *key   // of the call, if it was encrypted
	aead    cipher.AEAD
	sent    bool // the reply is encrypted
}

// exchangeKey is the attribute of an exchange.
type exchangeKey struct{}

func lookup(a *rpc.Attributes) *exchange {
	v, _ := a.Load(exchangeKey{})
	x, _ := v.(*exchange)
	return x
}

func secure(m *message.Meta) bool { return m.Value(MetaSecure) == "true" }

// BeforeReadCallBody decrypts the body.
func (r *receiver) BeforeReadCallBody(c rpc.ReadCtx) error { return r.read(c) }

// BeforeReadPushBody decrypts the body.
func (r *receiver) BeforeReadPushBody(c rpc.ReadCtx) error { return r.read(c) }

func (r *receiver) read(c rpc.ReadCtx) error {
	x := lookup(c.Attributes())
	switch {
	case x != nil && x.opened == r.vault:
		return nil // by the endpoint's list; this is the route's
	case x != nil && x.opened != nil:
		return r.refuse("the body was encrypted with keys that are not those of the route")
	case secure(c.Metadata()):
		return r.open(c)
	case r.required:
		return r.refuse("the body must be encrypted")
	case x == nil && c.Type() == message.Call && c.Metadata().Value(MetaSecureReply) == "true":
		return r.noteWish(c)
	default:
		return nil
	}
}

// open decrypts a CALL or PUSH.
func (r *receiver) open(c rpc.ReadCtx) error {
	x := &exchange{opened: r.vault, reply: c.Metadata().Value(MetaSecureReply) != "false"}
	err := r.decrypt(c, x, func(id string, text []byte) ([]byte, error) { return r.unseal(c, x, id, text) })
	if err == nil {
		c.Attributes().Store(exchangeKey{}, x)
	}
	return err
}

// decrypt takes the body out of its envelope. Who calls it knows how one in the form
// Sealed is opened; of the classic form, it notes in x that it was that, and the key.
func (v *vault) decrypt(c rpc.ReadCtx, x *exchange, unseal func(id string, text []byte) ([]byte, error)) error {
	version, text, err := decodeEnvelope(c.Codec(), c.Raw(), c.Decode)
	if err != nil {
		return v.refuse("%v", err)
	}
	id, sealed := strings.CutPrefix(version, sealedVersion)
	var plain []byte
	switch {
	case sealed:
		plain, err = unseal(id, text)
	case v.classic:
		x.classic = true
		plain, err = v.openClassic(x, version, text)
	default:
		err = v.refuse("the form of the encryption is not known")
	}
	if err != nil {
		return err
	}
	c.SetRaw(plain)
	v.stats.decrypted.Add(1)
	return nil
}

func (v *vault) openClassic(x *exchange, version string, text []byte) (plain []byte, err error) {
	if x.key = v.keys.Load().classic(version); x.key == nil {
		return nil, v.refuse("no key has this version")
	}
	if plain, err = x.key.classic.AppendUnpack(nil, text, 0); err != nil {
		return nil, v.refuse("the body cannot be decrypted")
	}
	return plain, nil
}

func (v *vault) unseal(c rpc.ReadCtx, x *exchange, id string, text []byte) (plain []byte, err error) {
	if x.key = v.keys.Load().sealed(id); x.key == nil {
		return nil, v.refuse("no key has this id")
	}
	var ok bool
	if x.head, text, ok = parseHead(text); !ok {
		return nil, v.refuse("the text is too short")
	}
	if x.aead, err = v.senders.aead(x.key, x.head.sender); err != nil {
		return nil, err
	}
	p := place{kind: c.Type(), dialed: !c.Session().Dialed(), codec: c.Codec(), head: x.head, method: c.Method()}
	if plain, err = x.aead.Open(nil, nil, text, p.additional()); err != nil {
		return nil, v.refuse("the body cannot be decrypted")
	}
	if err := v.senders.take(x.head, x.key, x.aead); err != nil {
		return nil, v.refuse("%v", err)
	}
	x.reply = !x.head.plainReply
	return plain, nil
}

// noteWish remembers that the reply to a plain CALL shall be encrypted.
func (r *receiver) noteWish(c rpc.ReadCtx) error {
	x := &exchange{reply: true}
	if id := c.Metadata().Value(MetaSecureID); id != "" {
		b, err := base64.StdEncoding.DecodeString(id)
		h, rest, ok := parseHead(b)
		if err != nil || !ok || len(rest) > 0 || h.counter == 0 {
			return r.refuse("%s is not what it must be", MetaSecureID)
		}
		x.head = h
	} else if !r.classic {
		return r.refuse("an encrypted reply needs %s", MetaSecureID)
	}
	x.classic = x.head.counter == 0
	c.Attributes().Store(exchangeKey{}, x)
	return nil
}
