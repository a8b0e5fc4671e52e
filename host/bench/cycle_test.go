//go:build linux

package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/dserver/dserver/host/logfile"
	"github.com/dserver/dserver/host/supervise"
)

// BenchmarkCycle is the life of a process that exits at once, from the call that
// starts it until its output has been read and its end is known. It is for
// profiles: what is compared with what is measured by the command.
func BenchmarkCycle(b *testing.B) {
	program := tinyChild()
	if program == nil {
		b.Skip("there is no tiny child for this kind of machine")
	}
	path := filepath.Join(b.TempDir(), "child")
	if err := os.WriteFile(path, program, 0o700); err != nil {
		b.Fatal(err)
	}
	reg, err := newRegister(filepath.Join(b.TempDir(), "births"))
	if err != nil {
		b.Fatal(err)
	}
	args := []string{path, string(reg), "fail"}
	b.Run("floor", func(b *testing.B) {
		for b.Loop() {
			r, w, err := os.Pipe()
			if err != nil {
				b.Fatal(err)
			}
			cmd := exec.Command(args[0], args[1:]...)
			cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = w, w, apart()
			if err := cmd.Start(); err != nil {
				b.Fatal(err)
			}
			w.Close()
			_, _ = io.Copy(io.Discard, r)
			_ = cmd.Wait()
			r.Close()
		}
	})
	b.Run("supervise", func(b *testing.B) {
		if err := supervise.Subreap(); err != nil {
			b.Fatal(err)
		}
		s := supervise.New(supervise.Options{})
		log, err := logfile.Open(logfile.Options{Path: filepath.Join(b.TempDir(), "log"), Owner: true})
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			p, err := s.Start(supervise.Spec{
				Name: "child", Path: path, Args: args, Env: os.Environ(),
				Stdout: log.Sink(logfile.Source{Name: "child", Stream: logfile.StreamOut}),
				Stderr: log.Sink(logfile.Source{Name: "child", Stream: logfile.StreamErr}),
			})
			if err != nil {
				b.Fatal(err)
			}
			<-p.Done()
		}
		if err := log.Close(); err != nil {
			b.Fatal(err)
		}
	})
}
