package config

import (
	"bytes"
	"fmt"
	"strings"
)

// parseINI reads [section.part] headers and key = value lines; ; and # begin a
// comment line. Values are text, in quotes or not. It is our own because the one
// of goframe drops keys that stand before the first section, and the last line
// if it does not end in a newline.
func parseINI(data []byte, at place) (*node, error) {
	root := newTable(at)
	table, number := root, 0
	for line := range bytes.Lines(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))) {
		number++
		at.line = fixed(number)
		text := strings.TrimSpace(string(line))
		var reason string
		switch {
		case text == "" || text[0] == ';' || text[0] == '#':
		case text[0] == '[':
			table, reason = iniSection(root, text, at)
		default:
			reason = iniValue(table, text, at)
		}
		if reason != "" {
			return nil, &KeyError{Line: number, Reason: "bad INI: " + reason}
		}
	}
	return root, nil
}

// iniSection finds or makes the table that a header names.
func iniSection(root *node, text string, at place) (*node, string) {
	name, ok := strings.CutSuffix(text[1:], "]")
	if !ok {
		return nil, "a section begins with [ and ends with ]"
	}
	parts := strings.Split(name, ".")
	if len(parts) > maxDepth {
		return nil, errTooDeep().Error()
	}
	table := root
	for _, part := range parts {
		part = strings.TrimSpace(part)
		kid, ok := table.kids[part]
		switch {
		case part == "":
			return nil, "a part of the section's name is empty"
		case !ok:
			kid = newTable(at)
			table.add(part, kid)
		case !kid.isTable():
			return nil, fmt.Sprintf("%s is a value already", kid.key())
		}
		table = kid
	}
	return table, ""
}

func iniValue(table *node, text string, at place) string {
	name, value, ok := strings.Cut(text, "=")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if !ok || name == "" {
		return "want [section] or key = value"
	}
	if old, ok := table.kids[name]; ok {
		return fmt.Sprintf("%s is there twice", old.key())
	}
	if n := len(value); n > 1 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		value = value[1 : n-1]
	}
	table.add(name, &node{at: at, value: value, text: true})
	return ""
}
