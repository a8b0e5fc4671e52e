package program

import (
	"slices"
	"time"

	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/supervise"
)

// moved implements surroundings: it tells of a move, and the programs that it
// concerns do something about it.
func (p *program) moved(u *unit, m Moved) {
	p.publish(m)
	p.changed.flash()
	own := m.By == byPolicy || m.By == byLimit
	switch {
	case m.From.alive() && own && (m.To == Starting || m.To == Backoff):
		p.set.restartGroup(p)
	case m.To == Fatal:
		p.set.stopGroup(p)
	}
	if m.To == Starting && m.Place.Generation > 1 {
		p.set.restartFollowers(p)
	}
}

// restartFollowers restarts what needs a program that begins anew, and said so.
func (s *Set) restartFollowers(p *program) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.programs {
		needs := slices.ContainsFunc(q.def.Needs, func(n config.Need) bool { return n.Name == p.name })
		if q != p && q.def.Follow && needs {
			q.restartAll(p.name)
		}
	}
}

// restartGroup restarts those that share the fate of a program that ended by
// itself.
func (s *Set) restartGroup(p *program) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.fellows(p) {
		q.restartAll("group " + p.def.Group)
	}
}

// stopGroup stops those that share the fate of a program that was given up. They
// are wanted all the same: who starts the group starts them.
func (s *Set) stopGroup(p *program) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.fellows(p) {
		for _, u := range q.units {
			u.tell(wish{by: "group " + p.def.Group, serial: q.wish, reply: make(chan outcome, 1)})
		}
	}
}

// fellows are the other programs of a group that its strategy concerns when p ends
// by itself. The mutex must be held.
func (s *Set) fellows(p *program) []*program {
	at := slices.IndexFunc(s.groups, func(g config.Group) bool { return g.Name == p.def.Group })
	if at < 0 || s.groups[at].Strategy == config.StrategyOne || s.groups[at].Strategy == "" {
		return nil
	}
	var list []*program
	after := false
	for _, q := range s.programs {
		if q.def.Group == p.def.Group && q != p && (after || s.groups[at].Strategy == config.StrategyAll) {
			list = append(list, q)
		}
		after = after || q == p
	}
	return list
}

// restartAll restarts what runs now, all instances at a time; nobody waits for it.
func (p *program) restartAll(by string) {
	now := time.Now()
	for _, u := range p.units {
		if u.seen.Load().State.alive() {
			u.tell(renewal{def: p.def, how: config.ReloadRestart, before: now, by: by, reply: make(chan outcome, 1)})
		}
	}
}

// givenUp implements surroundings.
func (p *program) givenUp(r *run, def *config.Program, cause string, output []string) {
	if err := p.onFatal(r, def, cause, output); err != nil {
		p.warn(r, err.Error())
	}
}

// over implements surroundings. What ends with it is essential once no instance is
// left.
func (p *program) over(exit supervise.Exit) {
	p.set.mu.Lock()
	essential := p.def.Essential
	for _, u := range p.units {
		essential = essential && u.seen.Load().State.over()
	}
	p.set.mu.Unlock()
	if essential {
		p.set.options.Essential(p.name, exit)
	}
}
