package rpc_test

import (
	"encoding/json"
	"fmt"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/status"
)

// lineProto is a protocol as a user would write it: one JSON object a line.
type lineProto struct{ s proto.Stream }

func newLineProto(s proto.Stream) proto.Proto { return &lineProto{s} }

type line struct {
	Seq    int32             `json:"seq"`
	Type   message.Type      `json:"type"`
	Method string            `json:"method,omitempty"`
	Status json.RawMessage   `json:"status,omitempty"`
	Meta   map[string]string `json:"meta,omitempty"`
	Codec  byte              `json:"codec,omitempty"`
	Body   []byte            `json:"body,omitempty"`
}

func (p *lineProto) Version() (byte, string) { return 'l', "lines" }

func (p *lineProto) Pack(m *message.Message) error {
	l := line{Seq: m.Seq, Type: m.Type, Method: m.Method, Codec: m.Codec, Body: m.Body, Meta: map[string]string{}}
	if m.Status != nil {
		l.Status = status.AppendText(nil, m.Status)
	}
	for k, v := range m.Meta.All() {
		l.Meta[k] = v
	}
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if len(b) > p.s.Limits.Message {
		return fmt.Errorf("a line of %d bytes: %w", len(b), proto.ErrTooLarge)
	}
	m.Size, err = p.s.Writer.Write(append(b, '\n'))
	return err
}

func (p *lineProto) Unpack(m *message.Message) error {
	b, err := p.s.Reader.ReadBytes('\n')
	if err != nil {
		return err
	}
	var l line
	if err := json.Unmarshal(b, &l); err != nil {
		return err
	}
	m.Seq, m.Type, m.Method, m.Codec, m.Body, m.Size = l.Seq, l.Type, l.Method, l.Codec, l.Body, len(b)
	for k, v := range l.Meta {
		m.Meta.Set(k, v)
	}
	m.Status, err = status.ParseText(l.Status)
	return err
}
