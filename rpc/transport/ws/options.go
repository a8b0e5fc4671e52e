package ws

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// MaxMessage is the most that Options.Message can be, in bytes. Older peers take no
// more in one message.
const MaxMessage = 32 << 20

// Options are for both sides, where nothing else is said. The zero value works.
type Options struct {
	// TLS makes the scheme wss: it has the certificates of who listens, and whom to trust
	// for who dials. Default nil, which is ws.
	TLS *tls.Config
	// Path is where a listener is found; what is asked for elsewhere is not there.
	// Default "/". Listen takes it from its address, a handler is where it is mounted.
	Path string
	// Origins are those whose pages may connect, besides the host that they connect to:
	// "https://example.com", with a port if it is not the usual one; "*" is all. For who
	// listens.
	Origins []string
	// Subprotocols are what who dials asks for, and of which who listens takes the first
	// that was asked for; asking for others only is refused. Default none: it is up to
	// both sides to speak the same, and what is asked for does not count.
	Subprotocols []string
	// Header goes with the request of who dials, for example to prove who it is.
	Header http.Header

	Message int // bytes of one message, both ways; default and most MaxMessage

	HandshakeTime time.Duration // for TLS and for the handshake of websocket, each; default 10 s
	FrameTime     time.Duration // for a message that has begun to come in full, or for its next 64 KiB; default 10 s
	Handshakes    int           // that a listener has at once; further connections are closed; default 1024

	// Logger gets what goes wrong before there is a connection, at level debug, for it is
	// what strangers can cause. Default slog.Default().
	Logger *slog.Logger
}

// normalise gives a copy with the defaults filled in.
func (o Options) normalise() (Options, error) {
	if o.Path == "" {
		o.Path = "/"
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if !strings.HasPrefix(o.Path, "/") || strings.ContainsAny(o.Path, "?#") {
		return o, fmt.Errorf("Path is %q, a path begins with / and has no query", o.Path)
	}
	for _, origin := range o.Origins {
		if err := checkOrigin(origin); err != nil {
			return o, err
		}
	}
	for _, name := range o.Subprotocols {
		if name == "" || strings.ContainsAny(name, " ,\t\r\n") {
			return o, fmt.Errorf("Subprotocols has %q, which is no name", name)
		}
	}
	if o.Message > MaxMessage {
		return o, fmt.Errorf("Message is %d bytes, the most is %d", o.Message, MaxMessage)
	}
	for _, err := range []error{
		fill("Message", &o.Message, MaxMessage),
		fill("HandshakeTime", &o.HandshakeTime, 10*time.Second),
		fill("FrameTime", &o.FrameTime, 10*time.Second),
		fill("Handshakes", &o.Handshakes, 1024),
	} {
		if err != nil {
			return o, err
		}
	}
	return o, nil
}

func checkOrigin(origin string) error {
	if origin == "*" {
		return nil
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.Scheme+"://"+u.Host != origin {
		return fmt.Errorf("Origins has %q, an origin looks like https://example.com", origin)
	}
	return nil
}

func fill[T int | time.Duration](name string, field *T, value T) error {
	if *field < 0 {
		return fmt.Errorf("%s is %v, it must not be negative", name, *field)
	}
	if *field == 0 {
		*field = value
	}
	return nil
}
