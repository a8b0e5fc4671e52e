package securebody_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/internal/rpctest"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/plugin/securebody"
	"github.com/dserver/dserver/rpc/status"
)

var oldKey = securebody.Key{ID: "old", Secret: []byte("cipherkey1234567")}

func newPlugin(t *testing.T, o securebody.Options) *securebody.Plugin {
	t.Helper()
	if o.Keys == nil {
		o.Keys = []securebody.Key{oldKey}
	}
	p, err := securebody.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// secured is an endpoint with the plugin.
func secured(t *testing.T, o securebody.Options) (*rpc.Endpoint, *securebody.Plugin) {
	t.Helper()
	p := newPlugin(t, o)
	return rpctest.Endpoint(t, rpc.Config{LastPlugins: []rpc.Plugin{p}}), p
}

// service has routes that add, and counts how often a handler ran.
type service struct {
	mu   sync.Mutex
	runs int
}

func (s *service) ran() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runs
}

func newService(t *testing.T, r rpc.Registrar, opts ...rpc.RouteOption) *service {
	s := new(service)
	count := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.runs++
	}
	add := func(_ rpc.Context, nums []int) (int, error) {
		count()
		sum := 0
		for _, n := range nums {
			sum += n
		}
		return sum, nil
	}
	rpctest.Handle(t, r, "/add", add, opts...)
	rpctest.Handle(t, r, "/also", add, opts...)
	rpctest.Handle(t, r, "/forced", func(ctx rpc.Context, nums []int) (int, error) {
		securebody.EnforceSecure(ctx)
		return add(ctx, nums)
	}, opts...)
	rpctest.Handle(t, r, "/fail", func(rpc.Context, []int) (int, error) {
		count()
		return 0, status.New(1001, "as asked")
	}, opts...)
	rpctest.HandlePush(t, r, "/note", func(rpc.Context, []int) error {
		count()
		return nil
	}, opts...)
	return s
}

// encrypted tells whether a message says that it is and does not show what is in it.
func encrypted(m message.Message) bool {
	return m.Meta.Value("X-Secure-Body") == "true" && strings.Contains(string(m.Body), "cipherVersion") &&
		!strings.Contains(string(m.Body), "[1,2,3]") && string(m.Body) != "6"
}

func TestBodiesAreEncryptedOnRequest(t *testing.T) {
	for _, form := range []struct {
		name    string
		options securebody.Options
		version string
	}{
		{"sealed", securebody.Options{}, `"gcm1:old"`},
		{"classic", securebody.Options{Classic: true}, `"1ba49884c59b16619f411c7c80343c9c"`},
	} {
		t.Run(form.name, func(t *testing.T) {
			server, _ := secured(t, form.options)
			client, _ := secured(t, form.options)
			newService(t, server)
			tap := newTap(t, rpctest.OnLoopback(t, server))
			s := rpctest.Dial(t, client, tap.address)
			for _, test := range []struct {
				method      string
				opts        []rpc.CallOption
				call, reply bool
			}{
				{"/add", nil, false, false},
				{"/add", []rpc.CallOption{securebody.WithSecureBody()}, true, true},
				{"/add", []rpc.CallOption{securebody.WithSecureBody(), securebody.WithSecureReply(false)}, true, false},
				{"/add", []rpc.CallOption{securebody.WithSecureReply(true)}, false, true},
				{"/add", []rpc.CallOption{securebody.WithSecureReply(false)}, false, false},
				{"/forced", []rpc.CallOption{securebody.WithSecureBody(), securebody.WithSecureReply(false)}, true, true},
			} {
				var sum int
				if err := s.Call(t.Context(), test.method, []int{1, 2, 3}, &sum, test.opts...); err != nil || sum != 6 {
					t.Errorf("%+v: got %d, %v", test, sum, err)
				}
				up, down := tap.last(t, true), tap.last(t, false)
				if encrypted(up) != test.call || encrypted(down) != test.reply {
					t.Errorf("%+v: the wire has %s %s and %s %s", test, up.Meta.AppendText(nil), up.Body, down.Meta.AppendText(nil), down.Body)
				}
				for _, m := range []message.Message{up, down} {
					if encrypted(m) && !strings.Contains(string(m.Body), form.version) {
						t.Errorf("the version is not %s: %s", form.version, m.Body)
					}
				}
			}
			rpctest.Code(t, s.Call(t.Context(), "/fail", []int{1, 2, 3}, nil, securebody.WithSecureBody()), 1001)
			if m := tap.last(t, false); m.Codec != 0 || len(m.Body) > 0 || m.Meta.Len() != 0 {
				t.Errorf("a status has %s and %q", m.Meta.AppendText(nil), m.Body)
			}
			// No body is no secret, and encrypted all the same.
			var sum int
			if err := s.Call(t.Context(), "/add", nil, &sum, securebody.WithSecureBody()); err != nil || sum != 0 || !encrypted(tap.last(t, true)) {
				t.Errorf("without a body: got %d, %v", sum, err)
			}
			rpctest.Code(t, s.Call(t.Context(), "/add", "text", nil, securebody.WithSecureBody()), status.BadMessage)
		})
	}
}

