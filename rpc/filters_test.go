package rpc_test

import (
	"errors"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/filter"
	"github.com/dserver/dserver/rpc/filter/aes"
	"github.com/dserver/dserver/rpc/filter/gzip"
	"github.com/dserver/dserver/rpc/filter/md5"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/raw"
	"github.com/dserver/dserver/rpc/status"
)

// tally is a filter that counts how often it is used.
type tally struct {
	filter.Filter
	packed, unpacked atomic.Int64
}

func (f *tally) AppendPack(dst, src []byte) ([]byte, error) {
	f.packed.Add(1)
	return f.Filter.AppendPack(dst, src)
}

func (f *tally) AppendUnpack(dst, src []byte, limit int) ([]byte, error) {
	f.unpacked.Add(1)
	return f.Filter.AppendUnpack(dst, src, limit)
}

// classicFilters are those that older peers have, counted.
func classicFilters(t *testing.T) (list []filter.Filter, sums *tally) {
	t.Helper()
	compress, err := gzip.New(gzip.Default)
	encrypt, errKey := aes.New([]byte("0123456789abcdef"))
	if err := errors.Join(err, errKey); err != nil {
		t.Fatal(err)
	}
	sums = &tally{Filter: md5.Filter{}}
	return []filter.Filter{sums, compress, encrypt}, sums
}

// filtered is a bed whose ends have the classic filters.
func filtered(t *testing.T, cell combination) (b *bed, server, client *tally) {
	var c, s rpc.Config
	c.Proto, s.Proto = cell.proto, cell.proto
	c.Filters, client = classicFilters(t)
	s.Filters, server = classicFilters(t)
	return newBed(t, s, c, cell.address(t)), server, client
}

// TestReplyHasTheFiltersOfItsCall, be it a result or an error, and those that the
// handler added.
func TestReplyHasTheFiltersOfItsCall(t *testing.T) {
	for _, cell := range combinations() {
		if strings.HasPrefix(cell.name, "lines") || strings.HasPrefix(cell.name, "http") || strings.HasPrefix(cell.name, "ws-") {
			continue // it has no filters, not these, or for bodies alone
		}
		t.Run(cell.name, func(t *testing.T) {
			b, server, client := filtered(t, cell)
			echo(t, b.server)
			mustHandle(t, b.server, "/fail", func(rpc.Context, string) (string, error) { return "", status.New(1001, "as asked") })
			mustHandle(t, b.server, "/more", func(ctx rpc.Context, text string) (string, error) { return text, ctx.AddFilter(filter.IDMD5) })
			s := b.dial()
			for _, ids := range []string{"5", "z5", "5a", "az5"} {
				text := strings.Repeat(ids, 1000)
				var got string
				if err := s.Call(t.Context(), "/echo", text, &got, rpc.WithFilters([]byte(ids)...)); err != nil || got != text {
					t.Errorf("%s: got %d bytes, %v", ids, len(got), err)
				}
			}
			wantCode(t, s.Call(t.Context(), "/fail", "", nil, rpc.WithFilters('5')), 1001)
			wantCode(t, s.Call(t.Context(), "/nowhere", "", nil, rpc.WithFilters('5')), status.NotFound)
			wantTally(t, server, 6, 6)
			wantTally(t, client, 6, 6)
			var got string
			if err := s.Call(t.Context(), "/more", "x", &got, rpc.WithFilters('z')); err != nil || got != "x" {
				t.Errorf("got %q, %v", got, err)
			}
			wantTally(t, server, 7, 6)
			wantTally(t, client, 6, 7)
		})
	}
}

func wantTally(t *testing.T, f *tally, packed, unpacked int64) {
	t.Helper()
	if f.packed.Load() != packed || f.unpacked.Load() != unpacked {
		t.Errorf("packed %d times and unpacked %d times, want %d and %d", f.packed.Load(), f.unpacked.Load(), packed, unpacked)
	}
}

