package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/status"
	"github.com/spf13/cobra"
)

const (
	callTime    = 10 * time.Second
	maxCallBody = 16 << 20 // bytes, what an endpoint takes by default
)

type callFlags struct {
	push    bool
	timeout *limit
}

func (s *shell) callVerb() *cobra.Command {
	var f callFlags
	cmd := &cobra.Command{
		Use:   "call ADDRESS METHOD [JSON]",
		Short: "Call a method of an rpc endpoint and print the reply",
		Long: `Call a method of an rpc endpoint and print the reply as JSON. The body is JSON,
or - for what comes on standard input, or nothing.`,
		Example: fmt.Sprintf(`  %[1]s call tcp://127.0.0.1:9091 /math/add '[1,2,3]'
  %[1]s call unix:///run/shop/math.sock /math/pid`, s.app.Name),
		GroupID: groupTool,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := arguments(2, 3, "an address, a method and at most one body")(cmd, args); err != nil {
				return err
			}
			if !strings.Contains(args[0], "://") {
				return usagef(cmd, "%q is not an address: it must be like tcp://127.0.0.1:9091 or unix:///path/to/socket", args[0])
			}
			if len(args) == 3 && args[2] != "-" && !json.Valid([]byte(args[2])) {
				return usagef(cmd, "the body is not JSON: %s", args[2])
			}
			return nil
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.call(cmd.Context(), args, f)
		},
	}
	cmd.Flags().BoolVar(&f.push, "push", false, "send without asking for a reply")
	f.timeout = addTimeout(cmd, callTime, "for connection and reply; 0 means no limit")
	return cmd
}

func (s *shell) call(ctx context.Context, args []string, f callFlags) error {
	address, method := args[0], args[1]
	body, err := s.callBody(args[2:])
	if err != nil {
		return failed(err, "call %s", method)
	}
	ctx, cancel := bounded(ctx, time.Duration(*f.timeout))
	defer cancel()
	reply, err := exchange(ctx, address, method, body, f.push)
	if err != nil {
		return &verbError{doing: fmt.Sprintf("call %s on %s", method, address), err: callFailure(err)}
	}
	return failed(s.reply(reply), "print the reply")
}

// callBody is the bytes to send; nil for no body.
func (s *shell) callBody(args []string) ([]byte, error) {
	if len(args) == 0 {
		return nil, nil
	}
	if args[0] != "-" {
		return []byte(args[0]), nil
	}
	b, err := io.ReadAll(io.LimitReader(s.in, maxCallBody+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read standard input: %w", err)
	case len(b) > maxCallBody:
		return nil, fmt.Errorf("cannot send more than %d bytes", maxCallBody)
	case !json.Valid(b):
		return nil, errors.New("cannot send what came on standard input: it is not JSON")
	}
	return bytes.TrimSpace(b), nil
}

// exchange does one call, or one push, over a connection of its own.
func exchange(ctx context.Context, address, method string, body []byte, push bool) (reply []byte, err error) {
	e, err := rpc.New(rpc.Config{Name: "call", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	defer e.Close()
	session, err := e.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	if push {
		err = session.Push(ctx, method, body)
	} else {
		err = session.Call(ctx, method, body, &reply)
	}
	if err != nil {
		return nil, err
	}
	return reply, session.Shutdown(ctx)
}

// callFailure gives the failure of a call its exit code and a hint.
func callFailure(err error) error {
	st, _ := status.From(err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), st != nil && st.Code == status.HandleTimeout:
		return fmt.Errorf("%w: no reply in time", ctl.ErrTimeout)
	case st != nil && st.Retry:
		return &Failure{Cause: err, Hint: "nothing was executed: trying again is safe"}
	}
	return err
}

// reply prints a reply that is JSON indented, and any other as it is.
func (s *shell) reply(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		out.Reset()
		out.Write(b)
	}
	return s.out.write(out.String())
}
