package rpc_test

import (
	"context"
	stdtls "crypto/tls"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/proto/json"
	"github.com/dserver/dserver/rpc/proto/pb"
	"github.com/dserver/dserver/rpc/status"
	"github.com/dserver/dserver/rpc/transport"
	"github.com/dserver/dserver/rpc/transport/tls"
)

// TestF3 is for the protocols whose frames begin with a size of what follows.
func TestF3BadSizesOfEnvelopesCloseTheConnectionAtOnce(t *testing.T) {
	for name, c := range map[string]rpc.Config{"json": {Proto: json.New}, "pb": {Proto: pb.New}} {
		t.Run(name, func(t *testing.T) {
			b := onTCP(t, c)
			bad := []string{"ffffffff", "00000000", "00000001 01", "00000002 02 35", "00000003 ff 00 00", "00000001 00"}
			if name == "pb" {
				bad = bad[:len(bad)-1] // an empty protobuf message is one, of no type
			}
			for _, frame := range bad {
				p := b.dialRaw()
				p.sendHex(frame)
				p.mustBeClosed()
			}
			if n := b.server.Stats().BadFrames; n != int64(len(bad)) {
				t.Errorf("%d counted of %d", n, len(bad))
			}
		})
	}
}

// TestF32: a shutdown ends at its deadline although a session is open and a call runs,
// and says what it cut.
func TestF32ShutdownEndsAtItsDeadlineBesideALongSession(t *testing.T) {
	everywhere(t, rpc.Config{Limits: rpc.Limits{CloseTime: 100 * time.Millisecond}}, func(t *testing.T, b *bed) {
		g := newGate(t, b.server)
		defer close(g.open)
		s := b.dial()
		call := s.Go(t.Context(), "/gate", nil, nil)
		within(t, 10*time.Second, "the handler runs", g.entered)
		began := time.Now()
		err := b.server.Shutdown(timeout(t, 200*time.Millisecond))
		var cut *rpc.CutError
		if !errors.As(err, &cut) || len(cut.Calls) != 1 || cut.Calls[0].Method != "/gate" {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
		wantCode(t, call.Wait(), status.ConnectionClosed)
	})
}

// TestF35: with ourselves; what older readers and writers make of it is in the vectors
// and tests of the protocols.
func TestF35TextsOfAllKindsSurvive(t *testing.T) {
	everywhere(t, rpc.Config{}, func(t *testing.T, b *bed) {
		echo(t, b.server)
		s := b.dial()
		for _, text := range []string{`"`, `\`, `\"`, "\n\r\t", "\x00\x01\x1f\x7f", "é\u2028\u2029", "🙂", `{"a":"b\"c"}`, `","body":"x"}`, "</script>&"} {
			var got string
			if err := s.Call(t.Context(), "/echo", text, &got); err != nil || got != text {
				t.Errorf("%q: got %q, %v", text, got, err)
			}
		}
	})
}

// TestF72: what was opened for a dial that fails is closed again.
func TestF72FailedHandshakesLeaveNothingOpen(t *testing.T) {
	serverTLS, clientTLS := tlsConfigs()
	server := newEndpoint(t, rpc.Config{Transports: []transport.Transport{tls.Transport{Config: serverTLS}}})
	address := serve(t, server, "tls://127.0.0.1:0")
	strict := newEndpoint(t, rpc.Config{Transports: []transport.Transport{tls.Transport{}}})
	before := openFiles(t)
	for range 100 {
		_, err := strict.Dial(t.Context(), address)
		var untrusted *stdtls.CertificateVerificationError
		if wantCode(t, err, status.DialFailed); !errors.As(err, &untrusted) {
			t.Fatal(err)
		}
	}
	eventually(t, "all is closed", func() bool { return server.Stats().Sessions == 0 && openFiles(t) <= before })
	trusting := newEndpoint(t, rpc.Config{Transports: []transport.Transport{tls.Transport{Config: clientTLS}}})
	echo(t, server)
	s, err := trusting.Dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Call(t.Context(), "/echo", "x", nil); err != nil {
		t.Error(err)
	}
	if _, err := strict.Listen(context.Background(), "tls://127.0.0.1:0"); err == nil || !strings.Contains(err.Error(), "no certificate") {
		t.Errorf("listening without a certificate: %v", err)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("the system does not show open files: ", err)
	}
	return len(entries)
}

// secretCodec fails with texts that are nobody else's business.
type secretCodec struct{ codec.JSON }

func (secretCodec) Unmarshal([]byte, any) error { return errors.New("secret: of the decoder") }

// TestF116: what goes wrong inside stays inside.
func TestF116NoTextOfOursOnTheWire(t *testing.T) {
	b := newBed(t, rpc.Config{Codecs: []codec.Codec{secretCodec{}}}, rpc.Config{}, "tcp://127.0.0.1:0")
	mustHandle(t, b.server, "/fail", func(rpc.Context, any) (int, error) { return 0, errors.New("secret: of the handler") })
	mustHandle(t, b.server, "/panic", func(rpc.Context, any) (int, error) { panic("secret: of the panic") })
	mustHandle(t, b.server, "/encode", func(rpc.Context, any) (any, error) { return func() {}, nil })
	s := b.dial()
	for method, req := range map[string]any{"/fail": nil, "/panic": nil, "/encode": nil, "/fail2": 1} {
		err := s.Call(t.Context(), strings.TrimSuffix(method, "2"), req, nil)
		st, _ := status.From(err)
		if st == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "json") || !strings.HasPrefix(st.Cause, "incident ") {
			t.Errorf("%s: the peer is told %v", method, err)
			continue
		}
		if id := strings.TrimPrefix(st.Cause, "incident "); !strings.Contains(b.serverLog.String(), id) {
			t.Errorf("%s: the log does not know incident %s", method, id)
		}
	}
	if n := strings.Count(b.serverLog.String(), "secret"); n < 3 {
		t.Errorf("the log tells of %d: %s", n, b.serverLog)
	}
}
