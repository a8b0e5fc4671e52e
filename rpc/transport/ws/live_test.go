package ws_test

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc/internal/rpctest"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	wsproto "github.com/dserver/dserver/rpc/proto/ws"
	"github.com/dserver/dserver/rpc/status"
	"github.com/dserver/dserver/rpc/transport/ws"
)

// capture is what an older client and an older server said to each other.
type capture struct {
	name  string
	speak proto.Factory
	Bytes []struct {
		Dir string `json:"dir"` // c2s or s2c
		Hex string `json:"hex"`
	} `json:"bytes"`
}

// captures are one of each sub protocol: calls of /math/add, /math/fail, /nope and
// /math/echo. With JSON the older server cannot read the last one and hangs up.
func captures(t *testing.T) []capture {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(cmp.Or(os.Getenv("DSERVER_VECTORS"), "testdata"), "live_captures.json"))
	must(t, err)
	var all map[string]capture
	must(t, json.Unmarshal(file, &all))
	list := []capture{all["websocket_pb_false"], all["websocket_pb_true"]}
	list[0].name, list[0].speak = "json", wsproto.JSON
	list[1].name, list[1].speak = "pb", wsproto.PB
	for _, c := range list {
		if len(c.Bytes) != 10 {
			t.Fatalf("%s has %d parts", c.name, len(c.Bytes))
		}
	}
	return list
}

func (c capture) part(t *testing.T, i int) []byte {
	t.Helper()
	b, err := hex.DecodeString(c.Bytes[i].Hex)
	must(t, err)
	return b
}

// message reads a frame of websocket, and the message in it unless it is a close.
func (c capture) message(t *testing.T, b []byte) (first byte, m *message.Message) {
	t.Helper()
	p := &peer{t: t, r: bufio.NewReader(bytes.NewReader(b))}
	first, payload := p.receive()
	return first, c.parse(t, payload)
}

func (c capture) parse(t *testing.T, payload string) *message.Message {
	t.Helper()
	m := new(message.Message)
	if len(payload) > 2 {
		_, err := c.speak(proto.Stream{}).(proto.Framer).CutFrame(frame(payload), m)
		must(t, err)
	}
	return m
}

// same compares what an older peer sees of a message.
func same(t *testing.T, got, want *message.Message) {
	t.Helper()
	if got.Seq != want.Seq || got.Type != want.Type || got.Method != want.Method || got.Codec != want.Codec ||
		!bytes.Equal(got.Body, want.Body) || !bytes.Equal(got.Filters, want.Filters) ||
		!maps.Equal(maps.Collect(got.Meta.All()), maps.Collect(want.Meta.All())) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestLiveOlderClient: our server answers the bytes of an older client as the older
// server did, and where that could not.
func TestLiveOlderClient(t *testing.T) {
	for _, c := range captures(t) {
		t.Run(c.name, func(t *testing.T) {
			server := newEndpoint(t, c.speak)
			routes(t, server)
			l := listen(t, ws.Options{Path: "/ws", Subprotocols: []string{wsproto.SubprotocolJSON, wsproto.SubprotocolPB}})
			rpctest.ServeOn(t, server, l)
			conn, err := net.Dial("tcp", host(l))
			must(t, err)
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(20 * time.Second))
			p := &peer{Conn: conn, t: t, r: bufio.NewReader(conn)}

			conn.Write(c.part(t, 0))
			got, err := http.ReadResponse(p.r, nil)
			must(t, err)
			want, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(c.part(t, 1))), nil)
			must(t, err)
			got.Header.Del("Date")
			if got.StatusCode != 101 || !maps.EqualFunc(got.Header, want.Header, func(a, b []string) bool { return strings.EqualFold(a[0], b[0]) }) {
				t.Fatalf("got %v, want %v", got, want)
			}

			for i, code := range []status.Code{status.OK, 1001, status.NotFound, status.OK} {
				conn.Write(c.part(t, 2+2*i))
				first, payload := p.receive()
				got := c.parse(t, payload)
				if status.CodeOf(got.Status) != code || first != final|opBinary {
					t.Errorf("reply %d: got %#x, %+v", i, first, got)
				}
				wantFirst, want := c.message(t, c.part(t, 3+2*i))
				if wantFirst == final|opClose {
					_, asked := c.message(t, c.part(t, 2+2*i))
					want = &message.Message{Seq: 4, Type: message.Reply, Codec: 'j', Body: asked.Body}
					want.Meta.Set("k", "v")
				}
				same(t, got, want)
			}
		})
	}
}

