//go:build slow

package rpc_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const hello = `package main

import (
	"context"
	"fmt"
	"os"

	"github.com/dserver/dserver/rpc"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	e, err := rpc.New(rpc.Config{Name: "hello"})
	if err != nil {
		return err
	}
	defer e.Close()
	if err := rpc.Handle(e, "/hello", func(_ rpc.Context, name string) (string, error) { return "hello " + name, nil }); err != nil {
		return err
	}
	ln, err := e.Listen(ctx, "tcp://127.0.0.1:0")
	if err != nil {
		return err
	}
	go e.Serve(ln)
	var said string
	if err := e.Client("tcp://"+ln.Addr().String()).Call(ctx, "/hello", "world", &said); err != nil {
		return err
	}
	fmt.Println(said)
	return nil
}
`

// A program that imports this package and nothing else stays small: what is
// heavy lives in packages of its own.
func TestHelloBinaryStaysSmall(t *testing.T) {
	const most = 10_000_000
	dir := t.TempDir()
	source, binary, overlay := filepath.Join(dir, "main.go"), filepath.Join(dir, "hello"), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(source, []byte(hello), 0o600); err != nil {
		t.Fatal(err)
	}
	// The overlay puts the program into this module without touching its files.
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	replace := map[string]any{"Replace": map[string]string{filepath.Join(here, "hello", "main.go"): source}}
	b, err := json.Marshal(replace)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, b, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-overlay", overlay, "-ldflags", "-s -w", "-o", binary, "./hello")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := exec.Command(binary).CombinedOutput(); err != nil || string(out) != "hello world\n" {
		t.Errorf("it says %q, %v", out, err)
	}
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes", info.Size())
	if info.Size() > most {
		t.Errorf("the binary has %d bytes, at most %d are allowed", info.Size(), most)
	}
}
