package message

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/dserver/dserver/rpc/internal/gotext"
)

// The metadata text that every protocol carries is one JSON object of strings
// with sorted names and HTML escaping, {} when empty.

// AppendText appends the metadata text of m.
func (m *Meta) AppendText(dst []byte) []byte {
	dst = append(dst, '{')
	for i, p := range m.pairs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = gotext.AppendHTML(dst, p.key)
		dst = append(dst, ':')
		dst = gotext.AppendHTML(dst, p.value)
	}
	return append(dst, '}')
}

// ParseText replaces the contents of m by the metadata text. An empty text and
// null are empty metadata. A value that is no string is kept as its JSON text,
// because older peers write such values.
func (m *Meta) ParseText(text []byte) error {
	m.Clear()
	if len(text) == 0 || string(text) == "{}" {
		return nil
	}
	if m.parsePlain(text) {
		return nil
	}
	m.Clear()
	dec := json.NewDecoder(bytes.NewReader(text))
	first, err := dec.Token()
	if err != nil {
		return fmt.Errorf("cannot read metadata: %w", err)
	}
	if first == nil {
		return endOfText(dec)
	}
	if first != json.Delim('{') {
		return fmt.Errorf("cannot read metadata: not a JSON object")
	}
	if err := m.parsePairs(dec); err != nil {
		return fmt.Errorf("cannot read metadata: %w", err)
	}
	return endOfText(dec)
}

// parsePlain reads what most writers make, strings of ASCII without an escape and nothing
// between them, and tells whether it was that.
func (m *Meta) parsePlain(text []byte) bool {
	rest, ok := strings.CutPrefix(string(text), "{") // of which the pairs are parts
	for ok {
		var p pair
		if p.key, rest, ok = plainString(rest); !ok {
			break
		}
		if rest, ok = strings.CutPrefix(rest, ":"); !ok {
			break
		}
		if p.value, rest, ok = plainString(rest); !ok {
			break
		}
		m.pairs = append(m.pairs, p)
		if rest == "}" {
			m.normalise()
			return true
		}
		rest, ok = strings.CutPrefix(rest, ",")
	}
	return false
}

// plainString takes a string that is as it is written off the beginning of text.
func plainString(text string) (s, rest string, ok bool) {
	if text == "" || text[0] != '"' {
		return "", "", false
	}
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return text[1:i], text[i+1:], true
		case c < ' ' || c == '\\' || c > '~':
			return "", "", false
		}
	}
	return "", "", false
}

// parsePairs reads up to the end of the object and sorts once: sorting pair by
// pair would let a peer that sends names backwards buy a lot of our time.
func (m *Meta) parsePairs(dec *json.Decoder) error {
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return err
		}
		name, _ := key.(string) // the decoder gives nothing else here
		m.pairs = append(m.pairs, pair{name, textOf(raw)})
	}
	m.normalise()
	_, err := dec.Token()
	return err
}

// endOfText refuses anything behind the object.
func endOfText(dec *json.Decoder) error {
	if _, err := dec.Token(); err != io.EOF {
		return fmt.Errorf("cannot read metadata: more than one JSON value")
	}
	return nil
}

// textOf is the string itself, nothing for null, and the JSON text of the rest. As in a
// string, each byte that is no UTF-8 becomes U+FFFD.
func textOf(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string([]rune(string(raw)))
}
