package reexec_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/reexec"
	"github.com/dserver/dserver/internal/inherit"
	"github.com/dserver/dserver/internal/standin"
)

// attempt is the state of steps.
type attempt struct {
	Pid   int
	Todo  []string // further arguments of refuse; empty: the end
	Paths []string
	Told  []string
}

// steps tries one new image after the other. None of them goes on, so it is this
// one that runs again each time.
func steps(t *reexec.Taken, err error) error {
	var a attempt
	if err := resume(t, err, &a); err != nil {
		return err
	}
	var kept *os.File
	switch {
	case t == nil:
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		if _, err := w.WriteString("still here"); err != nil {
			return err
		}
		a = attempt{Pid: os.Getpid(), Paths: os.Args[1:3], Todo: os.Args[3:]}
		kept = r
	default:
		a.Told = append(a.Told, fmt.Sprint(t.Returned()))
		if kept, err = inherit.Dup(t.Files()[0], "kept"); err != nil {
			return err
		}
		if err := t.Accept(); err != nil {
			return err
		}
	}
	return tryNext(a, kept)
}

func tryNext(a attempt, kept *os.File) error {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil || exe != a.Paths[0] || os.Getpid() != a.Pid || len(os.Args) != 3+len(a.Todo)+len(a.Told) {
		return fmt.Errorf("it is %s, pid %d, arguments %q (%v)", exe, os.Getpid(), os.Args, err)
	}
	if len(a.Todo) == 0 {
		text := make([]byte, 100)
		n, err := kept.Read(text)
		a.Told = append(a.Told, string(text[:n]))
		return errors.Join(err, show(a))
	}
	next := a.Todo[0]
	a.Todo = a.Todo[1:]
	image, err := self(a)
	if err != nil {
		return err
	}
	image.Path, image.Files = a.Paths[1], []syscall.Conn{kept}
	image.Args, image.Env = []string{"new", next}, standin.Environ("refuse")
	return reexec.Exec(context.Background(), image)
}

// refuse is a new program that goes back, in one way or another.
func refuse(t *reexec.Taken, err error) error {
	if err != nil || t == nil {
		return fmt.Errorf("nothing to refuse: %v, %v", t, err)
	}
	why := errors.New(os.Args[1])
	switch os.Args[1] {
	case "no reason":
		why = nil
	case "busy":
		// What it has done meanwhile is no obstacle.
		for range 5 {
			if _, _, err := os.Pipe(); err != nil {
				return err
			}
		}
	case "closed":
		// Without the file there is no way back; with it there is.
		f := t.Files()[0]
		number, err := inherit.Number(f)
		if err != nil {
			return err
		}
		aside, err := unix.FcntlInt(number, unix.F_DUPFD_CLOEXEC, 100)
		if err != nil {
			return err
		}
		f.Close()
		if err := t.Back(why); err == nil || !strings.Contains(err.Error(), "closed file") {
			return fmt.Errorf("going back without the file: %v", err)
		}
		if err := unix.Dup3(aside, int(number), 0); err != nil {
			return err
		}
		t.Files()[0] = os.NewFile(number, "again")
	}
	return t.Back(why)
}

func TestWayBack(t *testing.T) {
	paths := []string{executable(t), copyOf(t, executable(t))}
	reasons := []string{"I cannot read this", "no reason", "two\nlines, \x7f and \u20ac", strings.Repeat("long ", 2000), "busy", "closed"}
	out := run(t, "steps", append(paths, reasons...)...)
	var a attempt
	if err := unmarshal(out, &a); err != nil {
		t.Fatal(err, out)
	}
	want := append([]string{}, reasons...)
	want[1], want[3] = "for no reason", reasons[3][:4096]
	for i, told := range a.Told[:len(a.Told)-1] {
		if told != want[i] {
			t.Errorf("attempt %d: the old program heard %q", i, told)
		}
	}
	if len(a.Told) != len(reasons)+1 || a.Told[len(reasons)] != "still here" {
		t.Errorf("%d attempts, at last %q", len(a.Told), a.Told[len(a.Told)-1])
	}
}

