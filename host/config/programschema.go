package config

import (
	"slices"
	"time"
)

// programFields are the keys of [program.NAME].
func programFields() []field[Program] {
	return slices.Concat(programLife(), programCare(), programEdges(),
		lift(liveFields(), func(p *Program) *Liveness { return &p.Live }),
		lift(processFields(), func(p *Program) *Process { return &p.Process }),
		lift(keepFields("on-failure", "8"), func(p *Program) *Keep { return &p.Keep }),
		lift(recycleFields(), func(p *Program) *Recycle { return &p.Recycle }),
		lift(outputFields(), func(p *Program) *Output { return &p.Output }))
}

// programLife is about when a program runs, and how often.
func programLife() []field[Program] {
	return []field[Program]{
		keyed(field[Program]{key: "command", note: "needed",
			doc: "What to run. A text is split into words as a shell would, but no shell runs. " +
				"A name is looked for in PATH, a relative path lies beside this file."},
			aCommand(), func(p *Program) *[]string { return &p.Command }),
		keyed(field[Program]{key: "instances", def: "1", doc: "How many processes of it run, 0 to 1024."},
			aCount(0, 1024), func(p *Program) *int { return &p.Instances }),
		keyed(field[Program]{key: "autostart", def: "true", doc: "Whether it is started with the master."},
			aBool(), func(p *Program) *bool { return &p.Autostart }),
		keyed(field[Program]{key: "essential", def: "false",
			doc: "Whether the master ends, with its exit code, when it has ended for good."},
			aBool(), func(p *Program) *bool { return &p.Essential }),
		keyed(field[Program]{key: "group", note: "none", doc: "The group that it belongs to."},
			aName(), func(p *Program) *string { return &p.Group }),
		needsField(func(p *Program) *[]Need { return &p.Needs }),
		keyed(field[Program]{key: "follow", def: "false",
			doc: "Whether it is restarted when something that it needs was restarted."},
			aBool(), func(p *Program) *bool { return &p.Follow }),
		listenField("none", "Its sockets, as those of a sandbox. The master opens them; the program finds them by LISTEN_FDS.",
			func(p *Program) *[]Listen { return &p.Listen }),
	}
}

// programCare is about how a program is started, brought to new code and stopped.
func programCare() []field[Program] {
	return []field[Program]{
		keyed(field[Program]{key: "ready", def: "started",
			doc: "When a start counts as done: `started`, `notify` (READY=1 on NOTIFY_SOCKET), `newline:FD`, `tcp://HOST:PORT`, " +
				"`unix://PATH`, `http://URL` (status 200 to 399), `exec:COMMAND` (exit code 0) or `log:REGEXP` (a line of output)."},
			aReadiness(), func(p *Program) *Probe { return &p.Ready }),
		keyed(field[Program]{key: "start_timeout", note: "ready_timeout", doc: "How long that may take."},
			aDuration(time.Millisecond), func(p *Program) *time.Duration { return &p.StartTimeout }),
		keyed(field[Program]{key: "watchdog", note: "never",
			doc: "How often it has to say WATCHDOG=1 on NOTIFY_SOCKET; else it is killed as failed."},
			aDurationOrZero(10*time.Millisecond), func(p *Program) *time.Duration { return &p.Watchdog }),
		keyed(field[Program]{key: "reload", note: "replace with sockets, else restart",
			doc: "How a new definition gets in: a new process first, the old process ends first, not at all, or by a signal."},
			aReload(), func(p *Program) *Reload { return &p.Reload }),
		keyed(field[Program]{key: "batch", def: "1", doc: "How many instances are replaced or restarted at a time."},
			aCount(1, 1024), func(p *Program) *int { return &p.Batch }),
		keyed(field[Program]{key: "stop", def: "TERM", note: "TERM, then stop_timeout",
			doc: "How it is told to end, step by step: \"SIGNAL WAIT\" or \"exec:COMMAND WAIT\", such as \"INT 5s\"; " +
				"without WAIT it is stop_timeout. What is left then is killed."},
			aStop(), func(p *Program) *[]StopStep { return &p.Stop }),
	}
}

// programEdges are the commands around the life of a program.
func programEdges() []field[Program] {
	return []field[Program]{
		keyed(field[Program]{key: "pre_start", note: "none", doc: "Runs before each start; if it fails, the start has failed."},
			aCommand(), func(p *Program) *[]string { return &p.PreStart }),
		keyed(field[Program]{key: "post_stop", note: "none", doc: "Runs after each end."},
			aCommand(), func(p *Program) *[]string { return &p.PostStop }),
		keyed(field[Program]{key: "on_fatal", note: "none",
			doc: "Runs when it is given up; name and cause stand in its environment, the last lines of output come on stdin."},
			aCommand(), func(p *Program) *[]string { return &p.OnFatal }),
	}
}

