package config

import (
	"fmt"
	"strings"
)

// Document is the reference of all keys as Markdown.
func Document() string {
	var b strings.Builder
	section(&b, "The instance", "", rootFields())
	section(&b, "`[log]`", "log.", logFields())
	section(&b, "`[sandbox.NAME]`", "sandbox.NAME.", sandboxFields())
	section(&b, "`[worker.NAME]`", "worker.NAME.", workerFields())
	section(&b, "`[program.NAME]`", "program.NAME.", programFields())
	section(&b, "`[group.NAME]`", "group.NAME.", groupFields())
	section(&b, "`[app.NAME]`", "app.NAME.", appFields())
	return b.String()
}

func section[T any](b *strings.Builder, title, prefix string, fields []field[T]) {
	fmt.Fprintf(b, "## %s\n\n| key | value | default | environment | |\n|---|---|---|---|---|\n", title)
	for _, f := range fields {
		def := f.note
		if def == "" && f.def != "" {
			def = "`" + f.def + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", prefix+f.key, f.kind, def, variable(prefix+f.key, f.kind), f.doc)
	}
	b.WriteString("\n")
}

// variable is the environment variable of a key, if it takes a plain value.
func variable(key, kind string) string {
	if key == "include" || strings.HasPrefix(kind, "table") {
		return ""
	}
	return "`" + envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", envSeparator)) + "`"
}
