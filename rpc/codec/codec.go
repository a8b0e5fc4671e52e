package codec

import (
	"encoding/json"
	"fmt"
)

// Codec encodes Go values. The endpoint passes bodies of type []byte as they are,
// whatever the codec, and asks no codec about a body of no bytes or a target of nil.
type Codec interface {
	ID() byte     // travels with each message; not 0
	Name() string // for configuration and logs
	// Marshal encodes v, a value or a pointer to one.
	Marshal(v any) ([]byte, error)
	// Unmarshal fills what the pointer v points at. b is the peer's: whatever is in
	// it, an error is the worst that comes of it, and the memory that it takes is in
	// proportion to b. v keeps nothing of b.
	Unmarshal(b []byte, v any) error
}

// Appender is a Codec that can encode into memory of its caller.
type Appender interface {
	Codec
	// Size is how many bytes v will have as far as that is known, else 0. It comes right
	// before AppendMarshal.
	Size(v any) int
	// AppendMarshal appends what Marshal would give to dst.
	AppendMarshal(dst []byte, v any) ([]byte, error)
}

// IDs of the codecs that every implementation of the protocols knows.
const (
	IDJSON     byte = 'j'
	IDProtobuf byte = 'p'
	IDForm     byte = 'f'
	IDPlain    byte = 's'
	IDXML      byte = 'x'
	IDRedis    byte = 'r'
)

// IDs of codecs that older implementations do not have: they answer them with 400.
const (
	IDBytes   byte = 'b'
	IDMsgpack byte = 'm'
	IDCBOR    byte = 'c'
)

// JSON is encoding/json with its HTML escaping.
type JSON struct{}

var _ Codec = JSON{}

// ID is 'j'.
func (JSON) ID() byte { return IDJSON }

// Name is "json".
func (JSON) Name() string { return "json" }

// Marshal is json.Marshal.
func (JSON) Marshal(v any) ([]byte, error) { return json.Marshal(v) }

// Unmarshal is json.Unmarshal.
func (JSON) Unmarshal(b []byte, v any) error { return json.Unmarshal(b, v) }

// Registry is an unchanging set of codecs; the first one is the default.
type Registry struct {
	list []Codec
	byID [256]Codec
}

// NewRegistry checks that ids and names are there and unique.
func NewRegistry(codecs ...Codec) (*Registry, error) {
	if len(codecs) == 0 {
		return nil, fmt.Errorf("cannot make a codec registry: no codec given")
	}
	r := &Registry{list: append([]Codec(nil), codecs...)}
	names := make(map[string]byte)
	for _, c := range codecs {
		if c == nil || c.ID() == 0 || c.Name() == "" {
			return nil, fmt.Errorf("cannot register codec %v: it needs an id and a name", c)
		}
		if old := r.byID[c.ID()]; old != nil {
			return nil, fmt.Errorf("cannot register codec %q: id %d is taken by %q", c.Name(), c.ID(), old.Name())
		}
		if id, taken := names[c.Name()]; taken {
			return nil, fmt.Errorf("cannot register codec %q twice: it has id %d already", c.Name(), id)
		}
		r.byID[c.ID()], names[c.Name()] = c, c.ID()
	}
	return r, nil
}

// Default is the first codec.
func (r *Registry) Default() Codec { return r.list[0] }

// Lookup finds a codec by id.
func (r *Registry) Lookup(id byte) (Codec, bool) {
	c := r.byID[id]
	return c, c != nil
}

// Named finds a codec by name.
func (r *Registry) Named(name string) (Codec, bool) {
	for _, c := range r.list {
		if c.Name() == name {
			return c, true
		}
	}
	return nil, false
}