func TestHandlerCannotEncryptForACallerWhoCannotTell(t *testing.T) {
	server, _ := secured(t, securebody.Options{})
	newService(t, server)
	w := dialWire(t, rpctest.OnLoopback(t, server))
	m := w.roundTrip(t, message.Message{Seq: 1, Type: message.Call, Method: "/forced", Codec: 'j', Body: []byte("[1,2,3]")})
	if status.CodeOf(m.Status) != status.Conflict || len(m.Body) > 0 {
		t.Errorf("got %v, %s", m.Status, m.Body)
	}
	classic, _ := secured(t, securebody.Options{Classic: true})
	newService(t, classic)
	w = dialWire(t, rpctest.OnLoopback(t, classic))
	m = w.roundTrip(t, message.Message{Seq: 1, Type: message.Call, Method: "/forced", Codec: 'j', Body: []byte("[1,2,3]")})
	if m.Status != nil || !strings.Contains(string(m.Body), "/+LTjpoyji/ggjPIpamB0g==") {
		t.Errorf("got %v, %s", m.Status, m.Body)
	}
}

// TestF111BodyThatIsNotEncryptedIsRefused before its handler.
func TestF111BodyThatIsNotEncryptedIsRefused(t *testing.T) {
	meta := func(pairs ...string) (m message.Meta) {
		for i := 0; i < len(pairs); i += 2 {
			m.Set(pairs[i], pairs[i+1])
		}
		return m
	}
	secure := meta("X-Secure-Body", "true")
	for _, test := range []struct {
		name     string
		required bool
		meta     message.Meta
		body     string
	}{
		{"plain", true, message.Meta{}, "[1,2,3]"},
		{"plain and empty", true, message.Meta{}, ""},
		{"plain, said not to be", true, meta("X-Secure-Body", "false"), "[1,2,3]"},
		{"plain, with a wish", true, meta("X-Reply-Secure-Body", "true"), "[1,2,3]"},
		{"plain, with a wish that cannot be met", false, meta("X-Reply-Secure-Body", "true", "X-Secure-Id", "AAAA"), "[1,2,3]"},
		{"no version", false, secure, `{"cipherVersion":"","ciphertext":"!!"}`},
		{"nothing", false, secure, ""},
		{"an object", false, secure, `{}`},
		{"no object", false, secure, `[1,2,3]`},
		{"unknown version", false, secure, `{"cipherVersion":"gcm2:old","ciphertext":"AAAA"}`},
		{"unknown key", false, secure, `{"cipherVersion":"gcm1:new","ciphertext":"AAAA"}`},
		{"unknown md5", false, secure, `{"cipherVersion":"66653e7e88eb3b2072107d7c17ab2e10","ciphertext":"Jx3zRlCNvfPaQyHHEL/V7g=="}`},
		{"no base64", false, secure, `{"cipherVersion":"1ba49884c59b16619f411c7c80343c9c","ciphertext":"!!"}`},
		{"no text", false, secure, `{"cipherVersion":"1ba49884c59b16619f411c7c80343c9c"}`},
		{"half a block", false, secure, `{"cipherVersion":"1ba49884c59b16619f411c7c80343c9c","ciphertext":"AAAA"}`},
		{"bad padding", false, secure, `{"cipherVersion":"1ba49884c59b16619f411c7c80343c9c","ciphertext":"AAAAAAAAAAAAAAAAAAAAAA=="}`},
		{"too short", false, secure, `{"cipherVersion":"gcm1:old","ciphertext":"AAAA"}`},
		{"zeros", false, secure, `{"cipherVersion":"gcm1:old","ciphertext":"` + strings.Repeat("AAAA", 40) + `"}`},
		{"flags", false, secure, `{"cipherVersion":"gcm1:old","ciphertext":"` + strings.Repeat("////", 40) + `"}`},
	} {
		for _, classic := range []bool{false, true} {
			t.Run(fmt.Sprint(test.name, ", classic ", classic), func(t *testing.T) {
				server, p := secured(t, securebody.Options{Required: test.required, Classic: classic})
				s := newService(t, server)
				w := dialWire(t, rpctest.OnLoopback(t, server))
				m := w.roundTrip(t, message.Message{Seq: 1, Type: message.Call, Method: "/add", Codec: 'j', Meta: test.meta, Body: []byte(test.body)})
				if status.CodeOf(m.Status) != status.Conflict || m.Codec != 0 || len(m.Body) > 0 {
					t.Errorf("got %v, %s", m.Status, m.Body)
				}
				push := message.Message{Seq: 2, Type: message.Push, Method: "/note", Codec: 'j', Meta: test.meta, Body: []byte(test.body)}
				if err := w.Pack(&push); err != nil {
					t.Fatal(err)
				}
				if !strings.Contains(test.name, "cannot be met") {
					rpctest.Eventually(t, "the push is refused", func() bool { return p.Stats().Refused == 2 })
					if s.ran() != 0 {
						t.Errorf("%d handlers ran", s.ran())
					}
				}
			})
		}
	}
}

