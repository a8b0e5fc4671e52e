package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/dserver/dserver/host/logfile"
	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/internal/inherit"
)

// masterlessLimit is how long a worker that no master came for, or that got a
// TERM, has to finish what runs.
const masterlessLimit = 30 * time.Second

// isWorker tells whether a master started this process to be its worker.
func isWorker() bool { return os.Getenv(controlVar) != "" }

// work is the life of a worker process. It returns the exit code.
func (a *App) work(ctx context.Context, stderr io.Writer) int {
	lines := logfile.Direct(stderr)
	log := slog.New(logfile.NewHandler(lines, "worker", slog.LevelInfo))
	if err := a.serveAsWorker(ctx, lines, log); err != nil {
		log.Error("worker ends", "error", err)
		return exitFailed
	}
	return 0
}

func (a *App) serveAsWorker(ctx context.Context, lines logfile.LineWriter, log *slog.Logger) error {
	// The master decides when a worker stops; a TERM is for somebody who means
	// this one process.
	outliveReaders()
	terms := make(chan os.Signal, 1)
	signal.Notify(terms, syscall.SIGTERM)
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(terms)
	given, err := takeHanded()
	if err != nil {
		return err
	}
	agent, err := newAgent(log)
	if err != nil {
		return err
	}
	master, err := inherit.Peer(given.passing)
	if err != nil {
		return err
	}
	agent.masterUID = master.UID
	as, err := agent.greet(ctx, given.control)
	if err != nil {
		return err
	}
	sockets := newWorkerSockets(agent, given.passing, given.sockets)
	keeping := group.New(ctx, nil)
	keeping.Go("control line", func(ctx context.Context) { agent.keepLine(ctx, sockets) })
	starting, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(agent.alone, cancel)() // nobody waits for it any more
	err = agent.run(starting, a, as, sockets, lines)
	if err != nil {
		agent.sayFailed(ctx, err)
	} else {
		agent.stand(terms, sockets)
	}
	agent.line.close()
	return errors.Join(err, keeping.Stop(ctx))
}

// run brings the sandboxes up.
func (g *agent) run(ctx context.Context, a *App, as Assignment, s *workerSockets, lines logfile.LineWriter) error {
	if err := a.shareConfig(as.Sandboxes, as.Config, as.Demo); err != nil {
		return err
	}
	rt, err := a.newRuntime(as, surroundings{
		logger: func(name string) *slog.Logger {
			return slog.New(logfile.NewHandler(lines, name, everything))
		},
		sockets: s,
	}, g.report)
	if err != nil {
		return err
	}
	g.runtime.Store(rt)
	if err := rt.Start(ctx); err != nil {
		return err
	}
	return g.sayReady(ctx)
}

// stand waits until the worker is not needed: it was drained, no master came for
// it any more, or somebody sent a TERM.
func (g *agent) stand(terms <-chan os.Signal, s *workerSockets) {
	select {
	case <-g.drained:
		g.awaitFarewell()
	case <-terms:
		g.drain(masterlessLimit)
	case <-g.alone.Done():
		// What this process keeps open, a new master could not open.
		s.closeAll()
		g.drain(masterlessLimit)
		g.awaitFarewell() // a master may have come meanwhile
	}
}

// awaitFarewell waits until the master closes the session, which it does when it
// has the report.
func (g *agent) awaitFarewell() {
	session, _ := g.line.current()
	select {
	case <-session.Done():
	case <-time.After(killGrace):
	}
}

// handed is what a worker gets from its master.
type handed struct {
	control net.Conn
	passing *net.UnixConn
	sockets map[string]*os.File
}

// takeHanded takes over the descriptors and removes what told of them from the
// environment, so that no child of a sandbox sees it.
func takeHanded() (handed, error) {
	if err := inherit.CloseOnExec(); err != nil {
		return handed{}, err
	}
	numbers, err := controlNumbers(os.Getenv(controlVar))
	if err != nil {
		return handed{}, err
	}
	files, err := inherit.TakeHanded(os.LookupEnv)
	if err != nil {
		return handed{}, err
	}
	for _, name := range []string{controlVar, "LISTEN_FDS", "LISTEN_FDNAMES"} {
		if err := os.Unsetenv(name); err != nil {
			return handed{}, fmt.Errorf("cannot clean the environment: %w", err)
		}
	}
	h := handed{sockets: make(map[string]*os.File, len(files))}
	for _, f := range files {
		h.sockets[f.Name] = f.File
	}
	if h.control, err = adoptConn(numbers[0]); err != nil {
		return handed{}, err
	}
	passing, err := adoptConn(numbers[1])
	if err != nil {
		return handed{}, err
	}
	h.passing = passing.(*net.UnixConn)
	return h, nil
}

func controlNumbers(text string) ([2]int, error) {
	a, b, _ := strings.Cut(text, ",")
	first, errA := strconv.Atoi(a)
	second, errB := strconv.Atoi(b)
	if err := errors.Join(errA, errB); err != nil {
		return [2]int{}, fmt.Errorf("cannot reach the master: %s is %q: %w", controlVar, text, err)
	}
	return [2]int{first, second}, nil
}

// adoptConn makes a connection of an inherited descriptor.
func adoptConn(number int) (net.Conn, error) {
	file := os.NewFile(uintptr(number), "control")
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the master: %w", err)
	}
	if _, ok := conn.(*net.UnixConn); !ok {
		conn.Close()
		return nil, fmt.Errorf("cannot reach the master: descriptor %d is no unix socket", number)
	}
	return conn, nil
}
