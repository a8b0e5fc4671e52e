package eventbus

import (
	"regexp"
	"strings"
	"testing"
)

func TestPatternsMeanTheNamesTheySay(t *testing.T) {
	for _, c := range []struct{ pattern, names, others string }{
		{"a", "a", "b a.b aa"},
		{"a.b", "a.b", "a a.b.c b.a a.bb"},
		{"a.*", "a.b a.c", "a a.b.c b.a aa.b b"},
		{"*.b", "a.b c.b", "b a.b.b a.c"},
		{"a.*.c", "a.b.c a.c.c", "a.c a.b.b.c a.b.d"},
		{"a.**", "a.b a.b.c a.b.c.d", "a b aa.b b.a"},
		{"a.*.**", "a.b.c a.b.c.d", "a a.b b.b.c"},
		{"*.*", "a.b", "a a.b.c"},
		{"*", "a a.b a.b.c", ""},
		{"**", "a a.b a.b.c", ""},
	} {
		p, err := parsePattern(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		match := p.match
		if p == nil {
			match = func(name string) bool { return name == c.pattern }
		}
		for _, name := range strings.Fields(c.names) {
			if !match(name) {
				t.Errorf("%s does not mean %s", c.pattern, name)
			}
		}
		for _, name := range strings.Fields(c.others) {
			if match(name) {
				t.Errorf("%s means %s", c.pattern, name)
			}
		}
	}
}

func TestBadPatternsAndNamesAreRefused(t *testing.T) {
	long := strings.Repeat("x", maxName+1)
	for _, s := range []string{"", ".", "a.", ".a", "a..b", "a.**.b", "**.a", "a*", "a.b*", "***", "a.***", long} {
		if _, err := parsePattern(s); err == nil {
			t.Errorf("pattern %.20q is taken", s)
		}
	}
	for _, s := range []string{"", ".", "a.", ".a", "a..b", "*", "a.*", "a.b*", long} {
		if checkName(s) == nil {
			t.Errorf("name %.20q is taken", s)
		}
	}
	if err := checkName(long[1:]); err != nil {
		t.Error(err)
	}
}

// FuzzPattern compares matching with a regular expression that says the same.
func FuzzPattern(f *testing.F) {
	f.Add("a.*.c", "a.b.c")
	f.Add("a.**", "a.b.c")
	f.Add("*", "a")
	f.Add("**", "\n.x")
	f.Add("a*", "a..b")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		p, err := parsePattern(pattern)
		if err != nil || p == nil || checkName(name) != nil {
			return
		}
		words := strings.Split(pattern, ".")
		for i, w := range words {
			switch {
			case w == "**" || pattern == "*":
				words[i] = `(?s:.+)`
			case w == "*":
				words[i] = `[^.]+`
			default:
				words[i] = regexp.QuoteMeta(w)
			}
		}
		want, err := regexp.Compile(`\A` + strings.Join(words, `\.`) + `\z`)
		if err != nil {
			return // not UTF-8, which a regular expression has to be
		}
		if got := p.match(name); got != want.MatchString(name) {
			t.Errorf("%q means %q: %v", pattern, name, got)
		}
	})
}
