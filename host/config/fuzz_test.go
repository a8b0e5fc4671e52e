package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dserver/dserver/host/config"
)

// FuzzLoad feeds all parsers. Whatever is in a file, Load gives a configuration
// that can be hashed and compared, or complaints of one line each.
func FuzzLoad(f *testing.F) {
	for format, ext := range formats() {
		for _, folder := range []string{"good", "bad"} {
			paths, err := filepath.Glob(filepath.Join("testdata", folder, "*"+ext))
			if err != nil {
				f.Fatal(err)
			}
			for _, path := range paths {
				data, err := os.ReadFile(path)
				if err != nil {
					f.Fatal(err)
				}
				f.Add(format, data)
			}
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, format int, data []byte) {
		path := filepath.Join(dir, "dserver"+formats()[uint(format)%uint(len(formats()))])
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := load(t, config.Options{File: path})
		if err != nil {
			var errs config.Errors
			if !errors.As(err, &errs) || c != nil {
				t.Fatalf("got %+v, %v", c, err)
			}
			for _, one := range errs {
				if one.Source == "" || one.Reason == "" || strings.Contains(one.Error(), "\n") {
					t.Fatalf("a complaint is not one clear line: %q", one)
				}
			}
			return
		}
		again, err := load(t, config.Options{File: path})
		if err != nil || len(c.Hash()) != 64 || again.Hash() != c.Hash() || len(config.Diff(c, again)) != 0 {
			t.Fatalf("a second look differs: %v, %v", err, config.Diff(c, again))
		}
		if len(c.Content()) == 0 {
			t.Fatal("no content")
		}
	})
}

func formats() []string { return []string{".toml", ".yaml", ".json", ".ini"} }

// FuzzEnviron feeds the names and values of variables.
func FuzzEnviron(f *testing.F) {
	f.Add("SANDBOX__MATH__LISTEN", "tcp://127.0.0.1:1")
	f.Add("SANDBOX__MATH__CONFIG__A", `{"b":[1]}`)
	f.Add("LOG__KEEP__X", "5")
	f.Add("NAME", "x")
	f.Add("____", "")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, name, value string) {
		c, err := load(t, config.Options{Dir: dir, Sandboxes: app(), Environ: []string{"DSERVER_" + name + "=" + value}})
		var errs config.Errors
		if err != nil && !errors.As(err, &errs) || err == nil && len(c.Hash()) != 64 {
			t.Fatalf("got %+v, %v", c, err)
		}
	})
}
