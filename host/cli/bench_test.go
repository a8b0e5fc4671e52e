package cli_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/internal/group"
)

// BenchmarkStatusProcess is what somebody waits for who types dserver status with
// 200 programs: a new process of the real command, which asks a control socket.
func BenchmarkStatusProcess(b *testing.B) {
	dir, err := os.MkdirTemp("", "cli") // b.TempDir grows too long for a socket
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "dserver")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/dserver").CombinedOutput(); err != nil {
		b.Fatalf("cannot build: %v\n%s", err, out)
	}
	if err := os.Mkdir(filepath.Join(dir, "shop"), 0o700); err != nil {
		b.Fatal(err)
	}
	ln, err := ctl.Listen(filepath.Join(dir, "shop", "ctl.sock"))
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	m := newMaster("shop")
	m.programs = manyPrograms(200)
	server := ctl.NewServer(m, ctl.Config{})
	g := group.New(context.Background(), nil)
	g.Go("ctl", func(context.Context) { server.Serve(ln) })
	defer g.Wait(context.Background())
	defer server.Shutdown(context.Background())
	for b.Loop() {
		cmd := exec.Command(binary, "status", "--runtime-dir", dir, "--name", "shop")
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
	}
}

// BenchmarkStatus is the same without the process.
func BenchmarkStatus(b *testing.B) {
	h := newHost(b)
	h.run("shop").master.programs = manyPrograms(200)
	ctx := context.Background()
	for b.Loop() {
		if a := h.main(ctx, "status"); a.code != 0 {
			b.Fatalf("%+v", a)
		}
	}
}

func manyPrograms(n int) (list []ctl.Program) {
	for i := range n {
		list = append(list, ctl.Program{
			Name: fmt.Sprintf("program-%03d", i), State: "ready", Wanted: true, Command: []string{"/usr/bin/program", "--listen", "127.0.0.1:8080"},
			Instances: []ctl.ProgramInstance{{Instance: 1, Generation: 3, State: "ready", Pid: 10_000 + i, Since: clock, Restarts: 2, By: "policy"}},
		})
	}
	return list
}