func TestF13UnknownFilterIsAnErrorOfTheCall(t *testing.T) {
	b, _, _ := filtered(t, combinations()[0])
	echo(t, b.server)
	mustHandle(t, b.server, "/more", func(ctx rpc.Context, text string) (string, error) { return text, ctx.AddFilter('?') })
	s := b.dial()
	err := s.Call(t.Context(), "/echo", "x", nil, rpc.WithFilters('?'))
	wantCode(t, err, status.WriteFailed)
	if !strings.Contains(err.Error(), "filter '?' is not registered") {
		t.Error(err)
	}
	wantCode(t, s.Push(t.Context(), "/echo", "x", rpc.WithFilters('?')), status.WriteFailed)
	wantCode(t, s.Call(t.Context(), "/echo", "x", nil, rpc.WithCodec('?')), status.WriteFailed)
	wantCode(t, s.Call(t.Context(), "/echo", "x", nil, rpc.WithCodecName("none")), status.WriteFailed)
	if err := s.Call(t.Context(), "/echo", "x", nil, rpc.WithCodecName("json")); err != nil {
		t.Error(err)
	}
	wantCode(t, s.Call(t.Context(), "/more", "x", nil), status.InternalServerError)
	if err := s.Call(t.Context(), "/echo", "x", nil); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestF9BombEndsItsSessionOnly: a frame of some kilobytes that would become many
// megabytes costs its sender the session and us no more than the limit.
func TestF9BombEndsItsSessionOnly(t *testing.T) {
	list, _ := classicFilters(t)
	const limit, bomb = 1 << 20, 256 << 20
	b := newBed(t, rpc.Config{Filters: list, Limits: rpc.Limits{Message: limit}}, rpc.Config{}, "tcp://127.0.0.1:0")
	echo(t, b.server)
	other := b.dial()
	frame := bombFrame(t, list, bomb)
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.address, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := conn.Write(frame); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("the session goes on: %d bytes", n)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 8*limit {
		t.Errorf("a frame of %d bytes took %d bytes of memory", len(frame), used)
	}
	if n := b.server.Stats().BadFrames; n != 1 {
		t.Errorf("%d bad frames are counted", n)
	}
	if got := strings.Count(b.serverLog.String(), filter.ErrTooLarge.Error()); got != 1 {
		t.Errorf("the log tells of it %d times: %s", got, b.serverLog)
	}
	if err := other.Call(t.Context(), "/echo", "x", nil); err != nil {
		t.Errorf("another session: %v", err)
	}
}

// oneWay is a filter that unpacks and does not pack.
type oneWay struct{ filter.Filter }

func (oneWay) AppendPack(dst, _ []byte) ([]byte, error) { return dst, errors.New("it packs nothing") }

// TestCallerIsAnsweredThoughItsFilterFails: without the filter, and the session goes on.
func TestCallerIsAnsweredThoughItsFilterFails(t *testing.T) {
	b := newBed(t, rpc.Config{Filters: []filter.Filter{oneWay{md5.Filter{}}}}, rpc.Config{Filters: []filter.Filter{md5.Filter{}}}, "tcp://127.0.0.1:0")
	echo(t, b.server)
	s := b.dial()
	wantCode(t, s.Call(t.Context(), "/echo", "x", nil, rpc.WithFilters('5')), status.InternalServerError)
	wantCode(t, s.Call(t.Context(), "/nowhere", "x", nil, rpc.WithFilters('5')), status.NotFound)
	if err := s.Call(t.Context(), "/echo", "x", nil); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func bombFrame(t *testing.T, list []filter.Filter, size int) []byte {
	t.Helper()
	r, err := filter.NewRegistry(list...)
	if err != nil {
		t.Fatal(err)
	}
	p := raw.New(proto.Stream{Filters: r}).(proto.Framer)
	frame, err := p.AppendFrame(nil, &message.Message{
		Seq: 1, Type: message.Call, Method: "/echo", Codec: 'j', Body: make([]byte, size), Filters: []byte{filter.IDGzip},
	})
	if err != nil {
		t.Fatal(err)
	}
	return frame
}
