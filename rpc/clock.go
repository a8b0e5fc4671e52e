package rpc

import (
	"sync/atomic"
	"time"
)

// stamp is when something happened last. Going by a system call, not by a message,
// keeps it cheap.
type stamp struct{ nanoseconds atomic.Int64 } // since 1970; 0 is never

func (s *stamp) set() {
	if s != nil {
		s.nanoseconds.Store(time.Now().UnixNano())
	}
}

func (s *stamp) time() time.Time { return time.Unix(0, s.nanoseconds.Load()) }

// LastRead is when bytes last came from the peer; at first, when the session began.
func (s *Session) LastRead() time.Time { return s.heard.time() }

// LastWrite is when bytes last went to the peer; at first, when the session began.
func (s *Session) LastWrite() time.Time { return s.said.time() }
