package ctl_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/internal/group"
)

// masterVariable makes the test binary a master that becomes another program.
const masterVariable = "CTL_TEST_MASTER"

const heritageVariable = "CTL_TEST_HERITAGE"

// heritage is what one image leaves to the next.
type heritage struct {
	FD   int // of the listening socket
	ID   int // of the upgrade
	Done int // upgrades so far
}

// image is one program in the life of the process.
type image struct {
	*master
	heritage
	ln     *net.UnixListener
	server *ctl.Server
	failed chan struct{} // gets a value when it goes on after all
	done   *os.File      // gets a line for each signal

	after *group.Group

	mu      sync.RWMutex
	leaving bool
	result  ctl.UpgradeResult // of the last one that came to nothing here
}

// becoming serves the socket at path and execs its own file at every upgrade.
func becoming(path string) error {
	i := &image{master: newMaster(), failed: make(chan struct{}), after: group.New(context.Background(), nil)}
	left := os.Getenv(heritageVariable)
	err := os.Unsetenv(heritageVariable) // of two values the first one would count
	if err != nil {
		return err
	}
	if left == "" {
		i.ln, err = ctl.Listen(path)
	} else if err = json.Unmarshal([]byte(left), &i.heritage); err == nil {
		i.ln, err = inherited(i.FD)
	}
	if err != nil {
		return err
	}
	i.after.Go("end of the test", func(context.Context) {
		// However the test ends, this is a process that it has left behind.
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	})
	if i.done, err = os.OpenFile(path+".done", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	for {
		i.server = ctl.NewServer(i, ctl.Config{})
		if err := i.server.Serve(i.ln); !errors.Is(err, ctl.ErrClosed) {
			return err
		}
		<-i.failed
	}
}

func inherited(fd int) (*net.UnixListener, error) {
	unix.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), "control socket")
	defer f.Close()
	ln, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	return ln.(*net.UnixListener), nil
}

func (i *image) Info(context.Context) ctl.Info {
	return ctl.Info{Name: "shop", Pid: os.Getpid(), Generation: i.Done}
}

func (i *image) Signal(_ context.Context, r ctl.SignalRequest) (ctl.ActionResult, error) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	if i.leaving {
		return ctl.ActionResult{}, ctl.Problemf(ctl.ErrRetry, "cannot signal %s: another program is about to take over", r.Names[0])
	}
	_, err := fmt.Fprintln(i.done, r.Names[0])
	return ctl.ActionResult{Results: []ctl.Action{{Name: r.Names[0], State: "ready"}}}, err
}

func (i *image) Upgrade(ctx context.Context, r ctl.UpgradeRequest) (ctl.UpgradeResult, error) {
	i.mu.RLock()
	last := i.result
	i.mu.RUnlock()
	if r.Resume > 0 && r.Resume == last.ID {
		return last, nil
	}
	if r.Resume > 0 && r.Resume == i.ID {
		return ctl.UpgradeResult{ID: i.ID, Outcome: "committed", Pid: os.Getpid()}, nil
	}
	if r.Resume > 0 || r.Binary == "" {
		return ctl.UpgradeResult{}, ctl.Problemf(ctl.ErrNotFound, "there was no upgrade %d", r.Resume)
	}
	i.leave(true)
	i.server.Drain() // first, so that who is told that it moved asks the new image
	moved := ctl.UpgradeResult{ID: r.ID, Outcome: ctl.OutcomeMoved}
	if i.Done%2 == 0 {
		i.after.Go("upgrade", func(ctx context.Context) { i.become(ctx, r, 0) })
		return moved, nil
	}
	return i.become(ctx, r, 1), nil // nobody is told: the connection is cut
}

// become returns only if the process could not become another program; then it
// goes on as before. So many calls as waiting may be cut.
func (i *image) become(ctx context.Context, r ctl.UpgradeRequest, waiting int) ctl.UpgradeResult {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := errors.New("some would not leave")
	if i.server.Settle(ctx, waiting) {
		err = i.exec(r)
	}
	i.leave(false)
	i.mu.Lock()
	i.result = ctl.UpgradeResult{ID: r.ID, Outcome: "rolled_back", Pid: os.Getpid(), Error: err.Error()}
	defer i.mu.Unlock()
	i.failed <- struct{}{}
	return i.result
}

