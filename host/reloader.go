package host

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/dserver/dserver/ctl"
)

// errStopping ends a reload because the master is to stop: stop always wins.
var errStopping = errors.New("the master is stopping")

// reloader runs reloads one after the other. One may wait; a later request takes
// the place of the waiting one and covers its names too, and whoever waited for
// that gets the later one's result.
type reloader struct {
	events *hub
	run    func(ctx context.Context, j *reloadJob) ctl.ReloadResult
	// after is called with a reload that is over, before its callers are answered; what
	// it gives is a remark for them. It may be nil.
	after func(request ctl.ReloadRequest, result ctl.ReloadResult) (remark string)

	mu      sync.Mutex
	last    int // ID given last
	running *reloadJob
	cancel  context.CancelCauseFunc // of running
	pending *reloadJob
	held    bool          // another image of this process is to go on
	handed  []*reloadJob  // that a predecessor has sent callers of, by ID
	wake    chan struct{} // capacity 1
	closed  bool
}

// reloadJob is one requested reload.
type reloadJob struct {
	id      int
	request ctl.ReloadRequest
	queued  bool
	by      *reloadJob // the later one that took its place
	over    bool       // result is there, though nobody has been told
	done    chan struct{}
	result  ctl.ReloadResult
}

func newReloader(events *hub, run func(context.Context, *reloadJob) ctl.ReloadResult) *reloader {
	return &reloader{events: events, run: run, wake: make(chan struct{}, 1)}
}

// submit asks for a reload and returns without waiting for it.
func (r *reloader) submit(request ctl.ReloadRequest) (*reloadJob, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return nil, errStopping
	case r.held:
		return nil, ctl.Problemf(ctl.ErrRetry, "the master is being upgraded")
	}
	r.last++
	j := &reloadJob{id: r.last, request: request, done: make(chan struct{}), queued: r.running != nil}
	if old := r.pending; old != nil {
		j.request.Names = mergeNames(old.request.Names, request.Names)
		old.by = j
		close(old.done)
	}
	r.pending = j
	if j.queued {
		r.events.publish(ReloadQueued{ID: j.id})
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
	return j, nil
}

// mergeNames covers what both cover; no names means everything.
func mergeNames(a, b []string) []string {
	if len(a) == 0 || len(b) == 0 {
		return nil
	}
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// loop runs what is submitted until ctx ends; that also ends the reload that
// runs. A reload that waits then fails with errStopping.
func (r *reloader) loop(ctx context.Context) {
	defer r.close()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		}
		if ctx.Err() != nil {
			return // stop wins, also when both came at once
		}
		r.runNext(ctx)
		if r.retired() {
			return
		}
	}
}

func (r *reloader) retired() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

func (r *reloader) runNext(ctx context.Context) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if j := r.take(cancel); j != nil {
		r.conclude(j, r.run(ctx, j))
		if r.after != nil {
			r.remark(j, r.after(j.request, j.result))
		}
		r.finish(j)
	}
}

func (r *reloader) conclude(j *reloadJob, result ctl.ReloadResult) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !isClosed(j.done) {
		j.result, j.over = result, true
	}
}

// remark adds to the result, also if its callers are to ask for it once more.
func (r *reloader) remark(j *reloadJob, text string) {
	if text == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	told := slices.Clone(r.handed)
	if !slices.Contains(told, j) {
		told = append(told, j)
	}
	for _, k := range told {
		if k.id == j.id && k.result.Outcome != ctl.OutcomeMoved {
			k.result.Remarks = append(k.result.Remarks, text)
		}
	}
}

func (r *reloader) take(cancel context.CancelCauseFunc) *reloadJob {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held {
		return nil
	}
	r.running, r.pending, r.cancel = r.pending, nil, cancel
	return r.running
}

func (r *reloader) finish(j *reloadJob) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running = nil
	if !isClosed(j.done) { // else its callers were sent elsewhere
		close(j.done)
	}
}

func (r *reloader) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if j := r.pending; j != nil {
		r.pending = nil
		j.result = ctl.ReloadResult{ID: j.id, Outcome: outcomeRefused, Error: errStopping.Error()}
		close(j.done)
	}
}

// queue is what a successor has to know of a reloader.
type queue struct {
	Done    []ctl.ReloadResult `json:"done,omitempty"`    // of reloads that are over and whose callers may still ask, by ID
	Last    int                `json:"last"`              // ID given last
	Pending *ctl.ReloadRequest `json:"pending,omitempty"` // of the reload that waits, whose ID is Last
}

