package redis

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/message"
)

// maxSent is how many of our own commands may wait for a reply, given up or not.
const maxSent = 1 << 16

// sent holds our own commands in the order in which they were written, which is that of
// their replies.
type sent struct {
	mu    sync.Mutex
	queue []int32
}

func (s *sent) add(seq int32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) >= maxSent {
		return fmt.Errorf("%d commands wait for a reply already", maxSent)
	}
	s.queue = append(s.queue, seq)
	return nil
}

func (s *sent) take() (seq int32, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return 0, false
	}
	seq = s.queue[0]
	if s.queue = s.queue[1:]; len(s.queue) == 0 {
		s.queue = nil
	}
	return seq, true
}

// unpaired are the commands that have another number of replies than one.
var unpaired = [...]string{"subscribe", "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe", "sunsubscribe", "monitor", "sync", "psync"}

// appendCall writes a command. The body is what Codec makes of its arguments, or what a
// handler gets.
func (p *Proto) appendCall(dst []byte, m *message.Message) ([]byte, error) {
	name, ok := strings.CutPrefix(m.Method, p.prefix)
	if !ok || name == "" {
		return nil, fmt.Errorf("%q is no command: it must begin with %q", m.Method, p.prefix)
	}
	args, err := textItems(m.Body)
	if err != nil {
		return nil, err
	}
	for _, bad := range unpaired {
		if lower(name) == bad {
			return nil, fmt.Errorf("%s has more replies than one: %w", name, ErrNotCarried)
		}
	}
	if lower(name) == "client" && len(args) > 0 && lower(args[0]) == "reply" {
		return nil, fmt.Errorf("CLIENT REPLY would lose replies: %w", ErrNotCarried)
	}
	out := appendInteger(dst, KindArray, int64(1+len(args)))
	out = appendBulk(out, KindBulk, name)
	for _, arg := range args {
		out = appendBulk(out, KindBulk, arg)
	}
	if err := p.setSize(m, out, len(dst)); err != nil {
		return nil, err
	}
	if !p.side.CompareAndSwap(undecided, client) && p.side.Load() != client {
		return nil, fmt.Errorf("a call to a client: %w", ErrNotCarried)
	}
	return out, p.sent.add(m.Seq)
}

// textItems gives the arguments in a body, each as text.
func textItems(body []byte) ([]string, error) {
	var list []string
	switch {
	case len(body) == 0:
		return nil, nil
	case body[0] == '[':
		return list, Codec{}.Unmarshal(body, &list)
	}
	v, err := ParseValue(body)
	if err != nil {
		return nil, err
	}
	if list, err = v.texts(); errors.Is(err, errKind) {
		v = Value{Kind: KindArray, Items: []Value{v}}
	}
	for _, item := range v.Items {
		switch item.Kind {
		case KindArray, KindMap, KindSet, KindPush, KindNull, KindError, KindBulkError:
			return nil, fmt.Errorf("an argument cannot be of kind %q", item.Kind)
		}
	}
	return v.texts()
}

// reply reads a frame that is complete.
func (p *Proto) reply(frame []byte, m *message.Message) error {
	m.Codec = codec.IDRedis
	t, size, err := next(frame, len(frame))
	if err != nil {
		return fmt.Errorf("cannot read reply: %w", err)
	}
	if t.kind == KindPush {
		return p.push(t, frame[size:], m)
	}
	seq, ok := p.sent.take()
	if !ok {
		return errors.New("cannot read reply: no command waits for it")
	}
	m.Type, m.Seq = message.Reply, seq
	switch t.kind {
	case KindError, KindBulkError:
		m.Status = failure(string(t.text))
	default:
		m.Body = frame
	}
	return nil
}

// push reads a message that is no reply: its first value is the method.
func (p *Proto) push(t token, items []byte, m *message.Message) error {
	first, size, err := next(items, len(items))
	if err != nil || t.count == 0 || first.kind != KindBulk && first.kind != KindSimple {
		return errors.New("cannot read push: it does not begin with a text")
	}
	m.Type, m.Method = message.Push, p.prefix+lower(first.text)
	p.body = append(appendInteger(p.body[:0], KindArray, int64(t.count-1)), items[size:]...)
	m.Body = p.body
	p.keep(nil)
	return nil
}
