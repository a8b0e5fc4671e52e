package host

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/cloudflare/tableflip"

	"github.com/dserver/dserver/internal/standin"
)

func TestMain(m *testing.M) {
	if code, is := standin.Run(map[string]func([]string) error{"upgrade too early": upgradeTooEarly}); is {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// upgradeTooEarly is a process that has been upgraded and ends when its input does,
// and the next one, which prints what it hears when it upgrades before that.
func upgradeTooEarly([]string) error {
	u, err := tableflip.New(tableflip.Options{})
	if err != nil {
		return err
	}
	if err := u.Ready(); err != nil {
		return err
	}
	for err = u.Upgrade(); err != nil && err.Error() == "process is not ready yet"; {
		err = u.Upgrade()
	}
	if u.HasParent() {
		fmt.Println(err)
		return nil
	}
	_, readErr := io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, readErr)
}

// The word on which an upgrade is repeated is that of tableflip, whatever version
// this is.
func TestTableflipSaysThatItIsTooEarly(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), standin.Variable+"="+standin.Value("upgrade too early"))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if line != parentRuns+"\n" || err != nil {
		t.Errorf("got %q, %v", line, err)
	}
	if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
		t.Error(err)
	}
}

// tableflip tells that the former process has ended before it acts on it.
func TestUpgradeThatComesTooEarlyIsRepeated(t *testing.T) {
	broken := errors.New("child 7 exited: exit status 3")
	for _, last := range []error{nil, broken} {
		answers := []error{errors.New(parentRuns), errors.New(parentRuns), last}
		err := untilParentExited(t.Context(), func() error {
			err := answers[0]
			answers = answers[1:]
			return err
		})
		if err != last || len(answers) > 0 {
			t.Errorf("got %v, want %v; %d answers were not asked for", err, last, len(answers))
		}
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := untilParentExited(over, func() error { return errors.New(parentRuns) }); err == nil {
		t.Error("it went on when all was over")
	}
}

// The words are those of tableflip.
func TestExitOfASuccessorIsToldFromOtherFailures(t *testing.T) {
	for words, want := range map[string]string{
		"child 7 exited":                "exit status 0",
		"child 7 exited: exit status 3": "exit status 3",
		"new child 7 timed out":         "new child 7 timed out",
		parentRuns:                      parentRuns,
	} {
		if got := childExit(errors.New(words)); got != want {
			t.Errorf("%s: got %q, want %q", words, got, want)
		}
	}
}
