package rpc

import "time"

// Limits bound what peers and handlers can cost. A zero field takes its default,
// a negative one is refused by [New].
type Limits struct {
	Message  int // bytes of one message on the wire; default 16 MiB
	Metadata int // bytes of the metadata of one message; default 64 KiB

	Connections int // sessions of the endpoint; further ones are closed; default 65536
	Pending     int // own calls of a session that wait for a reply; default 65536
	WriteQueue  int // bytes of a session that wait to be written before writers wait; default 1 MiB

	// Handlers count until their replies go out: who has an answer may call again at once.
	// Of calls whose replies are out, but not the hooks after them, there may be as many
	// again as EndpointHandlers, or 64 where that is less.
	SessionHandlers  int // handlers that run for one session; default 2048
	EndpointHandlers int // handlers that run for all sessions; default 16384
	RequestBytes     int // bytes of the requests that all running handlers hold; default 256 MiB

	DialTime      time.Duration // for a connection to be made; default 10 s
	HandshakeTime time.Duration // for a handshake (TLS) on either side; default 10 s
	FrameTime     time.Duration // for a message that has begun to come in full, or for its next 64 KiB; default 10 s
	ReplyTime     time.Duration // a reply waits for room in the write queue before its session is closed; default 10 s
	CloseTime     time.Duration // an orderly Close waits for running handlers and for the peer; default 5 s
	DrainTime     time.Duration // what peers are told they have to move when no deadline is known; default 30 s
}

// normalise gives a copy with the defaults filled in.
func (l Limits) normalise() (Limits, error) {
	counts := []struct {
		name  string
		field *int
		value int
	}{
		{"Message", &l.Message, 16 << 20},
		{"Metadata", &l.Metadata, 64 << 10},
		{"Connections", &l.Connections, 65536},
		{"Pending", &l.Pending, 65536},
		{"WriteQueue", &l.WriteQueue, 1 << 20},
		{"SessionHandlers", &l.SessionHandlers, 2048},
		{"EndpointHandlers", &l.EndpointHandlers, 16384},
		{"RequestBytes", &l.RequestBytes, 256 << 20},
	}
	for _, c := range counts {
		if err := fill(c.name, c.field, c.value); err != nil {
			return l, err
		}
	}
	times := []struct {
		name  string
		field *time.Duration
		value time.Duration
	}{
		{"DialTime", &l.DialTime, 10 * time.Second},
		{"HandshakeTime", &l.HandshakeTime, 10 * time.Second},
		{"FrameTime", &l.FrameTime, 10 * time.Second},
		{"ReplyTime", &l.ReplyTime, 10 * time.Second},
		{"CloseTime", &l.CloseTime, 5 * time.Second},
		{"DrainTime", &l.DrainTime, 30 * time.Second},
	}
	for _, t := range times {
		if err := fill(t.name, t.field, t.value); err != nil {
			return l, err
		}
	}
	return l, nil
}

func fill[T int | time.Duration](name string, field *T, value T) error {
	if err := notNegative("Limits."+name, *field); err != nil {
		return err
	}
	if *field == 0 {
		*field = value
	}
	return nil
}
