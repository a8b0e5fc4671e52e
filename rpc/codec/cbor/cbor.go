package cbor

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/fxamacker/cbor/v2"

	"github.com/dserver/dserver/rpc/codec"
)

// Codec is the codec. Make it with [New].
type Codec struct {
	encode cbor.EncMode
	decode cbor.DecMode
}

var _ codec.Codec = (*Codec)(nil)

// New makes a codec that reads what l allows; tags count as arrays and maps do.
func New(l codec.Limits) (*Codec, error) {
	l, err := l.Normalise()
	if err != nil {
		return nil, fmt.Errorf("cannot make a cbor codec: %w", err)
	}
	out := cbor.CoreDetEncOptions()
	out.Time, out.TimeTag = cbor.TimeRFC3339Nano, cbor.EncTagRequired // else fractions are lost, and what it is
	encode, errOut := out.EncMode()
	decode, errIn := cbor.DecOptions{
		MaxNestedLevels:  l.Depth,
		MaxArrayElements: l.Elements,
		MaxMapPairs:      l.Elements,
		DefaultMapType:   reflect.TypeFor[map[string]any](),
	}.DecMode()
	if err := errors.Join(errOut, errIn); err != nil {
		return nil, fmt.Errorf("cannot make a cbor codec: %w", err)
	}
	return &Codec{encode, decode}, nil
}

// ID is 'c'.
func (*Codec) ID() byte { return codec.IDCBOR }

// Name is "cbor".
func (*Codec) Name() string { return "cbor" }

// Marshal encodes v.
func (c *Codec) Marshal(v any) ([]byte, error) {
	b, err := c.encode.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("cannot write a %T as cbor: %w", v, err)
	}
	return b, nil
}

// Unmarshal fills what v points at.
func (c *Codec) Unmarshal(b []byte, v any) error {
	if err := c.decode.Unmarshal(b, v); err != nil {
		return fmt.Errorf("cannot read cbor into a %T: %w", v, err)
	}
	return nil
}
