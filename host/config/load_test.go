package config_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dserver/dserver/host/config"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// app is an application with three sandboxes.
func app() []config.Known {
	return []config.Known{{Name: "math"}, {Name: "web", Worker: "front"}, {Name: "my-svc"}}
}

// lookup knows a few hosts, so that no test asks the network.
func lookup(_ context.Context, host string) ([]netip.Addr, error) {
	switch host {
	case "localhost":
		return []netip.Addr{netip.IPv6Loopback(), netip.MustParseAddr("127.0.0.1")}, nil
	case "six":
		return []netip.Addr{netip.MustParseAddr("2001:db8::6")}, nil
	}
	return nil, errors.New("no such host")
}

func load(t *testing.T, o config.Options) (*config.Config, error) {
	t.Helper()
	if o.Lookup == nil {
		o.Lookup = lookup
	}
	return config.Load(t.Context(), o)
}

// golden compares text with what was recorded.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

// samples are the files of a folder that are not golden ones.
func samples(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join("testdata", dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, path := range all {
		if filepath.Ext(path) != ".golden" {
			paths = append(paths, path)
		}
	}
	if len(paths) == 0 {
		t.Fatalf("no samples in %s", dir)
	}
	return paths
}

// TestBadFiles compares every complaint about each file of testdata/bad with the
// lines that were recorded.
func TestBadFiles(t *testing.T) {
	for _, path := range samples(t, "bad") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			c, err := load(t, config.Options{File: path, Sandboxes: app()})
			var errs config.Errors
			if c != nil || !errors.As(err, &errs) || len(errs) == 0 {
				t.Fatalf("got %+v, %v", c, err)
			}
			golden(t, path+".golden", err.Error()+"\n")
			for _, line := range strings.Split(err.Error(), "\n") {
				if !strings.HasPrefix(line, path) {
					t.Errorf("%q does not begin with the file", line)
				}
				if len(line) > 500 {
					t.Errorf("a line of %d bytes", len(line))
				}
			}
		})
	}
}

// TestGoodFiles compares the configuration of each file of testdata/good with
// what was recorded.
func TestGoodFiles(t *testing.T) {
	for _, path := range samples(t, "good") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			c, err := load(t, config.Options{File: path, Sandboxes: app()})
			if err != nil {
				t.Fatal(err)
			}
			c.Files = nil
			got, err := json.MarshalIndent(c, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, path+".golden", string(got)+"\n")
		})
	}
}

// TestFormatsMeanTheSame reads one configuration written in each format.
func TestFormatsMeanTheSame(t *testing.T) {
	first := ""
	for _, ext := range []string{"toml", "yaml", "json", "ini"} {
		c, err := load(t, config.Options{File: "testdata/good/formats." + ext, Sandboxes: app()})
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = c.Hash()
		}
		if c.Hash() != first {
			t.Errorf("%s differs from toml", ext)
		}
	}
}
