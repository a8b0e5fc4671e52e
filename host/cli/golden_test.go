package cli_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dserver/dserver/ctl"
)

var rewrite = flag.Bool("rewrite", false, "write testdata anew from what is printed now")

// TestTranscripts runs the command lines of testdata/*.txt and compares what
// they print. A file holds blocks of
//
//	$ verb argument 'argument with spaces'
//	what it prints
//	[stderr]
//	what it prints there
//	[exit 0]
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Setenv("DSERVER_RUNTIME_DIR", "")
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			h := scene(t, filepath.Base(file))
			got := replay(t, h, string(b))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(b) {
				t.Errorf("%s:\n%s", file, firstDifference(string(b), got))
			}
		})
	}
}

// scene sets up what a transcript begins with.
func scene(t *testing.T, file string) *host {
	h := newHost(t)
	switch file {
	case "idle.txt", "start.txt":
	case "two.txt":
		h.run("shop")
		h.run("store")
	case "badconfig.txt":
		h.check = errors.Join(errors.New(`dserver.toml:3: lisen: unknown key; did you mean "listen"?`),
			errors.New(`dserver.toml:7: mode = "both": must be single or multi`))
	case "programs.txt", "supervise.txt":
		h.run("shop").master.withPrograms()
	case "alone.txt":
		m := h.run("shop").master
		m.withPrograms()
		m.sandboxes = nil
	case "gorun.txt":
		in := h.run("shop")
		in.master.build.Path = "/home/u/.cache/go-build/ab/cdef-d/shop"
		h.build = ctl.Build{Module: "example.com/other", Path: "/usr/bin/other"}
	default:
		h.run("shop")
	}
	return h
}

// replay runs the commands of a transcript and writes it anew.
func replay(t *testing.T, h *host, text string) string {
	var b strings.Builder
	inBlock := false
	for line := range strings.Lines(text) {
		command, isCommand := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "$ ")
		switch {
		case isCommand:
			inBlock = true
			a := h.main(within(t), words(command)...)
			fmt.Fprintf(&b, "%s%s", line, a.out)
			if a.err != "" {
				fmt.Fprintf(&b, "[stderr]\n%s", a.err)
			}
			fmt.Fprintf(&b, "[exit %d]\n", a.code)
		case !inBlock:
			b.WriteString(line)
		case strings.HasPrefix(line, "[exit "):
			inBlock = false
		}
	}
	return b.String()
}

// words splits a command line at spaces outside of single quotes.
func words(line string) []string {
	var list []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			list = append(list, part)
		} else {
			list = append(list, strings.Fields(part)...)
		}
	}
	return list
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		var a, b string
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			return fmt.Sprintf("line %d\nwant %q\ngot  %q\nall:\n%s", i+1, a, b, got)
		}
	}
	return "no difference"
}
