package config

import (
	"fmt"
	"slices"
	"strings"
)

// counterpart is a key and what other supervisors call the same, or what comes
// nearest; several names have spaces between them.
type counterpart struct {
	key                               string
	supervisord, systemd, pm2, dmicro string
}

// counterparts has every key of programs and workers, in the order of the table in
// the documentation. Whoever writes a name of another supervisor is told ours.
func counterparts() []counterpart {
	return append(lifeCounterparts(), processCounterparts()...)
}

func lifeCounterparts() []counterpart {
	return []counterpart{
		{"command", "command", "ExecStart", "script args interpreter", "Command Args"},
		{"instances", "numprocs", "", "instances", ""},
		{"autostart", "autostart", "WantedBy", "autostart", "AutoStart"},
		{"essential", "", "FailureAction SuccessAction", "", ""},
		{"group", "programs", "PartOf", "namespace", ""},
		{"needs", "priority", "Requires After", "", "Priority"},
		{"follow", "", "BindsTo", "", ""},
		{"listen", "socket", "ListenStream", "", ""},
		{"ready", "", "Type", "wait_ready", ""},
		{"start_timeout", "", "TimeoutStartSec", "listen_timeout", ""},
		{"live", "", "", "", ""},
		{"live_interval", "", "", "", ""},
		{"live_timeout", "", "", "", ""},
		{"live_failures", "", "", "", ""},
		{"live_grace", "", "", "", ""},
		{"live_action", "", "", "", ""},
		{"watchdog", "", "WatchdogSec", "", ""},
		{"reload", "", "ExecReload", "exec_mode", "RestartWhenBinaryChanged"},
		{"batch", "", "", "", ""},
		{"stop", "stopsignal stopwaitsecs", "KillSignal TimeoutStopSec ExecStop", "kill_timeout", "StopSignal StopWaitSecs KillWaitSecs"},
		{"pre_start", "", "ExecStartPre", "", ""},
		{"post_stop", "", "ExecStopPost", "", ""},
		{"on_fatal", "", "OnFailure", "", ""},
		{"restart", "autorestart", "Restart", "autorestart", "AutoReStart"},
		{"exit_codes", "exitcodes", "SuccessExitStatus", "stop_exit_codes", "ExitCodes"},
		{"backoff_min", "", "RestartSec", "restart_delay exp_backoff_restart_delay", "RestartPause"},
		{"backoff_max", "", "RestartMaxDelaySec", "", ""},
		{"stable", "startsecs", "", "min_uptime", "StartSecs"},
		{"start_limit", "startretries", "StartLimitBurst", "max_restarts", "StartRetries"},
		{"start_window", "", "StartLimitIntervalSec", "", ""},
		{"max_age", "", "RuntimeMaxSec", "cron_restart", ""},
		{"max_requests", "", "", "", ""},
		{"max_rss", "", "", "max_memory_restart", ""},
		{"jitter", "", "RuntimeRandomizedExtraSec", "", ""},
	}
}

func processCounterparts() []counterpart {
	return []counterpart{
		{"dir", "directory", "WorkingDirectory", "cwd", "Directory"},
		{"user", "user", "User", "uid", "User"},
		{"primary_group", "", "Group", "gid", ""},
		{"groups", "", "SupplementaryGroups", "", ""},
		{"umask", "umask", "UMask", "", ""},
		{"inherit", "", "PassEnvironment", "filter_env", ""},
		{"env_files", "", "EnvironmentFile", "", ""},
		{"env", "environment", "Environment", "env", "Environment"},
		{"secrets", "", "LoadCredential", "", ""},
		{"rlimits", "minfds minprocs", "LimitNOFILE LimitNPROC LimitCORE", "", ""},
		{"nice", "", "Nice", "", ""},
		{"oom_score_adj", "", "OOMScoreAdjust", "", ""},
		{"no_new_privs", "", "NoNewPrivileges", "", ""},
		{"memory", "", "MemoryMax", "", ""},
		{"memory_high", "", "MemoryHigh", "", ""},
		{"cpu", "", "CPUQuota", "", ""},
		{"pids", "", "TasksMax", "", ""},
		{"log", "redirect_stderr", "StandardOutput StandardError", "", "RedirectStderr"},
		{"log_file", "stdout_logfile stderr_logfile", "", "out_file error_file log_file", "StdoutLogfile StderrLogfile"},
		{"log_format", "", "", "log_type log_date_format", ""},
		{"log_max_size", "stdout_logfile_maxbytes stderr_logfile_maxbytes", "", "", "StdoutLogFileMaxBytes StderrLogFileMaxBytes"},
		{"log_max_age", "", "", "", ""},
		{"log_keep", "stdout_logfile_backups stderr_logfile_backups", "", "", "StdoutLogFileBackups StderrLogFileBackups"},
		{"log_compress", "", "", "", ""},
	}
}

// native gives our key for a name of another supervisor, if it is one of keys.
// Names that several keys have a part in stand for the first of them.
func native(name string, keys []string) string {
	flat := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }
	for _, c := range counterparts() {
		for _, others := range []string{c.supervisord, c.systemd, c.pm2, c.dmicro} {
			for other := range strings.FieldsSeq(others) {
				if flat(other) == flat(name) && slices.Contains(keys, c.key) {
					return c.key
				}
			}
		}
	}
	return ""
}

// Counterparts is a table, as Markdown, of the keys of programs and workers beside
// what other supervisors call them.
func Counterparts() string {
	var b strings.Builder
	b.WriteString("| dserver | supervisord | systemd | pm2 | DMicro |\n|---|---|---|---|---|\n")
	cell := func(names string) string {
		var parts []string
		for name := range strings.FieldsSeq(names) {
			parts = append(parts, "`"+name+"`")
		}
		return strings.Join(parts, ", ")
	}
	for _, c := range counterparts() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", c.key, cell(c.supervisord), cell(c.systemd), cell(c.pm2), cell(c.dmicro))
	}
	return b.String()
}
