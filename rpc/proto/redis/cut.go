package redis

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

const (
	maxMethod  = 255      // bytes of a route; what is longer has none
	maxQuoted  = 128      // bytes of a command's name, and of its arguments, in an error
	maxKept    = 64 << 10 // bytes of memory that is used again
	maxArgKept = 1 << 10
)

// CutFrame reads a command, or in a session in which we have called a reply. What is no
// command is answered as redis does, and ends the session.
func (p *Proto) CutFrame(buf []byte, m *message.Message) (int, error) {
	size, done, err := p.find(buf)
	switch {
	case err != nil && p.side.Load() == client:
		return 0, fmt.Errorf("cannot read reply: %w", err)
	case err != nil:
		return 0, p.refuse(m, err)
	case !done:
		return 0, nil
	}
	p.scan = scanner{}
	m.Size = size
	if p.side.CompareAndSwap(undecided, server) || p.side.Load() == server {
		err = p.command(buf[:size], m)
	} else {
		err = p.reply(buf[:size], m)
	}
	if err != nil {
		return 0, err
	}
	return size, nil
}

// refuse ends the session with an answer, behind those that wait.
func (p *Proto) refuse(m *message.Message, err error) error {
	m.Type = message.Call
	if full := p.begin(m, note{}); full != nil {
		return errors.Join(err, full)
	}
	m.Refusal = status.New(status.BadMessage, "ERR "+err.Error())
	return fmt.Errorf("cannot read command: %w", err)
}

func (p *Proto) begin(m *message.Message, n note) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls.Len() >= maxWaiting || p.calls.Held() > maxHeld {
		return fmt.Errorf("%d commands wait for an answer, and answers of %d bytes for their turn", p.calls.Len(), p.calls.Held())
	}
	if n.version != 0 {
		p.asking++
	}
	m.Seq = p.calls.Ask(n)
	return nil
}

// command reads a frame that is complete.
func (p *Proto) command(frame []byte, m *message.Message) (err error) {
	args := p.args[:0]
	switch {
	case frame[0] == '*':
		args = splitArray(args, frame)
	case strings.IndexByte("+-:$_#,(!=%~>|", frame[0]) >= 0:
		// Two servers that are connected with each other would tell errors for ever.
		return p.refuse(m, protocolError("a reply, where a command is expected"))
	default:
		if args, err = splitInline(args, frame); err != nil {
			return p.refuse(m, err)
		}
	}
	defer p.keep(args)
	if len(args) == 0 {
		// An empty line is no command and has no answer: a reply that nobody waits for.
		m.Type, m.Seq = message.Reply, 0
		return nil
	}
	name := lower(args[0])
	if frame[0] != '*' && (name == "post" || name == "host:") {
		return errors.New("cannot read command: an HTTP request, as a page can make a browser send")
	}
	m.Type, m.Method, m.Codec = message.Call, p.prefix+name, codec.IDRedis
	m.Last = name == "quit"
	p.body = appendArgs(p.body[:0], args[1:])
	m.Body = p.body
	n := note{text: quote(args)}
	switch name {
	case "hello", "reset", "client":
		n.version = p.watch(name, args[1:])
		p.describe(m)
	}
	return p.begin(m, n)
}

// keep keeps the memory of ordinary commands, without what it points at.
func (p *Proto) keep(args [][]byte) {
	clear(args)
	if p.args = args[:0]; cap(args) > maxArgKept {
		p.args = nil
	}
	if cap(p.body) > maxKept {
		p.body = nil // the message has it for now
	}
}

// lower gives a name as it stands in a route, and of one that is too long for a route
// no more than shows that.
func lower[T string | []byte](name T) string {
	b := append([]byte(nil), name[:min(len(name), maxMethod+1)]...)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// quote gives the beginning of a command for the error of one that is unknown.
func quote(args [][]byte) string {
	b := make([]byte, 0, 64)
	b = append(append(b, '\''), args[0][:min(len(args[0]), maxQuoted)]...)
	b = append(b, "', with args beginning with: "...)
	for end := len(b) + maxQuoted; len(args) > 1 && len(b) < end; args = args[1:] {
		arg := args[1][:min(len(args[1]), end-len(b))]
		b = append(append(append(b, '\''), arg...), "' "...)
	}
	return string(b)
}

// watch takes note of what a command changes for the connection. It gives the version
// that a success sets, or 0.
func (p *Proto) watch(name string, args [][]byte) (version int32) {
	p.settle()
	switch name {
	case "hello":
		h, err := parseHello(args, p.asked)
		if err != nil {
			return 0
		}
		version = h.version
		if h.named {
			p.name = h.name
		}
	case "reset":
		version, p.name = 2, ""
	case "client":
		if len(args) == 2 && lower(args[0]) == "setname" && checkName(args[1]) == nil {
			p.name = string(args[1])
		}
		return 0
	}
	p.asked = version
	return version
}

// settle forgets what was asked for and refused.
func (p *Proto) settle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asking == 0 {
		p.asked = p.version.Load()
	}
}

// describe tells a handler what the connection has.
func (p *Proto) describe(m *message.Message) {
	m.Meta.Set(MetaVersion, strconv.Itoa(int(p.asked)))
	if p.name != "" {
		m.Meta.Set(MetaName, p.name)
	}
}