func liveFields() []field[Liveness] {
	return []field[Liveness]{
		keyed(field[Liveness]{key: "live", note: "none",
			doc: "What is asked while it runs: `tcp://`, `unix://`, `http://` or `exec:` as in ready, or `none`."},
			aLiveness(), func(l *Liveness) *Probe { return &l.Probe }),
		keyed(field[Liveness]{key: "live_interval", def: "10s", doc: "The time between two questions."},
			aDuration(10*time.Millisecond), func(l *Liveness) *time.Duration { return &l.Interval }),
		keyed(field[Liveness]{key: "live_timeout", def: "3s", doc: "How long one question may take."},
			aDuration(time.Millisecond), func(l *Liveness) *time.Duration { return &l.Timeout }),
		keyed(field[Liveness]{key: "live_failures", def: "3", doc: "How many failures in a row it takes until something is done."},
			aCount(1, 1000), func(l *Liveness) *int { return &l.Failures }),
		keyed(field[Liveness]{key: "live_grace", def: "0s", doc: "How long after it got ready failures do not count."},
			aDuration(0), func(l *Liveness) *time.Duration { return &l.Grace }),
		keyed(field[Liveness]{key: "live_action", def: "restart", doc: "What is done then; none only tells."},
			aReload(), func(l *Liveness) *Reload { return &l.Action }),
	}
}

func outputFields() []field[Output] {
	return []field[Output]{
		keyed(field[Output]{key: "log", def: "file", doc: "Where its output goes; stdout is that of the master."},
			aWord(OutputFile, OutputStdout, OutputBoth, OutputNone), func(o *Output) *OutputTo { return &o.To }),
		keyed(field[Output]{key: "log_file", note: "the log of the instance", doc: "A log of its own; its folder must exist."},
			aLogFile(), func(o *Output) *string { return &o.File }),
		keyed(field[Output]{key: "log_format", def: "text", doc: "The form of the lines in a log of its own."},
			aWord(FormatText, FormatJSON, FormatRaw), func(o *Output) *OutputFormat { return &o.Format }),
		keyed(field[Output]{key: "log_max_size", note: "log.max_size",
			doc: "A log of its own that is bigger is rotated; with 0B it never is."},
			aSizeOrZero(4<<10), func(o *Output) *int64 { return &o.MaxSize }),
		keyed(field[Output]{key: "log_max_age", note: "log.max_age", doc: "A log of its own that is older is rotated."},
			aDurationOrZero(time.Second), func(o *Output) *time.Duration { return &o.MaxAge }),
		keyed(field[Output]{key: "log_keep", note: "log.keep", doc: "How many rotated files of it are kept."},
			aCount(0, 1000), func(o *Output) *int { return &o.Keep }),
		keyed(field[Output]{key: "log_compress", note: "log.compress", doc: "Whether these are compressed."},
			aBool(), func(o *Output) *bool { return &o.Compress }),
	}
}

func groupFields() []field[Group] {
	return []field[Group]{
		keyed(field[Group]{key: "strategy", def: "one",
			doc: "What is restarted when one of its programs ends by itself: that one, that one and those after it in the file, or all."},
			aWord(StrategyOne, StrategyRest, StrategyAll), func(g *Group) *Strategy { return &g.Strategy }),
	}
}

// appFields are the keys of [app.NAME]: what all of its workers have, too.
func appFields() []field[App] {
	return slices.Concat([]field[App]{
		keyed(field[App]{key: "command", note: "needed", doc: "The executable and its arguments, as those of a program."},
			aCommand(), func(a *App) *[]string { return &a.Command }),
		keyed(field[App]{key: "config", note: "dserver.toml beside the executable, if there is one",
			doc: "Its own configuration file."},
			aFile(), func(a *App) *string { return &a.Config }),
		needsField(func(a *App) *[]Need { return &a.Needs }),
		keyed(field[App]{key: "essential", def: "false", doc: "Whether the master ends when one of its workers has been given up."},
			aBool(), func(a *App) *bool { return &a.Essential }),
	},
		lift(processFields(), func(a *App) *Process { return &a.Process }),
		lift(keepFields("always", "0"), func(a *App) *Keep { return &a.Keep }),
		lift(slices.Concat(recycleFields(), requestFields()), func(a *App) *Recycle { return &a.Recycle }))
}

// workerFields are the keys of [worker.NAME].
func workerFields() []field[Worker] {
	return slices.Concat([]field[Worker]{
		keyed(field[Worker]{key: "instances", def: "1",
			doc: "How many processes of it run, 1 to 64. Without effect in single mode, as all that follows but `needs`."},
			aCount(1, MaxWorkerInstances), func(w *Worker) *int { return &w.Instances }),
		needsField(func(w *Worker) *[]Need { return &w.Needs }),
		keyed(field[Worker]{key: "essential", def: "false", doc: "Whether the master ends when it has been given up."},
			aBool(), func(w *Worker) *bool { return &w.Essential }),
	},
		lift(processFields(), func(w *Worker) *Process { return &w.Process }),
		lift(keepFields("always", "0"), func(w *Worker) *Keep { return &w.Keep }),
		lift(slices.Concat(recycleFields(), requestFields()), func(w *Worker) *Recycle { return &w.Recycle }))
}
