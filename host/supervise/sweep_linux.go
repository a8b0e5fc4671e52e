package supervise

import (
	"errors"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// sweepLimit is how long killed processes may take to be gone.
const sweepLimit = time.Second

// sweep kills all processes of session but its leader, and waits until they have
// exited. It gives how many there were, and the pids of those that it could not
// get rid of. The leader must not have been reaped: only so nobody else can have
// its number.
func sweep(session int) (swept int, left []int) {
	deadline := time.Now().Add(sweepLimit)
	seen := make(map[int]bool)
	for {
		members := sessionMembers(session)
		if len(members) == 0 {
			return len(seen), nil
		}
		// One call reaches the whole group, also what is being forked just now.
		_ = unix.Kill(-session, unix.SIGKILL)
		left = left[:0]
		for _, m := range members {
			seen[m.pid] = true
			if !m.kill(deadline) {
				left = append(left, m.pid)
			}
		}
		if len(left) > 0 || time.Now().After(deadline) {
			return len(seen) - len(left), left
		}
	}
}

type member struct {
	pid int
	ref *pidfd
}

// kill tells whether the process was gone before the deadline; it is to be
// called once.
func (m member) kill(deadline time.Time) bool {
	defer m.ref.close()
	if err := m.ref.signal(unix.SIGKILL); err != nil {
		return errors.Is(err, os.ErrProcessDone)
	}
	return m.ref.wait(deadline) == nil
}

// sessionMembers finds the running processes of a session, its leader left out,
// in the order of their numbers. Without /proc there are none to be found.
func sessionMembers(session int) []member {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return nil
	}
	var members []member
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == session || !inSession(pid, session) {
			continue
		}
		ref, err := openPidfd(pid)
		if err != nil {
			continue
		}
		// The number may have changed hands between the two looks.
		if !inSession(pid, session) || !ref.running() {
			_ = ref.close()
			continue
		}
		members = append(members, member{pid: pid, ref: ref})
	}
	return members
}

func inSession(pid, session int) bool {
	sid, err := unix.Getsid(pid)
	return err == nil && sid == session
}
