package ctl

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestThePageHasEveryRouteAndCode compares docs/control.md with what is served.
func TestThePageHasEveryRouteAndCode(t *testing.T) {
	text, err := os.ReadFile("../docs/control.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, r := range routes() {
		path := r.path
		if strings.HasSuffix(path, "/") {
			path += "NAME"
		}
		want = append(want, r.method+" "+path)
	}
	var got []string
	for _, found := range regexp.MustCompile(`(?m)^\| ((?:GET|POST) \S+) \|`).FindAllStringSubmatch(string(text), -1) {
		got = append(got, found[1])
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the page has\n%s\nthe server has\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, k := range kinds() {
		line := regexp.MustCompile(`(?m)^\| ` + k.code + ` \| [^|]*` + strconv.Itoa(k.status))
		if !line.Match(text) {
			t.Errorf("the page does not have the code %s with status %d", k.code, k.status)
		}
	}
}
