package program

import (
	"encoding/json"
	"os"
	"syscall"
	"time"

	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/supervise"
)

// Records are what another Set has to know to go on with the programs of this one.
// They are to be kept as JSON; fields are only ever added.
type Records struct {
	// Exact tells that they were taken of a Set that stood still, and nothing has
	// happened since.
	Exact    bool            `json:"exact,omitempty"`
	Programs []ProgramRecord `json:"programs"`
	Groups   []config.Group  `json:"groups,omitempty"`
	Closed   bool            `json:"closed,omitempty"` // all is being stopped
}

// ProgramRecord is one program.
type ProgramRecord struct {
	Definition json.RawMessage  `json:"definition"` // a config.Program
	Wanted     bool             `json:"wanted"`
	Scaled     int              `json:"scaled"` // -1: as configured
	Instances  []InstanceRecord `json:"instances"`
}

// InstanceRecord is one place for a process.
type InstanceRecord struct {
	Instance   int              `json:"instance"`
	Generation int              `json:"generation"` // the last one begun
	State      State            `json:"state"`
	Since      time.Time        `json:"since"`
	Reason     string           `json:"reason,omitempty"`
	By         string           `json:"by,omitempty"`
	Says       string           `json:"says,omitempty"`
	Wanted     bool             `json:"wanted"`
	Renewing   string           `json:"renewing,omitempty"` // who asked for a new process after the one that ends
	Restarts   int              `json:"restarts,omitempty"`
	Next       time.Time        `json:"next,omitzero"`
	Output     []string         `json:"output,omitempty"`
	History    []Run            `json:"history,omitempty"`
	Counts     supervise.Counts `json:"counts"`
	Runs       []RunRecord      `json:"runs,omitempty"`
}

// RunRecord is one process of an instance.
type RunRecord struct {
	Role       role             `json:"role"`
	Generation int              `json:"generation"`
	Place      int              `json:"place,omitempty"`
	Ready      bool             `json:"ready,omitempty"`
	EndedBy    string           `json:"ended_by,omitempty"`
	Why        string           `json:"why,omitempty"`
	Kills      int              `json:"kills,omitempty"`
	Executable *fileID          `json:"executable,omitempty"`
	Process    supervise.Record `json:"process"`
	// Definition is that of the process, if it is not that of the program.
	Definition json.RawMessage `json:"definition,omitempty"`
}

// role is what a run is to its instance.
type role string

const (
	serving  role = "serving"
	arriving role = "arriving" // it is to replace the one that serves
	leaving  role = "leaving"
)

// glimpse is what others may know of a run that has a process.
type glimpse struct {
	role         role
	number       int
	place        int
	kills        int
	ready        bool
	endedBy, why string
	exe          fileID
	def          *config.Program
	child        child
	newline      *os.File
}

func (u *unit) glimpses() []glimpse {
	var list []glimpse
	add := func(r *run, as role) {
		if r == nil || r.child == nil || r.over {
			return
		}
		g := glimpse{
			role: as, number: r.number, place: r.place, kills: r.kills, ready: r.ready, endedBy: r.endedBy, why: r.why,
			exe: r.exe, def: r.def, child: r.child,
		}
		if !r.ready {
			g.newline = r.newline
		}
		list = append(list, g)
	}
	add(u.run, serving)
	add(u.next, arriving)
	for _, r := range u.leaving {
		add(r, leaving)
	}
	return list
}

// keptHub is the name of the notify socket.
const keptHub = "notify socket"

// Kept is a file that goes with exact Records, by a name that is its own.
type Kept struct {
	Name string
	File syscall.Conn // it stays the Set's or a process's: to be kept or sent, not to be read or closed
}

// Records tells what another Set needs to know when this one ends without a word.
// It can be had at any time.
func (s *Set) Records() Records {
	return s.records(func(_ string, g glimpse) supervise.Record { return g.child.Identity() })
}

// Bequest tells all that another Set needs to go on as if nothing had happened. It
// is for a Set and a Spawner that are frozen, in this order.
func (s *Set) Bequest() (Records, []Kept) {
	var kept []Kept
	keep := func(name string, f *os.File) {
		if f != nil {
			kept = append(kept, Kept{name, f})
		}
	}
	r := s.records(func(name string, g glimpse) supervise.Record {
		record, pipes := g.child.Record()
		keep(name+" stdout", pipes.Stdout)
		keep(name+" stderr", pipes.Stderr)
		keep(name+" newline", g.newline)
		if pipes.Process != nil {
			kept = append(kept, Kept{name + " process", pipes.Process})
		}
		return record
	})
	r.Exact = true
	if hub := s.hub.Load(); hub != nil {
		kept = append(kept, Kept{keptHub, hub.Conn()})
	}
	return r, kept
}

func (s *Set) records(process func(name string, g glimpse) supervise.Record) Records {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Records{Programs: make([]ProgramRecord, 0, len(s.programs)), Groups: s.groups, Closed: s.closed}
	for _, p := range s.programs {
		r := ProgramRecord{Definition: p.text(p.def), Wanted: p.wanted, Scaled: p.scaled}
		for _, u := range p.units {
			r.Instances = append(r.Instances, u.seen.Load().record(p, process))
		}
		out.Programs = append(out.Programs, r)
	}
	return out
}

func (i *Instance) record(p *program, process func(name string, g glimpse) supervise.Record) InstanceRecord {
	r := InstanceRecord{
		Instance: i.Instance, Generation: i.last, State: i.State, Since: i.Since, Reason: i.Reason, By: i.By,
		Says: i.Says, Wanted: i.wanted, Renewing: i.renewing, Restarts: i.Restarts, Next: i.Next, Output: i.Output,
		History: i.History, Counts: i.counts,
	}
	for _, g := range i.runs {
		rr := RunRecord{
			Role: g.role, Generation: g.number, Place: g.place, Ready: g.ready, EndedBy: g.endedBy, Why: g.why,
			Kills: g.kills, Process: process(Place{Program: p.name, Instance: i.Instance, Generation: g.number}.String(), g),
		}
		if g.exe != (fileID{}) {
			rr.Executable = &g.exe
		}
		if g.def != p.def && needsProcess(g.def, p.def) {
			rr.Definition = p.text(g.def)
		}
		r.Runs = append(r.Runs, rr)
	}
	return r
}

// text gives a definition as JSON. It is written once for each: there may be a
// thousand of them, and they are wanted at every change. The mutex must be held.
func (p *program) text(def *config.Program) json.RawMessage {
	if p.written.def == def {
		return p.written.text
	}
	text, err := json.Marshal(def)
	if err != nil {
		p.set.options.Log.Error("a program cannot be written down", "program", p.name, "error", err)
		return json.RawMessage("null")
	}
	if def == p.def {
		p.written.def, p.written.text = def, text
	}
	return text
}
