package supervise

import (
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
)

func TestStatOfAnyName(t *testing.T) {
	rest := " S 7 8 9 0 -1 4194304 100 0 0 0 1 2 0 0 20 0 1 0 123456789 0" + strings.Repeat(" 0", 27) + " 140000 256"
	want := procStat{state: 'S', parent: 7, group: 8, session: 9, ticks: 123456789, environ: true, code: 256}
	for _, name := range []string{"cat", "a b", ") Z 1 1 1", "(((", "\n", ""} {
		if got, err := parseStat([]byte("42 (" + name + ")" + rest)); err != nil || got != want {
			t.Errorf("%q: %+v, %v", name, got, err)
		}
	}
	if got, err := parseStat([]byte("42 (cat)" + rest[:len(rest)-11])); err != nil || got.code != 0 || got.environ {
		t.Errorf("an old system: %+v, %v", got, err)
	}
}

func TestStatOfOurselves(t *testing.T) {
	got, err := readStat(os.Getpid())
	if err != nil || got.parent != os.Getppid() || got.group != syscall.Getpgrp() || got.gone() || got.ticks == 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := readStat(1 << 30); err == nil {
		t.Error("a process that does not exist has a state")
	}
}

func FuzzParseStat(f *testing.F) {
	for _, text := range []string{"", ")", "1 (a) S", "1 (a) S x y z" + strings.Repeat(" 1", 50), "1 (a) S 1 2 3" + strings.Repeat(" -1", 50)} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		if s, err := parseStat(line); err != nil && !reflect.DeepEqual(s, procStat{}) {
			t.Errorf("%+v beside %v", s, err)
		}
	})
}

func TestLongFilesAreReadWhole(t *testing.T) {
	name := t.TempDir() + "/long"
	text := strings.Repeat("0123456789", 10_000)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := readProcWhole(name, make([]byte, 10)); err != nil || string(got) != text {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
