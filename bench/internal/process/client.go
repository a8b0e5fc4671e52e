package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/dserver/dserver/bench/internal/load"
	"github.com/dserver/dserver/bench/internal/peer"
	"github.com/dserver/dserver/bench/internal/roster"
	"github.com/dserver/dserver/bench/internal/usage"
	"github.com/dserver/dserver/internal/group"
)

// errAbandoned ends a client whose starter has gone.
var errAbandoned = errors.New("nobody waits for the figures")

// playClient makes a measurement with a server of its own.
func playClient(text string) error {
	var plan load.Plan
	if err := json.Unmarshal([]byte(text), &plan); err != nil {
		return fmt.Errorf("cannot read the plan: %w", err)
	}
	p, err := roster.Find(plan.Peer)
	if err != nil {
		return err
	}
	in, err := inherited(commandFile, "commands")
	if err != nil {
		return err
	}
	g := group.New(context.Background(), nil)
	g.Go("starter", func(context.Context) {
		_, _ = io.Copy(io.Discard, in)
		g.Cancel(errAbandoned)
	})
	argument := plan.Peer
	if plan.Profiles != "" {
		stop, err := profile(profileName(plan, clientRole))
		if err != nil {
			return err
		}
		defer stop()
		argument += " " + profileName(plan, serverRole)
	}
	s, err := startServer(g.Context(), argument)
	if err != nil {
		return err
	}
	r, err := load.Run(g.Context(), plan, p, s)
	if err != nil && !errors.Is(err, peer.ErrNoPush) {
		_ = s.close()
		return fmt.Errorf("%w: %s", err, s.child.said.text())
	}
	if err := s.close(); err != nil {
		return fmt.Errorf("cannot end the server: %w: %s", err, s.child.said.text())
	}
	return json.NewEncoder(os.NewFile(resultFile, "result")).Encode(report{Run: r, NoPush: err != nil})
}

// server is the other process, as the client sees it.
type server struct {
	child   *child
	address string
}

var _ load.Server = (*server)(nil)

// startServer takes the argument of playServer.
func startServer(ctx context.Context, argument string) (*server, error) {
	c, err := start(ctx, serverRole, argument)
	if err != nil {
		return nil, err
	}
	var g greeting
	if err := c.answers.Decode(&g); err != nil {
		_, _ = c.alive.Close(), c.wait()
		return nil, fmt.Errorf("the server did not begin: %w: %s", err, c.said.text())
	}
	return &server{c, g.Address}, nil
}

func (s *server) Address() string { return s.address }

func (s *server) Usage() (usage.Usage, error)   { return s.ask(commandUsage) }
func (s *server) Collect() (usage.Usage, error) { return s.ask(commandCollect) }

func (s *server) ask(command string) (u usage.Usage, err error) {
	if _, err := io.WriteString(s.child.alive, command+"\n"); err != nil {
		return u, fmt.Errorf("cannot ask the server: %w", err)
	}
	if err := s.child.answers.Decode(&u); err != nil {
		return u, fmt.Errorf("the server does not answer: %w", err)
	}
	return u, nil
}

func (s *server) close() error {
	return errors.Join(s.child.alive.Close(), s.child.wait())
}
