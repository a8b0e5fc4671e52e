package host

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/program"
	"github.com/dserver/dserver/sandbox"
)

// Event is something that happened in the master. The log, the control API's
// event stream and the service manager's notifications are consumers of events;
// nothing else tells them. The set is closed: see the types below.
type Event interface {
	// record gives the event as the control API shows it, without ID and time.
	record() ctl.Event
}

// MasterMoved: the master as a whole changed state.
type MasterMoved struct {
	State string // starting, running, reloading, stopping, retired, stopped
	Cause string // why, if it is not plain
}

// GenerationMoved: one generation of a worker changed state.
type GenerationMoved struct {
	Place    Place
	From, To State
}

// SandboxMoved: a sandbox changed state inside one generation.
type SandboxMoved struct {
	Place  Place
	Status sandbox.Status
}

// WorkerLost: a generation ended that nobody had asked to end.
type WorkerLost struct {
	Place Place
	Cause string        // exit code or signal
	Delay time.Duration // until it is started again
	Tail  []string      // its last output lines
}

// WorkerGivenUp: a lost worker is not started again, because its policy says so.
type WorkerGivenUp struct {
	Place  Place
	Cause  string // exit code or signal
	Reason string // why it was given up; empty if it ended as it may
	Tail   []string
}

// WorkerBack: a lost worker serves again.
type WorkerBack struct {
	Place Place
	Took  time.Duration // from the loss to serving
}

// WorkerAdopted: a worker of a former master goes on under this one.
type WorkerAdopted struct{ Place Place }

// ReloadQueued: a reload waits for the one that runs.
type ReloadQueued struct{ ID int }

// ReloadStarted: a reload begins.
type ReloadStarted struct {
	ID    int
	Build ctl.Build
}

// ReloadEnded: a reload is over, well or badly.
type ReloadEnded struct{ Result ctl.ReloadResult }

// MasterUpgraded: the master runs another build now, or was to and does not.
type MasterUpgraded struct{ Result ctl.UpgradeResult }

// WorkCut: something was cut at a deadline instead of finished.
type WorkCut struct {
	Place Place
	What  []string
}

// ProgramMoved: an instance of a program changed state.
type ProgramMoved struct{ program.Moved }

// ProgramEnded: a process of a program has ended, whoever wanted it.
type ProgramEnded struct{ program.Ended }

// ProgramReplaced: a new process of a program has taken over from one that is well.
type ProgramReplaced struct{ program.Replaced }

// ProgramSaid: a program tells what it does.
type ProgramSaid struct{ program.Said }

// ProgramWarned: something about a program is not as it was asked for, and it runs
// all the same.
type ProgramWarned struct{ program.Warned }

// publishProgram passes an event of the programs on as one of the master.
func (h *hub) publishProgram(e program.Event) {
	switch e := e.(type) {
	case program.Moved:
		h.publish(ProgramMoved{e})
	case program.Ended:
		h.publish(ProgramEnded{e})
	case program.Replaced:
		h.publish(ProgramReplaced{e})
	case program.Said:
		h.publish(ProgramSaid{e})
	case program.Warned:
		h.publish(ProgramWarned{e})
	}
}

// Place names one generation of one worker.
type Place struct {
	Worker     string
	Instance   int // from 1
	Generation int // from 1
	Pid        int
}

// String is worker/instance.generation.
func (p Place) String() string {
	return fmt.Sprintf("%s/%d.%d", p.Worker, p.Instance, p.Generation)
}

func (p Place) data() map[string]string {
	return map[string]string{
		"worker": p.Worker, "instance": strconv.Itoa(p.Instance),
		"generation": strconv.Itoa(p.Generation), "pid": strconv.Itoa(p.Pid),
	}
}

func (e MasterMoved) record() ctl.Event {
	text := "master " + e.State
	if e.Cause != "" {
		text += ": " + e.Cause
	}
	return ctl.Event{Kind: "master_state", Text: text, Data: map[string]string{"state": e.State}}
}

func (e GenerationMoved) record() ctl.Event {
	data := e.Place.data()
	data["from"], data["to"] = e.From.String(), e.To.String()
	return ctl.Event{
		Kind: "worker_state", Name: e.Place.Worker, Data: data,
		Text: fmt.Sprintf("worker %s (pid %d) is %s", e.Place, e.Place.Pid, e.To),
	}
}

func (e SandboxMoved) record() ctl.Event {
	data := e.Place.data()
	data["state"] = string(e.Status.State)
	text := fmt.Sprintf("sandbox %s is %s", e.Status.Name, e.Status.State)
	if e.Status.Error != "" {
		data["error"] = e.Status.Error
		text += ": " + e.Status.Error
	}
	return ctl.Event{Kind: "sandbox_state", Name: e.Status.Name, Data: data, Text: text}
}

func (e WorkerLost) record() ctl.Event {
	data := e.Place.data()
	data["cause"] = e.Cause
	text := fmt.Sprintf("worker %s (pid %d) ended: %s; starting it again", e.Place, e.Place.Pid, e.Cause)
	if e.Delay > 0 {
		text += " in " + e.Delay.Round(time.Millisecond).String()
	}
	if len(e.Tail) > 0 {
		data["output"] = strings.Join(e.Tail, "\n")
	}
	return ctl.Event{Kind: "worker_lost", Name: e.Place.Worker, Data: data, Text: text}
}

func (e WorkerGivenUp) record() ctl.Event {
	data := e.Place.data()
	data["cause"] = e.Cause
	text := fmt.Sprintf("worker %s (pid %d) ended: %s", e.Place, e.Place.Pid, e.Cause)
	if e.Reason != "" {
		data["reason"] = e.Reason
		text += "; given up: " + e.Reason
	}
	if len(e.Tail) > 0 {
		data["output"] = strings.Join(e.Tail, "\n")
	}
	return ctl.Event{Kind: "worker_given_up", Name: e.Place.Worker, Data: data, Text: text}
}

