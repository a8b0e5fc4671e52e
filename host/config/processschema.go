package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// processFields are the keys that programs, workers and apps have alike.
func processFields() []field[Process] {
	return slices.Concat(identityFields(), environmentFields(), limitFields())
}

func identityFields() []field[Process] {
	who := keyed(field[Process]{key: "user", note: "that of the master",
		doc: "Who it runs as. Only root can say another than itself. It sets USER, LOGNAME and HOME as well."},
		aUser(), func(p *Process) *string { return &p.User })
	who.diff = diffUser
	return []field[Process]{
		keyed(field[Process]{key: "dir", note: "that of this file; of a worker: that of the master", doc: "The working directory."},
			aFolder(), func(p *Process) *string { return &p.Dir }),
		who,
		keyed(field[Process]{key: "primary_group", note: "that of user", doc: "The group of users that it runs as."},
			aGroup(), func(p *Process) *string { return &p.Group }),
		keyed(field[Process]{key: "groups", note: "those of user", doc: "More groups of users that it belongs to."},
			someGroups(), func(p *Process) *[]string { return &p.Groups }),
		keyed(field[Process]{key: "umask", note: "that of the master", doc: "Permissions that files it makes do not get, octal: \"022\"."},
			aUmask(), func(p *Process) *int { return &p.Umask }),
	}
}

func environmentFields() []field[Process] {
	return []field[Process]{
		keyed(field[Process]{key: "inherit", def: "*",
			doc: "Which variables of the master's environment it sees: `*` for all, or names; [] for none."},
			someInherited(), func(p *Process) *[]string { return &p.Inherit }),
		keyed(field[Process]{key: "env_files", note: "none",
			doc: "Files with lines of NAME=value, read at each start; later ones win."},
			someEnvFiles(), func(p *Process) *[]string { return &p.EnvFiles }),
		{key: "env", kind: "table of NAME = value", note: "none", doc: "Variables, which win over all of these.",
			set: setEnv, diff: diffTable("env", func(p *Process) map[string]string { return p.Env })},
		{key: "secrets", kind: "table of NAME = file", note: "none",
			doc: "Variables whose values are what stands in these files, without the last newline; read at each start.",
			set: setSecrets, diff: diffTable("secrets", func(p *Process) map[string]string { return p.Secrets })},
	}
}

func limitFields() []field[Process] {
	return []field[Process]{
		{key: "rlimits", kind: "table of resource = limit", note: "those of the master",
			doc: "Limits of each process by the names of ulimit, such as nofile: a number, `unlimited`, or `SOFT:HARD`.",
			set: setRlimits, diff: diffRlimits},
		keyed(field[Process]{key: "nice", def: "0", doc: "From -20, which is served first, to 19."},
			niceKind(-20, 19, rights.mayNice), func(p *Process) *int { return &p.Nice }),
		keyed(field[Process]{key: "oom_score_adj", def: "0",
			doc: "From -1000, never killed when the machine is out of memory, to 1000, killed first."},
			niceKind(-1000, 1000, rights.mayScore), func(p *Process) *int { return &p.OOMScoreAdj }),
		keyed(field[Process]{key: "no_new_privs", def: "false", doc: "Whether it can never gain privileges, by sudo for example."},
			aBool(), func(p *Process) *bool { return &p.NoNewPrivs }),
		keyed(field[Process]{key: "memory", note: "no limit", doc: "What it and its children may use together; over it they are killed."},
			aSizeOrZero(1<<20), func(p *Process) *int64 { return &p.Memory }),
		keyed(field[Process]{key: "memory_high", note: "no limit", doc: "From where on it is slowed down, and reloaded."},
			aSizeOrZero(1<<20), func(p *Process) *int64 { return &p.MemoryHigh }),
		keyed(field[Process]{key: "cpu", note: "no limit", doc: "How many cores it and its children may use, such as 0.5 or 2."},
			aFraction(0.01, 1024), func(p *Process) *float64 { return &p.CPU }),
		keyed(field[Process]{key: "pids", note: "no limit", doc: "How many processes and threads they may be."},
			plainKind("number", func(n *node) (int, error) { return small(n.asInt(1, 4<<20)) }, orEmpty(strconv.Itoa)),
			func(p *Process) *int { return &p.Pids }),
	}
}

