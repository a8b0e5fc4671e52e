package cgroup_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dserver/dserver/host/cgroup"
)

// TestPlaces reads what kernels say of mounts and groups, and compares where we
// are found with the last part of each file.
func TestPlaces(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 8 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			parts := sections(t, file)
			if got := cgroup.Places(parts["mountinfo"], parts["cgroup"]); got != parts["places"] {
				t.Errorf("got\n%swant\n%s", got, parts["places"])
			}
		})
	}
}

// sections reads the parts of a file that begin with lines such as "-- name --".
func sections(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parts := make(map[string]string)
	for _, part := range strings.Split(string(text), "\n-- ")[1:] {
		name, body, ok := strings.Cut(part, " --\n")
		if !ok {
			t.Fatalf("%q has no name", part)
		}
		// The last newline belongs to the next heading.
		if body != "" {
			body = strings.TrimSuffix(body, "\n") + "\n"
		}
		parts[name] = body
	}
	return parts
}

// FuzzPlaces feeds what no kernel would say.
func FuzzPlaces(f *testing.F) {
	f.Add("31 24 0:27 / /a\\040b rw - cgroup2 cgroup2 rw\n", "0::/a\n")
	f.Add("31 24 0:27 /x /a rw - cgroup cgroup rw,memory", "1:memory:/x/y")
	f.Fuzz(func(t *testing.T, mountinfo, groups string) {
		cgroup.Places(mountinfo, groups)
	})
}