func (e WorkerBack) record() ctl.Event {
	return ctl.Event{
		Kind: "worker_back", Name: e.Place.Worker, Data: e.Place.data(),
		Text: fmt.Sprintf("worker %s (pid %d) serves again after %v", e.Place, e.Place.Pid, e.Took.Round(100*time.Microsecond)),
	}
}

func programData(p program.Place) map[string]string {
	return map[string]string{
		"program": p.Program, "instance": strconv.Itoa(p.Instance),
		"generation": strconv.Itoa(p.Generation), "pid": strconv.Itoa(p.Pid),
	}
}

// programText names a run of a program, with its process if it has one.
func programText(p program.Place) string {
	if p.Pid == 0 {
		return fmt.Sprintf("program %s", p)
	}
	return fmt.Sprintf("program %s (pid %d)", p, p.Pid)
}

func (e ProgramMoved) record() ctl.Event {
	data := programData(e.Place)
	data["from"], data["to"], data["by"] = string(e.From), string(e.To), e.By
	text := fmt.Sprintf("%s is %s", programText(e.Place), inWords(e.To))
	if e.Reason != "" {
		data["reason"] = e.Reason
		text += ": " + e.Reason
	}
	if !e.Next.IsZero() {
		text += "; next start at " + e.Next.Format(time.TimeOnly)
	}
	return ctl.Event{Kind: "program_state", Name: e.Place.Program, Data: data, Text: text}
}

func (e ProgramEnded) record() ctl.Event {
	data := programData(e.Place)
	data["cause"], data["by"] = e.Run.Cause, e.Run.By
	if len(e.Output) > 0 {
		data["output"] = strings.Join(e.Output, "\n")
	}
	return ctl.Event{
		Kind: "program_ended", Name: e.Place.Program, Data: data,
		Text: fmt.Sprintf("%s ended: %s", programText(e.Place), e.Run.Cause),
	}
}

func (e ProgramReplaced) record() ctl.Event {
	data := programData(e.Place)
	data["old"] = e.Old.String()
	return ctl.Event{
		Kind: "program_replaced", Name: e.Place.Program, Data: data,
		Text: fmt.Sprintf("%s takes over from %s (pid %d)", programText(e.Place), e.Old, e.Old.Pid),
	}
}

func (e ProgramSaid) record() ctl.Event {
	data := programData(e.Place)
	data["says"] = e.Said.Text
	return ctl.Event{
		Kind: "program_said", Name: e.Place.Program, Data: data,
		Text: fmt.Sprintf("%s says: %s", programText(e.Place), e.Said.Text),
	}
}

func (e ProgramWarned) record() ctl.Event {
	return ctl.Event{
		Kind: "program_warned", Name: e.Place.Program, Data: programData(e.Place),
		Text: fmt.Sprintf("%s: %s", programText(e.Place), e.Warned.Text),
	}
}

// inWords is what an instance in a state is.
func inWords(s program.State) string {
	if s == program.Backoff {
		return "waiting for its next start"
	}
	return string(s)
}

func (e WorkerAdopted) record() ctl.Event {
	return ctl.Event{
		Kind: "worker_adopted", Name: e.Place.Worker, Data: e.Place.data(),
		Text: fmt.Sprintf("worker %s (pid %d) of the former master goes on", e.Place, e.Place.Pid),
	}
}

func (e ReloadQueued) record() ctl.Event {
	return ctl.Event{Kind: "reload_queued", Text: fmt.Sprintf("reload %d waits for the one that runs", e.ID)}
}

func (e ReloadStarted) record() ctl.Event {
	return ctl.Event{
		Kind: "reload_started", Data: map[string]string{"id": strconv.Itoa(e.ID), "build": e.Build.ID},
		Text: fmt.Sprintf("reload %d to build %s of %s begins", e.ID, e.Build.ID, e.Build.Path),
	}
}

func (e ReloadEnded) record() ctl.Event {
	r := e.Result
	text := fmt.Sprintf("reload %d %s", r.ID, strings.ReplaceAll(r.Outcome, "_", " "))
	if r.Error != "" && r.Outcome == outcomeCommitted {
		text += ", but not all of it: " + r.Error
	} else if r.Error != "" {
		text += ": " + r.Error
	} else if r.Ready > 0 {
		text += fmt.Sprintf(": ready after %v, committed after %v", r.Ready.Round(time.Millisecond), r.Took.Round(time.Millisecond))
	}
	return ctl.Event{
		Kind: "reload_ended", Text: text,
		Data: map[string]string{"id": strconv.Itoa(r.ID), "outcome": r.Outcome, "build": r.Build.ID},
	}
}

func (e MasterUpgraded) record() ctl.Event {
	r := e.Result
	text := fmt.Sprintf("master runs build %s: upgrade %s", r.Build.ID, strings.ReplaceAll(r.Outcome, "_", " "))
	if r.Error != "" {
		text += ": " + r.Error
	} else if r.Gap > 0 {
		text += fmt.Sprintf(" within %v", r.Gap.Round(100*time.Microsecond))
	}
	return ctl.Event{Kind: "master_upgraded", Text: text, Data: map[string]string{"outcome": r.Outcome, "build": r.Build.ID}}
}

func (e WorkCut) record() ctl.Event {
	data := e.Place.data()
	data["cut"] = strings.Join(e.What, "\n")
	return ctl.Event{
		Kind: "work_cut", Name: e.Place.Worker, Data: data,
		Text: fmt.Sprintf("worker %s: cut at the deadline: %s", e.Place, strings.Join(e.What, ", ")),
	}
}
