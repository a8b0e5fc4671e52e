package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dserver/dserver/host/config"
)

func TestSplitWords(t *testing.T) {
	for text, want := range map[string][]string{
		"":                     nil,
		" \t ":                 nil,
		"a":                    {"a"},
		" a  b\tc ":            {"a", "b", "c"},
		`'a b' "c d"`:          {"a b", "c d"},
		`a'b c'd`:              {"ab cd"},
		`'' ""`:                {"", ""},
		`'\"$' "\"\\\$'x"`:     {`\"$`, `"\$'x`},
		`"\x\n"`:               {`\x\n`},
		`a\ b \' \\`:           {"a b", "'", `\`},
		`"|&;<>()" '$x` + "`'": {"|&;<>()", "$x`"},
		`\$HOME \|`:            {"$HOME", "|"},
		"ä *.txt ~ ? # x=1 !":  {"ä", "*.txt", "~", "?", "#", "x=1", "!"},
	} {
		if got, err := config.SplitWords(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"'", `"`, `\`, `a "b`, "a | b", "a;", "a > b", "a &", "$x", "`x`", "(a)", "a\nb", `"\`} {
		if got, err := config.SplitWords(text); err == nil {
			t.Errorf("%q was taken as %q", text, got)
		}
	}
}

func TestParseEnvFile(t *testing.T) {
	const text = "\ufeff# comment\n\nA=1\n B = two words # and this\nexport C='it is \"so\"  '\nD=\"a\\n\\t\\\"\\\\\\$x\"\r\nE=\nF=a=b\nG='\"'\n"
	want := []string{"A=1", "B=two words # and this", `C=it is "so"  `, "D=a\n\t\"\\$x", "E=", "F=a=b", `G="`}
	if got, err := config.ParseEnvFile([]byte(text)); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	for text, want := range map[string]string{
		"A=1\nB":          "line 2: want NAME=value",
		"=1":              "line 1: the name of a variable is empty",
		"A B=1":           "line 1: the name of a variable has a blank",
		"A='x":            "line 1: a ' is not closed at the end of the line",
		`A="x`:            `line 1: a " is not closed at the end of the line`,
		`A="x\"`:          `line 1: a " is not closed at the end of the line`,
		`A="`:             `line 1: a " is not closed at the end of the line`,
		`A="x"y"`:         `line 1: a " in the middle needs a \ before it`,
		`A='x'y'`:         `line 1: a ' in the middle: put the value in "..." instead`,
		`A="\e"`:          `line 1: \e stands for nothing; write \\e`,
		"A=\x00":          "line 1: the value has a zero byte",
		"\n\nLISTEN_PID=": "line 3: LISTEN_PID is set by dserver itself",
	} {
		if got, err := config.ParseEnvFile([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q: got %q, %v, want %s", text, got, err, want)
		}
	}
}

// TestEnviron: later sources win, and what is ours does not come through.
func TestEnviron(t *testing.T) {
	dir := tree(t, "a.env", "A=file\nB=file\nHOME=/file\n", "b.env", "B=second\nE=file\n", "secret", "hush\n", "crlf", "hush \r\n", "two", "x\n\n", "zero", "a\x00b")
	at := func(name string) string { return filepath.Join(dir, name) }
	master := []string{"A=master", "PATH=/bin", "SECRET=x", "E=master", "=C:=x", "junk", "LISTEN_PID=1", "NOTIFY_SOCKET=/x", "PATH=/later"}
	for _, test := range []struct {
		name string
		p    config.Process
		want []string
	}{
		{"nothing said", config.Process{}, []string{"A=master", "E=master", "PATH=/later", "SECRET=x"}},
		{"all", config.Process{Inherit: []string{"*"}}, []string{"A=master", "E=master", "PATH=/later", "SECRET=x"}},
		{"none", config.Process{Inherit: []string{}}, []string{}},
		{"some", config.Process{Inherit: []string{"PATH", "NONE"}}, []string{"PATH=/later"}},
		{"files", config.Process{Inherit: []string{"A", "PATH"}, EnvFiles: []string{at("a.env"), at("b.env")}},
			[]string{"A=file", "B=second", "E=file", "HOME=/file", "PATH=/later"}},
		{"all of it", config.Process{EnvFiles: []string{at("a.env")}, Env: map[string]string{"A": "env", "EMPTY": ""},
			Secrets: map[string]string{"S": at("secret"), "T": at("crlf"), "U": at("two")}, Inherit: []string{"E"},
			Identity: &config.Identity{Name: "www", Home: "/var/www"}},
			[]string{"A=env", "B=file", "E=master", "EMPTY=", "HOME=/file", "LOGNAME=www", "S=hush", "T=hush ", "U=x\n", "USER=www"}},
		{"a number without a user", config.Process{Inherit: []string{}, Identity: &config.Identity{UID: 5}}, []string{}},
	} {
		if got, err := test.p.Environ(master); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, %v, want %q", test.name, got, err, test.want)
		}
	}
	for want, p := range map[string]config.Process{
		"cannot take variables from " + at("none") + ": cannot read it: no such file or directory": {EnvFiles: []string{at("none")}},
		"cannot take variables from " + at("secret") + ": line 1: want NAME=value":                 {EnvFiles: []string{at("secret")}},
		"cannot take S from " + at("none") + ": cannot read it: no such file or directory":         {Secrets: map[string]string{"S": at("none")}},
		"cannot take S from " + at("zero") + ": it has a zero byte":                                {Secrets: map[string]string{"S": at("zero")}},
	} {
		if got, err := p.Environ(nil); err == nil || err.Error() != want {
			t.Errorf("got %q, %v, want %s", got, err, want)
		}
	}
}

// TestSecretsAreReadAtEachStart: a new password needs no new configuration.
func TestSecretsAreReadAtEachStart(t *testing.T) {
	dir := workshop(t)
	c, err := inWorkshop(t, dir, "program.x.secrets = { S = 'secret' }\nprogram.x.env_files = 'vars.env'\nprogram.x.inherit = []")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"hush", "new"} {
		for name, text := range map[string]string{"secret": word + "\n", "vars.env": "V=" + word} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		p, _ := c.Program("x")
		got, err := p.Process.Environ(nil)
		if err != nil || !slices.Equal(got, []string{"S=" + word, "V=" + word}) {
			t.Errorf("got %q, %v", got, err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "dserver.toml"))
	if err != nil || strings.Contains(string(text), "hush") || strings.Contains(string(c.Content()), "hush") {
		t.Error("the secret stands in the configuration")
	}
}
