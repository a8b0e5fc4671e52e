package inherit_test

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dserver/dserver/internal/inherit"
)

func lookup(env []string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for _, entry := range env {
			if k, v, _ := strings.Cut(entry, "="); k == name {
				return v, true
			}
		}
		return "", false
	}
}

func TestEnvironTellsNamesInOrder(t *testing.T) {
	got, err := inherit.Environ([]string{"math/0", "web/http", "math/1"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"LISTEN_FDS=3", "LISTEN_FDNAMES=math/0:web/http:math/1"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, err := inherit.Environ(nil); err != nil || got != nil {
		t.Errorf("without names: %q, %v", got, err)
	}
}

func TestEnvironRefusesNamesThatWouldNotComeBack(t *testing.T) {
	for _, name := range []string{"", "a:b", "a b", "a\nb", "ü", strings.Repeat("x", 256)} {
		if got, err := inherit.Environ([]string{name}); err == nil {
			t.Errorf("%q: accepted as %q", name, got)
		}
	}
	if _, err := inherit.Environ(make([]string, 5000)); err == nil {
		t.Error("5000 names were accepted")
	}
}

func TestTakeIgnoresWhatIsForAnotherProcess(t *testing.T) {
	for _, env := range [][]string{
		nil,
		{"LISTEN_FDS=1"},
		{"LISTEN_FDS=1", "LISTEN_PID=1"},
	} {
		if got, err := inherit.Take(lookup(env)); err != nil || len(got) != 0 {
			t.Errorf("%q: %v, %v", env, got, err)
		}
	}
}

func TestTakeRefusesWhatCannotBe(t *testing.T) {
	self := "LISTEN_PID=" + strconv.Itoa(os.Getpid())
	for _, env := range [][]string{
		{"LISTEN_PID=zero", "LISTEN_FDS=1"},
		{"LISTEN_PID=-1", "LISTEN_FDS=1"},
		{self, "LISTEN_FDS=many"},
		{self, "LISTEN_FDS=-1"},
		{self, "LISTEN_FDS=99999999"},
		{self, "LISTEN_FDS=2", "LISTEN_FDNAMES=one"},
		{self, "LISTEN_FDS=1", "LISTEN_FDNAMES=one:two"},
		{self, "LISTEN_FDS=4096"}, // not so many are open
	} {
		if got, err := inherit.Take(lookup(env)); err == nil {
			t.Errorf("%q: taken as %v", env, got)
		}
	}
}

func TestScrub(t *testing.T) {
	env := []string{
		"PATH=/bin", "TABLEFLIP_HAS_PARENT_7DIU3=yes", "LISTEN_FDS=1", "LISTEN_FDNAMES=a", "LISTEN_PID=7",
		"NOTIFY_SOCKET=@x", "WATCHDOG_USEC=1", "WATCHDOG_PID=7", "GF_SERVER_RELOAD=1", "GF_SERVER_RESTART=1",
		"DSERVER_CONTROL_FD=3", "DSERVER_RUNTIME_DIR=/run", "INVOCATION_ID=ab", "NOTIFY_SOCKETS=mine", "GF_SERVER_PORT=1", "odd",
	}
	before := slices.Clone(env)
	got := inherit.Scrub(env)
	want := []string{"PATH=/bin", "INVOCATION_ID=ab", "NOTIFY_SOCKETS=mine", "GF_SERVER_PORT=1", "odd"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if !slices.Equal(env, before) {
		t.Error("the argument was changed")
	}
}
