package redis

import (
	"errors"
	"fmt"

	"github.com/dserver/dserver/rpc"
)

// Handler answers a command. The arguments are those behind the command's name; they are
// the handler's own. The value is written as [AppendValue] says; what RESP2 does not have
// is turned into what redis sends there.
//
// An error that holds a *status.Status is told to the client, see [Errorf]; of any other
// error, and of a panic, it learns an incident id only.
type Handler func(ctx rpc.Context, args [][]byte) (any, error)

// Handle registers f for a command, with the default prefix.
func Handle(e *rpc.Endpoint, command string, f Handler, opts ...rpc.RouteOption) error {
	return Options{}.Handle(e, command, f, opts...)
}

// Handle registers f for a command, in lower or upper case. The commands of one session
// are handled one after the other.
func (o Options) Handle(e *rpc.Endpoint, command string, f Handler, opts ...rpc.RouteOption) error {
	if command == "" || f == nil {
		return fmt.Errorf("cannot register command %q: %w", command, errors.New("name or handler is missing"))
	}
	return rpc.Handle(e, o.prefix()+lower(command), func(ctx rpc.Context, body []byte) ([]byte, error) {
		args, err := parseArgs(body)
		if err != nil {
			return nil, err
		}
		v, err := f(ctx, args)
		if err != nil {
			return nil, err
		}
		return AppendValue(nil, v)
	}, opts...)
}