func (i *image) leave(yes bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.leaving = yes
}

// exec returns only if it could not be done.
func (i *image) exec(r ctl.UpgradeRequest) error {
	raw, err := i.ln.SyscallConn()
	if err != nil {
		return err
	}
	fd := 0
	if cerr := raw.Control(func(at uintptr) { fd, err = unix.FcntlInt(at, unix.F_DUPFD, 3) }); cerr != nil || err != nil {
		return errors.Join(cerr, err)
	}
	defer unix.Close(fd)
	left, err := json.Marshal(heritage{FD: fd, ID: r.ID, Done: i.Done + 1})
	if err != nil {
		return err
	}
	return syscall.Exec(r.Binary, []string{"master"}, append(os.Environ(), heritageVariable+"="+string(left)))
}

// startBecoming runs such a master until the test ends.
func startBecoming(t *testing.T) (c *ctl.Client, path string, cmd *exec.Cmd) {
	t.Helper()
	path = socketPath(t)
	cmd = exec.Command(self(t))
	cmd.Env = append(os.Environ(), masterVariable+"="+path)
	cmd.Stderr = os.Stderr
	// The pipe goes over to each image, and ends with this process.
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	c, ctx := ctl.New(path), within(t)
	for {
		_, err := c.Info(ctx)
		if err == nil {
			return c, path, cmd
		}
		if !errors.Is(err, ctl.ErrNotRunning) {
			t.Fatal(err)
		}
	}
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestTheNewImageTellsHowAnUpgradeWent execs a real process many times while
// others look and act. They notice nothing, and what they asked for is done once.
func TestTheNewImageTellsHowAnUpgradeWent(t *testing.T) {
	c, path, cmd := startBecoming(t)
	ctx := within(t)
	looking, stop := context.WithCancel(ctx)
	defer stop()
	var looks, acts atomic.Int64
	told := new(sync.Map) // names of the signals that were answered
	g := group.New(ctx, nil)
	for n := range 4 {
		g.Go(fmt.Sprint("looker ", n), func(context.Context) {
			for looking.Err() == nil {
				if info, err := c.Info(ctx); err != nil || info.Pid != cmd.Process.Pid {
					t.Errorf("look %d: %+v, %v", looks.Load(), info, err)
					return
				}
				looks.Add(1)
			}
		})
		g.Go(fmt.Sprint("actor ", n), func(context.Context) {
			for i := 0; looking.Err() == nil; i++ {
				name := fmt.Sprintf("%d-%d", n, i)
				_, err := c.Signal(ctx, ctl.SignalRequest{Names: []string{name}, Signal: "HUP"})
				if err != nil {
					t.Errorf("act %s: %v", name, err)
					return
				}
				told.Store(name, true)
				acts.Add(1)
			}
		})
	}
	const upgrades = 30
	for n := range upgrades {
		res, err := c.Upgrade(ctx, ctl.UpgradeRequest{Binary: self(t)})
		if err != nil || res.Outcome != "committed" || res.ID == 0 || res.Pid != cmd.Process.Pid {
			t.Fatalf("upgrade %d: %+v, %v", n, res, err)
		}
	}
	stop()
	if err := g.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if info, err := c.Info(ctx); err != nil || info.Generation != upgrades {
		t.Errorf("%+v, %v", info, err)
	}
	t.Logf("%d looks, %d acts", looks.Load(), acts.Load())
	b, err := os.ReadFile(path + ".done")
	if err != nil {
		t.Fatal(err)
	}
	done := map[string]int{}
	for name := range strings.Lines(string(b)) {
		done[strings.TrimSpace(name)]++
	}
	for name, n := range done {
		if n != 1 {
			t.Errorf("signal %s was sent %d times", name, n)
		}
	}
	told.Range(func(name, _ any) bool {
		if done[name.(string)] != 1 {
			t.Errorf("signal %s was said to be sent and was not", name)
		}
		return true
	})
}

func TestAnUpgradeThatCannotBeginIsAnswered(t *testing.T) {
	c, _, cmd := startBecoming(t)
	res, err := c.Upgrade(within(t), ctl.UpgradeRequest{Binary: filepath.Join(t.TempDir(), "nothing"), ID: 77})
	if err != nil || res.Outcome != "rolled_back" || res.ID != 77 || !strings.Contains(res.Error, "no such file") || res.Pid != cmd.Process.Pid {
		t.Errorf("%+v, %v", res, err)
	}
	if _, err := c.Upgrade(within(t), ctl.UpgradeRequest{Resume: 78}); !errors.Is(err, ctl.ErrNotFound) {
		t.Errorf("an upgrade that never was: %v", err)
	}
}

func TestAnUpgradeThatNobodySurvivesEndsTheWait(t *testing.T) {
	c, _, _ := startBecoming(t)
	_, err := c.Upgrade(within(t), ctl.UpgradeRequest{Binary: "/bin/false"})
	if !errors.Is(err, ctl.ErrNotRunning) {
		t.Errorf("got %v", err)
	}
}

func TestAnUpgradeInTheNextProcessIsAskedFor(t *testing.T) {
	m, path := newMaster(), socketPath(t)
	var asked []ctl.UpgradeRequest
	answers := []func(id int) (ctl.UpgradeResult, error){
		func(id int) (ctl.UpgradeResult, error) {
			return ctl.UpgradeResult{ID: id, Outcome: ctl.OutcomeMoved}, nil
		},
		func(int) (ctl.UpgradeResult, error) {
			return ctl.UpgradeResult{}, ctl.Problemf(ctl.ErrBusy, "cannot tell yet")
		},
		func(id int) (ctl.UpgradeResult, error) { return ctl.UpgradeResult{ID: id, Outcome: "committed"}, nil },
	}
	m.upgrade = func(_ context.Context, r ctl.UpgradeRequest) (ctl.UpgradeResult, error) {
		asked = append(asked, r)
		return answers[len(asked)-1](max(r.ID, r.Resume))
	}
	serve(t, listen(t, path), m, ctl.Config{})
	res, err := ctl.New(path).Upgrade(within(t), ctl.UpgradeRequest{Binary: "/bin/new"})
	if err != nil || res.Outcome != "committed" {
		t.Errorf("%+v, %v", res, err)
	}
	if len(asked) != 3 || asked[0].ID == 0 || asked[0].Binary != "/bin/new" || asked[1] != (ctl.UpgradeRequest{Resume: asked[0].ID}) || asked[2] != asked[1] {
		t.Errorf("asked %+v", asked)
	}
}

func TestAMasterThatKnowsNothingOfTheUpgradeIsALostAnswer(t *testing.T) {
	m, path := newMaster(), socketPath(t)
	m.upgrade = func(_ context.Context, r ctl.UpgradeRequest) (ctl.UpgradeResult, error) {
		if r.Resume > 0 {
			return ctl.UpgradeResult{}, ctl.Problemf(ctl.ErrNotFound, "there was no upgrade %s", strconv.Itoa(r.Resume))
		}
		return ctl.UpgradeResult{ID: r.ID, Outcome: ctl.OutcomeMoved}, nil
	}
	serve(t, listen(t, path), m, ctl.Config{})
	if _, err := ctl.New(path).Upgrade(within(t), ctl.UpgradeRequest{}); !errors.Is(err, ctl.ErrLost) || errors.Is(err, ctl.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestABusyMasterDoesNotBeginAnUpgrade(t *testing.T) {
	m, path := newMaster(), socketPath(t)
	n := 0
	m.upgrade = func(context.Context, ctl.UpgradeRequest) (ctl.UpgradeResult, error) {
		n++
		return ctl.UpgradeResult{}, ctl.Problemf(ctl.ErrBusy, "cannot upgrade: a reload is under way")
	}
	serve(t, listen(t, path), m, ctl.Config{})
	if _, err := ctl.New(path).Upgrade(within(t), ctl.UpgradeRequest{}); !errors.Is(err, ctl.ErrBusy) || n != 1 {
		t.Errorf("asked %d times, %v", n, err)
	}
}
