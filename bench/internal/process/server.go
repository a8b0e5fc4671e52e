package process

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"

	"github.com/dserver/dserver/bench/internal/roster"
	"github.com/dserver/dserver/bench/internal/usage"
	"github.com/dserver/dserver/internal/group"
)

// The commands that a server takes, one on a line.
const (
	commandUsage   = "usage"
	commandCollect = "collect"
)

// greeting is a server's first answer; the others are a usage.Usage each.
type greeting struct{ Address string }

// playServer serves with a peer until standard input ends. The argument is the peer's
// name, and behind a space the file for a profile, if there shall be one.
func playServer(argument string) error {
	name, file, profiled := strings.Cut(argument, " ")
	if profiled {
		stop, err := profile(file)
		if err != nil {
			return err
		}
		defer stop()
	}
	p, err := roster.Find(name)
	if err != nil {
		return err
	}
	in, err := inherited(commandFile, "commands")
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var (
		answers  = json.NewEncoder(os.NewFile(resultFile, "answers"))
		pushed   atomic.Int64
		ended    = make(chan error, 1)
		commands = make(chan string)
		g        = group.New(context.Background(), nil)
	)
	g.Go("server", func(ctx context.Context) { ended <- p.Serve(ctx, ln, &pushed) })
	g.Go("commands", func(context.Context) {
		defer close(commands)
		for lines := bufio.NewScanner(in); lines.Scan(); {
			commands <- lines.Text()
		}
	})
	if err := answers.Encode(greeting{ln.Addr().String()}); err != nil {
		return err
	}
	for {
		select {
		case command, ok := <-commands:
			if !ok {
				return nil // the client has gone
			}
			if err := answer(answers, command, &pushed); err != nil {
				return err
			}
		case err := <-ended:
			return errors.Join(errors.New("the server of the peer has ended"), err)
		}
	}
}

func answer(answers *json.Encoder, command string, pushed *atomic.Int64) error {
	switch command {
	case commandUsage:
	case commandCollect:
		debug.FreeOSMemory() // collects as well
	default:
		return fmt.Errorf("cannot understand the command %q", command)
	}
	u, err := usage.Read()
	if err != nil {
		return err
	}
	u.Pushed = pushed.Load()
	return answers.Encode(u)
}
