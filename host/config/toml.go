package config

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// The TOML parser takes time and memory that grow with the square of how deep
// things lie; a quarter of a megabyte of [ would end the process.
const (
	maxNesting  = 500 // brackets in each other
	maxKeyParts = 100 // a.b.c has three
)

// parseTOML makes a tree whose nodes know their lines.
func parseTOML(data []byte, at place) (*node, error) {
	if line, why := tooDeep(data); line > 0 {
		return nil, &KeyError{Line: line, Reason: "bad TOML: " + why}
	}
	var values map[string]any
	if _, err := toml.Decode(string(data), &values); err != nil {
		var bad toml.ParseError
		if errors.As(err, &bad) {
			return nil, &KeyError{Line: bad.Position.Line, Reason: "bad TOML: " + oneLine(bad.Message)}
		}
		return nil, fmt.Errorf("bad TOML: %w", err)
	}
	lines := &lines{text: strings.TrimPrefix(string(data), "\xef\xbb\xbf")}
	meta, err := toml.Decode(string(data), &lines.root)
	if err != nil {
		return nil, fmt.Errorf("bad TOML: %w", err)
	}
	lines.meta = meta
	at.line = lines.of
	root := newTable(at)
	return root, root.fill(values, lines.sorter())
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// tooDeep gives the line where a limit is passed, and which. It does not know
// strings from the rest and so may count too much, never too little.
func tooDeep(data []byte) (line int, why string) {
	depth := 0
	for text := range bytes.Lines(data) {
		line++
		if bytes.Count(keyPart(text), []byte(".")) >= maxKeyParts {
			return line, fmt.Sprintf("a key has more than %d parts", maxKeyParts)
		}
		for _, c := range text {
			switch c {
			case '[', '{':
				depth++
			case ']', '}':
				depth = max(0, depth-1)
			}
			if depth > maxNesting {
				return line, fmt.Sprintf("brackets lie more than %d deep", maxNesting)
			}
		}
	}
	return 0, ""
}

// keyPart is what stands before the value.
func keyPart(line []byte) []byte {
	key, _, _ := bytes.Cut(line, []byte("="))
	return key
}

// lines knows where the keys of a TOML file are.
type lines struct {
	text string // as the parser counts: without a byte order mark
	meta toml.MetaData
	root map[string]toml.Primitive
}

// of gives the line of a key, or of the table that it lies in, or 0.
func (l *lines) of(path []string) int {
	for n := len(path); n > 0; n-- {
		if line := l.position(path[:n]); line > 0 {
			return line
		}
		// Perhaps a table that only the names of its keys imply.
		if line := l.position(l.first(path[:n])); line > 0 {
			return line
		}
	}
	return 0
}

// position asks the parser for the line of one key. The parser keeps positions to
// itself but for its errors, so it is told to decode the key into something that
// refuses every value. That takes a walk over the file: it is done for keys that
// are wrong, not for all.
func (l *lines) position(path []string) int {
	table := l.root
	for i, name := range path {
		kid, ok := table[name]
		if !ok {
			return 0
		}
		if i == len(path)-1 {
			var at toml.ParseError
			if errors.As(l.meta.PrimitiveDecode(kid, &refuser{}), &at) && at.Position.Line > 0 {
				// Line is that of the end of a text over several lines.
				return 1 + strings.Count(l.text[:min(at.Position.Start, len(l.text))], "\n")
			}
			return 0
		}
		table = nil
		if l.meta.PrimitiveDecode(kid, &table) != nil {
			return 0 // a list: its own line has to do
		}
	}
	return 0
}

// first is the first key of the file that lies directly below path.
func (l *lines) first(path []string) []string {
	for _, key := range l.meta.Keys() {
		if len(key) > len(path) && slices.Equal([]string(key[:len(path)]), path) {
			return key
		}
	}
	return nil
}

// refuser decodes nothing.
type refuser struct{}

// UnmarshalTOML fails.
func (*refuser) UnmarshalTOML(any) error { return errors.New("refused") }

// sorter orders keys as they stand in the file.
func (l *lines) sorter() func(*node, []string) {
	rank := make(map[string]int)
	for _, key := range l.meta.Keys() {
		for n := range len(key) {
			if name := key[:n+1].String(); rank[name] == 0 {
				rank[name] = len(rank) + 1
			}
		}
	}
	return func(n *node, keys []string) {
		path := n.path()
		slices.Sort(keys) // those in lists of tables have no rank
		slices.SortStableFunc(keys, func(a, b string) int {
			return rank[joined(path, a)] - rank[joined(path, b)]
		})
	}
}

func joined(path []string, name string) string {
	return toml.Key(append(slices.Clone(path), name)).String()
}

// timeText writes the dates and times of TOML and YAML as they are written there.
func timeText(v any) (any, error) {
	t, ok := v.(time.Time)
	if !ok {
		return nil, fmt.Errorf("a value of type %T is not supported", v)
	}
	switch t.Location().String() {
	case "datetime-local":
		return t.Format("2006-01-02T15:04:05.999999999"), nil
	case "date-local":
		return t.Format(time.DateOnly), nil
	case "time-local":
		return t.Format("15:04:05.999999999"), nil
	}
	return t.Format(time.RFC3339Nano), nil
}
