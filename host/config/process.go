package config

import "time"

// Process is what a process is allowed and what it sees: of a program, and of a
// worker.
type Process struct {
	// Dir is the working directory, absolute. Default: that of the configuration file;
	// of a worker: empty, that of the master.
	Dir string `json:",omitzero"`
	// User and Group are names or numbers. Default: those of the master.
	User, Group string `json:",omitzero"`
	// Groups are supplementary groups. Default: those of User, none without one.
	Groups []string `json:",omitzero"`
	// Identity is what User, Group and Groups mean. Default: nil, that of the master.
	Identity *Identity `json:",omitzero"`
	// Umask, or -1 for that of the master. Default: -1.
	Umask int `json:",omitzero"`
	// Inherit says which variables of the master's environment it sees: all with "*"
	// or nil, else those named. Default: "*".
	Inherit []string `json:",omitzero"`
	// EnvFiles hold NAME=value lines; they are read at each start. Default: none.
	EnvFiles []string `json:",omitzero"`
	// Env are variables, which win over all others. Default: none.
	Env map[string]string `json:",omitzero"`
	// Secrets are variables whose values are the contents of files, without the
	// last newline; they are read at each start. Default: none.
	Secrets map[string]string `json:",omitzero"`
	// Rlimits, sorted by name. Default: those of the master.
	Rlimits []Rlimit `json:",omitzero"`
	// Nice from -20 to 19. Default: 0, as the master.
	Nice int `json:",omitzero"`
	// OOMScoreAdj from -1000 to 1000. Default: 0, as the master.
	OOMScoreAdj int `json:",omitzero"`
	// NoNewPrivs keeps it from ever gaining privileges. Default: false.
	NoNewPrivs bool `json:",omitzero"`
	// Memory is the most that its process tree may use, in bytes; what uses more is
	// killed. Default: 0, no limit.
	Memory int64 `json:",omitzero"`
	// MemoryHigh is from where on it is slowed down, and reloaded, before that.
	// Default: 0, no limit.
	MemoryHigh int64 `json:",omitzero"`
	// CPU is how many cores it may use, such as 1.5. Default: 0, no limit.
	CPU float64 `json:",omitzero"`
	// Pids is how many processes and threads it may have. Default: 0, no limit.
	Pids int `json:",omitzero"`
}

// Identity is who a process is.
type Identity struct {
	UID, GID int
	Groups   []int // supplementary
	// Name and Home of the user; empty for a number that has no user. They are for
	// USER, LOGNAME and HOME.
	Name, Home string
}

// Rlimit is what one resource is limited to; [Unlimited] is no limit.
type Rlimit struct {
	Name       string // such as nofile
	Resource   int    // for prlimit
	Soft, Hard uint64
}

// Unlimited is the value of an [Rlimit] that is none.
const Unlimited = ^uint64(0)

// Keep says what follows when a process ends by itself.
type Keep struct {
	// Restart is the policy. Default: on-failure for programs, always for workers.
	Restart Restart `json:",omitzero"`
	// ExitCodes are those that are no failure. Default: 0.
	ExitCodes []int `json:",omitzero"`
	// BackoffMin is the wait before the second restart in a row, BackoffMax the
	// longest. Default: 100ms and 30s.
	BackoffMin, BackoffMax time.Duration `json:",omitzero"`
	// Stable is the length of a run after which the row begins anew. Default: 10s.
	Stable time.Duration `json:",omitzero"`
	// StartLimit is how many starts within StartWindow are tried before it is given
	// up; 0 is any number. Default: 8 in 1m for programs, 0 for workers.
	StartLimit  int           `json:",omitzero"`
	StartWindow time.Duration `json:",omitzero"`
}

// Recycle says when a process is replaced, or restarted, although it is well.
type Recycle struct {
	// MaxAge of a process. Default: 0, any.
	MaxAge time.Duration `json:",omitzero"`
	// MaxRequests that a worker has answered. Default: 0, any.
	MaxRequests int64 `json:",omitzero"`
	// MaxRSS in bytes. Default: 0, any.
	MaxRSS int64 `json:",omitzero"`
	// Jitter is the part, from 0 to 1, by which each of them is made smaller at
	// random, so that instances do not go together. Default: 0.1.
	Jitter float64 `json:",omitzero"`
}

// leastWait is the time that the waits between so many starts take together as
// make it the limit and the one over it, each as short as chance may make it.
func (k Keep) leastWait() time.Duration {
	var sum time.Duration
	wait := k.BackoffMin
	for range min(k.StartLimit-1, 1000) {
		sum += wait * 4 / 5
		wait = min(2*wait, k.BackoffMax)
	}
	return sum
}
