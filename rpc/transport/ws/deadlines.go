package ws

import (
	"net"
	"sync"
	"time"
)

// deadlines are those for reading: the user's, and the one of a message that has begun.
// The earlier one counts.
type deadlines struct {
	line     net.Conn
	patience time.Duration // for a message

	mu      sync.Mutex
	user    time.Time
	message time.Time
	over    bool // reading has ended
}

func (d *deadlines) set(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.user = t
	return d.apply()
}

func (d *deadlines) messageGoesOn() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.message = time.Now().Add(d.patience)
	_ = d.apply() // a connection that cannot have a deadline cannot be read either
}

func (d *deadlines) messageEnds() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.message = time.Time{}
	_ = d.apply()
}

func (d *deadlines) messageIsLate() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.message.IsZero() && !time.Now().Before(d.message)
}

// end makes every read fail from now on.
func (d *deadlines) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
	_ = d.line.SetReadDeadline(time.Unix(1, 0))
}

// apply is called with the lock held.
func (d *deadlines) apply() error {
	if d.over {
		return net.ErrClosed
	}
	t := d.user
	if !d.message.IsZero() && (t.IsZero() || d.message.Before(t)) {
		t = d.message
	}
	return d.line.SetReadDeadline(t)
}
