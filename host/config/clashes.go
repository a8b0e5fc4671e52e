package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
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
	byPort := make(map[string][]ownedSocket) // sockets that differ here never overlap
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
			byPort[where] = append(byPort[where], ownedSocket{l, h.listenKey(l)})
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
// can be made whether anybody is well or not. A request is answered by somebody, but
// perhaps not by the process that is meant, of which a warning tells.
func (b *builder) probes(root *node, c *Config) {
	sockets := make(map[string][]ownedSocket) // by port: see Listen.port
	for _, h := range holders(c) {
		for _, l := range h.listen {
			sockets[l.port()] = append(sockets[l.port()], ownedSocket{l, h.listenKey(l)})
		}
	}
	for i := range c.Programs {
		p := &c.Programs[i]
		others := p.Instances > 1
		b.probeAsks(root, c, p, "ready", p.Ready, sockets, others || p.Reload == ReloadReplace)
		b.probeAsks(root, c, p, "live", p.Live.Probe, sockets, others)
	}
}

type ownedSocket struct {
	Listen
	key string
}

// probeAsks checks one probe. others tells that other processes of the program may
// run beside the one that is asked about.
func (b *builder) probeAsks(root *node, c *Config, p *Program, key string, probe Probe, sockets map[string][]ownedSocket, others bool) {
	target, ok := probe.target()
	if !ok {
		return
	}
	for _, s := range sockets[target.port()] {
		switch {
		case !s.overlaps(target):
		case probe.Kind != ProbeHTTP:
			b.refuse(root.kids["program"].kids[p.Name].kids[key], alwaysOpen(s.key))
			return
		case others:
			c.Warnings = append(c.Warnings, fmt.Sprintf("program %s: %s asks the socket %s, where another process may answer than the one that is meant",
				p.Name, key, s.key))
			return
		}
	}
}

// target is the socket that a probe asks, if it asks one whose address is known.
func (p Probe) target() (Listen, bool) {
	host, port := "", ""
	switch p.Kind {
	case ProbeUnix:
		return Listen{Network: "unix", Address: p.Address}, true
	case ProbeTCP:
		host, port, _ = net.SplitHostPort(p.Address)
	case ProbeHTTP:
		u, err := url.Parse(p.Address)
		if err != nil {
			return Listen{}, false
		}
		host, port = u.Hostname(), portOf(u)
	}
	if host == "localhost" { // the one name that is the same everywhere
		host = "127.0.0.1"
	}
	_, err := netip.ParseAddr(host)
	return Listen{Network: "tcp", Address: net.JoinHostPort(host, port)}, err == nil
}
