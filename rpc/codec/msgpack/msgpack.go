package msgpack

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/dserver/dserver/rpc/codec"
)

// Codec is the codec. Make it with [New].
type Codec struct {
	limits   codec.Limits
	decoders sync.Pool // of *msgpack.Decoder
}

var _ codec.Codec = (*Codec)(nil)

// structTag names fields that have no tag of their own for this codec.
const structTag = "json"

// New makes a codec that reads what l allows.
func New(l codec.Limits) (*Codec, error) {
	l, err := l.Normalise()
	if err != nil {
		return nil, fmt.Errorf("cannot make a msgpack codec: %w", err)
	}
	return &Codec{limits: l}, nil
}

// ID is 'm'.
func (*Codec) ID() byte { return codec.IDMsgpack }

// Name is "msgpack".
func (*Codec) Name() string { return "msgpack" }

// Marshal encodes v, integers in as few bytes as they need, maps of strings to strings,
// bools or any in order of their keys.
func (*Codec) Marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := msgpack.GetEncoder()
	defer msgpack.PutEncoder(enc)
	enc.Reset(&out)
	enc.SetCustomStructTag(structTag)
	enc.SetSortMapKeys(true)
	enc.UseCompactInts(true)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("cannot write a %T as msgpack: %w", v, err)
	}
	return out.Bytes(), nil
}

// maxPooled is the largest body whose decoder is kept: it has a buffer for the longest
// string that it ever read.
const maxPooled = 64 << 10

// Unmarshal fills what v points at.
func (c *Codec) Unmarshal(b []byte, v any) (err error) {
	extensions, err := check(b, c.limits)
	if err != nil {
		return fmt.Errorf("cannot read msgpack: %w", err)
	}
	dec, ok := c.decoders.Get().(*msgpack.Decoder)
	if !ok {
		dec = msgpack.NewDecoder(nil)
	}
	dec.Reset(&body{Reader: bytes.NewReader(b), extensions: extensions})
	dec.SetCustomStructTag(structTag)
	dec.UseLooseInterfaceDecoding(true)
	defer func() {
		// Keys that cannot be keys in Go, a list for example, make it panic.
		if p := recover(); p != nil {
			err = fmt.Errorf("cannot read msgpack into a %T: %v", v, p)
		} else if len(b) <= maxPooled {
			dec.ResetReader(nil)
			c.decoders.Put(dec)
		}
	}()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("cannot read msgpack into a %T: %w", v, err)
	}
	return nil
}
