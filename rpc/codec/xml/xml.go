package xml

import (
	"encoding/xml"

	"github.com/dserver/dserver/rpc/codec"
)

// Codec is the codec; it has no settings.
type Codec struct{}

var _ codec.Codec = Codec{}

// ID is 'x'.
func (Codec) ID() byte { return codec.IDXML }

// Name is "xml".
func (Codec) Name() string { return "xml" }

// Marshal is xml.Marshal.
func (Codec) Marshal(v any) ([]byte, error) { return xml.Marshal(v) }

// Unmarshal is xml.Unmarshal: it reads UTF-8 alone, knows no entities but those of XML
// itself, and gives up at 10,000 elements within each other.
func (Codec) Unmarshal(b []byte, v any) error { return xml.Unmarshal(b, v) }
