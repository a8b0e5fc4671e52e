package cbor

import (
	"bytes"
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
	if err == nil && hasFarTime(b) {
		// Within bytes it may look like one that is none.
		err = c.decode.Unmarshal(b, reflect.New(reflect.TypeOf(v)).Interface())
	}
	if err != nil {
		return nil, fmt.Errorf("cannot write a %T as cbor: %w", v, err)
	}
	return b, nil
}

// hasFarTime tells whether there seems to be a time that RFC 3339 has no text for,
// before the year 0 or after 9999. The library writes one all the same.
func hasFarTime(b []byte) bool {
	for {
		_, text, found := bytes.Cut(b, []byte{tagTime})
		if !found {
			return false
		}
		b = text
		// The head of the text is one byte, or two from 24 bytes on.
		switch {
		case len(text) > 1 && text[0] >= 0x60 && text[0] < 0x78:
			text = text[1:]
		case len(text) > 2 && text[0] == 0x78:
			text = text[2:]
		default:
			continue
		}
		year, _, found := bytes.Cut(text[:min(len(text), maxYear)], []byte("-"))
		if found && len(year) != 4 {
			return true
		}
	}
}

const (
	tagTime = 0xc0 // of a text as in RFC 3339
	maxYear = 13   // bytes of the longest year of a time.Time, and of what follows it
)

// Unmarshal fills what v points at.
func (c *Codec) Unmarshal(b []byte, v any) error {
	if err := c.decode.Unmarshal(b, v); err != nil {
		return fmt.Errorf("cannot read cbor into a %T: %w", v, err)
	}
	return nil
}
