package cli_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/internal/group"
)

// BenchmarkStatusProcess is what somebody waits for who types dserver status:
// a new process of the real command, which asks a control socket.
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
	server := ctl.NewServer(newMaster("shop"), ctl.Config{})
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