func TestOldFormIsNotTakenUnlessAskedFor(t *testing.T) {
	server, _ := secured(t, securebody.Options{})
	s := newService(t, server)
	address := rpctest.OnLoopback(t, server)
	old, _ := secured(t, securebody.Options{Classic: true})
	err := rpctest.Dial(t, old, address).Call(t.Context(), "/add", []int{1}, nil, securebody.WithSecureBody())
	rpctest.Code(t, err, status.Conflict)
	err = rpctest.Dial(t, old, address).Call(t.Context(), "/add", []int{1}, nil, securebody.WithSecureReply(true))
	if rpctest.Code(t, err, status.Conflict); s.ran() != 0 {
		t.Errorf("%d handlers ran", s.ran())
	}
	// An endpoint that speaks with older peers speaks with others, too.
	both, _ := secured(t, securebody.Options{Classic: true})
	newService(t, both)
	client, _ := secured(t, securebody.Options{})
	var sum int
	opts := []rpc.CallOption{securebody.WithSecureBody()}
	if err := rpctest.Dial(t, client, rpctest.OnLoopback(t, both)).Call(t.Context(), "/add", []int{1, 2}, &sum, opts...); err != nil || sum != 3 {
		t.Errorf("got %d, %v", sum, err)
	}
}

func TestRequiredEncryptsAllOfBothSides(t *testing.T) {
	server, _ := secured(t, securebody.Options{Required: true})
	client, p := secured(t, securebody.Options{Required: true})
	newService(t, server)
	back := newService(t, client)
	tap := newTap(t, rpctest.OnLoopback(t, server))
	s := rpctest.Dial(t, client, tap.address)
	var sum int
	if err := s.Call(t.Context(), "/add", []int{1, 2, 3}, &sum, securebody.WithSecureReply(false)); err != nil || sum != 6 {
		t.Fatalf("got %d, %v", sum, err)
	}
	if !encrypted(tap.last(t, true)) || !encrypted(tap.last(t, false)) {
		t.Errorf("the wire has %s and %s", tap.last(t, true).Body, tap.last(t, false).Body)
	}
	far := server.Sessions()[0]
	if err := far.Call(t.Context(), "/add", []int{1, 2, 3}, &sum); err != nil || sum != 6 {
		t.Errorf("the other way: got %d, %v", sum, err)
	}
	if sent, err := server.PushAll(t.Context(), "/note", []int{1, 2, 3}); sent != 1 || err != nil {
		t.Error(err)
	}
	rpctest.Eventually(t, "the push is handled", func() bool { return back.ran() == 2 })
	if m := tap.last(t, false); m.Type != message.Push || !encrypted(m) {
		t.Errorf("the push is %s", m.Body)
	}
	if got := p.Stats(); got.Encrypted != 2 || got.Decrypted != 3 || got.Refused != 0 {
		t.Errorf("got %+v", got)
	}
	// A server without the plugin answers in plain, if it finds sense in such a body.
	plain := rpctest.Endpoint(t, rpc.Config{})
	rpctest.Handle(t, plain, "/any", func(_ rpc.Context, v any) (any, error) { return v, nil })
	err := rpctest.Dial(t, client, rpctest.OnLoopback(t, plain)).Call(t.Context(), "/any", "x", nil)
	rpctest.Code(t, err, status.Conflict)
}

