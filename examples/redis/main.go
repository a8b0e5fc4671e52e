package main

import (
	"os"
	"strconv"
	"sync"

	"github.com/dserver/dserver/host"
	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/proto/redis"
	"github.com/dserver/dserver/sandbox"
	"github.com/dserver/dserver/sandbox/rpcservice"
)

// store is what the service holds.
type store struct {
	mu     sync.Mutex
	values map[string][]byte
}

// command is a handler that has the store to itself and the number of arguments it wants.
func (s *store) command(args int, f func(args [][]byte) (any, error)) redis.Handler {
	return func(ctx rpc.Context, given [][]byte) (any, error) {
		if len(given) != args {
			return nil, redis.WrongArguments(ctx)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return f(given)
	}
}

func (s *store) get(args [][]byte) (any, error) {
	if value, ok := s.values[string(args[0])]; ok {
		return value, nil
	}
	return nil, nil // a nil []byte would be an empty value
}

func (s *store) set(args [][]byte) (any, error) {
	s.values[string(args[0])] = args[1]
	return redis.Simple("OK"), nil
}

func (s *store) del(args [][]byte) (any, error) {
	before := len(s.values)
	delete(s.values, string(args[0]))
	return before - len(s.values), nil
}

func (s *store) incr(args [][]byte) (any, error) {
	var n int64
	if value, ok := s.values[string(args[0])]; ok {
		var err error
		if n, err = strconv.ParseInt(string(value), 10, 64); err != nil {
			return nil, redis.Errorf("value is not an integer or out of range")
		}
	}
	s.values[string(args[0])] = strconv.AppendInt(nil, n+1, 10)
	return n + 1, nil
}

// register is the setup of the service.
func register(e *rpc.Endpoint) error {
	s := &store{values: make(map[string][]byte)}
	for name, handler := range map[string]redis.Handler{
		"get":  s.command(1, s.get),
		"set":  s.command(2, s.set),
		"del":  s.command(1, s.del),
		"incr": s.command(1, s.incr),
	} {
		if err := redis.Handle(e, name, handler); err != nil {
			return err
		}
	}
	return redis.Register(e)
}

func service() sandbox.Service {
	return rpcservice.New("store", register, rpcservice.WithConfig(rpc.Config{Proto: redis.New}))
}

func main() {
	app := host.New("redis")
	app.Add(service(), host.Listen("tcp://127.0.0.1:6380"))
	os.Exit(app.Main())
}
