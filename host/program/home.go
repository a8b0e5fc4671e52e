package program

import (
	"fmt"

	"github.com/dserver/dserver/host/cgroup"
)

// home is where the processes of a run live. It is kept for the next run.
type home struct {
	group  *cgroup.Group // nil where there is none to be had
	limits cgroup.Limits
}

// maxPlaces is how many runs of one instance may be on their way at a time: what
// serves, what is to replace it, and what was replaced and has not ended yet.
const maxPlaces = 8

// freePlace gives the lowest number of a home in which no run is. There always is
// one: see [unit.replace].
func (u *unit) freePlace() int {
	for place := 0; ; place++ {
		taken := u.run != nil && u.run.place == place || u.next != nil && u.next.place == place
		for _, r := range u.leaving {
			taken = taken || r.place == place
		}
		if !taken {
			return place
		}
	}
}

// enroll makes the home of a run that is about to start, or finds it.
func (p *program) enroll(r *run) (err error) {
	l := CgroupLimits(&r.def.Process)
	if r.home.group == nil {
		r.home.group, err = p.set.options.Cgroups.Make(groupName(p.name, r.unit.instance, r.place), l)
	} else if r.home.limits != l {
		err = r.home.group.Set(l)
	}
	r.home.limits = l
	if err == nil && l.Memory > 0 {
		r.kills, err = r.home.group.OOMKills()
	}
	return err
}

// limit brings changed limits to a run that has a process, if there is one.
func (u *unit) limit(r *run, l cgroup.Limits) {
	if r == nil || r.child == nil || r.home.limits == l {
		return
	}
	r.home.limits = l
	u.homes[r.place] = r.home
	group, place := r.home.group, u.place(r)
	u.around.errand("limits of "+r.String(), func() {
		if err := group.Set(l); err != nil {
			u.around.publish(Warned{Place: place, Text: err.Error()})
		}
	})
}

// vacateHomes gives up all homes; nothing lives there.
func (u *unit) vacateHomes() {
	for i, h := range u.homes {
		if err := h.group.Remove(); err != nil {
			u.around.publish(Warned{Place: u.place(nil), Text: err.Error()})
		}
		u.homes[i] = home{}
	}
}

// groupName is such as web-1, or web-1-b for what begins beside that.
func groupName(program string, instance, place int) string {
	name := fmt.Sprintf("%s-%d", program, instance)
	if place > 0 {
		name += "-" + string(rune('a'+place))
	}
	return name
}