// TestReplyThatShouldBeEncryptedAndIsNotIsRefused: who sits in between must not get plain
// replies by asking for them.
func TestWishesCannotBeTakenAway(t *testing.T) {
	server, _ := secured(t, securebody.Options{})
	client, _ := secured(t, securebody.Options{})
	newService(t, server)
	tap := newTap(t, rpctest.OnLoopback(t, server))
	s := rpctest.Dial(t, client, tap.address)
	call := func(opts ...rpc.CallOption) error { return s.Call(t.Context(), "/add", []int{1, 2, 3}, nil, opts...) }
	tap.set(func(m *message.Message, up bool) []*message.Message {
		if up {
			m.Meta.Set("X-Reply-Secure-Body", "false")
		}
		return []*message.Message{m}
	})
	if err := call(securebody.WithSecureBody()); err != nil || !encrypted(tap.last(t, false)) {
		t.Errorf("the reply is %s, %v", tap.last(t, false).Body, err)
	}
	rpctest.Code(t, call(securebody.WithSecureReply(true)), status.Conflict)
	tap.set(func(m *message.Message, up bool) []*message.Message {
		if !up {
			m.Meta.Delete("X-Secure-Body")
			m.Body = []byte("7")
		}
		return []*message.Message{m}
	})
	rpctest.Code(t, call(securebody.WithSecureBody()), status.Conflict)
	tap.set(func(m *message.Message, up bool) []*message.Message {
		if !up {
			m.Meta.Set("X-Secure-Body", "true")
		}
		return []*message.Message{m}
	})
	rpctest.Code(t, call(), status.Conflict)
}

func TestRoutesMayRequireWhatTheEndpointLeavesFree(t *testing.T) {
	server, p := secured(t, securebody.Options{})
	open := newService(t, server)
	closed := newService(t, server.Group("closed", p.Route(true)))
	alone := rpctest.Endpoint(t, rpc.Config{})
	newService(t, alone, rpc.WithPlugins(newPlugin(t, securebody.Options{}).Route(false)))
	client, _ := secured(t, securebody.Options{})
	s := rpctest.Dial(t, client, rpctest.OnLoopback(t, server))
	for _, test := range []struct {
		method string
		opts   []rpc.CallOption
		code   status.Code
	}{
		{"/add", nil, status.OK},
		{"/add", []rpc.CallOption{securebody.WithSecureBody()}, status.OK},
		{"/closed/add", nil, status.Conflict},
		{"/closed/add", []rpc.CallOption{securebody.WithSecureBody()}, status.OK},
	} {
		var sum int
		err := s.Call(t.Context(), test.method, []int{1, 2, 3}, &sum, test.opts...)
		if rpctest.Code(t, err, test.code); err == nil && sum != 6 {
			t.Errorf("got %d", sum)
		}
	}
	if open.ran() != 2 || closed.ran() != 1 {
		t.Errorf("%d and %d handlers ran", open.ran(), closed.ran())
	}
	var sum int
	err := rpctest.Dial(t, client, rpctest.OnLoopback(t, alone)).Call(t.Context(), "/add", []int{1, 2, 3}, &sum, securebody.WithSecureBody())
	if err != nil || sum != 6 {
		t.Errorf("a route alone: got %d, %v", sum, err)
	}
	// Keys of a route that are not those of the endpoint are not met by chance.
	foreign := newPlugin(t, securebody.Options{Keys: []securebody.Key{{Secret: make([]byte, 32)}}})
	newService(t, server.Group("foreign", foreign.Route(true)))
	rpctest.Code(t, s.Call(t.Context(), "/foreign/add", []int{1}, nil, securebody.WithSecureBody()), status.Conflict)
}

