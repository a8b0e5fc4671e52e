package hosttest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/host/hosttest"
)

// rotated lists the files of a log, oldest first.
func rotated(t *testing.T, in *hosttest.Instance, log string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(in.Folder, log+"*"))
	if err != nil {
		t.Fatal(err)
	}
	number := func(path string) int {
		n, _ := strconv.Atoi(strings.Trim(strings.TrimSuffix(path[len(filepath.Join(in.Folder, log)):], ".gz"), "."))
		return n // 0 is the newest
	}
	slices.SortFunc(files, func(a, b string) int { return number(b) - number(a) })
	return files
}

// rawLog puts the files of a log together.
func rawLog(t *testing.T, in *hosttest.Instance, log string) string {
	t.Helper()
	var all bytes.Buffer
	for _, path := range rotated(t, in, log) {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		var from io.Reader = file
		if strings.HasSuffix(path, ".gz") {
			from, err = gzip.NewReader(file)
		}
		if err == nil {
			_, err = io.Copy(&all, from)
		}
		if err := errors.Join(err, file.Close()); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	return all.String()
}

// A program that ends without a newline has its last words in the log, whatever it
// ends by, and each kind of log gets what it is to get.
func TestLastWordsAreLogged(t *testing.T) {
	hosttest.EachSupervisor(t, func(t *testing.T, in *hosttest.Instance) {
		const last = `command = ["sh", "-c", "printf 'one\ntwo'; printf 'err' >&2; kill -9 $$"]` + "\nrestart = \"no\"\n"
		in.Configure(hosttest.Settings{Extra: "\n[program.shared]\n" + last +
			"[program.quiet]\nlog = \"none\"\n" + last +
			"[program.raw]\nlog_file = \"raw.log\"\nlog_format = \"raw\"\n" + last +
			"[program.json]\nlog_file = \"json.log\"\nlog_format = \"json\"\n" + last})
		in.Start()
		for _, name := range []string{"shared", "quiet", "raw", "json"} {
			in.AwaitProgram(name, "fatal")
		}
		for _, name := range []string{"shared", "json"} {
			lines := strings.Fields(in.Output(name))
			slices.Sort(lines) // the streams are in no order
			if fmt.Sprint(lines) != "[err one two]" {
				t.Errorf("%s has %q in its log", name, lines)
			}
		}
		if r := in.Run("logs", "quiet"); r.Code != 1 || !strings.Contains(r.Stderr, "not kept") {
			t.Errorf("the log of what is not logged: %v", r)
		}
		if p := in.Program("quiet"); !slices.Contains(p.Instances[0].Output, "two") {
			t.Errorf("the last lines of what is not logged are %q", p.Instances[0].Output)
		}
		in.Stop()
		if got := rawLog(t, in, "raw.log"); got != "one\ntwoerr" && got != "errone\ntwo" && got != "one\nerrtwo" {
			t.Errorf("raw.log has %q", got)
		}
		checkJSONLog(t, rawLog(t, in, "json.log"))
	})
}

func checkJSONLog(t *testing.T, text string) {
	t.Helper()
	var got []string
	for line := range strings.Lines(text) {
		var l struct {
			Time       time.Time
			Name       string
			Stream     string
			Instance   int
			Generation int
			Text       string
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Errorf("json.log has %q: %v", line, err)
		}
		if time.Since(l.Time).Abs() > time.Hour || l.Name != "json" || l.Instance != 1 || l.Generation != 1 {
			t.Errorf("json.log has %q", line)
		}
		got = append(got, l.Stream+" "+l.Text)
	}
	slices.Sort(got)
	if want := []string{"err err", "out one", "out two"}; !slices.Equal(got, want) {
		t.Errorf("json.log has %q, want %q", got, want)
	}
}

// Output that is for the standard output of the master comes out there, line by
// line as it is.
func TestOutputOnTheMastersOwn(t *testing.T) {
	hosttest.EachSupervisor(t, func(t *testing.T, in *hosttest.Instance) {
		in.Configure(hosttest.Settings{Extra: `
[program.main]
command   = ["sh", "-c", "echo for everybody; echo 'and this' >&2; sleep 0.3; printf 'the last'"]
log       = "stdout"
essential = true
[program.both]
command = ["sh", "-c", "echo twice; exec sleep 1000"]
log     = "both"
`})
		cmd := in.Prepare(context.WithoutCancel(t.Context()), "start")
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			t.Errorf("the start: %v", err)
		}
		for _, want := range []string{"\nfor everybody\n", "\nthe last", "\ntwice\n"} {
			if !strings.Contains("\n"+out.String(), want) {
				t.Errorf("standard output has no %q:\n%s", want, out.String())
			}
		}
		if !strings.Contains("\n"+errs.String(), "\nand this\n") {
			t.Errorf("standard error has no %q:\n%s", "and this", errs.String())
		}
		log := rawFile(t, in.Log)
		if !strings.Contains(log, " both out twice\n") || strings.Contains(log, " main out ") {
			t.Errorf("the log has\n%s", log)
		}
		in.AssertGone()
	})
}

func rawFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
