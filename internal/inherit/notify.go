package inherit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// maxNotice is the longest message that is sent or taken, in bytes.
const maxNotice = 4096

// Notice is what one process said to a [NotifyListener].
type Notice struct {
	Pid   int      // of the sender, as the kernel knows it
	UID   int      // of the sender, as the kernel knows it
	Lines []string // such as READY=1; empty lines are left out
}

// Notify tells a service manager something: socket is what NOTIFY_SOCKET says, a
// path or, with a leading @, an abstract address; lines are such as READY=1 or
// STATUS=loading. With an empty socket there is nobody to tell, which is no
// error. It waits until the manager has room for the message or ctx ends.
func Notify(ctx context.Context, socket string, lines ...string) error {
	if socket == "" {
		return nil
	}
	message, err := notice(lines)
	if err != nil {
		return fmt.Errorf("cannot notify %s: %w", socket, err)
	}
	dialer := net.Dialer{}
	conn, err := dialer.DialContext(ctx, "unixgram", socket)
	if err != nil {
		return fmt.Errorf("cannot notify: %w", err)
	}
	defer conn.Close()
	// A send that waits for room ends only by its deadline.
	stop := context.AfterFunc(ctx, func() { conn.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := conn.Write([]byte(message)); err != nil {
		return fmt.Errorf("cannot notify: %w", errors.Join(context.Cause(ctx), err))
	}
	return nil
}

func notice(lines []string) (string, error) {
	for _, line := range lines {
		if key, _, ok := strings.Cut(line, "="); !ok || key == "" || strings.Contains(line, "\n") {
			return "", fmt.Errorf("%q is not of the form KEY=value in one line", line)
		}
	}
	message := strings.Join(lines, "\n")
	if message == "" || len(message) > maxNotice {
		return "", fmt.Errorf("a message has 1 to %d bytes, not %d", maxNotice, len(message))
	}
	return message, nil
}

func parseNotice(message string) []string {
	lines := strings.Split(message, "\n")
	kept := lines[:0]
	for _, line := range lines {
		if line != "" {
			kept = append(kept, line)
		}
	}
	return kept
}
