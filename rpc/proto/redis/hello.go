package redis

import (
	"bytes"

	"github.com/dserver/dserver/rpc/status"
)

// hello is what a HELLO asks for.
type hello struct {
	version int32
	named   bool
	name    string
	auth    bool // with a user and a password
}

// parseHello reads the arguments; current is the version without any.
func parseHello(args [][]byte, current int32) (hello, *status.Status) {
	h := hello{version: current}
	if len(args) == 0 {
		return h, nil
	}
	n, ok := parseLength(args[0])
	switch {
	case !ok:
		return h, Errorf("Protocol version is not an integer or out of range")
	case n != 2 && n != 3:
		return h, Errorf("NOPROTO unsupported protocol version")
	}
	h.version = int32(n)
	for args = args[1:]; len(args) > 0; {
		switch option := lower(args[0]); {
		case option == "auth" && len(args) >= 3:
			h.auth, args = true, args[3:]
		case option == "setname" && len(args) >= 2:
			if err := checkName(args[1]); err != nil {
				return h, err
			}
			h.named, h.name, args = true, string(args[1]), args[2:]
		default:
			return h, Errorf("Syntax error in HELLO option '%s'", cut(string(args[0]), maxQuoted))
		}
	}
	return h, nil
}

const maxName = 256 // bytes of the name of a client

// checkName refuses what could not be told apart in a list.
func checkName(name []byte) *status.Status {
	bad := func(c rune) bool { return c < '!' || c > '~' }
	if bytes.IndexFunc(name, bad) >= 0 || len(name) > maxName {
		return Errorf("Client names cannot contain spaces, newlines or special characters, nor more than %d bytes.", maxName)
	}
	return nil
}
