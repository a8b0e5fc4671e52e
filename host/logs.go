package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dserver/dserver/host/cli"
	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/logfile"
	"github.com/dserver/dserver/host/rundir"
	"github.com/dserver/dserver/host/supervise"
)

// everything is a level below all others: sandboxes filter by levels of their own.
const everything = slog.LevelDebug - 100

// logs is where a master and its workers write. Until the log file is open lines
// go to standard error.
type logs struct {
	options        logfile.Options
	level          slog.Level // of the master's own lines
	stdout, stderr io.Writer
	early          logfile.LineWriter
	writer         atomic.Pointer[logfile.Writer] // nil until open
	shelf          atomic.Pointer[logfile.Shelf]  // likewise
	background     bool                           // standard output and error are the log; known to a successor, else set by open
}

// logPath is the log file of an instance.
func logPath(d rundir.Dir) string { return filepath.Join(d.Logs, "dserver.log") }

// openLogFile opens the log for a process that has it as its standard error.
func openLogFile(d rundir.Dir) (*os.File, error) {
	if err := errors.Join(d.Make(), d.MakeLogs()); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(logPath(d), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the log: %w", err)
	}
	return file, nil
}

func newLogs(o cli.StartOptions, l loaded) *logs {
	c := l.Config.Log
	return &logs{
		options: logfile.Options{Path: logPath(l.dir), MaxSize: c.MaxSize, MaxAge: c.MaxAge, Keep: c.Keep, Plain: !c.Compress},
		level:   c.Level, stdout: o.Out, stderr: o.Err, early: logfile.Direct(o.Err),
	}
}

// open begins to write to the log file. In the foreground everything is shown as
// well; in the background standard error is the file itself.
func (l *logs) open(d rundir.Dir) error {
	if err := d.MakeLogs(); err != nil {
		return err
	}
	options := l.options
	there := isFile(options.Path, os.Stderr)
	if l.background = l.background || there; l.background {
		options.Opened = overStandardStreams
	} else {
		options.Echo = l.stderr
	}
	w, err := logfile.Open(options)
	if err != nil {
		return err
	}
	l.writer.Store(w)
	l.shelf.Store(logfile.NewShelf(w, l.stdout, l.stderr))
	if l.background && !there { // it was rotated since we were started
		return l.moveStandardStreams()
	}
	return nil
}

// moveStandardStreams lets standard output and error be the file that is the log now.
func (l *logs) moveStandardStreams() error {
	file, err := os.OpenFile(l.options.Path, os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		err = errors.Join(overStandardStreams(file), file.Close())
	}
	if err != nil {
		return fmt.Errorf("cannot leave the rotated log: %w", err)
	}
	return nil
}

// isFile tells whether f is the file at path.
func isFile(path string, f *os.File) bool {
	there, errPath := os.Stat(path)
	open, errFile := f.Stat()
	return errPath == nil && errFile == nil && os.SameFile(there, open)
}

// overStandardStreams makes standard output and error go into file, so that even
// the last words of the runtime are kept after a rotation.
func overStandardStreams(file *os.File) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var dupErr error
	err = raw.Control(func(fd uintptr) {
		dupErr = errors.Join(replaceDescriptor(int(fd), 1), replaceDescriptor(int(fd), 2))
	})
	return errors.Join(err, dupErr)
}

// own says whether this process is the one that rotates.
func (l *logs) own(on bool) {
	if s := l.shelf.Load(); s != nil {
		s.Own(on)
	}
}

// limit takes over how long logs are kept; the level stays that of the start.
func (l *logs) limit(c config.Log) {
	if w := l.writer.Load(); w != nil {
		w.Limit(logfile.Options{MaxSize: c.MaxSize, MaxAge: c.MaxAge, Keep: c.Keep, Plain: !c.Compress})
	}
}

// flush writes what has been collected.
func (l *logs) flush() error {
	if s := l.shelf.Load(); s != nil {
		return s.Flush()
	}
	return nil
}

