package redis

import (
	"path"
	"strconv"

	"github.com/dserver/dserver/rpc"
)

// Register registers what clients ask for besides their data, with the default prefix.
func Register(e *rpc.Endpoint) error { return Options{}.Register(e) }

// Register registers what clients ask for besides their data: PING, ECHO, HELLO without
// passwords, RESET, QUIT, SELECT 0, CLIENT ID, GETNAME, SETNAME and SETINFO, COMMAND of
// no commands, and CONFIG GET of nothing that is saved. A command that is registered
// already stays as it is.
func (o Options) Register(e *rpc.Endpoint) error {
	taken := make(map[string]bool)
	for _, r := range e.Routes() {
		taken[r.Method] = !r.Push || taken[r.Method]
	}
	for _, c := range [...]struct {
		name   string
		handle Handler
	}{
		{"ping", ping}, {"echo", echo}, {"hello", greet}, {"reset", reset}, {"quit", quit},
		{"select", selectDB}, {"client", clientInfo}, {"command", commands}, {"config", config},
	} {
		if taken[o.prefix()+c.name] {
			continue
		}
		if err := o.Handle(e, c.name, c.handle); err != nil {
			return err
		}
	}
	return nil
}

func ping(ctx rpc.Context, args [][]byte) (any, error) {
	switch len(args) {
	case 0:
		return Simple("PONG"), nil
	case 1:
		return args[0], nil
	default:
		return nil, WrongArguments(ctx)
	}
}

func echo(ctx rpc.Context, args [][]byte) (any, error) {
	if len(args) != 1 {
		return nil, WrongArguments(ctx)
	}
	return args[0], nil
}

func quit(rpc.Context, [][]byte) (any, error) { return Simple("OK"), nil }

func reset(ctx rpc.Context, args [][]byte) (any, error) {
	if len(args) > 0 {
		return nil, WrongArguments(ctx)
	}
	return Simple("RESET"), nil
}

// greet answers HELLO. There are no passwords, and one that is not looked at must not
// seem to be right.
func greet(ctx rpc.Context, args [][]byte) (any, error) {
	version, err := strconv.ParseInt(ctx.Meta(MetaVersion), 10, 32)
	if err != nil {
		version = 2
	}
	h, st := parseHello(args, int32(version))
	switch {
	case st != nil:
		return nil, st
	case h.auth:
		return nil, Errorf("ERR AUTH called, but there are no passwords")
	}
	return Pairs{
		"server", "dserver",
		"version", "6.0.0", // of redis, the first that had RESP3
		"proto", int(h.version),
		"id", sessionNumber(ctx),
		"mode", "standalone",
		"role", "master",
		"modules", []any{},
	}, nil
}

// sessionNumber is 0 for an id that is no number.
func sessionNumber(ctx rpc.Context) int64 {
	n, err := parseInteger(ctx.Session().ID())
	if err != nil {
		return 0
	}
	return n
}

func selectDB(ctx rpc.Context, args [][]byte) (any, error) {
	if len(args) != 1 {
		return nil, WrongArguments(ctx)
	}
	switch n, err := parseInteger(string(args[0])); {
	case err != nil:
		return nil, Errorf("value is not an integer or out of range")
	case n != 0:
		return nil, Errorf("ERR DB index is out of range")
	}
	return Simple("OK"), nil
}

// subcommand gives the first argument in lower case, and how many follow.
func subcommand(args [][]byte) (name string, following int) {
	if len(args) == 0 {
		return "", 0
	}
	return lower(args[0]), len(args) - 1
}

func unknownSubcommand(ctx rpc.Context, args [][]byte) error {
	if len(args) == 0 {
		return WrongArguments(ctx)
	}
	return Errorf("unknown subcommand or wrong number of arguments for '%s'", cut(string(args[0]), maxQuoted))
}

func clientInfo(ctx rpc.Context, args [][]byte) (any, error) {
	switch name, following := subcommand(args); {
	case name == "id" && following == 0:
		return sessionNumber(ctx), nil
	case name == "getname" && following == 0:
		if name, ok := ctx.Metadata().Lookup(MetaName); ok {
			return name, nil
		}
		return nil, nil
	case name == "setname" && following == 1: // the protocol remembers it
		if st := checkName(args[1]); st != nil {
			return nil, st
		}
		return Simple("OK"), nil
	case name == "setinfo" && following == 2: // of use in a list of clients only
		return Simple("OK"), nil
	}
	return nil, unknownSubcommand(ctx, args)
}

func commands(ctx rpc.Context, args [][]byte) (any, error) {
	switch name, following := subcommand(args); {
	case name == "", name == "info", name == "list":
		return []any{}, nil
	case name == "docs":
		return Pairs{}, nil
	case name == "count" && following == 0:
		return 0, nil
	}
	return nil, unknownSubcommand(ctx, args)
}

func config(ctx rpc.Context, args [][]byte) (any, error) {
	name, following := subcommand(args)
	if name != "get" || following == 0 {
		return nil, unknownSubcommand(ctx, args)
	}
	found := Pairs{}
	for _, setting := range [...][2]string{{"appendonly", "no"}, {"databases", "1"}, {"save", ""}} {
		for _, pattern := range args[1:] {
			if ok, err := path.Match(lower(pattern), setting[0]); ok && err == nil {
				found = append(found, setting[0], setting[1])
				break
			}
		}
	}
	return found, nil
}
