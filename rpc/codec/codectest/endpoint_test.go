package codectest_test

import (
	"errors"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/codec/cbor"
	"github.com/dserver/dserver/rpc/codec/form"
	"github.com/dserver/dserver/rpc/codec/msgpack"
	"github.com/dserver/dserver/rpc/codec/plain"
	"github.com/dserver/dserver/rpc/codec/protobuf"
	"github.com/dserver/dserver/rpc/codec/xml"
	"github.com/dserver/dserver/rpc/filter"
	"github.com/dserver/dserver/rpc/filter/aesgcm"
	"github.com/dserver/dserver/rpc/filter/snappy"
	"github.com/dserver/dserver/rpc/filter/zstd"
	"github.com/dserver/dserver/rpc/internal/rpctest"
	"github.com/dserver/dserver/rpc/status"
	"github.com/dserver/dserver/rpc/transport"
	"github.com/dserver/dserver/rpc/transport/memory"
)

// order is a body for the codecs of structs.
type order struct {
	ID    int      `json:"id" form:"id" xml:"id"`
	Items []string `json:"items" form:"item" xml:"item"`
}

func config(t *testing.T) rpc.Config {
	t.Helper()
	m, errM := msgpack.New(codec.Limits{})
	c, errC := cbor.New(codec.Limits{})
	z, errZ := zstd.New(zstd.Default)
	g, errG := aesgcm.New(aesgcm.Key{ID: 1, Secret: []byte("0123456789abcdef")})
	if err := errors.Join(errM, errC, errZ, errG); err != nil {
		t.Fatal(err)
	}
	return rpc.Config{
		Codecs:  []codec.Codec{codec.JSON{}, codec.Bytes{}, form.Codec{}, plain.Codec{}, xml.Codec{}, protobuf.Codec{}, m, c},
		Filters: []filter.Filter{z, snappy.Filter{}, g},
	}
}

// session gives the caller's end of one whose other end has the routes.
func session(t *testing.T, routes func(e *rpc.Endpoint) error) *rpc.Session {
	t.Helper()
	c := config(t)
	c.Transports = []transport.Transport{memory.New()}
	server, client := rpctest.Endpoint(t, c), rpctest.Endpoint(t, c)
	if err := routes(server); err != nil {
		t.Fatal(err)
	}
	return rpctest.Dial(t, client, rpctest.Serve(t, server, "mem://server"))
}

func echo[T any](e *rpc.Endpoint, route string) error {
	return rpc.Handle(e, route, func(_ rpc.Context, v T) (T, error) { return v, nil })
}

// call sends v there and back by a codec and filters.
func call[T any](t *testing.T, s *rpc.Session, route string, v T, id byte, filters string) {
	t.Helper()
	var got T
	err := s.Call(t.Context(), route, v, &got, rpc.WithCodec(id), rpc.WithFilters([]byte(filters)...))
	m, isMessage := any(v).(proto.Message)
	same := reflect.DeepEqual(got, v)
	if isMessage {
		n, _ := any(got).(proto.Message)
		same = proto.Equal(m, n)
	}
	if err != nil || !same {
		t.Errorf("codec %q, filters %q: got %v, %v, want %v", id, filters, got, err, v)
	}
}

// TestEveryCodecThroughAnEndpoint, by every filter: the endpoint asks codecs for targets
// of its own kinds, pointers to pointers among them.
func TestEveryCodecThroughAnEndpoint(t *testing.T) {
	s := session(t, func(e *rpc.Endpoint) error {
		return errors.Join(
			echo[order](e, "/order"), echo[*order](e, "/pointer"), echo[string](e, "/text"), echo[*string](e, "/textpointer"),
			echo[int](e, "/number"), echo[[]byte](e, "/bytes"), echo[*wrapperspb.StringValue](e, "/message"),
			echo[struct{}](e, "/nothing"),
		)
	})
	text := "text"
	for _, filters := range []string{"", "Z", "S", "g", "gZ", "gS"} {
		for _, id := range "jxfmc" {
			call(t, s, "/order", order{7, []string{"tea", "pot"}}, byte(id), filters)
			call(t, s, "/pointer", &order{7, []string{"tea", "pot"}}, byte(id), filters)
		}
		for _, id := range "jsbmc" {
			call(t, s, "/text", text, byte(id), filters)
			call(t, s, "/textpointer", &text, byte(id), filters)
		}
		for _, id := range "jsmc" {
			call(t, s, "/number", -42, byte(id), filters)
		}
		for _, id := range "jsbxfpmc" {
			call(t, s, "/bytes", []byte("\x00\xff"), byte(id), filters)
		}
		call(t, s, "/message", wrapperspb.String("世界"), 'p', filters)
		call(t, s, "/nothing", struct{}{}, 'p', filters)
	}
}

// TestWhatACodecRefuses is an answer, and the session goes on.
func TestWhatACodecRefuses(t *testing.T) {
	s := session(t, func(e *rpc.Endpoint) error {
		return errors.Join(echo[order](e, "/order"), echo[*wrapperspb.StringValue](e, "/message"))
	})
	for id, body := range map[byte]string{
		'j': "{", 'b': "x", 'f': "id=seven", 's': "x", 'x': "<order>", 'p': "\xff",
		'm': "\x82\xa2id\xdd\x00\x10\x00\x00", 'c': "\xa1\x62id\x9a\x00\x10\x00\x00",
	} {
		route := "/order"
		if id == 'p' {
			route = "/message"
		}
		if err := s.Call(t.Context(), route, []byte(body), nil, rpc.WithCodec(id)); status.CodeOf(err) != status.BadMessage {
			t.Errorf("codec %q: got %v", id, err)
		}
		if err := s.Call(t.Context(), route, make(chan int), nil, rpc.WithCodec(id)); err == nil {
			t.Errorf("codec %q encoded a channel", id)
		}
	}
	call(t, s, "/order", order{ID: 7}, 'j', "")
}
