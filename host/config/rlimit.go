package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// resource is something that a process can be limited in.
type resource struct {
	name   string
	number int
	bytes  bool // it may be written as a size
}

func resources() []resource {
	return []resource{
		{"as", unix.RLIMIT_AS, true}, {"core", unix.RLIMIT_CORE, true}, {"cpu", unix.RLIMIT_CPU, false},
		{"data", unix.RLIMIT_DATA, true}, {"fsize", unix.RLIMIT_FSIZE, true}, {"locks", unix.RLIMIT_LOCKS, false},
		{"memlock", unix.RLIMIT_MEMLOCK, true}, {"msgqueue", unix.RLIMIT_MSGQUEUE, true}, {"nice", unix.RLIMIT_NICE, false},
		{"nofile", unix.RLIMIT_NOFILE, false}, {"nproc", unix.RLIMIT_NPROC, false}, {"rss", unix.RLIMIT_RSS, true},
		{"rtprio", unix.RLIMIT_RTPRIO, false}, {"rttime", unix.RLIMIT_RTTIME, false},
		{"sigpending", unix.RLIMIT_SIGPENDING, false}, {"stack", unix.RLIMIT_STACK, true},
	}
}

// setRlimits reads a table of name = limit.
func setRlimits(b *builder, n *node, p *Process) {
	p.Rlimits = nil
	if !n.isTable() {
		b.refuse(n, wrongType("a table", n))
		return
	}
	var known []string
	for _, r := range resources() {
		known = append(known, r.name)
	}
	n.each(func(kid *node) {
		i := slices.Index(known, kid.name)
		if i < 0 {
			b.unknown(kid, "unknown resource; there are "+strings.Join(known, ", "), nearest(kid.name, known))
			return
		}
		limit, err := resources()[i].read(kid)
		if err == nil {
			err = b.rights.mayLimit(limit)
		}
		if err != nil {
			b.refuse(kid, err)
			return
		}
		p.Rlimits = append(p.Rlimits, limit)
	})
	slices.SortFunc(p.Rlimits, func(x, y Rlimit) int { return strings.Compare(x.Name, y.Name) })
}

// read reads one limit, or two as SOFT:HARD.
func (r resource) read(n *node) (Rlimit, error) {
	l := Rlimit{Name: r.name, Resource: r.number}
	if i, ok := n.value.(int64); ok {
		if i < 0 {
			return l, errors.New("must not be negative")
		}
		l.Soft, l.Hard = uint64(i), uint64(i)
		return l, nil
	}
	text, ok := n.value.(string)
	if !ok {
		return l, wrongType(`a number, "unlimited" or "SOFT:HARD"`, n)
	}
	soft, hard, two := strings.Cut(text, ":")
	if !two {
		hard = soft
	}
	var err error
	if l.Soft, err = r.parse(soft); err != nil {
		return l, err
	}
	if l.Hard, err = r.parse(hard); err != nil {
		return l, err
	}
	if l.Soft > l.Hard {
		return l, fmt.Errorf("the soft limit must not be above the hard one")
	}
	return l, nil
}

func (r resource) parse(text string) (uint64, error) {
	text = strings.TrimSpace(text)
	if text == "unlimited" {
		return Unlimited, nil
	}
	if number, err := strconv.ParseUint(text, 10, 63); err == nil {
		return number, nil
	}
	if r.bytes {
		if size, err := parseSize(text); err == nil {
			return uint64(size), nil
		}
		return 0, &reason{text: `must be a number of bytes, a size such as "8MiB", or unlimited`, nearest: nearest(text, []string{"unlimited"})}
	}
	return 0, &reason{text: "must be a number or unlimited", nearest: nearest(text, []string{"unlimited"})}
}

func diffRlimits(old, next Process) string {
	show := func(list []Rlimit) string {
		parts := make([]string, len(list))
		for i, l := range list {
			parts[i] = l.String()
		}
		return strings.Join(parts, ", ")
	}
	return changed("rlimits", show(old.Rlimits), show(next.Rlimits))
}

// String is the limit for people: nofile=1024, or nproc=100:200.
func (r Rlimit) String() string {
	show := func(value uint64) string {
		if value == Unlimited {
			return "unlimited"
		}
		return strconv.FormatUint(value, 10)
	}
	if r.Soft == r.Hard {
		return r.Name + "=" + show(r.Soft)
	}
	return r.Name + "=" + show(r.Soft) + ":" + show(r.Hard)
}