// keepFields have other defaults for programs than for workers.
func keepFields(restart, startLimit string) []field[Keep] {
	return []field[Keep]{
		keyed(field[Keep]{key: "restart", def: restart, doc: "Whether it is started again when it ends by itself."},
			aWord(RestartNo, RestartOnFailure, RestartAlways), func(k *Keep) *Restart { return &k.Restart }),
		keyed(field[Keep]{key: "exit_codes", def: "0", doc: "Exit codes that are no failure."},
			plainKind("list of numbers", func(n *node) ([]int, error) { return n.asInts(0, 255) }, showInts),
			func(k *Keep) *[]int { return &k.ExitCodes }),
		keyed(field[Keep]{key: "backoff_min", def: "100ms",
			doc: "The first restart in a row comes at once, the second after this wait, each further one after twice the last."},
			aDuration(0), func(k *Keep) *time.Duration { return &k.BackoffMin }),
		keyed(field[Keep]{key: "backoff_max", def: "30s", doc: "The longest wait."},
			aDuration(0), func(k *Keep) *time.Duration { return &k.BackoffMax }),
		keyed(field[Keep]{key: "stable", def: "10s", doc: "After a run of this length the row begins anew."},
			aDuration(0), func(k *Keep) *time.Duration { return &k.Stable }),
		keyed(field[Keep]{key: "start_limit", def: startLimit,
			doc: "How many starts within start_window it takes until it is given up (fatal); 0 is never."},
			aCount(0, 1_000_000), func(k *Keep) *int { return &k.StartLimit }),
		keyed(field[Keep]{key: "start_window", def: "1m", doc: "See start_limit."},
			aDuration(time.Millisecond), func(k *Keep) *time.Duration { return &k.StartWindow }),
	}
}

func recycleFields() []field[Recycle] {
	return []field[Recycle]{
		keyed(field[Recycle]{key: "max_age", note: "any age", doc: "An older process is replaced as by a reload."},
			aDurationOrZero(time.Second), func(r *Recycle) *time.Duration { return &r.MaxAge }),
		keyed(field[Recycle]{key: "max_rss", note: "any size", doc: "A process that has more memory is replaced as by a reload."},
			aSizeOrZero(1<<20), func(r *Recycle) *int64 { return &r.MaxRSS }),
		keyed(field[Recycle]{key: "jitter", def: "0.1",
			doc: "The part, 0 to 1, by which these limits are lowered at random, so that not all go at once."},
			aFraction(0, 1), func(r *Recycle) *float64 { return &r.Jitter }),
	}
}

// requestFields are for those whose requests the master can count.
func requestFields() []field[Recycle] {
	return []field[Recycle]{
		keyed(field[Recycle]{key: "max_requests", note: "any number", doc: "A process that has answered more is replaced as by a reload."},
			plainKind("number", func(n *node) (int64, error) { return n.asInt(0, 1<<53) },
				orEmpty(func(i int64) string { return strconv.FormatInt(i, 10) })),
			func(r *Recycle) *int64 { return &r.MaxRequests }),
	}
}

// niceKind is a number that not everybody may make small.
func niceKind(low, high int64, may func(rights, int) error) kind[int] {
	return kind[int]{"number", func(b *builder, n *node) (int, error) {
		i, err := small(n.asInt(low, high))
		if err == nil && i < 0 {
			err = may(b.rights, i)
		}
		return i, err
	}, strconv.Itoa}
}

func aName() kind[string] {
	return plainKind("name", readName, func(s string) string { return s })
}

func aUmask() kind[int] {
	return plainKind("octal number", func(n *node) (int, error) {
		text, ok := n.value.(string)
		if !ok {
			return 0, wrongType(`a text such as "022"`, n)
		}
		mask, err := strconv.ParseUint(text, 8, 32)
		if err != nil || mask > 0o777 {
			return 0, fmt.Errorf(`must be octal, from "000" to "777"`)
		}
		return int(mask), nil
	}, func(mask int) string {
		if mask < 0 {
			return ""
		}
		return fmt.Sprintf("%03o", mask)
	})
}

// aPath is a path that check takes and makes absolute.
func aPath(name string, check func(*builder, string) (string, error)) kind[string] {
	return kind[string]{name, func(b *builder, n *node) (string, error) {
		path, err := n.asText()
		if err != nil {
			return "", err
		}
		return check(b, path)
	}, func(s string) string { return s }}
}

func aFolder() kind[string] { return aPath("folder", (*builder).folder) }
func aFile() kind[string]   { return aPath("file", (*builder).regular) }

func aLogFile() kind[string] { return aPath("file", (*builder).logFile) }

func showInts(list []int) string {
	texts := make([]string, len(list))
	for i, n := range list {
		texts[i] = strconv.Itoa(n)
	}
	return strings.Join(texts, ", ")
}
