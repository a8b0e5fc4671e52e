package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dserver/dserver/host/rundir"
)

const (
	envPrefix    = "DSERVER_"
	envSeparator = "__"
)

// environ lays the variables that set keys: DSERVER_LOG__LEVEL sets log.level,
// DSERVER_SANDBOX__MY_SVC__LISTEN sets sandbox.my-svc.listen.
func (r *reader) environ(environ []string) {
	sorted := slices.Clone(environ)
	slices.Sort(sorted) // the order of an environment is nobody's choice
	for _, pair := range sorted {
		name, value, _ := strings.Cut(pair, "=")
		rest, ok := strings.CutPrefix(name, envPrefix)
		if !ok || name == rundir.EnvDir {
			continue
		}
		at := r.place("environment variable " + name)
		parts := strings.Split(rest, envSeparator)
		switch {
		case slices.Contains(parts, "") || len(parts) > maxDepth:
			r.fault(at, fmt.Errorf("want %sPART%sPART with at most %d parts", envPrefix, envSeparator, maxDepth))
		case rest == "INCLUDE":
			r.fault(at, fmt.Errorf("only the main file may include others"))
		case len(parts) > 1 || r.takesPart(at, rest):
			path := r.envPath(parts)
			layer := envLayer(at, path, value)
			r.lay(layer)
		}
	}
}

// takesPart tells whether a variable without __ is meant for us. Others may use
// the prefix too: Kubernetes sets DSERVER_SERVICE_HOST and more for a service
// called dserver. One that comes near to a key is taken for a typing error.
func (r *reader) takesPart(at place, rest string) bool {
	keys := names(rootFields())
	word := strings.ToLower(rest)
	if slices.Contains(keys, word) {
		return true
	}
	if near := nearest(word, keys); near != "" {
		r.found = append(r.found, finding{at: at, err: KeyError{
			Key: word, Reason: "unknown key", Nearest: envPrefix + strings.ToUpper(near)}})
	}
	return false
}

// namedTables are the tables of tables whose names we choose.
func namedTables() []string { return []string{"sandbox", "worker", "program", "group", "app"} }

// envPath gives the key that the parts of a variable's name mean. A part means a
// key that is set already, if one reads the same in capitals; otherwise it is
// taken in small letters, the names of sandboxes, programs and so on with - for _.
func (r *reader) envPath(parts []string) []string {
	path := make([]string, len(parts))
	n := r.root
	for i, part := range parts {
		path[i] = strings.ToLower(part)
		switch {
		case i == 1 && slices.Contains(namedTables(), path[0]), i == 3 && path[2] == "needs":
			path[i] = strings.ReplaceAll(path[i], "_", "-")
		case i == 3 && path[0] != "sandbox" && (path[2] == "env" || path[2] == "secrets"):
			path[i] = part // the name of a variable
		}
		if n == nil {
			continue
		}
		for _, key := range n.keys {
			if strings.ToUpper(strings.ReplaceAll(key, "-", "_")) == part {
				path[i] = key
				break
			}
		}
		n = n.kids[path[i]]
	}
	return path
}

// envLayer makes a layer of one variable. Below a table that is free in its form
// the value tells its own type: a number, true or false, JSON, or else a text.
func envLayer(at place, path []string, value string) *node {
	leaf := &node{at: at, value: value, text: true}
	if len(path) > 3 && path[0] == "sandbox" && path[2] == "config" || slices.Contains(goframeKeys(), path[0]) {
		leaf = guess(at, value)
	}
	for i := len(path) - 1; i >= 0; i-- {
		table := newTable(at)
		table.add(path[i], leaf)
		leaf = table
	}
	return leaf
}

func guess(at place, value string) *node {
	n := &node{at: at, value: value}
	if i, err := strconv.ParseInt(value, 10, 64); err == nil {
		n.value = i
		return n
	}
	if len(value) > 0 && (value[0] == '[' || value[0] == '{') || json.Valid([]byte(value)) {
		// A tree of its own, for the parser wants a table.
		if root, err := parseJSON([]byte(`{"v":`+value+`}`), at); err == nil {
			n = root.kids["v"]
			n.relocate(at)
		}
	}
	return n
}

// relocate says that n and all below it were set at one place.
func (n *node) relocate(at place) {
	n.at = at
	n.each(func(kid *node) { kid.relocate(at) })
}
