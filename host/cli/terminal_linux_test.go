package cli_test

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/dserver/dserver/host/cli"
	"golang.org/x/sys/unix"
)

// terminal opens a real pseudo terminal.
func terminal(t *testing.T) (screen, tty *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { screen.Close() })
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { tty.Close() })
	return screen, tty
}

func TestColoursAreForTerminals(t *testing.T) {
	for _, tt := range []struct {
		name, noColor, term string
		want                bool
	}{
		{"terminal", "", "xterm", true},
		{"NO_COLOR", "1", "xterm", false},
		{"dumb", "", "dumb", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("NO_COLOR", tt.noColor)
			t.Setenv("TERM", tt.term)
			h := newHost(t)
			h.run("shop")
			screen, tty := terminal(t)
			code := cli.Main(within(t), []string{"status"}, cli.Streams{In: strings.NewReader(""), Out: tty, Err: tty}, shop, h)
			if code != 0 {
				t.Fatalf("exit code %d", code)
			}
			line, err := bufio.NewReader(screen).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(line, "\x1b["); got != tt.want {
				t.Errorf("colours: %v, want %v: %q", got, tt.want, line)
			}
		})
	}
}

// TestWhatAProgramSaidDoesNotMoveTheCursor prints it to a real terminal.
func TestWhatAProgramSaidDoesNotMoveTheCursor(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	h := newHost(t)
	m := h.run("shop").master
	m.withPrograms()
	m.programs[2].Instances[0].Output = []string{"\x1b[2J\x1b[H\x1b]0;owned\x07", "bad \xff utf-8", "a\tb\r", "gr\u00fc\u00dfe \u4e16\u754c", "\x1b[38;5;1m", "\u202egnp.exe"}
	screen, tty := terminal(t)
	code := cli.Main(within(t), []string{"status", "mail-relay"}, cli.Streams{In: strings.NewReader(""), Out: tty, Err: tty}, shop, h)
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	tty.WriteString("THE END\n")
	var said []string
	for lines := bufio.NewReader(screen); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line = strings.TrimRight(line, "\r\n"); line == "THE END" {
			break
		}
		if text, ok := strings.CutPrefix(line, "\x1b[2m  | \x1b[0m"); ok {
			said = append(said, text)
		}
	}
	want := []string{"·]0;owned·", "bad \ufffd utf-8", "a b", "gr\u00fc\u00dfe \u4e16\u754c", "", "·gnp.exe"}
	if strings.Join(said, "\n") != strings.Join(want, "\n") {
		t.Errorf("said %q, want %q", said, want)
	}
}