func (r *reloader) queue() queue {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := queue{Last: r.last, Done: r.unasked()}
	if r.pending != nil {
		q.Pending = &r.pending.request
	}
	return q
}

// maxUnasked is how many results of former masters' reloads are kept for callers who
// were sent on and do not come.
const maxUnasked = 16

// unasked gives the results of reloads that a former master has sent callers of.
func (r *reloader) unasked() (done []ctl.ReloadResult) {
	for _, j := range r.handed {
		if j.over {
			done = append(done, j.outcome())
		}
	}
	return done[max(0, len(done)-maxUnasked):]
}

// outcome is the result as another process passes it on.
func (j *reloadJob) outcome() ctl.ReloadResult {
	result := j.result
	result.Queued = j.queued
	return result
}

// suspend gives the reloads that wait, for another image of this process to run
// them, and sends their callers there. The one that runs by now, if there is one,
// has not begun: it waits for its turn.
func (r *reloader) suspend() queue {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = true
	q := queue{Last: r.last, Done: r.unasked()}
	for _, j := range []*reloadJob{r.running, r.pending} {
		if j == nil || isClosed(j.done) {
			continue
		}
		if j.over {
			if !slices.Contains(r.handed, j) {
				q.Done = append(q.Done, j.outcome())
			}
		} else {
			names := j.request.Names
			if q.Pending != nil {
				names = mergeNames(q.Pending.Names, names)
			}
			q.Pending = &ctl.ReloadRequest{Names: names, Binary: j.request.Binary, DryRun: j.request.DryRun}
		}
		j.result = ctl.ReloadResult{ID: j.id, Outcome: ctl.OutcomeMoved}
		close(j.done)
	}
	if r.running != nil && r.cancel != nil {
		r.cancel(errMoved)
	}
	r.pending = nil
	return q
}

// errMoved ends a reload that another image of this process will run.
var errMoved = errors.New("the master is being upgraded")

// reopen goes on with what suspend gave: there is no other image.
func (r *reloader) reopen(q queue) {
	r.mu.Lock()
	r.held = false
	r.mu.Unlock()
	_ = r.goOn(q) // it fails for a master that is stopping only
}

// goOn takes the queue of a predecessor over.
func (r *reloader) goOn(q queue) error {
	r.mu.Lock()
	r.handed = nil
	for _, result := range q.Done {
		j := &reloadJob{id: result.ID, queued: result.Queued, result: result, over: true, done: make(chan struct{})}
		close(j.done)
		r.handed = append(r.handed, j)
	}
	r.last = q.Last
	if q.Pending != nil {
		r.last-- // submit gives it the number that it had
	}
	r.mu.Unlock()
	if q.Pending == nil {
		return nil
	}
	j, err := r.submit(*q.Pending)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	j.queued = true
	r.handed = append(r.handed, j)
	return nil
}

// resume finds the reload that a predecessor knew by id, or the later one that
// took its place there.
func (r *reloader) resume(id int) (*reloadJob, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, j := range r.handed {
		if id <= j.id {
			return j, true
		}
	}
	return nil, false
}

// retire ends a reloader whose queue was taken over as q; those who wait are told
// to ask the successor. late is a reload that came after q was made.
func (r *reloader) retire(q queue) (late bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	j := r.pending
	if j == nil {
		return false
	}
	r.pending = nil
	j.result = ctl.ReloadResult{ID: j.id, Outcome: ctl.OutcomeMoved}
	close(j.done)
	return j.id > q.Last
}

// wait returns the result of the job, or of the one that took its place, or
// ctx's error; the reload goes on without its caller.
func (j *reloadJob) wait(ctx context.Context) (ctl.ReloadResult, error) {
	superseded, id := false, j.id
	for {
		select {
		case <-j.done:
		case <-ctx.Done():
			return ctl.ReloadResult{ID: j.id}, context.Cause(ctx)
		}
		if j.by == nil {
			result := j.result
			if result.Outcome == ctl.OutcomeMoved {
				result.ID = id // by which the successor finds out what has taken its place
			}
			result.Superseded, result.Queued = superseded, j.queued
			return result, nil
		}
		j, superseded = j.by, true
	}
}
