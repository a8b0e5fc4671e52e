package cli_test

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
)

func TestUnitRefusesWhatCannotRun(t *testing.T) {
	for path, want := range map[string]string{
		`/opt/"a"/shop`:                        "systemd runs nothing with a quote or backslash",
		`/opt/a\b/shop`:                        "systemd runs nothing with a quote or backslash",
		"/opt/a\nb/shop":                       "it has control characters",
		"shop":                                 "cannot tell where this executable lies",
		"/tmp/go-build123/b001/exe/shop":       "go run and is gone soon",
		"/home/u/.cache/go-build/ab/cd-d/shop": "make one that stays with go build",
	} {
		h := newHost(t)
		h.build.Path = path
		if a := h.main(within(t), "unit", "--scope", "user"); a.code != 1 || a.out != "" || !strings.Contains(a.err, want) {
			t.Errorf("%s: %+v", path, a)
		}
	}
	h := newHost(t)
	h.check = errors.New("dserver.toml:3: lisen: unknown key")
	if a := h.main(within(t), "unit"); a.code != 1 || a.out != "" || !strings.Contains(a.err, "lisen: unknown key") {
		t.Errorf("%+v", a)
	}
}

// TestAUnitIsForWhoAsks: by default it runs as who made it, with the runtime folder
// that the other verbs look at.
func TestAUnitIsForWhoAsks(t *testing.T) {
	h := newHost(t)
	a := h.main(within(t), "unit")
	if os.Geteuid() == 0 {
		if a.code != 0 || strings.Contains(a.out, "User=") || strings.Contains(a.out, "--runtime-dir") {
			t.Errorf("%+v", a)
		}
		return
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if a.code != 0 || !strings.Contains(a.out, "\nUser="+me.Username+"\n") || !strings.Contains(a.out, "\nRuntimeDirectory=dserver-shop\n") {
		t.Errorf("%+v", a)
	}
}

// TestSystemdAcceptsTheUnits lets systemd read the units, with paths that it would
// read otherwise if they were not written with care.
func TestSystemdAcceptsTheUnits(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	odd := filepath.Join(t.TempDir(), "50% of $HOME; ${X}")
	folder := filepath.Join(odd, `"\n" it's`)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(odd, "shop")
	if err := os.WriteFile(binary, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	h := newHost(t)
	h.build.Path = binary
	for _, tt := range []struct {
		name  string
		args  []string
		wants []string // lines
	}{
		{"plain", []string{"--user", "root", "--runtime-dir", "/run/dserver"}, []string{"Type=notify", "KillMode=mixed"}},
		{"single", []string{"--user", "root", "--runtime-dir", "/run/dserver", "--mode", "single"}, []string{"PIDFile=/run/dserver/shop/pid"}},
		{"user", []string{"--user", "daemon"}, []string{"User=daemon", "RuntimeDirectory=dserver-shop"}},
		{"paths", []string{"--user", "root", "-c", filepath.Join(folder, "dserver.toml"), "--runtime-dir", folder},
			[]string{"WorkingDirectory=" + strings.ReplaceAll(folder, "%", "%%")}},
		{"own", []string{"--scope", "user"}, []string{"WantedBy=default.target"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := h.main(within(t), append([]string{"unit"}, tt.args...)...)
			if a.code != 0 {
				t.Fatalf("%+v", a)
			}
			for _, line := range tt.wants {
				if !strings.Contains(a.out, "\n"+line+"\n") {
					t.Errorf("no line %s in\n%s", line, a.out)
				}
			}
			file := filepath.Join(t.TempDir(), "shop.service")
			if err := os.WriteFile(file, []byte(a.out), 0o644); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(within(t), analyze, "verify", "--recursive-errors=no", "--man=no", file).CombinedOutput()
			if err != nil || strings.Contains(string(out), "shop") {
				t.Errorf("%v: %s\n%s", err, out, a.out)
			}
		})
	}
}
