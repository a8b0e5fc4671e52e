package program

import "context"

// inOrder does something to each program once it is done with those that it needs,
// or, in reverse, with those that need it; to independent ones at the same time. It
// is done to all of them whether or not anybody waits for the results, which are
// in the order of the programs.
func (s *Set) inOrder(ctx context.Context, programs []*program, reverse bool, do func(p *program) Result) []Result {
	s.mu.Lock()
	before := s.edges(programs)
	s.mu.Unlock()
	if reverse {
		before = turned(before)
	}
	done := make(map[*program]chan Result, len(programs))
	over := make(map[*program]chan struct{}, len(programs))
	for _, p := range programs {
		done[p], over[p] = make(chan Result, 1), make(chan struct{})
	}
	for _, p := range programs {
		p.errand("command for "+p.name, func() {
			defer close(over[p])
			for _, q := range before[p] {
				<-over[q]
			}
			done[p] <- do(p)
		})
	}
	results := make([]Result, len(programs))
	for i, p := range programs {
		select {
		case results[i] = <-done[p]:
		case <-ctx.Done():
			results[i] = Result{Program: p.name, State: s.stateOf(p), Err: context.Cause(ctx)}
		}
	}
	return results
}

func turned(edges map[*program][]*program) map[*program][]*program {
	back := make(map[*program][]*program, len(edges))
	for p, list := range edges {
		for _, q := range list {
			back[q] = append(back[q], p)
		}
	}
	return back
}

func (s *Set) stateOf(p *program) State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return p.status(false).State
}

// gather waits for so many answers and makes one of them: the first failure
// counts.
func (p *program) gather(replies <-chan outcome, count int) Result {
	r := Result{Program: p.name}
	states := make([]State, 0, count)
	for range count {
		o := <-replies
		states = append(states, o.state)
		if o.err != nil && r.Err == nil {
			r.Err, r.Output = o.err, o.output
		}
	}
	if r.State = worst(states); count == 0 {
		r.State = p.set.stateOf(p)
	}
	return r
}