// leaveGarbage leaves something that is not a letter to itself, in the way that is
// its argument. Its next image goes back, to what cannot read it either.
func leaveGarbage(t *reexec.Taken, err error) error {
	if t != nil {
		if err == nil || t.State() != nil || t.Files() != nil {
			return fmt.Errorf("it took over %q", t.State())
		}
		return errors.Join(err, t.Back(errors.New("it is garbage")))
	}
	if err != nil {
		return err
	}
	seals := unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	text := "reexec 1\x00\x00\x00\x02{}"
	switch os.Args[1] {
	case "short":
		text = "reexec 1"
	case "other":
		text = "reexec 2" + text[8:]
	case "unsealed":
		seals = unix.F_SEAL_SEAL
	case "long head":
		text = "reexec 1\xff\xff\xff\xff{}"
	case "bad head":
		text = "reexec 1\x00\x00\x00\x02{x"
	case "no file":
		text = "reexec 1\x00\x00\x00\x0f{\"files\":[999]}"
	}
	letter, err := unix.MemfdCreate("letter", unix.MFD_ALLOW_SEALING)
	if err != nil {
		return err
	}
	if _, err := unix.Write(letter, []byte(text)); err != nil {
		return err
	}
	if _, err := unix.FcntlInt(uintptr(letter), unix.F_ADD_SEALS, seals); err != nil {
		return err
	}
	exe, err := unix.Open("/proc/self/exe", unix.O_PATH, 0)
	if err != nil {
		return err
	}
	variable := fmt.Sprintf("DSERVER_REEXEC=%d %d %d ", os.Getpid(), letter, exe)
	switch os.Args[1] {
	case "no letter":
		variable = fmt.Sprintf("DSERVER_REEXEC=%d 999 %d ", os.Getpid(), exe)
	case "no executable":
		variable = fmt.Sprintf("DSERVER_REEXEC=%d %d 999 ", os.Getpid(), letter)
	case "no numbers":
		variable = "DSERVER_REEXEC=x y z "
	case "another pid":
		variable = fmt.Sprintf("DSERVER_REEXEC=1 %d %d ", letter, exe)
		return syscall.Exec("/proc/self/exe", []string{"garbage", "see"}, append(os.Environ(), variable))
	case "see":
		_, set := os.LookupEnv("DSERVER_REEXEC")
		fmt.Println(set)
		return nil
	}
	return syscall.Exec("/proc/self/exe", os.Args, append(os.Environ(), variable))
}

func TestGarbageIsRefused(t *testing.T) {
	for how, want := range map[string]string{
		"short":         "the letter: it has 8 bytes",
		"other":         "the letter: it begins with something else",
		"unsealed":      "the letter: it is not a sealed file",
		"long head":     "the letter: it says that its head has 4294967295 bytes",
		"bad head":      "the letter: its head: ",
		"no file":       "file 0, descriptor 999: fcntl: bad file descriptor",
		"no letter":     "the letter: fcntl: bad file descriptor",
		"no executable": "the old executable: fcntl: bad file descriptor",
		"no numbers":    `DSERVER_REEXEC is "x y z "`,
	} {
		t.Run(how, func(t *testing.T) {
			cmd, out := program(t, "garbage", how)
			if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != 98 {
				t.Fatalf("it ended with %v: %s", err, out)
			}
			if !strings.Contains(out.String(), "cannot take over from the program before: "+want) {
				t.Errorf("it said %s", out)
			}
			back := "it was that one that gave up"
			if strings.HasPrefix(how, "no ") && how != "no file" {
				back = "the way back is closed"
			}
			if !strings.Contains(out.String(), "cannot go back to the program before: "+back) {
				t.Errorf("it said %s", out)
			}
		})
	}
}

func TestVariableOfAnotherProcessIsDropped(t *testing.T) {
	if out := run(t, "garbage", "another pid"); out != "false\n" {
		t.Error(out)
	}
}
