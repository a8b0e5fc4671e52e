package main

import (
	"bytes"
	"fmt"
	"io"
	"strconv"

	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/status"
)

// Lines writes each message as one line of six fields with tabs between them:
// type, number, method, status, metadata, body. The strings of JSON have neither tabs
// nor ends of lines, so no field needs quotes.
type Lines struct{ s proto.Stream }

// NewLines makes the protocol of one session: it is what rpc.Config.Proto wants.
func NewLines(s proto.Stream) proto.Proto { return &Lines{s} }

// Version gives an id and a name, for logs.
func (p *Lines) Version() (byte, string) { return 'l', "lines" }

// Traits says that bodies are JSON, so their codec need not travel.
func (p *Lines) Traits() proto.Traits { return proto.Traits{Codec: codec.IDJSON} }

// Pack refuses what the line cannot carry, before anything is written.
func (p *Lines) Pack(m *message.Message) error {
	line := fmt.Appendf(nil, "%d\t%d\t%s\t", m.Type, m.Seq, m.Method)
	if m.Status != nil {
		line = append(line, bytes.Map(flat, status.AppendText(nil, m.Status))...)
	}
	line = m.Meta.AppendText(append(line, '\t'))
	line = append(append(append(line, '\t'), m.Body...), '\n')
	switch {
	case len(m.Filters) > 0:
		return fmt.Errorf("cannot write a line: the protocol has no filters")
	case bytes.Count(line, []byte("\t")) != 5 || bytes.Count(line, []byte("\n")) != 1:
		return fmt.Errorf("cannot write a line: method or body have tabs or ends of lines")
	case len(line) > p.s.Limits.Message:
		return fmt.Errorf("cannot write a line of %d bytes: %w", len(line), proto.ErrTooLarge)
	}
	m.Size = len(line)
	_, err := p.s.Writer.Write(line)
	return err
}

// flat makes blanks of the ends of lines and the tabs that JSON may have between its
// tokens, such as in the details of a status.
func flat(r rune) rune { return max(r, ' ') }

// Unpack reads a line. The endpoint sees to it that none is longer than the limit,
// and that its end comes in time.
func (p *Lines) Unpack(m *message.Message) error {
	line, err := p.s.Reader.ReadBytes('\n')
	if err == io.EOF && len(line) > 0 {
		return io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	f := bytes.Split(bytes.TrimSuffix(line, []byte("\n")), []byte("\t"))
	if len(f) != 6 {
		return fmt.Errorf("a line of %d fields, want 6", len(f))
	}
	kind, err := strconv.ParseUint(string(f[0]), 10, 8)
	if err != nil {
		return err
	}
	seq, err := strconv.ParseInt(string(f[1]), 10, 32)
	if err != nil {
		return err
	}
	if len(f[4]) > p.s.Limits.Metadata {
		return fmt.Errorf("metadata of %d bytes: %w", len(f[4]), proto.ErrTooLarge)
	}
	if m.Status, err = status.ParseText(f[3]); err != nil {
		return err
	}
	m.Type, m.Seq, m.Method, m.Codec, m.Body, m.Size = message.Type(kind), int32(seq), string(f[2]), codec.IDJSON, f[5], len(line)
	return m.Meta.ParseText(f[4])
}
