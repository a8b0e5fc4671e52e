package reexec_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dserver/dserver/host/reexec"
	"github.com/dserver/dserver/internal/standin"
)

func unmarshal(text string, v any) error { return json.Unmarshal([]byte(text), v) }

// notified asks for the signals that a master asks for, and refuses to go on if
// one seems to be ignored from the start.
func notified() (chan os.Signal, error) {
	if signal.Ignored(syscall.SIGHUP) || signal.Ignored(syscall.SIGINT) {
		return nil, errors.New("a signal seems to be ignored from the start")
	}
	c := make(chan os.Signal, 10_000)
	signal.Notify(c, syscall.SIGHUP, syscall.SIGINT, syscall.SIGUSR1, syscall.SIGUSR2)
	return c, nil
}

// stormed changes its program 50 times while signals hail on it, and then waits for
// one of each kind that comes in peace.
func stormed(t *reexec.Taken, err error) error {
	var round int
	if err := resume(t, err, &round); err != nil {
		return err
	}
	c, err := notified()
	if err != nil {
		return err
	}
	if t != nil {
		if err := t.Accept(); err != nil {
			return err
		}
	}
	if round == 0 {
		fmt.Println("begin")
	}
	if round == 50 {
		fmt.Println("end", os.Getpid())
		return receiveEach(c)
	}
	image, err := self(round + 1)
	if err != nil {
		return err
	}
	image.Signals = c
	return reexec.Exec(context.Background(), image)
}

func receiveEach(c chan os.Signal) error {
	// The storm is over when standard input ends; what it left is of no interest.
	if _, err := io.ReadAll(os.Stdin); err != nil {
		return err
	}
	// What the runtime has of it still is in the channel when Stop returns.
	spare := make(chan os.Signal, 1)
	signal.Notify(spare, syscall.SIGWINCH)
	signal.Stop(spare)
	for len(c) > 0 {
		<-c
	}
	fmt.Println("calm")
	for range 4 {
		fmt.Println(<-c)
	}
	return nil
}

func TestSignalsDoNotEndIt(t *testing.T) {
	cmd, _ := program(t, "stormed")
	in, out := pipes(t, cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	expect(t, out, "begin")
	over := make(chan struct{})
	storm := make(chan int)
	kinds := []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGUSR1, syscall.SIGUSR2}
	go func() {
		pause := time.NewTicker(200 * time.Microsecond)
		defer pause.Stop()
		for sent := 0; ; {
			select {
			case <-over:
				storm <- sent
				return
			case <-pause.C:
				for range 5 {
					sent++
					_ = cmd.Process.Signal(kinds[rand.IntN(len(kinds))])
				}
			}
		}
	}()
	expect(t, out, fmt.Sprint("end ", cmd.Process.Pid))
	close(over)
	t.Logf("%d signals", <-storm)
	in.Close()
	expect(t, out, "calm")
	for _, kind := range kinds {
		if err := cmd.Process.Signal(kind); err != nil {
			t.Fatal(err)
		}
		expect(t, out, kind.String())
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func pipes(t *testing.T, cmd *exec.Cmd) (io.WriteCloser, *bufio.Scanner) {
	t.Helper()
	cmd.Stdout = nil
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	return in, bufio.NewScanner(out)
}

func expect(t *testing.T, out *bufio.Scanner, want string) {
	t.Helper()
	if !out.Scan() || out.Text() != want {
		t.Fatalf("got %q (%v), want %q", out.Text(), out.Err(), want)
	}
}

// terminable changes its program again and again until TERM comes. It says how it
// learned of that, and who was told twice.
func terminable(t *reexec.Taken, err error) error {
	var round int
	if err := resume(t, err, &round); err != nil {
		return err
	}
	c := make(chan os.Signal, 100)
	signal.Notify(c, syscall.SIGTERM)
	if t != nil {
		if err := t.Accept(); err != nil {
			return err
		}
		if slices.Contains(t.Signals(), os.Signal(syscall.SIGTERM)) {
			fmt.Println("taken over")
			return nil
		}
	}
	if round == 0 {
		fmt.Println("begin")
	}
	if round%2 == 1 { // every other generation is awake for a moment
		select {
		case <-c:
			fmt.Println("received")
			return nil
		case <-time.After(time.Millisecond):
		}
	}
	image, err := self(round + 1)
	if err != nil {
		return err
	}
	image.Signals = c
	return reexec.Exec(context.Background(), image)
}

func TestTermIsNeverOverlooked(t *testing.T) {
	ends := make(map[string]int)
	for range 30 {
		cmd, _ := program(t, "terminable")
		cmd.Env = standin.Environ("term")
		_, out := pipes(t, cmd)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		expect(t, out, "begin")
		time.Sleep(time.Duration(rand.IntN(40_000)) * time.Microsecond)
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		told := "killed"
		if out.Scan() {
			told = out.Text()
		}
		err := cmd.Wait()
		if status := cmd.ProcessState.Sys().(syscall.WaitStatus); told == "killed" && status.Signal() != syscall.SIGTERM || told != "killed" && err != nil {
			t.Fatalf("%s, %v", told, err)
		}
		ends[told]++
	}
	t.Log(ends)
}

// hangup is changed once, with HUP and INT as its starter left them, and shows
// what they are in the end.
func hangup(t *reexec.Taken, err error) error {
	var round int
	if err := resume(t, err, &round); err != nil {
		return err
	}
	if t != nil {
		err := t.Accept()
		now, lookErr := look()
		fmt.Println(now.Ignored, signal.Ignored(syscall.SIGHUP), signal.Ignored(syscall.SIGINT))
		return errors.Join(err, lookErr)
	}
	image, err := self(1)
	if err != nil {
		return err
	}
	return reexec.Exec(context.Background(), image)
}

func TestIgnoredSignalsStayIgnored(t *testing.T) {
	if out := run(t, "hangup"); out != "0000000000000000 false false\n" {
		t.Errorf("ignored without need: %s", out)
	}
	cmd, out := program(t, "hangup")
	cmd.Path = "/bin/sh"
	cmd.Args = []string{"sh", "-c", `trap "" HUP; exec "$0"`, executable(t)}
	if err := cmd.Run(); err != nil || strings.TrimSpace(out.String()) != "0000000000000001 true false" {
		t.Errorf("HUP was ignored by the starter: %v, %s", err, out)
	}
}
