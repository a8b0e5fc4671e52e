package jsonmessage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/internal/gotext"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto/internal/envelope"
	"github.com/dserver/dserver/rpc/status"
)

// text is a message as JSON. Status, metadata and body are strings, or the JSON that
// others put in their place.
type text struct {
	Version       *int   `json:"v"`
	Seq           int32  `json:"seq"`
	Type          uint8  `json:"mtype"`
	Status        value  `json:"status"`
	Meta          value  `json:"meta"`
	Codec         uint8  `json:"bodyCodec"`
	Body          value  `json:"body"`
	ServiceMethod string `json:"serviceMethod"`

	Filters json.RawMessage `json:"ptf"`
}

// value is the contents of a string, or the JSON text of anything else.
type value []byte

// UnmarshalJSON shares no memory with b.
func (v *value) UnmarshalJSON(b []byte) error {
	switch {
	case string(b) == "null":
		*v = nil
		return nil
	case b[0] != '"':
		*v = bytes.Clone(b)
		return nil
	}
	if inner := b[1 : len(b)-1]; bytes.IndexByte(inner, '\\') < 0 {
		*v = bytes.Clone(inner)
		return nil
	}
	var s string
	err := json.Unmarshal(b, &s)
	*v = []byte(s)
	return err
}

// ParsePayload reads strictly what says that it is of our kind, and everything else
// as well as it can be understood. What is JSON both as it stands and by the reverse
// of an older writer, such as a body with \b, is taken as it stands, for that is what
// everybody else writes; in the classic form it is the other way round.
func (p *Payload) ParsePayload(b []byte, m *message.Message) error {
	t, err := parseStrict(b)
	switch {
	case err == nil && t.Version != nil:
		p.Stream.Peer.MarkOurs()
	case err != nil || p.Classic || !p.bodyIsSound(&t):
		old, errOld := p.parseOld(b)
		if errOld == nil && (err != nil || p.bodyIsSound(&old)) {
			t, err = old, nil
		}
	}
	if err != nil {
		return err
	}
	return p.fill(m, &t)
}

// bodyIsSound tells whether the body can be what its codec says.
func (p *Payload) bodyIsSound(t *text) bool {
	body := []byte(t.Body)
	if p.Websocket {
		ids, err := t.filters()
		if err == nil {
			body, err = envelope.Unfilter(p.Stream, body, ids)
		}
		if err != nil {
			return false
		}
	}
	return t.Codec != codec.IDJSON || len(body) == 0 || json.Valid(body)
}

// filters are a list of numbers.
func (t *text) filters() (ids []byte, err error) {
	if len(t.Filters) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(t.Filters, &ids); err != nil {
		return nil, fmt.Errorf("cannot read the filters: %w", err)
	}
	return ids, nil
}

func parseStrict(b []byte) (t text, err error) {
	if !utf8.Valid(b) {
		return t, errors.New("the text is not UTF-8")
	}
	if err := json.Unmarshal(b, &t); err != nil {
		return t, fmt.Errorf("the text is no message: %w", err)
	}
	return t, nil
}

// parseOld is the reverse of an older writer.
func (p *Payload) parseOld(b []byte) (t text, err error) {
	rest, body, ok := p.oldBody(b)
	if !ok {
		return t, errors.New("the text has no body at its end")
	}
	if t, err = parseStrict(rest); err != nil && gotext.HasEscape(rest) {
		t, err = parseStrict(gotext.JSON(rest))
	}
	t.Body = body
	return t, err
}

func (p *Payload) fill(m *message.Message, t *text) (err error) {
	m.Seq, m.Type, m.Method, m.Codec, m.Body = t.Seq, message.Type(t.Type), t.ServiceMethod, t.Codec, t.Body
	if m.Status, err = status.ParseText(t.Status); err != nil {
		return err
	}
	if err := p.Stream.Limits.CheckMetadata(len(t.Meta)); err != nil {
		return err
	}
	if err := m.Meta.ParseText(t.Meta); err != nil || !p.Websocket {
		return err
	}
	ids, err := t.filters()
	if err != nil {
		return err
	}
	return envelope.UnpackBody(p.Stream, m, t.Body, ids)
}
