package probe_test

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/dserver/dserver/host/probe"
)

// FuzzNotice says anything: what comes of it can be shown and acted upon.
func FuzzNotice(f *testing.F) {
	f.Add("READY=1\nSTATUS=ok\x1b[0m\xff\nMAINPID=17")
	f.Add("EXTEND_TIMEOUT_USEC=18446744073709551615\nWATCHDOG_USEC=0\nERRNO=-1")
	f.Fuzz(func(t *testing.T, text string) {
		n := probe.Parse(strings.Split(text, "\n")...)
		if n.MainPid < 0 || n.Errno < 0 || n.Extend < 0 || n.Watchdog < 0 || n.Extend > 366*24*time.Hour || n.Watchdog > 366*24*time.Hour {
			t.Errorf("%q gives %+v", text, n)
		}
		for _, shown := range append(n.Wrong, n.Status) {
			if len(shown) > 2<<10 || strings.ContainsFunc(shown, func(r rune) bool { return r < ' ' || r == unicode.ReplacementChar }) {
				t.Errorf("%q would be shown as %q", text, shown)
			}
		}
	})
}
