package rpc

import "sync/atomic"

// stage is where an endpoint or a session stands in its life.
//
//	early ──> open ──> leaving ──> over
//	  │        └────────────────────^
//	  └─────────────────────────────^
//
// A session is early while hooks have it for themselves. An endpoint that leaves takes
// no new connections and goes on with those it has. A session that leaves starts no
// new work and finishes what runs.
type stage uint32

const (
	early stage = iota
	open
	leaving
	over
)

// after says which stages may follow.
var after = [...][]stage{
	early:   {open, leaving, over},
	open:    {leaving, over},
	leaving: {over},
	over:    {},
}

// life is a stage that many goroutines look at.
type life struct{ now atomic.Uint32 }

func (l *life) stage() stage { return stage(l.now.Load()) }

// advance moves on and is true for the one caller who made the move.
func (l *life) advance(to stage) bool {
	for {
		from := l.stage()
		allowed := false
		for _, s := range after[from] {
			allowed = allowed || s == to
		}
		if !allowed {
			return false
		}
		if l.now.CompareAndSwap(uint32(from), uint32(to)) {
			return true
		}
	}
}
