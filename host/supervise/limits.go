package supervise

import (
	"errors"
	"fmt"
)

// User is who a process is.
type User struct {
	UID, GID int
	Groups   []int // supplementary groups; it has no others
}

// Rlimit is a limit of one resource, by the number that the system gives it, such
// as unix.RLIMIT_NOFILE. No limit is all ones.
type Rlimit struct {
	Resource   int
	Soft, Hard uint64
}

const maxID = 1<<32 - 2 // the one above means "do not change"

// checkLimits refuses what the system would refuse later, or silently cut.
func (s Spec) checkLimits() error {
	var errs []error
	if u := s.User; u != nil {
		for _, id := range append([]int{u.UID, u.GID}, u.Groups...) {
			if id < 0 || id > maxID {
				errs = append(errs, fmt.Errorf("%d is no number of a user or a group", id))
			}
		}
	}
	errs = append(errs,
		within("umask", s.Umask, 0, 0o777),
		within("nice value", s.Nice, -20, 19),
		within("oom_score_adj", s.OOMScoreAdj, -1000, 1000))
	for _, l := range s.Rlimits {
		if l.Soft > l.Hard {
			errs = append(errs, fmt.Errorf("the soft limit %d of resource %d is above the hard one, %d", l.Soft, l.Resource, l.Hard))
		}
	}
	return errors.Join(errs...)
}

func within(what string, value *int, least, most int) error {
	if value == nil || *value >= least && *value <= most {
		return nil
	}
	return fmt.Errorf("the %s %d is not from %d to %d", what, *value, least, most)
}
