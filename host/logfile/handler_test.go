package logfile_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/dserver/dserver/host/logfile"
)

// parseAttrs takes a handler's text apart again.
func parseAttrs(t *testing.T, text string) map[string]any {
	t.Helper()
	level, text, _ := strings.Cut(text, " ")
	message, text, _ := strings.Cut(text, " ")
	got := map[string]any{slog.TimeKey: noTime{}, slog.LevelKey: level, slog.MessageKey: message}
	for text != "" {
		key, rest, ok := strings.Cut(text, "=")
		if !ok {
			t.Fatalf("no attribute: %q", text)
		}
		value := ""
		if strings.HasPrefix(rest, `"`) {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				t.Fatal(err)
			}
			value, _ = strconv.Unquote(quoted)
			text = strings.TrimPrefix(rest[len(quoted):], " ")
		} else {
			value, text, _ = strings.Cut(rest, " ")
		}
		into := got
		groups := strings.Split(key, ".")
		for _, group := range groups[:len(groups)-1] {
			if into[group] == nil {
				into[group] = map[string]any{}
			}
			into = into[group].(map[string]any)
		}
		into[groups[len(groups)-1]] = value
	}
	return got
}

type noTime struct{}

func TestHandlerKeepsTheContract(t *testing.T) {
	var out bytes.Buffer
	slogtest.Run(t, func(t *testing.T) slog.Handler {
		if strings.HasSuffix(t.Name(), "/zero-time") {
			t.Skip("a line of the log always has a time")
		}
		out.Reset()
		return logfile.NewHandler(logfile.Direct(&out), "math", slog.LevelInfo)
	}, func(t *testing.T) map[string]any {
		l, ok := logfile.Parse(bytes.TrimSuffix(out.Bytes(), []byte{'\n'}))
		if !ok || l.Name != "math" || l.Stream != logfile.StreamLog {
			t.Fatalf("%q", out.String())
		}
		return parseAttrs(t, l.Text)
	})
}

type angry struct{}

func (angry) MarshalText() ([]byte, error) { panic("no") }

type failing struct{}

func (failing) MarshalText() ([]byte, error) { return nil, errors.New("cannot") }

func TestHandlerFormat(t *testing.T) {
	var out bytes.Buffer
	level := new(slog.LevelVar)
	logger := slog.New(logfile.NewHandler(logfile.Direct(&out), "math", level))
	for _, test := range []struct {
		log  func()
		want string
	}{
		{func() { logger.Info("listening on all addresses") }, "INFO listening on all addresses"},
		{func() { logger.Warn("x", "n", 1, "d", time.Second, "e", errors.New("cannot go")) }, `WARN x n=1 d=1s e="cannot go"`},
		{func() { logger.Error("two\nlines\x1b[31m", "k", "a\nb") }, `ERROR two\nlines\x1b[31m k="a\nb"`},
		{func() { logger.Info("x", "a b", "", "c=d", `"`, "ok", "ü") }, `INFO x "a b"="" "c=d"="\"" ok=ü`},
		{func() { logger.WithGroup("g").With("a", 1).WithGroup("").Info("x", slog.Group("h", "b", 2)) }, "INFO x g.a=1 g.h.b=2"},
		{func() { logger.Info("x", "v", angry{}, "w", failing{}) }, `INFO x v="!PANIC: no" w="!ERROR: cannot"`},
		{func() { logger.Info("x", "b", []byte("raw"), "s", struct{ A int }{1}, "t", noonUTC) }, "INFO x b=raw s={A:1} t=2026-11-22T12:00:00Z"},
		{func() { logger.Log(context.Background(), slog.LevelInfo+1, "x") }, "INFO+1 x"},
		{func() { logger.Debug("x") }, ""},
	} {
		out.Reset()
		test.log()
		if l, _ := logfile.Parse(bytes.TrimSuffix(out.Bytes(), []byte{'\n'})); l.Text != test.want {
			t.Errorf("got %q, want %q", l.Text, test.want)
		}
	}
	level.Set(slog.LevelDebug)
	logger.Debug("now")
	if !strings.HasSuffix(out.String(), "DEBUG now\n") {
		t.Errorf("got %q", out.String())
	}
}

var noonUTC = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
