package config

import "golang.org/x/sys/unix"

// AsUser is what a process of an ordinary user may do; AsRoot of root.
func AsUser(o Options) Options {
	o.rights = func() rights {
		return rights{uid: 54321, gid: 54321, groups: []int{54322}, mostFiles: 1 << 20, limit: func(resource int) uint64 {
			if resource == unix.RLIMIT_NICE {
				return 0
			}
			return 4096
		}}
	}
	return o
}

// AsRoot is what a process of root may do.
func AsRoot(o Options) Options {
	o.rights = func() rights {
		return rights{setuid: true, resource: true, niceness: true, mostFiles: 1 << 20, limit: func(int) uint64 { return 4096 }}
	}
	return o
}

// Keys are all keys that there are, as the reference writes them.
func Keys() []string {
	var keys []string
	add := func(prefix string, names []string) {
		for _, name := range names {
			keys = append(keys, prefix+name)
		}
	}
	add("", names(rootFields()))
	add("log.", names(logFields()))
	add("sandbox.NAME.", names(sandboxFields()))
	add("worker.NAME.", names(workerFields()))
	add("program.NAME.", names(programFields()))
	add("group.NAME.", names(groupFields()))
	add("app.NAME.", names(appFields()))
	return keys
}

// These are tested by themselves.
var (
	SplitWords   = splitWords
	ShowCommand  = showCommand
	ParseEnvFile = parseEnvFile
	ParseStep    = parseStep
)
