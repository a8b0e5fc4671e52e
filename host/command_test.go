package host

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/dserver/dserver/host/cli"
)

func TestNameIsFoundWhateverElseIsWrong(t *testing.T) {
	folder := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	c := &command{app: New("shop")}
	for _, tt := range []struct {
		name string
		g    cli.Global
		want string
	}{
		{"nothing says it", cli.Global{Config: ""}, ""},
		{"the flag", cli.Global{Name: "given", Config: file("a.toml", "name = \"a\"\n")}, "given"},
		{"the file", cli.Global{Config: file("b.toml", "name = \"b\"\n")}, "b"},
		{"a file that leaves it open", cli.Global{Config: file("c.toml", "probation = \"1s\"\n")}, "shop"},
		{"a file that is wrong", cli.Global{Config: file("d.toml", "name = \"d\"\nprobatoin = 1\n[program.x]\ncommand = \"no-such-program\"\n")}, "d"},
	} {
		if got, err := c.name(tt.g); got != tt.want || err != nil {
			t.Errorf("%s: %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
}
