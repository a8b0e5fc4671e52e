package redis_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/internal/rpctest"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/redis"
	"github.com/dserver/dserver/rpc/status"
)

func TestConversations(t *testing.T) {
	e := newEndpoint(t, rpc.Config{})
	newStore(t, e)
	for name, f := range map[string]redis.Handler{
		"map":   func(rpc.Context, [][]byte) (any, error) { return map[string]any{"a": 1.5, "b": true}, nil },
		"fail":  func(rpc.Context, [][]byte) (any, error) { return nil, errors.New("a secret") },
		"panic": func(rpc.Context, [][]byte) (any, error) { panic("a secret") },
		"none":  func(rpc.Context, [][]byte) (any, error) { return struct{}{}, nil },
	} {
		if err := redis.Handle(e, name, f); err != nil {
			t.Fatal(err)
		}
	}
	address := rpctest.OnLoopback(t, e)
	for name, steps := range map[string][][2]string{
		"keys": {
			{"SET k v\r\n", "+OK\r\n"},
			{"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "$1\r\nv\r\n"},
			{"*3\r\n$3\r\nset\r\n$1\r\nk\r\n$0\r\n\r\n", "+OK\r\n"},
			{"get k\n", "$0\r\n\r\n"}, {"get nothing\n", "$-1\r\n"}, {"\r\n*0\r\nget nothing\n", "$-1\r\n"},
			{"del k x\n", ":1\r\n"}, {"incr n\n", ":1\r\n"}, {"incr n\n", ":2\r\n"}, {"lpush l a b\n", ":2\r\n"},
			{"get l\n", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"},
			{"set n x\nincr n\n", "+OK\r\n-ERR value is not an integer or out of range\r\n"},
			{"set k\n", "-ERR wrong number of arguments for 'set' command\r\n"},
			{"FLUSH all\n", "-ERR unknown command 'FLUSH', with args beginning with: 'all' \r\n"},
		},
		"connection": {
			{"ping\n", "+PONG\r\n"}, {"ping a\n", "$1\r\na\r\n"}, {"ping a b\n", "-ERR wrong number of arguments for 'ping' command\r\n"},
			{"echo 'a b'\n", "$3\r\na b\r\n"}, {"echo\n", "-ERR wrong number of arguments for 'echo' command\r\n"},
			{"select 0\n", "+OK\r\n"}, {"select 1\n", "-ERR DB index is out of range\r\n"}, {"select x\n", "-ERR value is not an integer or out of range\r\n"},
			{"client getname\n", "$-1\r\n"}, {"client setname x\n", "+OK\r\n"}, {"CLIENT GETNAME\n", "$1\r\nx\r\n"},
			{"client setname 'a b'\n", "-ERR Client names cannot contain spaces, newlines or special characters, nor more than 256 bytes.\r\n"},
			{"client setinfo lib-name x\n", "+OK\r\n"}, {"client kill x\n", "-ERR unknown subcommand or wrong number of arguments for 'kill'\r\n"},
			{"client\n", "-ERR wrong number of arguments for 'client' command\r\n"},
			{"command\n", "*0\r\n"}, {"command docs\n", "*0\r\n"}, {"command count\n", ":0\r\n"}, {"command x\n", "-ERR unknown subcommand or wrong number of arguments for 'x'\r\n"},
			{"config get save\n", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n"}, {"config get APPEND* x\n", "*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n"},
			{"config set save x\n", "-ERR unknown subcommand or wrong number of arguments for 'set'\r\n"},
			{"reset\n", "+RESET\r\n"}, {"client getname\n", "$-1\r\n"}, {"reset x\n", "-ERR wrong number of arguments for 'reset' command\r\n"},
		},
		"versions": {
			{"map\n", "*4\r\n$1\r\na\r\n$3\r\n1.5\r\n$1\r\nb\r\n:1\r\n"},
			{"hello 4\n", "-NOPROTO unsupported protocol version\r\n"}, {"hello x\n", "-ERR Protocol version is not an integer or out of range\r\n"},
			{"hello 3 auth a b\n", "-ERR AUTH called, but there are no passwords\r\n"}, {"hello 3 x\n", "-ERR Syntax error in HELLO option 'x'\r\n"},
			{"hello\n", "*14\r\n$6\r\nserver\r\n$7\r\ndserver\r\n$7\r\nversion\r\n$5\r\n6.0.0\r\n$5\r\nproto\r\n:2\r\n$2\r\nid\r\n"},
			{"", ":ID\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"},
			{"hello 3 setname x\n", "%7\r\n$6\r\nserver\r\n$7\r\ndserver\r\n$7\r\nversion\r\n$5\r\n6.0.0\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n"},
			{"", ":ID\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"},
			{"map\n", "%2\r\n$1\r\na\r\n,1.5\r\n$1\r\nb\r\n#t\r\n"}, {"get nothing\n", "_\r\n"}, {"client getname\n", "$1\r\nx\r\n"}, {"command docs\n", "%0\r\n"},
			{"reset\n", "+RESET\r\n"}, {"get nothing\n", "$-1\r\n"},
		},
		"failures": {{"fail\n", "-ERR Internal Server Error: incident "}, {"", "END"}, {"panic\n", "-ERR Internal Server Error: incident "}, {"", "END"},
			{"none\n", "-ERR Internal Server Error: incident "}, {"", "END"}, {"ping\n", "+PONG\r\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := dial(t, address)
			l.send("client id\n")
			id, err := l.in.ReadString('\n')
			if err != nil || id == ":0\r\n" {
				t.Fatal(id, err)
			}
			for _, step := range steps {
				l.send(step[0])
				if step[1] == "END" {
					if rest, err := l.in.ReadString('\n'); err != nil || strings.Contains(rest, "secret") {
						t.Fatal(rest, err)
					}
					continue
				}
				l.wants(strings.Replace(step[1], ":ID\r\n", id, 1))
			}
		})
	}
}

func TestEndsOfSessions(t *testing.T) {
	e := newEndpoint(t, rpc.Config{})
	newStore(t, e)
	address := rpctest.OnLoopback(t, e)
	for in, want := range map[string]string{
		"ping\nquit\nping\n":                       "+PONG\r\n+OK\r\n",
		"ping\n*1\r\n:1\r\n":                       "+PONG\r\n-ERR Protocol error: expected '$', got ':'\r\n",
		"ping\n*1\r\n$99999999\r\n":                "+PONG\r\n-ERR Protocol error: invalid bulk length\r\n",
		"*1\r\n+" + strings.Repeat("a", 1<<20):     "-ERR Protocol error: expected '$', got '+'\r\n",
		"ping\nPOST / HTTP/1.1\r\nHost: a\r\n\r\n": "",
	} {
		l := dial(t, address)
		l.send(in)
		if want == "" {
			if _, err := io.ReadAll(l.in); err != nil && !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") {
				t.Errorf("%q: %v", in, err)
			}
			continue
		}
		l.ends(want)
	}
	if got := e.Stats().BadFrames; got != 4 {
		t.Errorf("%d bad frames", got)
	}
}

// watched tells when a command was read, and with it all that was refused before.
type watched struct {
	*redis.Proto
	left int
	all  chan struct{}
}

func (w *watched) CutFrame(buf []byte, m *message.Message) (int, error) {
	n, err := w.Proto.CutFrame(buf, m)
	if n > 0 {
		if w.left--; w.left == 0 {
			close(w.all)
		}
	}
	return n, err
}

// watchingFactory makes a Proto for one session that closes all with the count-th command.
func watchingFactory(count int, all chan struct{}) proto.Factory {
	return func(s proto.Stream) proto.Proto { return &watched{redis.New(s).(*redis.Proto), count, all} }
}

// wait registers WAIT, whose answer comes when c is closed.
func wait(t *testing.T, e *rpc.Endpoint, c chan struct{}, opts ...rpc.RouteOption) {
	t.Helper()
	if err := redis.Handle(e, "wait", func(rpc.Context, [][]byte) (any, error) {
		<-c
		return redis.Simple("waited"), nil
	}, opts...); err != nil {
		t.Fatal(err)
	}
}

// Commands that no handler is asked for are refused while others wait for theirs, and
// have their answers in their place.
func TestPipelineComesBackInOrder(t *testing.T) {
	const count = 1000
	all := make(chan struct{})
	e := newEndpoint(t, rpc.Config{Proto: watchingFactory(count, all)})
	newStore(t, e)
	wait(t, e, all)
	l := dial(t, rpctest.OnLoopback(t, e))
	out, want := bytes.NewBufferString("wait\n"), bytes.NewBufferString("+waited\r\n")
	for n := 1; n < count-1; n++ {
		switch n % 3 {
		case 0:
			fmt.Fprintf(out, "no%d\n", n)
			fmt.Fprintf(want, "-ERR unknown command 'no%d', with args beginning with: \r\n", n)
		case 1:
			fmt.Fprintf(out, "*2\r\n$4\r\nECHO\r\n$3\r\n%03d\r\n", n)
			fmt.Fprintf(want, "$3\r\n%03d\r\n", n)
		default:
			out.WriteString("incr n\n")
			fmt.Fprintf(want, ":%d\r\n", (n+1)/3)
		}
	}
	l.send(out.String() + "ping\n")
	l.wants(want.String() + "+PONG\r\n")
}

func TestOverloadIsAnsweredInItsPlace(t *testing.T) {
	all := make(chan struct{})
	e := newEndpoint(t, rpc.Config{Proto: watchingFactory(3, all), Limits: rpc.Limits{EndpointHandlers: 1}})
	newStore(t, e)
	wait(t, e, all)
	l := dial(t, rpctest.OnLoopback(t, e))
	l.send("wait\nping\n\n")
	l.wants("+waited\r\n-ERR Overloaded: too many calls run\r\n")
	l.send("ping\n")
	l.wants("+PONG\r\n")
}

// Who sends ahead waits for who works, in the socket: nothing is refused or lost.
func TestDeepPipelineIsReadAsFastAsItIsHandled(t *testing.T) {
	const count = 20_000
	for _, handlers := range []int{1, 0} {
		e := newEndpoint(t, rpc.Config{Limits: rpc.Limits{SessionHandlers: handlers}})
		newStore(t, e)
		l := dial(t, rpctest.OnLoopback(t, e))
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			l.send(strings.Repeat("ping\n", count))
		}()
		l.wants(strings.Repeat("+PONG\r\n", count))
		<-sent
	}
}

func TestDeadlinesAreAnsweredInTheirPlace(t *testing.T) {
	open := make(chan struct{})
	e := newEndpoint(t, rpc.Config{})
	newStore(t, e)
	wait(t, e, open, rpc.WithTimeout(50*time.Millisecond))
	l := dial(t, rpctest.OnLoopback(t, e))
	l.send("wait\nping\n")
	l.wants("-ERR Handle Timeout\r\n")
	close(open)
	l.wants("+PONG\r\n")
}

func TestClientsThatSaidHello3GetPushes(t *testing.T) {
	e := newEndpoint(t, rpc.Config{Codecs: []codec.Codec{redis.Codec{}}})
	newStore(t, e)
	if err := redis.Handle(e, "watch", func(ctx rpc.Context, args [][]byte) (any, error) {
		if err := ctx.Session().Push(ctx, "/redis/note", []any{"a", 1, nil}); status.CodeOf(err) == status.WriteFailed {
			return nil, redis.Errorf("no push")
		}
		return redis.Simple("OK"), nil
	}); err != nil {
		t.Fatal(err)
	}
	l := dial(t, rpctest.OnLoopback(t, e))
	l.send("watch\n")
	l.wants("-ERR no push\r\n")
	l.send("hello 3\n")
	l.wants("%7\r\n")
	for range 13 {
		if _, err := redisValue(l.in); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := redisValue(l.in); err != nil || v != "*0\r\n" {
		t.Fatal(v, err)
	}
	l.send("watch\n")
	l.wants(">4\r\n$4\r\nnote\r\n$1\r\na\r\n:1\r\n_\r\n+OK\r\n")
}

// redisValue reads one value that is no aggregate, or the head of one.
func redisValue(in *bufio.Reader) (string, error) {
	head, err := in.ReadString('\n')
	if err != nil || head[0] != '$' {
		return head, err
	}
	text, err := in.ReadString('\n')
	return head + text, err
}

// There is no GOAWAY that a client of redis would understand: it is told by the end.
func TestIdleSessionsEndWithTheEndpoint(t *testing.T) {
	e := newEndpoint(t, rpc.Config{})
	newStore(t, e)
	open := make(chan struct{})
	wait(t, e, open)
	address := rpctest.OnLoopback(t, e)
	idle, busy := dial(t, address), dial(t, address)
	idle.send("ping\n")
	idle.wants("+PONG\r\n")
	busy.send("ping\nwait\n")
	busy.wants("+PONG\r\n")
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		done <- e.Shutdown(ctx)
	}()
	idle.ends("")
	idle.conn.Close()
	close(open)
	busy.ends("+waited\r\n")
	busy.conn.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Handlers that were registered like all others have the codec, or bytes as they are.
func TestHandlersOfRPC(t *testing.T) {
	e := newEndpoint(t, rpc.Config{Codecs: []codec.Codec{redis.Codec{}}})
	for _, err := range []error{
		rpc.Handle(e, "/redis/codec", func(_ rpc.Context, args []string) ([]string, error) { return args, nil }),
		rpc.Handle(e, "/redis/bytes", func(_ rpc.Context, body []byte) ([]byte, error) {
			return append([]byte("+"), append(body, "\r\n"...)...), nil
		}),
		rpc.Handle(e, "/redis/bad", func(_ rpc.Context, body []byte) ([]byte, error) { return body, nil }),
		rpc.Handle(e, "/redis/nothing", func(rpc.Context, any) (any, error) { return nil, nil }),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	l := dial(t, rpctest.OnLoopback(t, e))
	l.send("codec a b\nbytes a\nnothing\nbad a\n")
	l.wants("*2\r\n$1\r\na\r\n$1\r\nb\r\n" + "+[\"YQ==\"]\r\n" + "$-1\r\n" + "-ERR Internal Server Error: incident ")
}

func TestRegistration(t *testing.T) {
	e := newEndpoint(t, rpc.Config{Proto: redis.Options{Prefix: "/kv"}.New})
	o := redis.Options{Prefix: "/kv"}
	own := func(rpc.Context, [][]byte) (any, error) { return redis.Simple("own"), nil }
	if err := o.Handle(e, "PING", own); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(o.Register(e), o.Register(e)); err != nil {
		t.Errorf("what is registered already: %v", err)
	}
	for _, err := range []error{o.Handle(e, "Ping", own), o.Handle(e, "", own), o.Handle(e, "x", nil), o.Handle(nil, "x", own)} {
		if err == nil {
			t.Error("it was registered")
		}
	}
	l := dial(t, rpctest.OnLoopback(t, e))
	l.send("ping\necho a\n")
	l.wants("+own\r\n$1\r\na\r\n")
}

// While commands come, some are handled and others refused, at the same time.
func TestOrderHoldsWhileCommandsCome(t *testing.T) {
	e := newEndpoint(t, rpc.Config{})
	newStore(t, e)
	address := rpctest.OnLoopback(t, e)
	var all sync.WaitGroup
	for range 4 {
		l := dial(t, address)
		want := new(strings.Builder)
		parts := make([]string, 2000)
		for n := range parts {
			if n%2 == 0 {
				parts[n] = fmt.Sprintf("no%d\n", n)
				fmt.Fprintf(want, "-ERR unknown command 'no%d', with args beginning with: \r\n", n)
			} else {
				parts[n] = fmt.Sprintf("echo %04d\n", n)
				fmt.Fprintf(want, "$4\r\n%04d\r\n", n)
			}
		}
		all.Go(func() {
			for _, part := range parts {
				if _, err := io.WriteString(l.conn, part); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			got := make([]byte, want.Len())
			if _, err := io.ReadFull(l.in, got); err != nil || string(got) != want.String() {
				t.Errorf("replies are not in order: %v", err)
			}
		})
	}
	all.Wait()
}
