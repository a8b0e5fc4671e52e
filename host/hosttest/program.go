package hosttest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
)

// programVar names the folder in which the test program is built once for a test
// binary; Main sets it.
const programVar = "HOSTTEST_PROGRAM"

// What instances run.
const (
	appPackage     = "github.com/dserver/dserver/host/hosttest/app"
	commandPackage = "github.com/dserver/dserver/cmd/dserver"
)

const (
	stampPrefix = "hosttest-stamp:"
	stampSize   = 96
)

// Main runs the tests of a package that uses instances and gives the exit code
// for its TestMain.
func Main(m *testing.M) int {
	folder, err := os.MkdirTemp("", "hosttest")
	if err == nil {
		err = os.Setenv(programVar, folder)
	}
	if err == nil && os.Getenv("GORACE") == "" {
		// A program with the race detector sleeps for a second before it exits; that
		// is most of what a verb takes.
		err = os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
	if err != nil {
		return complain(err)
	}
	code := m.Run()
	if err := os.RemoveAll(folder); err != nil {
		return complain(err)
	}
	return code
}

// complain writes to the descriptor itself: package testing has nothing to log to
// outside of tests.
func complain(err error) int {
	_, _ = os.Stderr.WriteString("cannot run the tests: " + err.Error() + "\n")
	return 1
}

// program is the path of a program as it was linked. The first call of a test
// binary builds it, with the race detector if the tests have it.
func program(tb testing.TB, pkg string) string {
	tb.Helper()
	folder := os.Getenv(programVar)
	if folder == "" {
		tb.Fatal("TestMain must call hosttest.Main")
	}
	path := filepath.Join(folder, filepath.Base(pkg))
	if _, err := os.Stat(path); err == nil {
		return path
	}
	// Two tests that build at the same time do no harm: the later rename wins.
	fresh := filepath.Join(tb.TempDir(), "program")
	args := []string{"build", "-ldflags=-s -w", "-o", fresh}
	if raceEnabled() {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, pkg)...).CombinedOutput()
	if err != nil {
		tb.Fatalf("cannot build %s: %v\n%s", pkg, err, out)
	}
	if err := copyFile(fresh, path); err != nil {
		tb.Fatal(err)
	}
	return path
}

func raceEnabled() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, s := range info.Settings {
		if s.Key == "-race" {
			return s.Value == "true"
		}
	}
	return false
}

// Build describes an executable that differs from all others in its content.
type Build struct {
	// Label is what the answers of this build tell; no ; . or = in it.
	Label string
	// Fault is what its sandbox faulty does wrong; see package app.
	Fault string
	// After is how long a fault takes that takes a while, such as 20ms.
	After string
}

// stamp is the text that makes the build.
func (b Build) stamp() ([]byte, error) {
	text := stampPrefix + "build=" + b.Label + ";"
	if b.Fault != "" {
		text += "fault=" + b.Fault + ";"
	}
	if b.After != "" {
		text += "after=" + b.After + ";"
	}
	if len(text) > stampSize {
		return nil, fmt.Errorf("cannot make a build: %q is longer than %d bytes", text, stampSize)
	}
	return []byte(text + strings.Repeat(".", stampSize-len(text))), nil
}

// make writes the build to path, by rename, so that a process that runs what was
// there before goes on with it.
func (b Build) make(from, path string) error {
	stamp, err := b.stamp()
	if err != nil {
		return err
	}
	image, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	at := bytes.Index(image, []byte(stampPrefix+"build="))
	if at < 0 || at+stampSize > len(image) {
		return fmt.Errorf("cannot make a build: %s has no stamp", from)
	}
	copy(image[at:], stamp)
	if other := bytes.Index(image[at+stampSize:], []byte(stampPrefix+"build=")); other >= 0 {
		return fmt.Errorf("cannot make a build: %s has two stamps", from)
	}
	return replaceFile(path, image, 0o755)
}

// copyFile copies by rename.
func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return replaceFile(to, content, 0o755)
}

// replaceFile puts a new file in the place of what path names. The descriptor it
// writes to is closed before the file gets its name: the kernel starts nothing
// that is open for writing. A process that another goroutine forks meanwhile would
// hold it open until its exec, hence the lock.
func replaceFile(path string, content []byte, mode os.FileMode) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	file, err := os.CreateTemp(filepath.Dir(path), "new")
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Chmod(mode)
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	return err
}
