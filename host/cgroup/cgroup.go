package cgroup

// Kind is what a machine offers.
type Kind string

// The kinds.
const (
	Unified Kind = "unified" // version 2 alone
	Hybrid  Kind = "hybrid"  // limits sit on mounts of version 1; version 2 may be there to count and kill
	None    Kind = "none"    // no group that we may write to
)

// Limits bound a process tree. The zero value bounds nothing.
type Limits struct {
	// Memory is the most that the tree may have, in bytes; swap does not add to it.
	// The kernel kills what would need more. 0 is no limit.
	Memory int64
	// MemoryHigh is from where on the tree is slowed down and [Group.High] tells,
	// in bytes. 0 is no limit.
	MemoryHigh int64
	// CPU is how many cores it may use, such as 1.5; at least 0.01. 0 is no limit.
	CPU float64
	// Pids is how many processes and threads it may have. 0 is no limit.
	Pids int
}

// Usage is what a group uses. What the machine does not tell is 0.
type Usage struct {
	Memory int64   // bytes, with cached files
	Anon   int64   // bytes of Memory that cannot be given back
	CPU    float64 // seconds since the group was made
	Pids   int     // processes, without threads
}
