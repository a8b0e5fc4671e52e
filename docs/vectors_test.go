package docs_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// vector is one block of docs/wire.md: bytes, and after an empty line what they mean.
type vector struct {
	block
	proto string
	way   string
	bytes []byte
	want  message.Message
	seq   bool // it travels, so it is compared
}

// vectors reads those of a page, in their order.
func vectors(t *testing.T, page string) (list []vector) {
	t.Helper()
	for _, b := range blocks(t, page) {
		words := strings.Fields(b.lang)
		if len(words) == 0 || words[0] != "wire" {
			continue
		}
		if len(words) != 3 {
			t.Fatalf("%s:%d: %q does not tell protocol and way", b.page, b.line, b.lang)
		}
		v := vector{block: b, proto: words[1], way: words[2], seq: true}
		text, fields, _ := strings.Cut(b.text, "\n\n")
		var err error
		if v.bytes, err = wireBytes(text); err != nil {
			t.Fatalf("%s:%d: %v", b.page, b.line, err)
		}
		for line := range strings.Lines(strings.TrimSpace(fields)) {
			if err := v.setField(strings.TrimSuffix(line, "\n")); err != nil {
				t.Fatalf("%s:%d: %q: %v", b.page, b.line, line, err)
			}
		}
		list = append(list, v)
	}
	return list
}

// wireBytes reads the notation of the page: hexadecimal digits, and text between
// single quotes; # begins a comment.
func wireBytes(text string) (out []byte, err error) {
	for line := range strings.Lines(text) {
		for line = strings.TrimSpace(line); line != "" && line[0] != '#'; line = strings.TrimSpace(line) {
			if line[0] == '\'' {
				inside, rest, closed := strings.Cut(line[1:], "'")
				if !closed {
					return nil, fmt.Errorf("the text %s is not closed", line)
				}
				out, line = append(out, inside...), rest
				continue
			}
			n := strings.IndexAny(line, " '#")
			if n < 0 {
				n = len(line)
			}
			b, err := hex.DecodeString(line[:n])
			if err != nil {
				return nil, fmt.Errorf("%q: %w", line[:n], err)
			}
			out, line = append(out, b...), line[n:]
		}
	}
	return out, nil
}

// setField takes one line of what the bytes mean.
func (v *vector) setField(line string) (err error) {
	name, value, _ := strings.Cut(line, " ")
	m := &v.want
	switch name {
	case "type":
		for m.Type = message.Call; m.Type.String() != value; m.Type++ {
			if m.Type > message.AuthReply {
				return fmt.Errorf("there is no such type")
			}
		}
	case "seq":
		var n int64
		if v.seq = value != "?"; v.seq {
			n, err = strconv.ParseInt(value, 10, 32)
		}
		m.Seq = int32(n)
	case "method":
		m.Method = value
	case "status":
		m.Status, err = status.ParseText([]byte(value))
	case "metadata":
		err = m.Meta.ParseText([]byte(value))
	case "codec":
		m.Codec = value[0]
	case "filters":
		m.Filters, err = wireBytes(value)
	case "body":
		m.Body, err = wireBytes(value)
	default:
		return fmt.Errorf("there is no such field")
	}
	return err
}

// differs compares what was read with what the page says; "" is the same.
func (v *vector) differs(got *message.Message) string {
	want := v.want
	if !v.seq {
		want.Seq = got.Seq
	}
	if got.Seq != want.Seq || got.Type != want.Type || got.Method != want.Method || got.Codec != want.Codec {
		return fmt.Sprintf("%v %d %q codec %q, want %v %d %q codec %q",
			got.Type, got.Seq, got.Method, got.Codec, want.Type, want.Seq, want.Method, want.Codec)
	}
	if a, b := status.AppendText(nil, got.Status), status.AppendText(nil, want.Status); !bytes.Equal(a, b) {
		return fmt.Sprintf("status %s, want %s", a, b)
	}
	if a, b := got.Meta.AppendText(nil), want.Meta.AppendText(nil); !bytes.Equal(a, b) {
		return fmt.Sprintf("metadata %s, want %s", a, b)
	}
	if !bytes.Equal(got.Filters, want.Filters) || !bytes.Equal(got.Body, want.Body) {
		return fmt.Sprintf("filters %q body %q, want %q %q", got.Filters, got.Body, want.Filters, want.Body)
	}
	return ""
}
