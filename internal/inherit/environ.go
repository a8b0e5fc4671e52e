package inherit

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// firstNumber is the descriptor number that the first handed socket has.
const firstNumber = 3

// maxHanded bounds how many descriptors one process takes over.
const maxHanded = 4096

// maxName is the longest name of a handed descriptor, in bytes; the limit is
// that of the protocol.
const maxName = 255

// Named is a descriptor that was handed to this process, with the name that the
// giver gave it ("unknown" if it gave none).
type Named struct {
	Name string
	File *os.File
}

// Environ gives the variables that tell a child about its handed sockets: names
// in the order of their descriptors, which begin at 3. With no names there is
// nothing to tell. LISTEN_PID is not among them, because nobody knows the pid of
// a child before it runs; see [TakeHanded].
func Environ(names []string) ([]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	if len(names) > maxHanded {
		return nil, fmt.Errorf("cannot hand over %d descriptors: at most %d", len(names), maxHanded)
	}
	for _, name := range names {
		if err := checkName(name); err != nil {
			return nil, err
		}
	}
	return []string{
		"LISTEN_FDS=" + strconv.Itoa(len(names)),
		"LISTEN_FDNAMES=" + strings.Join(names, ":"),
	}, nil
}

func checkName(name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("cannot hand over a descriptor named %q: the name must have 1 to %d bytes", name, maxName)
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || c == ':' {
			return fmt.Errorf("cannot hand over a descriptor named %q: only printable ASCII without ':' and space", name)
		}
	}
	return nil
}

// Take takes over the sockets that a service manager gave this process: those
// that LISTEN_FDS and LISTEN_FDNAMES tell of, if LISTEN_PID is our pid. Without
// these variables, or with those of another process, there are none and no
// error. It must be called at most once, before this process opens anything of
// its own, and lookup's variables must not reach any child.
//
// The files are closed on exec from now on, keep their blocking mode, and stay
// out of the poller: make a listener of one with [Listener] or [PacketConn], a
// connection with [Conn].
func Take(lookup func(string) (string, bool)) ([]Named, error) {
	pid, ok := lookup("LISTEN_PID")
	if !ok {
		return nil, nil
	}
	n, err := strconv.Atoi(pid)
	if err != nil || n <= 0 {
		return nil, fmt.Errorf("cannot take sockets over: LISTEN_PID is %q, not a process number", pid)
	}
	if n != os.Getpid() {
		return nil, nil
	}
	return TakeHanded(lookup)
}

// TakeHanded does what [Take] does for a process that knows that the variables
// are meant for it because its own master started it; LISTEN_PID is not looked at.
func TakeHanded(lookup func(string) (string, bool)) ([]Named, error) {
	names, err := handedNames(lookup)
	if err != nil {
		return nil, fmt.Errorf("cannot take sockets over: %w", err)
	}
	if err := checkHanded(len(names)); err != nil {
		return nil, fmt.Errorf("cannot take sockets over: %w", err)
	}
	handed := make([]Named, 0, len(names))
	for i, name := range names {
		f, err := adopt(firstNumber+i, name)
		if err != nil {
			closeAll(handed)
			return nil, fmt.Errorf("cannot take sockets over: descriptor %d (%s): %w", firstNumber+i, name, err)
		}
		handed = append(handed, Named{Name: name, File: f})
	}
	return handed, nil
}

func handedNames(lookup func(string) (string, bool)) ([]string, error) {
	count, ok := lookup("LISTEN_FDS")
	if !ok {
		return nil, nil
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > maxHanded {
		return nil, fmt.Errorf("LISTEN_FDS is %q, not a number from 0 to %d", count, maxHanded)
	}
	names := make([]string, n)
	list, ok := lookup("LISTEN_FDNAMES")
	if !ok || n == 0 {
		for i := range names {
			names[i] = "unknown"
		}
		return names, nil
	}
	names = strings.Split(list, ":")
	if len(names) != n {
		return nil, fmt.Errorf("LISTEN_FDNAMES has %d names, LISTEN_FDS says %d", len(names), n)
	}
	return names, nil
}

func checkHanded(n int) error {
	for i := range n {
		if err := checkOpen(firstNumber + i); err != nil {
			return fmt.Errorf("descriptor %d: %w", firstNumber+i, err)
		}
	}
	return nil
}

func closeAll(files []Named) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, f.File.Close())
	}
	return errors.Join(errs...)
}

// Scrub returns env without the variables that speak to one process alone: what
// its service manager, its master or a library's restart told it, and all
// variables of ours. INVOCATION_ID stays. env itself is not changed.
func Scrub(env []string) []string {
	clean := make([]string, 0, len(env))
	for _, entry := range env {
		name, _, _ := strings.Cut(entry, "=")
		if !private(name) {
			clean = append(clean, entry)
		}
	}
	return clean
}

func private(name string) bool {
	switch name {
	case "NOTIFY_SOCKET", "GF_SERVER_RELOAD", "GF_SERVER_RESTART":
		return true
	}
	for _, prefix := range [...]string{"DSERVER_", "LISTEN_", "TABLEFLIP_", "WATCHDOG_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
