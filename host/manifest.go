package host

import (
	"time"

	"github.com/dserver/dserver/host/cli"
	"github.com/dserver/dserver/host/config"
)

// manifestPrograms are the programs that would run, as check tells them.
func manifestPrograms(c *config.Config) []cli.ManifestProgram {
	var out []cli.ManifestProgram
	for _, p := range c.Programs {
		m := cli.ManifestProgram{Name: p.Name, Command: p.Command, Instances: p.Instances}
		for _, l := range p.Listen {
			m.Listen = append(m.Listen, cli.ManifestListen{Name: l.Name, Address: l.String()})
		}
		out = append(out, m)
	}
	return out
}

// stops knows how long programs and workers may take to stop. What needs another
// one ends before it, so the times of a chain add up.
type stops struct {
	own    map[string]time.Duration
	needs  map[string][]config.Need
	chains map[string]time.Duration // together with all that it needs
}

// longestStop is the longest that a stop of the whole instance takes.
func longestStop(c *config.Config) time.Duration {
	s := stops{make(map[string]time.Duration), make(map[string][]config.Need), make(map[string]time.Duration)}
	for _, w := range c.Workers {
		s.own[w.Name], s.needs[w.Name] = c.StopTimeout, w.Needs
	}
	for _, p := range c.Programs {
		s.needs[p.Name] = p.Needs
		for _, step := range p.Stop {
			s.own[p.Name] += step.Wait
		}
		if len(p.Stop) == 0 {
			s.own[p.Name] = c.StopTimeout
		}
	}
	longest := c.StopTimeout
	for name := range s.own {
		longest = max(longest, s.chain(name))
	}
	return longest
}

func (s stops) chain(name string) time.Duration {
	if known, ok := s.chains[name]; ok {
		return known
	}
	s.chains[name] = 0 // so that a circle ends, though the configuration has none
	var rest time.Duration
	for _, need := range s.needs[name] {
		rest = max(rest, s.chain(need.Name))
	}
	s.chains[name] = s.own[name] + rest
	return s.chains[name]
}
