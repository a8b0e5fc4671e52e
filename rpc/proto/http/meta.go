package http

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/dserver/dserver/rpc/message"
)

// Metadata travels in headers of the same name. What no header can carry, or more than
// a reader takes, travels together in one header: X-Meta is the metadata text, in
// base64 for URLs.
const headerMeta = "X-Meta"

// mostNamed is how many headers a message gives to metadata.
const mostNamed = maxFields / 2

// appendMeta appends the headers that carry the metadata.
func appendMeta(fields []field, meta *message.Meta) []field {
	var rest message.Meta
	named := 0
	for name, value := range meta.All() {
		if named == mostNamed || !carries(name, value) {
			rest.Set(name, value)
			continue
		}
		fields = append(fields, field{name, value})
		named++
	}
	if rest.Len() > 0 {
		fields = append(fields, field{headerMeta, base64.RawURLEncoding.EncodeToString(rest.AppendText(nil))})
	}
	return fields
}

// carries tells whether a header of that name brings exactly that value.
func carries(name, value string) bool {
	if !isToken(name) || !isText(value) || strings.Trim(value, " \t") != value {
		return false
	}
	lower := strings.ToLower(name)
	spelling := trueName(lower)
	return !belongsToHTTP(lower) && (spelling == "" || spelling == name)
}

// unpackMeta reads what X-Meta carries.
func unpackMeta(meta *message.Meta, text string) error {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", headerMeta, err)
	}
	return meta.ParseText(b)
}

// checkText refuses metadata over the limit before it is written.
func (p *Proto) checkText(meta *message.Meta) error {
	if meta.Len() == 0 {
		return nil
	}
	return p.stream.Limits.CheckMetadata(len(meta.AppendText(nil)))
}
