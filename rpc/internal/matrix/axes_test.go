package matrix

import (
	"crypto/tls"
	"errors"
	"net/http/httptest"
	"path/filepath"
	"testing"

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
	"github.com/dserver/dserver/rpc/filter/aes"
	"github.com/dserver/dserver/rpc/filter/aesgcm"
	"github.com/dserver/dserver/rpc/filter/gzip"
	"github.com/dserver/dserver/rpc/filter/md5"
	"github.com/dserver/dserver/rpc/filter/snappy"
	"github.com/dserver/dserver/rpc/filter/zstd"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/http"
	"github.com/dserver/dserver/rpc/proto/json"
	"github.com/dserver/dserver/rpc/proto/jsonrpc"
	"github.com/dserver/dserver/rpc/proto/pb"
	"github.com/dserver/dserver/rpc/proto/raw"
	"github.com/dserver/dserver/rpc/proto/ws"
	"github.com/dserver/dserver/rpc/transport"
	"github.com/dserver/dserver/rpc/transport/memory"
	"github.com/dserver/dserver/rpc/transport/tcp"
	rpctls "github.com/dserver/dserver/rpc/transport/tls"
	"github.com/dserver/dserver/rpc/transport/unix"
	rpcws "github.com/dserver/dserver/rpc/transport/ws"
)

// protocol is one row of the table, with what it cannot carry.
type protocol struct {
	name     string
	factory  proto.Factory
	classic  proto.Factory // what the side that dials speaks, if it is not the same
	codecs   string        // ids; empty is all
	textOnly bool          // bodies are UTF-8
	filters  string        // ids; "-" is none, empty is all
	either   string        // ids of filters that may or may not make text of a text
	noPush   bool
	schemes  []string // of the transports; nil is those of byte streams
}

func protocols() []protocol {
	return []protocol{
		{name: "raw", factory: raw.New},
		{name: "raw-classic", factory: raw.New, classic: raw.Options{Classic: true}.New},
		{name: "pb", factory: pb.New},
		{name: "pb-classic", factory: pb.New, classic: pb.Options{Classic: true}.New},
		{name: "json", factory: json.New, textOnly: true},
		{name: "json-classic", factory: json.New, classic: json.Options{Classic: true}.New, textOnly: true},
		{name: "http", factory: http.New, filters: "z"},
		{name: "http-classic", factory: http.New, classic: http.Options{Classic: true}.New, codecs: "jfxsp", filters: "z"},
		{name: "ws-json", factory: ws.JSON, textOnly: true, filters: "-", either: "S", schemes: []string{"ws", "wss"}},
		{name: "ws-pb", factory: ws.PB, schemes: []string{"ws", "wss"}},
		{name: "ws-auto", factory: ws.Auto, classic: ws.PB, schemes: []string{"ws"}},
		{name: "jsonrpc", factory: jsonrpc.New, codecs: "j", filters: "-", noPush: true},
	}
}

// body is a value for one codec, and how it is echoed.
type body struct {
	codec  codec.Codec
	value  any
	text   bool // what the codec makes is UTF-8
	fresh  func() any
	routes func(e *rpc.Endpoint, notes chan any) error
}

// order is a body for the codecs of structs.
type order struct {
	ID    int      `json:"id" form:"id" xml:"id" msgpack:"id" cbor:"id"`
	Items []string `json:"items" form:"item" xml:"item" msgpack:"item" cbor:"item"`
}

// bodyOf makes the routes /echo/CODEC and /note/CODEC for a type.
func bodyOf[T any](c codec.Codec, value T, text bool) body {
	return body{
		codec: c, value: value, text: text,
		fresh: func() any { return new(T) },
		routes: func(e *rpc.Endpoint, notes chan any) error {
			return errors.Join(
				rpc.Handle(e, "/echo/"+c.Name(), func(_ rpc.Context, v T) (T, error) { return v, nil }),
				rpc.HandlePush(e, "/note/"+c.Name(), func(_ rpc.Context, v T) error { notes <- v; return nil }),
			)
		},
	}
}

func bodies(t *testing.T) []body {
	t.Helper()
	packed, errP := msgpack.New(codec.Limits{})
	concise, errC := cbor.New(codec.Limits{})
	if err := errors.Join(errP, errC); err != nil {
		t.Fatal(err)
	}
	o := order{ID: 7, Items: []string{`"quoted"`, `back\slash`, "line\nbreak", "中文 🙂", "<&>"}}
	return []body{
		bodyOf(codec.JSON{}, o, true),
		bodyOf(form.Codec{}, o, true),
		bodyOf(xml.Codec{}, o, true),
		bodyOf(plain.Codec{}, "a \"text\"\x01 中文", true),
		bodyOf(protobuf.Codec{}, wrapperspb.String("中文 and more"), true),
		bodyOf(packed, o, false),
		bodyOf(concise, o, false),
		bodyOf(codec.Bytes{}, []byte{0, 1, 0xff, '"', '\\'}, false),
	}
}

func codecsOf(all []body) (list []codec.Codec) {
	for _, b := range all {
		list = append(list, b.codec)
	}
	return list
}

// pipes are lists of filter ids, the first one being the outermost.
func pipes() []string { return []string{"", "5", "z", "a", "Z", "S", "g", "5a", "az5", "gZ5"} }

func filters(t *testing.T) []filter.Filter {
	t.Helper()
	key := []byte("0123456789abcdef")
	deflate, errG := gzip.New(gzip.Default)
	old, errA := aes.New(key)
	quick, errZ := zstd.New(zstd.Default)
	sealed, errS := aesgcm.New(aesgcm.Key{ID: 1, Secret: key})
	if err := errors.Join(errG, errA, errZ, errS); err != nil {
		t.Fatal(err)
	}
	return []filter.Filter{md5.Filter{}, deflate, old, quick, snappy.Filter{}, sealed}
}

// transports are all, and addresses for each scheme.
func transports(t *testing.T) (list []transport.Transport, addresses map[string]string) {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	certificates := s.TLS.Certificates
	s.Close()
	c := &tls.Config{Certificates: certificates, InsecureSkipVerify: true}
	list = []transport.Transport{
		tcp.Transport{}, unix.Transport{}, memory.New(), rpctls.Transport{Config: c},
		rpcws.Transport{}, rpcws.Transport{Options: rpcws.Options{TLS: c}},
	}
	const loopback = "127.0.0.1:0"
	return list, map[string]string{
		"tcp": loopback, "tls": loopback, "ws": loopback, "wss": loopback,
		"mem": "server", "unix": filepath.Join(t.TempDir(), "s"),
	}
}
