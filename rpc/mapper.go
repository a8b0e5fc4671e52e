package rpc

import (
	"path"
	"strings"
)

// Mapper makes the route of a name in Go, of a type or a method, below a prefix, which
// a Mapper made as well or is empty.
type Mapper func(prefix, name string) string

// HTTPMapper makes paths of lower-case words: AaBb becomes /aa_bb, Aa_Bb becomes
// /aa/bb, Aa__Bb becomes /aa_bb. It is the default.
func HTTPMapper(prefix, name string) string {
	return path.Join("/", prefix, snakePath(separate(name, '/')))
}

// RPCMapper joins names by dots: AaBb remains, Aa_Bb becomes Aa.Bb, Aa__Bb becomes
// Aa_Bb.
func RPCMapper(prefix, name string) string {
	return strings.Trim(prefix+"."+separate(name, '.'), ".")
}

// separate drops leading underscores, makes a separator of a single one between two
// characters, and one underscore of several.
func separate(name string, separator byte) string {
	name = strings.TrimLeft(name, "_")
	var b strings.Builder
	for len(name) > 0 {
		word, rest, _ := strings.Cut(name, "_")
		b.WriteString(word)
		if len(word) == len(name) {
			break
		}
		after := strings.TrimLeft(rest, "_")
		single := len(after) == len(rest)
		if single && after != "" {
			b.WriteByte(separator)
		} else {
			b.WriteByte('_')
		}
		name = after
	}
	return b.String()
}

// snakePath lower-cases and puts an underscore before a capital that follows
// something that is none.
func snakePath(name string) string {
	var b strings.Builder
	lower := false // a character that is no capital came since the last underscore
	for _, r := range name {
		capital := 'A' <= r && r <= 'Z'
		if capital && lower {
			b.WriteByte('_')
			lower = false
		}
		if !capital {
			lower = true
		}
		b.WriteRune(r)
	}
	snake := strings.ToLower(b.String())
	snake = strings.ReplaceAll(snake, "__", "_")
	return strings.ReplaceAll(snake, "/_", "/")
}
