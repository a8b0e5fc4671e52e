package supervise

import (
	"slices"
	"strings"
)

// Marked finds the running processes that a Spawner with this mark has started,
// also a former one's, and those that they started in turn, by pid. It looks at
// all processes of the system, which takes some 10 µs for each.
func Marked(mark string) ([]Found, error) {
	if err := checkMark(mark); err != nil {
		return nil, err
	}
	var found []Found
	var buf []byte
	for _, pid := range processes() {
		before, err := readStat(pid)
		if err != nil || before.gone() {
			continue
		}
		var id string
		if id, buf = invocationOf(pid, buf); mark == "" || !strings.HasPrefix(id, mark) {
			continue
		}
		// The number may have changed hands between the two looks.
		if after, err := readStat(pid); err == nil && after.ticks == before.ticks {
			found = append(found, Found{Pid: pid, Invocation: id, Ticks: before.ticks})
		}
	}
	slices.SortFunc(found, func(a, b Found) int { return a.Pid - b.Pid })
	return found, nil
}
