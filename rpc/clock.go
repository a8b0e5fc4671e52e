package rpc

import (
	"sync/atomic"
	"time"
)

// stamp is when something happened last. Going by a system call, not by a message,
// keeps it cheap. It counts from a start, because a clock that is set forward must not
// make a busy session look like a silent one.
type stamp struct {
	start time.Time
	after atomic.Int64 // nanoseconds
}

func (s *stamp) set() {
	if s != nil {
		s.after.Store(int64(s.now()))
	}
}

// now is what set would note down.
func (s *stamp) now() time.Duration { return time.Since(s.start) }

// last is what set has noted down.
func (s *stamp) last() time.Duration { return time.Duration(s.after.Load()) }

func (s *stamp) time() time.Time { return s.start.Add(s.last()) }

// LastRead is when bytes last came from the peer; at first, when the session began.
func (s *Session) LastRead() time.Time { return s.heard.time() }

// LastWrite is when bytes last went to the peer; at first, when the session began.
func (s *Session) LastWrite() time.Time { return s.said.time() }
