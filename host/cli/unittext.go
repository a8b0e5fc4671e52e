package cli

import (
	"fmt"
	"strings"
	"time"
)

// text is the unit file. It says beside each choice what it is for, since it is
// made to be read and changed.
func (u unit) text() string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	file, systemctl, target := "/etc/systemd/system/"+u.name+".service", "systemctl", "multi-user.target"
	if u.scope == "user" {
		file, systemctl, target = "~/.config/systemd/user/"+u.name+".service", "systemctl --user", "default.target"
	}
	say("# Put this into %s, then:", file)
	say("#   %s daemon-reload && %s enable --now %s", systemctl, systemctl, u.name)
	say("# How it fares then:")
	say("#   %s", commandLine(append([]string{u.app, "status"}, u.which...)))
	say("[Unit]")
	say("Description=%s, run by %s", u.name, specifiers(u.app))
	if u.scope == "system" {
		say("Wants=network-online.target")
		say("After=network-online.target")
	}
	say("")
	say("[Service]")
	u.sayProcess(say)
	u.sayLimits(say)
	say("")
	say("[Install]")
	say("WantedBy=%s", target)
	return b.String()
}

// sayProcess says what runs and how the service manager follows it.
func (u unit) sayProcess(say func(string, ...any)) {
	say("Type=notify")
	say("NotifyAccess=all")
	if u.mode == "single" {
		say("# A reload goes on in another process, which says so by MAINPID=. The file is for")
		say("# a manager that has missed it.")
		say("PIDFile=%s", specifiers(u.pidFile))
	}
	say("ExecStart=%s", commandOf(u.binary, u.start))
	say("ExecReload=%s", commandOf(u.binary, append([]string{"reload"}, u.which...)))
	if u.folder != "" {
		say("WorkingDirectory=%s", specifiers(u.folder))
	}
	if u.user != "" {
		say("User=%s", specifiers(u.user))
	}
	if u.own != "" {
		say("RuntimeDirectory=%s", u.own)
		say("RuntimeDirectoryMode=0700")
		say("RuntimeDirectoryPreserve=restart")
	}
	say("Restart=on-failure")
	if u.watchdog > 0 {
		say("WatchdogSec=%s", seconds(u.watchdog))
	}
}

// sayLimits says how it ends and what it may do with its processes.
func (u unit) sayLimits(say func(string, ...any)) {
	say("TimeoutStartSec=%s", seconds(startTime+u.limits.Stop+unitMargin))
	say("TimeoutStopSec=%s", seconds(u.limits.Stop+unitMargin))
	say("# The master ends its processes in order; what is left then is killed. With")
	say("# KillMode=process they outlive a master that was killed, and the next one takes")
	say("# them over.")
	say("KillMode=mixed")
	say("# The master puts its processes into control groups of their own, with limits; one")
	say("# that has no memory left does not end the others.")
	say("Delegate=yes")
	say("OOMPolicy=continue")
}

// commandOf is a command line of a unit file.
func commandOf(binary string, args []string) string {
	line := quoteIf(specifiers(binary))
	for _, arg := range args {
		line += " " + quoteIf(strings.ReplaceAll(specifiers(arg), "$", "$$"))
	}
	return line
}

// specifiers keeps the percent signs of a text what they are.
func specifiers(text string) string { return strings.ReplaceAll(text, "%", "%%") }

func quoteIf(text string) string {
	if text != "" && !strings.ContainsAny(text, " \t\"'\\;") {
		return text
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// seconds is a duration in whole seconds, not fewer.
func seconds(d time.Duration) string {
	return fmt.Sprintf("%ds", (d+time.Second-1)/time.Second)
}
