package signals_test

import (
	"strings"
	"syscall"
	"testing"

	"github.com/dserver/dserver/internal/signals"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		text string
		want syscall.Signal
		name string
	}{
		{"HUP", syscall.SIGHUP, "HUP"},
		{"SIGHUP", syscall.SIGHUP, "HUP"},
		{"sigterm", syscall.SIGTERM, "TERM"},
		{"9", syscall.SIGKILL, "KILL"},
		{"RTMIN", 34, "RTMIN+0"},
		{"SIGRTMIN+3", 37, "RTMIN+3"},
		{"RTMAX", 64, "RTMIN+30"},
		{"rtmax-1", 63, "RTMIN+29"},
		{"32", 32, "32"},
		{"33", 33, "33"},
	} {
		s, err := signals.Parse(tt.text)
		if err != nil || s != tt.want || signals.Name(s) != tt.name {
			t.Errorf("%s: %d %s, %v", tt.text, int(s), signals.Name(s), err)
		}
	}
	for _, text := range []string{"", "0", "65", "-1", "SIG", "SIGSIGHUP", "HUPP", "RTMIN+31", "RTMIN+-1", "RTMIN-1", "RTMAX-31", "RTMIN+x", "RTMAX+1",
		"RTMIN+99999999999999999999", "1.0", " HUP", "99999999999999999999"} {
		if s, err := signals.Parse(text); err == nil || !strings.HasPrefix(err.Error(), "cannot use ") {
			t.Errorf("%q: %d, %v", text, int(s), err)
		}
	}
}

func TestEveryNameComesBack(t *testing.T) {
	for _, name := range signals.Names() {
		s, err := signals.Parse("sig" + strings.ToLower(name))
		if err != nil || signals.Name(s) != name {
			t.Errorf("%s: %d is called %s, %v", name, int(s), signals.Name(s), err)
		}
	}
}
