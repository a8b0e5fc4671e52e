package hostlimit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/internal/rpctest"
	"github.com/dserver/dserver/rpc/plugin/hostlimit"
	"github.com/dserver/dserver/rpc/status"
	"github.com/dserver/dserver/rpc/transport"
	"github.com/dserver/dserver/rpc/transport/tcp"
)

// from is TCP that comes from one of the loopback addresses, of which Linux has many.
type from struct {
	tcp.Transport
	ip net.IP
}

func (f from) Dial(ctx context.Context, address string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: f.ip}}
	return d.DialContext(ctx, "tcp", address)
}

// at is an endpoint that calls from a host of its own.
func at(t *testing.T, ip net.IP) *rpc.Endpoint {
	return rpctest.Endpoint(t, rpc.Config{Transports: []transport.Transport{from{ip: ip}}})
}

// server echoes and limits hosts.
func server(t *testing.T, o hostlimit.Options, c rpc.Config) (*hostlimit.Plugin, *rpc.Endpoint, string) {
	p := hostlimit.New(o)
	c.Plugins = append([]rpc.Plugin{p}, c.Plugins...)
	e := rpctest.Endpoint(t, c)
	rpctest.Handle(t, e, "/echo", func(_ rpc.Context, text string) (string, error) { return text, nil })
	return p, e, rpctest.OnLoopback(t, e)
}

func TestSessionOneTooManyIsClosed(t *testing.T) {
	ended := &ends{errs: make(chan error, 100)}
	p, e, address := server(t, hostlimit.Options{Sessions: 2}, rpc.Config{Plugins: []rpc.Plugin{ended}})
	a, b := at(t, net.IPv4(127, 0, 0, 2)), at(t, net.IPv4(127, 0, 0, 3))
	first := rpctest.Dial(t, a, address)
	for _, s := range []*rpc.Session{first, rpctest.Dial(t, a, address), rpctest.Dial(t, b, address)} {
		if err := s.Call(t.Context(), "/echo", "x", nil); err != nil {
			t.Fatal(err)
		}
	}
	third := rpctest.Dial(t, a, address)
	rpctest.Code(t, third.Call(t.Context(), "/echo", "x", nil), status.ConnectionClosed)
	if err := rpctest.Receive(t, "it ends", ended.errs); !errors.Is(err, hostlimit.ErrLimit) || !strings.Contains(err.Error(), "127.0.0.2/32 has 2 sessions") {
		t.Errorf("it ended with %v", err)
	}
	// Its end has given nothing back; that of another one does.
	rpctest.Code(t, rpctest.Dial(t, a, address).Call(t.Context(), "/echo", "x", nil), status.ConnectionClosed)
	rpctest.Receive(t, "it ends", ended.errs)
	first.Close()
	rpctest.Receive(t, "the first ends", ended.errs)
	if err := rpctest.Dial(t, a, address).Call(t.Context(), "/echo", "x", nil); err != nil {
		t.Errorf("there is room: %v", err)
	}
	if got := p.Stats(); got.Refused != 2 || got.Hosts != 2 || len(e.Sessions()) != 3 {
		t.Errorf("got %+v, %d sessions", got, len(e.Sessions()))
	}
}

// ends tells how sessions ended; it stands behind the limit, which has let go by then.
type ends struct{ errs chan error }

func (*ends) Name() string                              { return "ends" }
func (e *ends) AfterDisconnect(s rpc.BaseSession) error { e.errs <- s.Err(); return nil }

// TestSessionsThatOthersRefuseAreGivenBack, and those that never got to the plugin are
// not.
func TestSessionsThatOthersRefuseAreGivenBack(t *testing.T) {
	ended := &ends{errs: make(chan error, 1000)}
	p := hostlimit.New(hostlimit.Options{Sessions: 1, Rate: -1})
	door := &door{}
	e := rpctest.Endpoint(t, rpc.Config{Plugins: []rpc.Plugin{p, door, p, ended}})
	address := rpctest.OnLoopback(t, e)
	before := rpctest.Endpoint(t, rpc.Config{Plugins: []rpc.Plugin{door, p, ended}})
	addressBefore := rpctest.OnLoopback(t, before)
	client := rpctest.Endpoint(t, rpc.Config{})
	door.shut.Store(true)
	for range 20 {
		for _, address := range []string{address, addressBefore} {
			rpctest.Dial(t, client, address)
			if err := rpctest.Receive(t, "it ends", ended.errs); !errors.Is(err, errShut) {
				t.Errorf("it ended with %v", err)
			}
		}
	}
	door.shut.Store(false)
	s := rpctest.Dial(t, client, address)
	rpctest.Code(t, s.Call(t.Context(), "/nowhere", nil, nil), status.NotFound)
	rpctest.Code(t, rpctest.Dial(t, client, addressBefore).Call(t.Context(), "/nowhere", nil, nil), status.ConnectionClosed)
}

