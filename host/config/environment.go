package config

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// ownVariables are those that the master sets in its children, and so nobody else.
func ownVariables() []string {
	return []string{"INVOCATION_ID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "MAINPID", "NOTIFY_SOCKET",
		"WATCHDOG_PID", "WATCHDOG_USEC"}
}

func checkVariable(name string) error {
	switch {
	case name == "":
		return errors.New("the name of a variable is empty")
	case strings.ContainsAny(name, "=\x00"):
		return errors.New("the name of a variable has a = or a zero byte")
	case slices.Contains(ownVariables(), name):
		return fmt.Errorf("%s is set by dserver itself", name)
	}
	return nil
}

// setEnv reads a table of variables. Whole numbers and true and false may stand
// without quotes.
func setEnv(b *builder, n *node, p *Process) {
	p.Env = b.variables(n, "value", func(kid *node) (string, error) {
		switch v := kid.value.(type) {
		case int64:
			return strconv.FormatInt(v, 10), nil
		case bool:
			return strconv.FormatBool(v), nil
		case string:
			if strings.ContainsRune(v, 0) {
				return "", errors.New("the value has a zero byte")
			}
			return v, nil
		}
		return "", wrongType("a text", kid)
	})
}

// setSecrets reads a table of variables and the files that hold their values.
func setSecrets(b *builder, n *node, p *Process) {
	p.Secrets = b.variables(n, "file", func(kid *node) (string, error) {
		path, err := kid.asText()
		if err != nil {
			return "", err
		}
		return b.regular(path)
	})
}

func (b *builder) variables(n *node, what string, read func(*node) (string, error)) map[string]string {
	if !n.isTable() {
		b.refuse(n, wrongType("a table of NAME = "+what, n))
		return nil
	}
	table := make(map[string]string, len(n.keys))
	n.each(func(kid *node) {
		if err := checkVariable(kid.name); err != nil {
			b.unknown(kid, err.Error(), "")
			return
		}
		value, err := read(kid)
		if err != nil {
			b.refuse(kid, err)
			return
		}
		table[kid.name] = value
	})
	return table
}

// diffTable tells which entries differ, and never their values.
func diffTable(key string, table func(*Process) map[string]string) func(old, next Process) string {
	return func(old, next Process) string {
		anys := func(m map[string]string) map[string]any {
			out := make(map[string]any, len(m))
			for name, value := range m {
				out[name] = value
			}
			return out
		}
		keys := changedKeys(key, anys(table(&old)), anys(table(&next)))
		if len(keys) == 0 {
			return ""
		}
		return strings.Join(keys, ", ") + " changed"
	}
}

// someInherited is a list of variables, or "*" for all.
func someInherited() kind[[]string] {
	return someTexts("list of names", func(name string) error {
		if name == "*" {
			return nil
		}
		return checkVariable(name)
	})
}

// someEnvFiles is a list of files that hold variables now.
func someEnvFiles() kind[[]string] {
	k := someTexts("list of files", checkPath)
	read := k.read
	k.read = func(b *builder, n *node) ([]string, error) {
		list, err := read(b, n)
		for i := range list {
			if err == nil {
				if list[i], err = b.regular(list[i]); err == nil {
					_, err = readEnvFile(list[i])
				}
			}
		}
		return list, err
	}
	return k
}

// Environ makes the environment of a process of the master's own: what it inherits,
// then its files, then Env and Secrets; later ones win. The files are read now. The
// result is sorted and has each name once.
func (p *Process) Environ(master []string) ([]string, error) {
	vars := make(map[string]string)
	all := p.Inherit == nil || slices.Contains(p.Inherit, "*")
	for _, pair := range master {
		name, value, ok := strings.Cut(pair, "=")
		if ok && (all || slices.Contains(p.Inherit, name)) && checkVariable(name) == nil {
			vars[name] = value
		}
	}
	if id := p.Identity; id != nil && id.Name != "" {
		vars["USER"], vars["LOGNAME"], vars["HOME"] = id.Name, id.Name, id.Home
	}
	for _, path := range p.EnvFiles {
		pairs, err := readEnvFile(path)
		if err != nil {
			return nil, err
		}
		for _, pair := range pairs {
			name, value, _ := strings.Cut(pair, "=")
			vars[name] = value
		}
	}
	maps.Copy(vars, p.Env)
	for _, name := range slices.Sorted(maps.Keys(p.Secrets)) { // the first error is always the same one
		path := p.Secrets[name]
		data, err := readFile(path)
		if err != nil {
			return nil, fmt.Errorf("cannot take %s from %s: %w", name, path, err)
		}
		if bytes.IndexByte(data, 0) >= 0 {
			return nil, fmt.Errorf("cannot take %s from %s: it has a zero byte", name, path)
		}
		vars[name] = strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	}
	pairs := make([]string, 0, len(vars))
	for name, value := range vars {
		pairs = append(pairs, name+"="+value)
	}
	slices.Sort(pairs)
	return pairs, nil
}

// readEnvFile reads NAME=value lines. The error names the file and the line.
func readEnvFile(path string) ([]string, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot take variables from %s: %w", path, err)
	}
	pairs, err := parseEnvFile(data)
	if err != nil {
		return nil, fmt.Errorf("cannot take variables from %s: %w", path, err)
	}
	return pairs, nil
}

// parseEnvFile reads lines of NAME=value. Empty lines and those that begin with #
// say nothing; export may stand before the name. A value in '...' is taken as it is,
// one in "..." may have \n, \t, \", \\ and \$; any other is what stands there without
// the blanks around it. Nothing is expanded.
func parseEnvFile(data []byte) ([]string, error) {
	var pairs []string
	number := 0
	for line := range bytes.Lines(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))) {
		number++
		text := strings.TrimSpace(string(line))
		if text == "" || text[0] == '#' {
			continue
		}
		pair, err := parseVariable(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		pairs = append(pairs, pair)
	}
	return pairs, nil
}

func parseVariable(text string) (string, error) {
	if after, ok := strings.CutPrefix(text, "export "); ok {
		text = strings.TrimSpace(after)
	}
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return "", errors.New("want NAME=value")
	}
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if strings.ContainsAny(name, " \t") {
		return "", errors.New("the name of a variable has a blank")
	}
	if err := checkVariable(name); err != nil {
		return "", err
	}
	if strings.ContainsRune(value, 0) {
		return "", errors.New("the value has a zero byte")
	}
	if value == "" || value[0] != '"' && value[0] != '\'' {
		return name + "=" + value, nil
	}
	quote, n := value[0], len(value)
	if n < 2 || value[n-1] != quote {
		return "", fmt.Errorf("a %c is not closed at the end of the line", quote)
	}
	value = value[1 : n-1]
	if quote == '\'' {
		if strings.Contains(value, "'") {
			return "", errors.New("a ' in the middle: put the value in \"...\" instead")
		}
		return name + "=" + value, nil
	}
	value, err := unescape(value)
	return name + "=" + value, err
}

// unescape reads what stands between two ".
func unescape(text string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '"' {
			return "", errors.New(`a " in the middle needs a \ before it`)
		}
		if text[i] != '\\' {
			b.WriteByte(text[i])
			continue
		}
		i++
		if i == len(text) {
			return "", errors.New(`a " is not closed at the end of the line`)
		}
		switch c := text[i]; c {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case '"', '\\', '$':
			b.WriteByte(c)
		default:
			return "", fmt.Errorf(`\%c stands for nothing; write \\%c`, c, c)
		}
	}
	return b.String(), nil
}
