package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/cli"
	"github.com/dserver/dserver/host/rundir"
	"github.com/dserver/dserver/host/supervise"
)

const (
	masterName = "master"
	streamLog  = "log"
	streamOut  = "out"
	streamErr  = "err"
)

type logs struct {
	file  *os.File
	err   io.Writer
	level slog.Level
}

func logPath(d rundir.Dir) string { return filepath.Join(d.Logs, "dserver.log") }

func openLogFile(d rundir.Dir) (*os.File, error) {
	if err := d.Make(); err != nil {
		return nil, err
	}
	if err := d.MakeLogs(); err != nil {
		return nil, err
	}
	return os.OpenFile(logPath(d), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
}

func newLogs(o cli.StartOptions, l loaded) *logs {
	return &logs{err: o.Err, level: l.Config.Log.Level}
}

func (l *logs) open(d rundir.Dir) (err error) {
	l.file, err = openLogFile(d)
	return err
}

func (l *logs) path(d rundir.Dir) string { return logPath(d) }

func (l *logs) close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

func (l *logs) line(name, stream string, text []byte) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s %s %s\n", time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"), name, stream, bytes.TrimRight(text, "\n"))
	if l.file != nil {
		l.file.Write(b.Bytes())
	}
	l.err.Write(b.Bytes())
}

type lineWriter struct {
	l    *logs
	name string
}

func (w lineWriter) Write(p []byte) (int, error) {
	w.l.line(w.name, streamLog, p)
	return len(p), nil
}

func (l *logs) logger(name string) *slog.Logger {
	return slog.New(textHandler(lineWriter{l, name}, slog.LevelDebug-4))
}

func (l *logs) sink(name, stream string) supervise.Sink {
	return func(line []byte, cut bool) { l.line(name, stream, line) }
}

func (l *logs) read(ctx context.Context, q ctl.LogQuery, emit func(ctl.LogLine) error) error {
	return errors.New("no")
}

func textHandler(w io.Writer, level slog.Level) slog.Handler {
	return slog.NewTextHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey && len(groups) == 0 {
			return slog.Attr{}
		}
		return a
	}})
}

func workerLogger(w io.Writer) *slog.Logger { return slog.New(textHandler(w, slog.LevelDebug-4)) }
