package hosttest

import (
	"fmt"
	"strings"
	"time"
)

// Settings are what an instance's configuration says. The zero value works: sandboxes
// math, web and shop, each on a port of its own and on a unix socket.
type Settings struct {
	Probation    time.Duration // default 50 ms
	ReadyTimeout time.Duration // default 30 s
	DrainTimeout time.Duration // default 20 s
	StopTimeout  time.Duration // default 10 s
	OrphanGrace  time.Duration // default 30 s
	Worker       string        // holds all sandboxes, if given
	Fault        string        // what the sandbox faulty does wrong; see package app
	After        time.Duration // how long a fault takes that takes a while
	When         string        // a file instead of that: the fault comes when it is there
	Extra        string        // TOML at the end of the file
}

// networkSandboxes are the sandboxes that listen.
func networkSandboxes() []string { return []string{"math", "web", "shop"} }

// document is the configuration file, of an instance that is bare without
// sandboxes.
func (s Settings) document(mode string, bare bool) string {
	var b strings.Builder
	or := func(d, otherwise time.Duration) time.Duration {
		if d == 0 {
			return otherwise
		}
		return d
	}
	fmt.Fprintf(&b, "name = %q\nmode = %q\n", Name, mode)
	fmt.Fprintf(&b, "probation = %q\n", or(s.Probation, 50*time.Millisecond))
	fmt.Fprintf(&b, "ready_timeout = %q\n", or(s.ReadyTimeout, 30*time.Second))
	fmt.Fprintf(&b, "drain_timeout = %q\n", or(s.DrainTimeout, 20*time.Second))
	fmt.Fprintf(&b, "stop_timeout = %q\n", or(s.StopTimeout, 10*time.Second))
	fmt.Fprintf(&b, "orphan_grace = %q\n", or(s.OrphanGrace, 30*time.Second))
	if bare {
		return b.String() + s.Extra
	}
	for _, name := range networkSandboxes() {
		fmt.Fprintf(&b, "\n[sandbox.%s]\nlisten = [\"tcp://127.0.0.1:0\", \"unix://%s.sock\"]\n", name, name)
		s.writeWorker(&b)
	}
	b.WriteString("\n[sandbox.faulty]\n")
	s.writeWorker(&b)
	if s.Fault != "" {
		fmt.Fprintf(&b, "config = { fault = %q, after = %q, when = %q }\n", s.Fault, s.After, s.When)
	}
	b.WriteString(s.Extra)
	return b.String()
}

func (s Settings) writeWorker(b *strings.Builder) {
	if s.Worker != "" {
		fmt.Fprintf(b, "worker = %q\n", s.Worker)
	}
}
