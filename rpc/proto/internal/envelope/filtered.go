package envelope

import (
	"errors"
	"fmt"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
)

const maxFilters = 255

// Filtered is a Payload that has all of another one behind the filters of the message.
type Filtered struct {
	Stream proto.Stream
	Inside Payload
}

// NewFiltered is a Frame around a payload behind filters.
func NewFiltered(s proto.Stream, inside Payload) Frame {
	return Frame{Stream: s, Payload: Filtered{Stream: s, Inside: inside}}
}

// AppendPayload refuses what is over the limit without its filters, more than 255 of
// these and unknown ones.
func (f Filtered) AppendPayload(dst []byte, m *message.Message) ([]byte, error) {
	if err := checkFilters(m.Filters); err != nil {
		return dst, err
	}
	dst = append(dst, byte(len(m.Filters)))
	dst = append(dst, m.Filters...)
	if len(m.Filters) == 0 {
		return f.Inside.AppendPayload(dst, m)
	}
	text, err := f.Inside.AppendPayload(nil, m)
	if err != nil {
		return dst, err
	}
	// What its reader would refuse once it is unpacked is not sent.
	if err := checkSize(f.Stream.Limits, int64(len(text))); err != nil {
		return dst, err
	}
	return f.Stream.Filters.AppendPack(dst, text, m.Filters)
}

// ParsePayload undoes the filters.
func (f Filtered) ParsePayload(frame []byte, m *message.Message) error {
	if len(frame) == 0 {
		return errors.New("size is 0: there is no place for the number of filters")
	}
	filters := int(frame[0])
	if 1+filters > len(frame) {
		return fmt.Errorf("size is %d, below the %d of its filters", len(frame), 1+filters)
	}
	m.Filters = frame[1 : 1+filters]
	text, err := f.Stream.Filters.Unpack(frame[1+filters:], m.Filters, f.Stream.Limits.Message)
	if err != nil {
		return err
	}
	return f.Inside.ParsePayload(text, m)
}
