package ws_test

import (
	"encoding/binary"
	"io"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/prototest"
	"github.com/dserver/dserver/rpc/proto/ws"
)

// bare is a protocol as it is inside websocket: a message is all that there is, and its
// size stands elsewhere.
type bare struct {
	proto.Framer
	stream proto.Stream
}

func (b bare) Version() (byte, string) { return ws.ID, "bare" }

func (b bare) Pack(m *message.Message) error {
	frame, err := b.AppendFrame(nil, m)
	if err != nil {
		return err
	}
	m.Size -= 4
	_, err = b.stream.Writer.Write(frame[4:])
	return err
}

func (b bare) Unpack(m *message.Message) error {
	text, err := io.ReadAll(b.stream.Reader)
	if err != nil {
		return err
	}
	_, err = b.CutFrame(sized(text), m)
	m.Size -= 4
	return err
}

func sized[T string | []byte](text T) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...)
}

func bared(f proto.Factory) proto.Factory {
	return func(s proto.Stream) proto.Proto { return bare{f(s).(proto.Framer), s} }
}

// autoWith is Auto on a connection whose handshake has agreed on something.
func autoWith(subprotocol string) proto.Factory {
	return func(s proto.Stream) proto.Proto {
		s.Subprotocol = subprotocol
		return ws.Auto(s)
	}
}

// TestVectors: the classic forms are the bytes of older writers, and theirs are read in
// every form, the one of Auto too, whatever defect is in them.
func TestVectors(t *testing.T) {
	jsonDefects := []string{
		"push_bytes_binary", "filter_md5", "filter_aes", "filter_md5_aes", "filter_md5_gzip", "filter_md5_twice",
	}
	classic := ws.Options{Classic: true}
	for _, test := range []struct {
		name  string
		suite prototest.Suite
	}{
		{"json", prototest.Suite{List: "ws_json_subproto.json", Default: ws.JSON, Classic: classic.JSON, Recovered: jsonDefects}},
		{"json auto", prototest.Suite{List: "ws_json_subproto.json", Default: ws.Auto, Classic: classic.Auto, Recovered: jsonDefects}},
		{"pb", prototest.Suite{List: "ws_pb_subproto.json", Default: ws.PB, Classic: classic.PB}},
		{"pb auto", prototest.Suite{List: "ws_pb_subproto.json", Default: autoWith(ws.SubprotocolPB), Classic: classic.PB}},
	} {
		test.suite.Default, test.suite.Classic = bared(test.suite.Default), bared(test.suite.Classic)
		t.Run(test.name, test.suite.Run)
	}
}
