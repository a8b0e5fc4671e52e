package cli

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/spf13/cobra"
)

const (
	watchdogTime = 30 * time.Second // that a master may be silent
	unitMargin   = 10 * time.Second // that the service manager waits longer than the master itself
)

type unitFlags struct {
	mode     choice
	scope    choice
	demo     bool
	user     string
	watchdog limit
}

func (s *shell) unitVerb() *cobra.Command {
	f := unitFlags{
		mode: choice{words: []string{"single", "multi"}}, watchdog: limit(watchdogTime),
		scope: choice{value: "system", words: []string{"system", "user"}},
	}
	cmd := &cobra.Command{
		Use:   "unit",
		Short: "Print a systemd unit that runs this instance",
		Long: `Print a systemd unit that runs this instance, with this executable and with the
configuration and flags that are given here. Nothing is installed: the first lines
of the unit say how to do that. For a user's own service manager, which needs no
root, use --scope user.`,
		Example: fmt.Sprintf(`  %[1]s unit -c /etc/shop.toml --user www-data > /etc/systemd/system/shop.service
  %[1]s unit --scope user > ~/.config/systemd/user/shop.service`, s.app.Name),
		GroupID:           groupTool,
		Args:              arguments(0, 0, "no arguments"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(cmd); err != nil {
				return err
			}
			u, err := s.unit(cmd.Context(), f)
			if err != nil {
				return failed(err, "make a unit")
			}
			return failed(s.out.write(strings.TrimSuffix(u.text(), "\n")), "print the unit")
		},
	}
	cmd.Flags().Var(&f.mode, "mode", "all in one process, or in workers (default: as configured)")
	complete(cmd, "mode", f.mode.words...)
	cmd.Flags().Var(&f.scope, "scope", "which service manager it is for: that of the system, or a user's own")
	complete(cmd, "scope", f.scope.words...)
	cmd.Flags().StringVar(&f.user, "user", "", "as whom it runs, with --scope system (default: you)")
	cmd.Flags().Var(&f.watchdog, "watchdog", "restart a master that is silent for so long; 0 means never")
	if s.app.Demo {
		cmd.Flags().BoolVar(&f.demo, "demo", false, "run the demo that is built in")
	}
	return cmd
}

func (f unitFlags) check(cmd *cobra.Command) error {
	switch {
	case f.scope.value == "user" && f.user != "":
		return usagef(cmd, "a user's own service manager runs it as that user: --user goes with --scope system")
	case strings.ContainsFunc(f.user, func(r rune) bool { return r <= ' ' || strings.ContainsRune(`:/\"'`, r) }):
		return usagef(cmd, "--user cannot be %q: it must be a name or a number", f.user)
	}
	return nil
}

// unit is what a unit file says.
type unit struct {
	app, name, mode string
	binary          string
	start           []string // arguments behind the binary
	which           []string // arguments that say which instance is meant
	folder          string   // working directory; may be empty
	pidFile         string
	own             string // folder below /run that the service manager makes; may be empty
	scope, user     string // user: empty for root, and with scope user
	limits          ManifestLimits
	watchdog        time.Duration
}

// unit finds out what the unit has to say; the configuration must be good.
func (s *shell) unit(ctx context.Context, f unitFlags) (unit, error) {
	m, err := s.host.Check(ctx, StartOptions{Global: s.global, Mode: f.mode.value, Demo: f.demo})
	if err != nil {
		return unit{}, err
	}
	u := unit{app: s.app.Name, name: m.Name, mode: m.Mode, scope: f.scope.value, limits: m.Limits, watchdog: time.Duration(f.watchdog)}
	if u.binary, err = s.ownBinary(); err != nil {
		return unit{}, err
	}
	if u.user, err = unitUser(f); err != nil {
		return unit{}, err
	}
	if err := s.place(ctx, &u); err != nil {
		return unit{}, err
	}
	config := m.ConfigFile
	if config != "" {
		if config, err = filepath.Abs(config); err != nil {
			return unit{}, fmt.Errorf("cannot use --config: %w", err)
		}
		u.folder = filepath.Dir(config)
	}
	u.start = s.startArguments(u, config, f)
	return u, u.check()
}

// ownBinary is the path of this executable, if it is one that stays.
func (s *shell) ownBinary() (string, error) {
	b, err := s.host.Build()
	if err != nil {
		return "", err
	}
	if inBuildCache(b.Path) {
		return "", ctl.Problemf(ctl.ErrInvalid, "this executable was made by go run and is gone soon: %s", b.Path).
			WithHint("make one that stays with go build, and ask that one")
	}
	return b.Path, nil
}

// unitUser is the user that the unit names: none for root and for a user's own
// service manager.
func unitUser(f unitFlags) (string, error) {
	if f.scope.value == "user" {
		return "", nil
	}
	name := f.user
	if name == "" {
		me, err := user.Current()
		if err != nil {
			return "", fmt.Errorf("cannot tell who you are: %w", err)
		}
		name = me.Username
	}
	if name == "root" || name == "0" {
		return "", nil
	}
	return name, nil
}

// place decides where the runtime folder lies. The folder that a command of this
// user would take is that of the unit only if both are the same user.
func (s *shell) place(ctx context.Context, u *unit) error {
	mine := u.scope == "user" || u.user == "" && os.Geteuid() == 0
	g := Global{Name: u.name, RuntimeDir: s.global.RuntimeDir}
	switch {
	case g.RuntimeDir != "":
		var err error
		if g.RuntimeDir, err = filepath.Abs(g.RuntimeDir); err != nil {
			return fmt.Errorf("cannot use --runtime-dir: %w", err)
		}
	case !mine:
		u.own = "dserver-" + u.name
		g.RuntimeDir = "/run/" + u.own
	}
	u.which = []string{"--name", u.name}
	if g.RuntimeDir != "" {
		u.which = append(u.which, "--runtime-dir", g.RuntimeDir)
		u.pidFile = filepath.Join(g.RuntimeDir, u.name, "pid")
		return nil
	}
	in, err := s.host.Locate(ctx, g)
	if err != nil {
		return err
	}
	u.pidFile = filepath.Join(in.Dir, "pid")
	return nil
}

func (s *shell) startArguments(u unit, config string, f unitFlags) []string {
	args := []string{"start"}
	if f.demo {
		args = append(args, "--demo")
	}
	for _, flag := range [][2]string{{"--config", config}, {"--env", s.global.Env}, {"--mode", f.mode.value}} {
		if flag[1] != "" {
			args = append(args, flag[0], flag[1])
		}
	}
	return append(args, u.which...)
}

// check refuses what a unit file cannot say.
func (u unit) check() error {
	for _, text := range append(append([]string{u.binary, u.pidFile, u.folder, u.user}, u.start...), u.which...) {
		if clean(text) != text || strings.HasSuffix(text, `\`) || strings.TrimSpace(text) != text {
			return fmt.Errorf("cannot say %q in a unit: it has control characters, or a space or backslash at its end", text)
		}
	}
	switch {
	case !filepath.IsAbs(u.binary):
		return fmt.Errorf("cannot tell where this executable lies: %q", u.binary)
	case strings.ContainsAny(u.binary, `\"'`):
		return fmt.Errorf("cannot say %q in a unit: systemd runs nothing with a quote or backslash in its path", u.binary)
	}
	return nil
}