type door struct{ shut atomic.Bool }

var errShut = errors.New("shut")

func (*door) Name() string { return "door" }
func (d *door) AfterAccept(rpc.EarlySession) error {
	if d.shut.Load() {
		return errShut
	}
	return nil
}

func TestPeersWithoutAnIPAreNotLimited(t *testing.T) {
	p := hostlimit.New(hostlimit.Options{Sessions: 1, Rate: 0.001, Burst: 1})
	e := rpctest.Endpoint(t, rpc.Config{Plugins: []rpc.Plugin{p}})
	address := rpctest.Serve(t, e, "unix://"+t.TempDir()+"/s")
	client := rpctest.Endpoint(t, rpc.Config{})
	for range 5 {
		rpctest.Code(t, rpctest.Dial(t, client, address).Call(t.Context(), "/nowhere", nil, nil), status.NotFound)
	}
	// What the endpoint dials itself counts for nobody.
	other := rpctest.OnLoopback(t, client)
	for range 5 {
		rpctest.Code(t, rpctest.Dial(t, e, other).Call(t.Context(), "/nowhere", nil, nil), status.NotFound)
	}
	if got := p.Stats(); got != (hostlimit.Stats{}) {
		t.Errorf("got %+v", got)
	}
}

// TestF115OneHostCannotTakeAll: ten clients that come again and again are served while one
// host opens ten thousand connections and leaves none of them.
func TestF115OneHostCannotTakeAll(t *testing.T) {
	const most = 20
	p, e, address := server(t, hostlimit.Options{Sessions: most, Rate: 1000, Burst: 1000}, rpc.Config{})
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var peak, served atomic.Int64
	var hostile, good sync.WaitGroup
	stop := make(chan struct{})
	for i := range 10 {
		client := at(t, net.IPv4(127, 0, 1, byte(i+1)))
		good.Go(func() {
			for n := 0; ; n++ {
				s, err := client.Dial(t.Context(), address)
				if err == nil {
					err = s.Call(t.Context(), "/echo", "x", nil)
					s.Close()
					<-s.Done()
				}
				if err != nil {
					t.Errorf("client %d, connection %d: %v", i, n, err)
					return
				}
				served.Add(1)
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond):
				}
			}
		})
	}
	storm := make(chan struct{}, 200) // connections at once, refused or not
	leave, endAll := context.WithCancel(t.Context())
	defer endAll()
	for n := range 10_000 {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 2, byte(1))}}
		conn, err := d.Dial("tcp", strings.TrimPrefix(address, "tcp://"))
		if err != nil {
			t.Fatal(fmt.Errorf("connection %d: %w", n, err))
		}
		if len(e.Sessions()) > int(peak.Load()) {
			peak.Store(int64(len(e.Sessions())))
		}
		storm <- struct{}{}
		hostile.Go(func() {
			defer conn.Close()
			detach := context.AfterFunc(leave, func() { conn.Close() })
			defer detach()
			io.Copy(io.Discard, conn) // until it is refused
			<-storm
		})
	}
	rpctest.Eventually(t, "all but a few are refused", func() bool { return p.Stats().Refused == 10_000-most })
	endAll()
	hostile.Wait()
	close(stop)
	good.Wait()
	var after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&after)
	if got := p.Stats(); got.Refused != 10_000-most || got.Hosts > 11 {
		t.Errorf("got %+v", got)
	}
	if peak.Load() > most+10*5 || served.Load() < 20 {
		t.Errorf("%d sessions at the peak, %d calls served", peak.Load(), served.Load())
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	t.Logf("%d sessions at the peak, %d calls served, %+v", peak.Load(), served.Load(), p.Stats())
}
