package matrix

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/internal/rpctest"
	"github.com/dserver/dserver/rpc/status"
)

// TestF5OneProgramHasEverything: it links all protocols, codecs, filters and transports,
// and an endpoint of each protocol is made of them.
func TestF5OneProgramHasEverything(t *testing.T) {
	list, _ := transports(t)
	for _, p := range protocols() {
		e := rpctest.Endpoint(t, rpc.Config{Proto: p.factory, Codecs: codecsOf(bodies(t)), Filters: filters(t), Transports: list})
		near, far := net.Pipe()
		defer far.Close()
		if _, err := e.ServeConn(near); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
	}
}

// TestEveryProtocolWithEveryCodecFilterAndTransport: what a protocol cannot carry is
// refused before anything is written, and the session goes on.
func TestEveryProtocolWithEveryCodecFilterAndTransport(t *testing.T) {
	for _, p := range protocols() {
		schemes := p.schemes
		if schemes == nil {
			schemes = []string{"tcp", "tls", "unix", "mem"}
		}
		for _, scheme := range schemes {
			t.Run(p.name+"/"+scheme, func(t *testing.T) {
				t.Parallel()
				testPair(t, newPair(t, p, scheme))
			})
		}
	}
}

// pair is two endpoints with a session between them.
type pair struct {
	protocol protocol
	bodies   []body
	ends     [2]end // who dialled, who accepted
}

// end is one side of the session.
type end struct {
	session *rpc.Session
	notes   chan any // what was pushed to this side
}

func newPair(t *testing.T, p protocol, scheme string) *pair {
	t.Helper()
	list, addresses := transports(t)
	all := bodies(t)
	pr := &pair{protocol: p, bodies: all}
	var endpoints [2]*rpc.Endpoint
	for i := range endpoints {
		c := rpc.Config{
			Proto: p.factory, Codecs: codecsOf(all), Filters: filters(t), Transports: list,
		}
		if i == 0 && p.classic != nil {
			c.Proto = p.classic
		}
		notes := make(chan any, 1)
		endpoints[i] = newEndpoint(t, c, all, notes)
		pr.ends[i].notes = notes
	}
	address := rpctest.Serve(t, endpoints[1], scheme+"://"+addresses[scheme])
	dialled := rpctest.Dial(t, endpoints[0], address)
	pr.ends[0].session = dialled
	// A first call shows that the other side has its session.
	if err := dialled.Call(t.Context(), "/fail", nil, nil); status.CodeOf(err) != 1001 {
		t.Fatal(err)
	}
	pr.ends[1].session = endpoints[1].Sessions()[0]
	return pr
}

func newEndpoint(t *testing.T, c rpc.Config, all []body, notes chan any) *rpc.Endpoint {
	t.Helper()
	e := rpctest.Endpoint(t, c)
	var err error
	for _, b := range all {
		err = errors.Join(err, b.routes(e, notes))
	}
	if err != nil {
		t.Fatal(err)
	}
	rpctest.Handle(t, e, "/fail", func(rpc.Context, []byte) (any, error) {
		return nil, status.New(1001, "as asked: \"中文\"\n")
	})
	return e
}

func testPair(t *testing.T, p *pair) {
	for _, b := range p.bodies {
		for _, pipe := range pipes() {
			if strings.ContainsAny(pipe, p.protocol.either) {
				continue
			}
			carried := p.carries(b, pipe)
			for way := range p.ends {
				name := fmt.Sprintf("%s, filters %q, %s", b.codec.Name(), pipe, []string{"to who accepted", "to who dialled"}[way])
				if err := p.check(t, b, pipe, way, carried); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
	for _, e := range p.ends {
		if err := e.session.Err(); err != nil {
			t.Errorf("the session has ended: %v", err)
		}
	}
}

// carries tells whether the protocol has a place for such a body.
func (p *pair) carries(b body, pipe string) bool {
	row := p.protocol
	if row.codecs != "" && !strings.ContainsRune(row.codecs, rune(b.codec.ID())) {
		return false
	}
	if row.filters != "" && strings.Trim(pipe, row.filters) != "" {
		return false
	}
	return !row.textOnly || b.text
}

// check calls, fails and pushes from one end to the other.
func (p *pair) check(t *testing.T, b body, pipe string, way int, carried bool) error {
	s, far := p.ends[way].session, p.ends[1-way]
	opts := []rpc.CallOption{rpc.WithCodec(b.codec.ID()), rpc.WithFilters([]byte(pipe)...), rpc.WithMeta("a", "1")}
	if !carried {
		return p.checkRefused(t, s, b, opts)
	}
	got := b.fresh()
	var used byte
	err := s.Call(t.Context(), "/echo/"+b.codec.Name(), b.value, got, append(slices.Clone(opts), rpc.WithReplyCodec(&used))...)
	if err != nil {
		return fmt.Errorf("call: %w", err)
	}
	if used != b.codec.ID() {
		return fmt.Errorf("the reply has codec %q", used)
	}
	if err := same(b.codec, got, b.value); err != nil {
		return err
	}
	err = s.Call(t.Context(), "/fail", b.value, nil, opts...)
	if status.CodeOf(err) != 1001 {
		return fmt.Errorf("a failing call gave %v", err)
	}
	if err := s.Call(t.Context(), "/none", b.value, nil, opts...); status.CodeOf(err) != status.NotFound {
		return fmt.Errorf("a call to nowhere gave %v", err)
	}
	if p.protocol.noPush {
		return nil
	}
	if err := s.Push(t.Context(), "/note/"+b.codec.Name(), b.value, opts...); err != nil {
		return fmt.Errorf("push: %w", err)
	}
	select {
	case v := <-far.notes:
		return same(b.codec, v, b.value)
	case <-time.After(10 * time.Second):
		return errors.New("the push did not come")
	}
}

// checkRefused: a codec that the protocol chooses itself is not refused.
func (p *pair) checkRefused(t *testing.T, s *rpc.Session, b body, opts []rpc.CallOption) error {
	if p.protocol.codecs != "" && p.protocol.filters == "-" && b.codec.ID() != p.protocol.codecs[0] {
		return nil
	}
	err := s.Call(t.Context(), "/echo/"+b.codec.Name(), b.value, b.fresh(), opts...)
	// The other side may be the one that cannot: then it says so.
	cannot := status.CodeOf(err) == status.WriteFailed || p.protocol.classic != nil && status.CodeOf(err) == status.InternalServerError
	if !cannot {
		return fmt.Errorf("what cannot be carried gave %v", err)
	}
	return nil
}

// same compares what two values are encoded as.
func same(c codec.Codec, got, want any) error {
	a, errA := c.Marshal(got)
	b, errB := c.Marshal(want)
	if err := errors.Join(errA, errB); err != nil {
		return err
	}
	if !bytes.Equal(a, b) {
		return fmt.Errorf("got %q, want %q", a, b)
	}
	return nil
}
