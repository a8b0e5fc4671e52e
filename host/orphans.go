package host

import (
	"errors"

	"github.com/dserver/dserver/host/supervise"
)

// strangerRounds is how often strangers are looked for: one that forks while it is
// being killed may have left another one.
const strangerRounds = 10

// endStrangers kills what a killed master of this folder had just started: it
// carries the folder's mark, but no record tells of it. known are the invocations
// that this master goes on with.
func (m *master) endStrangers(known map[string]bool) error {
	for range strangerRounds {
		all, err := supervise.Marked(markOf(m.dir))
		if err != nil {
			return err
		}
		var errs []error
		strangers := 0
		for _, f := range all {
			if known[f.Invocation] {
				continue
			}
			strangers++
			m.log.Warn("ending a process that the former master has left", "pid", f.Pid, "invocation", f.Invocation)
			errs = append(errs, f.Kill())
		}
		if err := errors.Join(errs...); err != nil || strangers == 0 {
			return err
		}
	}
	return errors.New("cannot end all that the former master has left: more comes all the time")
}
