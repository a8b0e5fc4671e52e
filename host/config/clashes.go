package config

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

// holder is something that has sockets.
type holder struct {
	key, name string // sandbox or program
	listen    []Listen
}

func holders(c *Config) []holder {
	var list []holder
	for _, s := range c.Sandboxes {
		list = append(list, holder{"sandbox", s.Name, s.Listen})
	}
	for _, p := range c.Programs {
		list = append(list, holder{"program", p.Name, p.Listen})
	}
	return list
}

// listenKey names a socket: sandbox.math.listen.0.
func (h holder) listenKey(l Listen) string {
	return h.key + "." + h.name + ".listen." + l.Name
}

// listenNode finds where a socket was set.
func (h holder) listenNode(root *node, l Listen) *node {
	return firstOf(root.kids[h.key].kids[h.name].kids["listen"], l.Name)
}

// unique reports sockets that cannot be open at the same time.
func (b *builder) unique(root *node, c *Config) {
	type owned struct {
		Listen
		key string
	}
	byPort := make(map[string][]owned) // sockets that differ here never overlap
	for _, h := range holders(c) {
		for _, l := range h.listen {
			where := l.port()
			for _, o := range byPort[where] {
				if l.overlaps(o.Listen) {
					n := h.listenNode(root, l)
					b.found = append(b.found, finding{n.at, n,
						KeyError{Value: n.show(), Reason: fmt.Sprintf("%s is taken by %s (%s)", l, o.key, o.Listen)}})
					break
				}
			}
			byPort[where] = append(byPort[where], owned{l, h.listenKey(l)})
		}
	}
}

// port is :PORT, or the path of a unix socket.
func (l Listen) port() string {
	if l.Network == "unix" {
		return l.Address
	}
	return l.Address[strings.LastIndexByte(l.Address, ':'):]
}

// names reports names that a verb could understand in two ways. A sandbox and its
// worker may share theirs.
func (b *builder) names(root *node, c *Config) {
	owners := make(map[string]string)
	for _, s := range c.Sandboxes {
		owners[s.Name] = "sandbox"
	}
	for _, w := range c.Workers {
		if owners[w.Name] == "" {
			owners[w.Name] = "worker"
		}
	}
	claim := func(key, name string) {
		if owner, ok := owners[name]; ok {
			b.unknown(root.kids[key].kids[name], fmt.Sprintf("the name is taken by %s.%s: no verb could tell them apart", owner, name), "")
			return
		}
		owners[name] = key
	}
	for _, p := range c.Programs {
		claim("program", p.Name)
	}
	for _, g := range c.Groups {
		claim("group", g.Name)
	}
	for _, a := range c.Apps {
		claim("app", a.Name)
	}
}

// members checks what programs say of groups.
func (b *builder) members(root *node, c *Config) {
	if n, ok := root.kids["group"]; ok && !n.isTable() {
		return // that is the trouble
	}
	var have []string
	for _, g := range c.Groups {
		have = append(have, g.Name)
	}
	used := make(map[string]bool)
	for _, p := range c.Programs {
		if p.Group == "" {
			continue
		}
		used[p.Group] = true
		if !slices.Contains(have, p.Group) {
			b.refuse(root.kids["program"].kids[p.Name].kids["group"], &reason{
				text: fmt.Sprintf("there is no [group.%s]", p.Group), nearest: nearest(p.Group, have)})
		}
	}
	for _, name := range have {
		if !used[name] {
			c.Warnings = append(c.Warnings, fmt.Sprintf("group %s: no program belongs to it", name))
		}
	}
}

// logFiles reports logs that two programs would write and rotate.
func (b *builder) logFiles(root *node, c *Config) {
	owners := make(map[string]string)
	for _, p := range c.Programs {
		if p.Output.File == "" {
			continue
		}
		if owner, ok := owners[p.Output.File]; ok {
			b.refuse(root.kids["program"].kids[p.Name].kids["log_file"], fmt.Errorf("it is the log of program.%s already", owner))
			continue
		}
		owners[p.Output.File] = p.Name
	}
}

// probes reports those that ask a socket that the master holds open: a connection
// can be made whether anybody is well or not.
func (b *builder) probes(root *node, c *Config) {
	for _, p := range c.Programs {
		b.probeAsks(root, c, p.Name, "ready", p.Ready)
		b.probeAsks(root, c, p.Name, "live", p.Live.Probe)
	}
}

func (b *builder) probeAsks(root *node, c *Config, program, key string, p Probe) {
	target := Listen{Network: string(p.Kind), Address: p.Address}
	switch p.Kind {
	case ProbeTCP:
		host, port, _ := net.SplitHostPort(p.Address)
		if host == "localhost" {
			target.Address = net.JoinHostPort("127.0.0.1", port)
		}
	case ProbeUnix:
	default:
		return
	}
	for _, h := range holders(c) {
		for _, l := range h.listen {
			if l.port() == target.port() && l.overlaps(target) {
				b.refuse(root.kids["program"].kids[program].kids[key], alwaysOpen(h.listenKey(l)))
				return
			}
		}
	}
}
