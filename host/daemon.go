package host

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/cli"
	"github.com/dserver/dserver/host/rundir"
	"github.com/dserver/dserver/internal/group"
)

// daemonVar tells a master in the background the number of the pipe on which it
// says that it is ready, or why it is not: one line of JSON.
const daemonVar = "DSERVER_DAEMON"

// daemonWord is that line.
type daemonWord struct {
	Started *cli.Started `json:"started,omitempty"`
	Error   string       `json:"error,omitempty"`
	Output  []string     `json:"output,omitempty"`
	Timeout bool         `json:"timeout,omitempty"`
}

// Daemon implements cli.Starter: the same start in a process of its own, with
// its own session, working folder and log instead of a terminal.
func (c *command) Daemon(ctx context.Context, o cli.StartOptions) (cli.Started, error) {
	if err := supported(); err != nil {
		return cli.Started{}, err
	}
	l, err := c.app.load(ctx, o)
	if err != nil {
		return cli.Started{}, err
	}
	if status, err := l.dir.Peek(); err == nil && status.Running {
		return cli.Started{}, &rundir.RunningError{Pid: status.Pid, Path: status.Path}
	}
	log, err := openLogFile(l.dir)
	if err != nil {
		return cli.Started{}, err
	}
	defer log.Close()
	offset, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return cli.Started{}, fmt.Errorf("cannot use the log file: %w", err)
	}
	cmd, said, err := c.spawnDaemon(o, l, log)
	if err != nil {
		return cli.Started{}, err
	}
	defer said.Close()
	started, err := awaitDaemon(ctx, cmd, said, o.Timeout)
	if err == nil {
		return started, cmd.Process.Release()
	}
	return cli.Started{}, withLog(err, log, offset)
}

func (c *command) spawnDaemon(o cli.StartOptions, l loaded, log *os.File) (*exec.Cmd, *os.File, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, nil, fmt.Errorf("cannot find the own executable: %w", err)
	}
	said, tell, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a pipe: %w", err)
	}
	defer tell.Close()
	args, err := foregroundArgs(o)
	if err != nil {
		said.Close()
		return nil, nil, err
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = workingFolder(l)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{tell}
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", daemonVar, firstDescriptor))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		said.Close()
		return nil, nil, fmt.Errorf("cannot start the master: %w", err)
	}
	return cmd, said, nil
}

// foregroundArgs are the arguments of the same start in the foreground, without
// anything that depends on the working folder.
func foregroundArgs(o cli.StartOptions) ([]string, error) {
	args := append([]string{"start"}, o.Names...)
	for _, f := range []struct {
		name  string
		value *string
	}{{"--runtime-dir", &o.RuntimeDir}, {"--config", &o.Config}} {
		if *f.value == "" {
			continue
		}
		path, err := filepath.Abs(*f.value)
		if err != nil {
			return nil, fmt.Errorf("cannot make %s absolute: %w", f.name, err)
		}
		args = append(args, f.name, path)
	}
	for _, f := range []struct{ name, value string }{{"--name", o.Name}, {"--env", o.Env}, {"--mode", o.Mode}} {
		if f.value != "" {
			args = append(args, f.name, f.value)
		}
	}
	if o.Demo {
		args = append(args, "--demo")
	}
	return append(args, "--timeout", o.Timeout.String()), nil
}

// workingFolder is where a master in the background works: beside its
// configuration, else in the root folder, so that it keeps no mount busy.
func workingFolder(l loaded) string {
	if len(l.Config.Files) > 0 {
		return filepath.Dir(l.Config.Files[0])
	}
	return "/"
}

// awaitDaemon waits for the word of the new master, at most a little longer than
// that itself may take.
func awaitDaemon(ctx context.Context, cmd *exec.Cmd, said *os.File, limit time.Duration) (cli.Started, error) {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit+killGrace, ctl.ErrTimeout)
		defer cancel()
	}
	words := make(chan daemonWord, 1)
	reader := group.New(ctx, nil)
	reader.Go("daemon", func(context.Context) { words <- readWord(said) })
	select {
	case w := <-words:
		return w.outcome(cmd)
	case <-ctx.Done():
		_ = cmd.Process.Kill() // it may have ended by now
		return cli.Started{}, fmt.Errorf("cannot wait for the master: %w", context.Cause(ctx))
	}
}

// errWordless means that a master ended without saying why; its log may tell.
var errWordless = errors.New("the master ended before it was ready")

func readWord(said io.Reader) (w daemonWord) {
	line, err := bufio.NewReader(said).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &w)
	}
	if err != nil {
		return daemonWord{}
	}
	return w
}

func (w daemonWord) outcome(cmd *exec.Cmd) (cli.Started, error) {
	if w.Started != nil {
		return *w.Started, nil
	}
	err := errors.New(w.Error)
	if w.Error == "" {
		err = errWordless
	}
	if w.Timeout {
		err = &wireError{text: w.Error, kind: ctl.ErrTimeout}
	}
	if ended := cmd.Wait(); ended != nil && w.Error == "" {
		// Not wrapped: the exit code of that process is not the one of this verb.
		err = fmt.Errorf("%w: %v", errWordless, ended)
	}
	return cli.Started{}, &cli.Failure{Cause: err, Output: w.Output}
}

// withLog completes a failure with what has come into the log since offset.
func withLog(err error, log io.ReaderAt, offset int64) error {
	var failure *cli.Failure
	if !errors.As(err, &failure) {
		failure = &cli.Failure{Cause: err}
	}
	if len(failure.Output) == 0 && errors.Is(err, errWordless) {
		text, _ := io.ReadAll(io.NewSectionReader(log, offset, 64<<10)) // what can be read is better than nothing
		all := lines(string(text))
		failure.Output = slices.Clone(all[max(0, len(all)-20):])
	}
	return failure
}

// herald tells whoever waits for a master in the background.
type herald struct {
	pipe *os.File
	once sync.Once
}

// findHerald takes the pipe over, if there is one.
func findHerald() (*herald, error) {
	number, ok, err := takeNumber(daemonVar)
	if err != nil || !ok {
		return nil, err
	}
	return &herald{pipe: os.NewFile(uintptr(number), "daemon")}, nil
}

// say says one word and no more; nobody may be listening.
func (h *herald) say(w daemonWord) {
	if h == nil {
		return
	}
	h.once.Do(func() {
		_ = json.NewEncoder(h.pipe).Encode(w) // the starter may have given up
		_ = h.pipe.Close()
	})
}

// sayFailed says why there is no master.
func (h *herald) sayFailed(err error) {
	w := daemonWord{Error: err.Error(), Timeout: errors.Is(err, ctl.ErrTimeout)}
	var failure *cli.Failure
	if errors.As(err, &failure) {
		w.Output = failure.Output
	}
	h.say(w)
}