// reopen is for who has moved log files away: afterwards nothing more is written to
// those.
func (l *logs) reopen() error {
	if s := l.shelf.Load(); s != nil {
		return s.Reopen()
	}
	return nil
}

func (l *logs) close() error {
	var err error
	if s := l.shelf.Load(); s != nil {
		err = s.Close()
	}
	if w := l.writer.Load(); w != nil {
		err = errors.Join(err, w.Close())
	}
	return err
}

// Line implements logfile.LineWriter.
func (l *logs) Line(t time.Time, name, stream string, text []byte) {
	if w := l.writer.Load(); w != nil {
		w.Line(t, name, stream, text)
		return
	}
	l.early.Line(t, name, stream, text)
}

// logger gives the logger of a sandbox; levels are the sandbox's business.
func (l *logs) logger(name string) *slog.Logger {
	return slog.New(logfile.NewHandler(l, name, everything))
}

// masterLogger gives the master's own.
func (l *logs) masterLogger() *slog.Logger {
	return slog.New(logfile.NewHandler(l, logfile.Master, l.level))
}

// program takes the output of a process of a program.
func (l *logs) program(p *config.Program, instance, generation int) (stdout, stderr supervise.Sink) {
	output := l.outputOf(p)
	out, err, failed := l.shelf.Load().Outlets(output, p.Name, instance, generation)
	if failed != nil {
		l.masterLogger().Error("the output of a program goes to the log of the instance", "program", p.Name, "error", failed)
		output.Own = nil
		// Only a log of its own can fail.
		out, err, _ = l.shelf.Load().Outlets(output, p.Name, instance, generation)
	}
	return out, err
}

// outputOf says where the output of a program goes. In the background there is no
// standard output but the log.
func (l *logs) outputOf(p *config.Program) logfile.Output {
	to := p.Output.To
	output := logfile.Output{
		Log:      to != config.OutputStdout && to != config.OutputNone,
		Standard: to == config.OutputStdout || to == config.OutputBoth,
	}
	if own, ok := ownLog(p); ok {
		output.Own = &own
	}
	if output.Standard && l.background {
		output.Log, output.Standard = true, false
	}
	return output
}

// ownLog is the log that a program has for itself, if it has one.
func ownLog(p *config.Program) (logfile.Options, bool) {
	o := p.Output
	if o.File == "" || o.To == config.OutputStdout || o.To == config.OutputNone {
		return logfile.Options{}, false
	}
	return logfile.Options{
		Path: o.File, Format: logfile.Format(o.Format), MaxSize: o.MaxSize, MaxAge: o.MaxAge, Keep: o.Keep, Plain: !o.Compress,
	}, true
}

// output takes the output of a worker. Lines of its loggers have the log's form
// already and come on standard error.
func (l *logs) output(worker string) (out, err supervise.Sink) {
	w := l.writer.Load()
	return w.Sink(logfile.Source{Name: worker, Stream: logfile.StreamOut}), w.Relay(logfile.Source{Name: worker, Stream: logfile.StreamErr})
}

// tailLines is how many of the last lines are shown of what failed.
const tailLines = 50

// mark notes where the log ends now; tail gives the last lines since then. What
// cannot be read is left out: it would only have explained another failure.
func (l *logs) mark() (tail func() []string) {
	r := l.writer.Load().Reader()
	from, err := r.End()
	return func() (last []string) {
		if err != nil {
			return nil
		}
		since := logfile.Query{After: map[string]int64{"": from}}
		_ = logfile.Search(context.Background(), []*logfile.Reader{r}, since, func(line logfile.Line) error {
			text := logfile.AppendLine(nil, line.Time, line.Name, line.Stream, line.Text)
			if last = append(last, strings.TrimSuffix(string(text), "\n")); len(last) > tailLines {
				last = last[1:]
			}
			return nil
		})
		return last
	}
}

var _ logfile.LineWriter = (*logs)(nil)
