package docs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dserver/dserver/host/config"
)

const (
	keysBegin = "<!-- keys: written by go test ./docs -run Keys -rewrite -->\n"
	keysEnd   = "<!-- end of keys -->\n"
)

// TestKeysAreThoseOfTheConfiguration keeps the reference in step with the code.
func TestKeysAreThoseOfTheConfiguration(t *testing.T) {
	const page = "docs/configuration.md"
	text := read(t, page)
	before, rest, found := strings.Cut(text, keysBegin)
	_, after, ended := strings.Cut(rest, keysEnd)
	if !found || !ended {
		t.Fatalf("%s has no place for the keys, between %q and %q", page, keysBegin, keysEnd)
	}
	want := before + keysBegin + config.Document() + keysEnd + after
	if text == want {
		return
	}
	if !*rewrite {
		t.Fatalf("%s is not in step with host/config: run go test ./docs -run Keys -rewrite", page)
	}
	if err := os.WriteFile(filepath.Join(root, page), []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestConfigurationInPagesIsValid lets what pages show as configuration be
// checked as a file would be.
func TestConfigurationInPagesIsValid(t *testing.T) {
	count := 0
	for _, page := range pages(t) {
		for _, b := range blocks(t, page) {
			if b.lang != "toml" {
				continue
			}
			count++
			file := filepath.Join(t.TempDir(), "dserver.toml")
			if err := os.WriteFile(file, []byte(b.text), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := config.Load(t.Context(), config.Options{File: file}); err != nil {
				t.Errorf("%s:%d: %v", page, b.line, err)
			}
		}
	}
	if count == 0 {
		t.Error("no page shows any configuration")
	}
}
