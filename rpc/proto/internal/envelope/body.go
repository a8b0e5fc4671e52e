package envelope

import (
	"fmt"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/status"
)

// PackBody gives the body of m behind its filters, and these, for protocols whose
// filters act on the body alone. It refuses a body over the limit, more than 255
// filters and unknown ones.
func PackBody(s proto.Stream, m *message.Message) (body, filters []byte, err error) {
	if len(m.Filters) == 0 || isBare(m, m.Body) {
		return m.Body, nil, nil
	}
	if err := checkFilters(m.Filters); err != nil {
		return nil, nil, err
	}
	// What its reader would refuse once it is unpacked is not sent.
	if err := checkSize(s.Limits, int64(len(m.Body))); err != nil {
		return nil, nil, err
	}
	body, err = s.Filters.AppendPack(nil, m.Body, m.Filters)
	return body, m.Filters, err
}

// UnpackBody sets the body of m, whose header is read, and its filters. A body that
// cannot be had costs that message alone, for the next one is where it was: a CALL
// and a PUSH are refused, and who waits for a REPLY learns it.
func UnpackBody(s proto.Stream, m *message.Message, body, filters []byte) error {
	m.Filters = filters
	if isBare(m, body) {
		return nil
	}
	var err error
	if m.Body, err = Unfilter(s, body, filters); err == nil {
		return nil
	}
	st := status.Newf(status.BadMessage, "cannot read the body: %w", err)
	switch m.Type {
	case message.Call, message.Push:
		m.Refusal = st
	case message.Reply:
		m.Codec = 0
		if m.Status == nil {
			m.Status = st
		}
	default:
		return st
	}
	return nil
}

// Unfilter undoes filters; without any the result is body itself.
func Unfilter(s proto.Stream, body, filters []byte) ([]byte, error) {
	if err := checkFilters(filters); err != nil {
		return nil, err
	}
	return s.Filters.Unpack(body, filters, s.Limits.Message)
}

// isBare tells a reply that has nothing to filter. Older peers wait for ever for a
// reply without a codec that has a body, and filters make one of nothing.
func isBare(m *message.Message, body []byte) bool {
	return m.Type == message.Reply && m.Codec == 0 && len(body) == 0
}

func checkFilters(ids []byte) error {
	if len(ids) > maxFilters {
		return fmt.Errorf("there are %d filters, the most is %d", len(ids), maxFilters)
	}
	return nil
}
