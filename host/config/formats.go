package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gogf/gf/v2/encoding/gyaml"
)

// extensions are the formats, in the order in which files are looked for.
func extensions() []string { return []string{".toml", ".yaml", ".yml", ".json", ".ini"} }

// parse makes a tree of a file's content by the file's extension.
func parse(path string, data []byte, at place) (*node, error) {
	switch filepath.Ext(path) {
	case ".toml":
		return parseTOML(data, at)
	case ".yaml", ".yml":
		return parseYAML(data, at)
	case ".json":
		return parseJSON(data, at)
	case ".ini":
		return parseINI(data, at)
	}
	return nil, fmt.Errorf("the name must end in %s", strings.Join(extensions(), ", "))
}

// fixed is the line of a node whose format knows lines while it is read.
func fixed(line int) func([]string) int { return func([]string) int { return line } }

func byName(_ *node, keys []string) { slices.Sort(keys) }

// parseYAML knows the line of a syntax error only.
func parseYAML(data []byte, at place) (*node, error) {
	values, err := gyaml.Decode(data)
	if err != nil {
		return nil, yamlError(err)
	}
	root := newTable(at)
	if values == nil {
		return root, nil // an empty file
	}
	return root, root.fill(values, byName)
}

// yamlError takes the line number out of the parser's message, and the name of
// the call that failed.
func yamlError(err error) error {
	text := oneLine(err.Error())
	if _, after, ok := strings.Cut(text, "yaml: "); ok {
		text = after
	}
	text = strings.TrimPrefix(text, "unmarshal errors: ")
	if strings.Contains(text, "into map[string]interface") {
		text = "the file must be a table of keys"
	}
	e := &KeyError{Reason: "bad YAML: " + text}
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		number, reason, _ := strings.Cut(rest, ": ")
		if line, err := strconv.Atoi(number); err == nil {
			e.Line, e.Reason = line, "bad YAML: "+reason
		}
	}
	return e
}