func TestKeysChangeWhileCallsAreUnderWay(t *testing.T) {
	a := securebody.Key{ID: "2025", Secret: []byte("0123456789abcdef")}
	b := securebody.Key{ID: "2026", Secret: []byte("0123456789abcdef0123456789abcdef")}
	for _, classic := range []bool{false, true} {
		server, sp := secured(t, securebody.Options{Keys: []securebody.Key{a}, Required: true, Classic: classic})
		client, cp := secured(t, securebody.Options{Keys: []securebody.Key{a}, Required: true, Classic: classic})
		newService(t, server)
		tap := newTap(t, rpctest.OnLoopback(t, server))
		s := rpctest.Dial(t, client, tap.address)
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				var sum int
				if err := s.Call(t.Context(), "/add", []int{1, 2, 3}, &sum); err != nil || sum != 6 {
					t.Errorf("got %d, %v", sum, err)
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		}()
		for _, step := range []struct {
			p    *securebody.Plugin
			keys []securebody.Key
		}{
			{sp, []securebody.Key{a, b}}, {cp, []securebody.Key{a, b}}, // all know it
			{sp, []securebody.Key{b, a}}, {cp, []securebody.Key{b, a}}, // all use it
		} {
			before := sp.Stats().Decrypted
			rpctest.Eventually(t, "calls go on", func() bool { return sp.Stats().Decrypted > before+20 })
			if err := step.p.SetKeys(step.keys...); err != nil {
				t.Fatal(err)
			}
		}
		close(stop)
		rpctest.Receive(t, "the calls end", stopped)
		if err := errors.Join(sp.SetKeys(b), cp.SetKeys(b)); err != nil {
			t.Fatal(err)
		}
		if err := s.Call(t.Context(), "/add", []int{1, 2, 3}, nil); err != nil || !classic && !strings.Contains(string(tap.last(t, false).Body), "gcm1:2026") {
			t.Errorf("with the new key alone: %s, %v", tap.last(t, false).Body, err)
		}
		if err := cp.SetKeys(a); err != nil {
			t.Fatal(err)
		}
		rpctest.Code(t, s.Call(t.Context(), "/add", []int{1, 2, 3}, nil), status.Conflict)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	good := make([]byte, 16)
	for name, o := range map[string]securebody.Options{
		"no key":    {},
		"short key": {Keys: []securebody.Key{{Secret: make([]byte, 15)}}},
		"same id":   {Keys: []securebody.Key{{Secret: good}, {Secret: good}}},
		"bad id":    {Keys: []securebody.Key{{ID: "a b", Secret: good}}},
		"long id":   {Keys: []securebody.Key{{ID: strings.Repeat("x", 65), Secret: good}}},
		"tolerance": {Keys: []securebody.Key{{Secret: good}}, Tolerance: -1},
		"senders":   {Keys: []securebody.Key{{Secret: good}}, Senders: -1},
	} {
		if _, err := securebody.New(o); err == nil || !strings.HasPrefix(err.Error(), "cannot make the plugin securebody: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := newPlugin(t, securebody.Options{})
	if err := p.SetKeys(); err == nil {
		t.Error("no keys are taken")
	}
	if p.Name() != "securebody" {
		t.Error(p.Name())
	}
}

// numbers is a codec that knows nothing but numbers, as the codec plain knows no structures.
type numbers struct{ codec.JSON }

func (numbers) ID() byte     { return codec.IDPlain }
func (numbers) Name() string { return "numbers" }
func (numbers) Marshal(v any) ([]byte, error) {
	switch v.(type) {
	case int, *int:
		return json.Marshal(v)
	}
	return nil, fmt.Errorf("%T is no number", v)
}
func (numbers) Unmarshal(b []byte, v any) error {
	if _, ok := v.(*int); !ok {
		return fmt.Errorf("%T is no number", v)
	}
	return json.Unmarshal(b, v)
}

func TestCodecs(t *testing.T) {
	for _, classic := range []bool{false, true} {
		p := newPlugin(t, securebody.Options{Required: true, Classic: classic})
		e := rpctest.Endpoint(t, rpc.Config{LastPlugins: []rpc.Plugin{p}, Codecs: []codec.Codec{codec.JSON{}, numbers{}}})
		rpctest.Handle(t, e, "/next", func(_ rpc.Context, n int) (int, error) { return n + 1, nil })
		rpctest.Handle(t, e, "/bytes", func(_ rpc.Context, b []byte) ([]byte, error) { return append(b, '!'), nil })
		s := rpctest.Dial(t, e, rpctest.OnLoopback(t, e)) // one plugin for both sides
		for _, id := range []byte{codec.IDJSON, codec.IDPlain} {
			var n int
			if err := s.Call(t.Context(), "/next", 6, &n, rpc.WithCodec(id)); err != nil || n != 7 {
				t.Errorf("codec %q: got %d, %v", id, n, err)
			}
		}
		// Bytes of a codec that is not known here: the envelope is made by hand.
		var b []byte
		if err := s.Call(t.Context(), "/bytes", []byte("\x08\x01"), &b, rpc.WithCodec(codec.IDProtobuf), rpc.WithMeta("X-Accept-Body-Codec", "106")); err != nil || string(b) != "\x08\x01!" {
			t.Errorf("got %q, %v", b, err)
		}
		rpctest.Code(t, s.Call(t.Context(), "/next", "text", nil, rpc.WithCodec(codec.IDPlain)), status.WriteFailed)
	}
}
