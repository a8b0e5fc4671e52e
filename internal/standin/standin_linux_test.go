package standin_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/standin"
)

func TestMain(m *testing.M) {
	code, is := standin.Run(map[string]func([]string) error{
		"print": func(args []string) error {
			_, err := fmt.Print(args, strings.HasPrefix(standin.Value("next"), "next@"+args[0]))
			return err
		},
		"fail":   func([]string) error { return errors.New("on purpose") },
		"wait":   func([]string) error { select {} },
		"parent": beParent,
	})
	if is {
		os.Exit(code)
	}
	os.Exit(standin.Settle(m.Run()))
}

// beParent is a test binary that starts a stand-in which waits for ever, and is
// killed.
func beParent([]string) error {
	if err := os.Unsetenv(standin.Variable); err != nil {
		return err
	}
	c := exec.Command("/proc/self/exe")
	c.Env = standin.Environ("wait")
	c.Stdout = os.Stdout
	if err := c.Start(); err != nil {
		return err
	}
	return unix.Kill(os.Getpid(), unix.SIGKILL)
}

func run(name string, args ...string) (said string, code int) {
	c := exec.Command("/proc/self/exe", args...)
	c.Env = standin.Environ(name)
	out, _ := c.CombinedOutput() // the code tells
	return string(out), c.ProcessState.ExitCode()
}

func TestStandInsRunInPlaceOfTests(t *testing.T) {
	own := fmt.Sprint(os.Getpid())
	for name, want := range map[string]string{
		"print": "[" + own + " b] true 0", "fail": "on purpose\n 98", "other": "no such stand-in: other\n 99",
	} {
		if said, code := run(name, own, "b"); fmt.Sprint(said, " ", code) != want {
			t.Errorf("%s: %q, %d", name, said, code)
		}
	}
}

func TestNobodyOutlivesTheTests(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c := exec.Command("/proc/self/exe")
	c.Env, c.Stdout = standin.Environ("parent"), w
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if err := c.Wait(); err == nil {
		t.Error("it was not killed")
	}
	// Who waits holds the other end; a test that hangs here has found it alive.
	if said, err := io.ReadAll(r); err != nil || len(said) > 0 {
		t.Errorf("%q, %v", said, err)
	}
}
