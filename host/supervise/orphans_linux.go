package supervise

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/proc"
)

const (
	// orphanPause keeps us from looking more often when many exit.
	orphanPause = time.Second
	// orphanPatience is how long a child that we do not know may be dead before we
	// reap it. Somebody else in this process may have started it, such as by
	// package os/exec, and would miss its exit status.
	orphanPatience = 10 * time.Second
	// orphanCrowd is how many may be dead so long; the system has no room for very
	// many, so beyond that the eldest wait no more than orphanPause.
	orphanCrowd = 1000
)

// Subreap makes this process the parent of all its descendants that lose theirs.
// So nobody is lost who came of a process of ours; [Spawner.ReapOrphans] has to
// run then. It stays so over exec and is not inherited.
func Subreap() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot become the parent of orphans: %w", os.NewSyscallError("prctl", err))
	}
	return nil
}

// ReapOrphans reaps orphans that have exited, until ctx ends: those that show by
// their session that they are none of our own children within a second, all others
// after 10 seconds, lest it takes the children of somebody else in this process
// from under their parent. It does nothing while nobody exits.
func (s *Spawner) ReapOrphans(ctx context.Context) {
	exited := make(chan os.Signal, 1)
	signal.Notify(exited, syscall.SIGCHLD)
	defer signal.Stop(exited)
	o := orphanage{spawner: s, crowd: orphanCrowd, dead: make(map[int]orphan)}
	// Somebody may have exited before we were told of it.
	timer := time.NewTimer(orphanPause)
	defer timer.Stop()
	waiting := true
	for {
		select {
		case <-ctx.Done():
			return
		case <-exited:
			if pause := orphanPause; !waiting || o.pause > pause {
				timer.Reset(pause)
				waiting, o.pause = true, pause
			}
		case <-timer.C:
			o.look(time.Now())
			if waiting = o.pause > 0; waiting {
				timer.Reset(o.pause)
			}
		}
	}
}

// orphanage is what ReapOrphans remembers.
type orphanage struct {
	spawner *Spawner
	crowd   int
	dead    map[int]orphan // unknown children that have exited, by pid
	pause   time.Duration  // until the next look; 0: nobody waits for one
}

type orphan struct {
	ticks uint64 // of its start: tells it from another one with its number
	since time.Time
}

// look reaps whom it is time for.
func (o *orphanage) look(now time.Time) {
	if !o.spawner.family.TryLock() {
		o.pause = orphanPause // somebody is born just now, or the Spawner is frozen, perhaps for good
		return
	}
	defer o.spawner.family.Unlock()
	ours, err := unix.Getsid(0)
	if err != nil {
		return
	}
	patience := orphanPatience
	if len(o.dead) > o.crowd {
		patience = orphanPause
	}
	dead := make(map[int]orphan)
	o.pause = 0
	pids := proc.Children(os.Getpid())
	slices.Sort(pids)
	for _, pid := range pids {
		if o.spawner.children[pid] != nil {
			continue
		}
		stat, err := proc.ReadStat(pid)
		if err != nil || !stat.Gone() {
			continue
		}
		found := orphan{ticks: stat.Ticks, since: now}
		if before, ok := o.dead[pid]; ok && before.ticks == stat.Ticks {
			found.since = before.since
		}
		left := patience - now.Sub(found.since)
		// Whom we have forked is in our session, or in its own. Nobody joins another.
		certain := stat.Session != ours && stat.Session != pid
		if left <= 0 || certain {
			_, _ = retry(func() (int, error) { return syscall.Wait4(pid, nil, syscall.WNOHANG, nil) })
			continue
		}
		dead[pid] = found
		if o.pause == 0 || left < o.pause {
			o.pause = left
		}
	}
	o.dead = dead
	if len(dead) > o.crowd {
		o.pause = min(o.pause, orphanPause)
	}
}
