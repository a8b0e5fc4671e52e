package host

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestCheckWaitsForABuildThatIsStillOpenForWriting(t *testing.T) {
	source, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "build")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(program); err != nil {
		t.Fatal(err)
	}
	q := question{file: path, args: []string{path}}
	if _, _, err := q.run(t.Context()); !errors.Is(err, syscall.ETXTBSY) {
		t.Fatalf("a file that is open for writing could be run: %v", err)
	}
	time.AfterFunc(3*busyWait, func() { file.Close() })
	if _, _, err := q.ask(t.Context()); err != nil {
		t.Error(err)
	}
}