// TestLiveOlderServer: our client takes the bytes of an older server as they are meant,
// and sends what the older client did.
func TestLiveOlderServer(t *testing.T) {
	for _, c := range captures(t) {
		t.Run(c.name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			done := make(chan struct{})
			go func() {
				defer close(done)
				c.playServer(t, ln)
			}()
			defer func() {
				ln.Close()
				<-done
			}()
			client := newEndpoint(t, c.speak, ws.Transport{Options: ws.Options{Logger: quiet()}})
			s, err := client.Dial(t.Context(), "ws://"+ln.Addr().String()+"/ws")
			must(t, err)
			sum := 1
			if err := s.Call(t.Context(), "/math/add", []int{1, 2}, &sum); err != nil || sum != 3 {
				t.Errorf("got %d, %v", sum, err)
			}
			for _, method := range []string{"/math/fail", "/nope"} {
				// That it failed is not in what the older server says.
				if err := s.Call(t.Context(), method, []int{1, 2}, &sum); err != nil {
					t.Errorf("%s: %v", method, err)
				}
			}
			var echoed map[string]string
			err = s.Call(t.Context(), "/math/echo", map[string]string{"q": `a"b`}, &echoed)
			if c.name == "json" {
				rpctest.Code(t, err, status.ConnectionClosed)
				if rpctest.Receive(t, "the session ends", s.Done()); s.Err() != io.EOF {
					t.Errorf("ended with %v", s.Err())
				}
			} else if err != nil || echoed["q"] != `a"b` {
				t.Errorf("got %v, %v", echoed, err)
			}
			s.Close()
			rpctest.Receive(t, "the session ends", s.Done())
		})
	}
}

// playServer serves one connection with the recorded bytes.
func (c capture) playServer(t *testing.T, ln net.Listener) {
	conn, err := ln.Accept()
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	p := &peer{Conn: conn, t: t, r: bufio.NewReader(conn)}
	r, err := http.ReadRequest(p.r)
	if err != nil {
		t.Error(err)
		return
	}
	want, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(c.part(t, 0))))
	if err != nil {
		t.Error(err)
		return
	}
	if r.URL.Path != want.URL.Path || !strings.HasPrefix(r.Header.Get("Origin"), "ws://") || r.Header.Get("Sec-Websocket-Version") != "13" ||
		r.Header.Get("Sec-Websocket-Protocol") != "" || r.Header.Get("Sec-Websocket-Extensions") != "" {
		t.Errorf("got %v", r)
	}
	answer := string(c.part(t, 1))
	sum := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	at := strings.Index(answer, "Accept: ") + len("Accept: ")
	io.WriteString(conn, answer[:at]+base64.StdEncoding.EncodeToString(sum[:])+answer[at+28:])
	for i := range 4 {
		first, payload, err := p.tryReceive()
		if err != nil || first != final|opBinary {
			t.Errorf("call %d: got %#x, %v", i, first, err)
			return
		}
		_, want := c.message(t, c.part(t, 2+2*i))
		same(t, c.parse(t, payload), want)
		conn.Write(c.part(t, 3+2*i))
	}
	// Whoever leaves first, both say so.
	if first, payload, err := p.tryReceive(); err != nil || first != final|opClose || payload != code(1000) {
		t.Errorf("at the end: got %#x %q, %v", first, payload, err)
	}
}
