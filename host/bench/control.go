package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// plan is what the roles floor, supervise and raw are to do; it is read from a
// file.
type plan struct {
	Socket string `json:"socket"`
	Logs   string `json:"logs"` // folder for the output
	Tasks  []task `json:"tasks"`
	Keep   bool   `json:"keep"`              // a task that ended is started again
	CPU    string `json:"profile,omitempty"` // file for a profile of the CPU
}

// task is one child that is to run.
type task struct {
	Name string   `json:"name"`
	Args []string `json:"args"` // the first is the absolute path
}

func readPlan(args []string) (p plan, err error) {
	if len(args) != 1 {
		return p, errors.New("want: PLAN")
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal(text, &p)
}

// place is how one task does, as the three roles tell it.
type place struct {
	Name     string `json:"name"`
	State    string `json:"state"` // running or stopped
	Pid      int    `json:"pid"`
	Restarts int    `json:"restarts"`
}

const stateRunning = "running"

// supervisor is what one of the roles can be asked for.
type supervisor interface {
	status() []place
	stop() // returns when no task runs
}

// serve answers on the socket until it has been told to stop. A request is one
// word, an answer one line of JSON.
func serve(socket string, s supervisor) error {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	defer l.Close()
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		var word string
		if _, err := fmt.Fscanln(c, &word); err == nil {
			if word == "stop" {
				s.stop()
			}
			err = json.NewEncoder(c).Encode(s.status())
		}
		c.Close()
		if word == "stop" {
			return nil
		}
	}
}

// ask sends one request to such a socket.
func ask(ctx context.Context, socket, word string) ([]byte, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := c.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}
	if _, err := fmt.Fprintln(c, word); err != nil {
		return nil, err
	}
	return io.ReadAll(c)
}

// places reads an answer.
func places(answer []byte) (list []place, err error) {
	return list, json.Unmarshal(answer, &list)
}

// runAsk prints a table, as a command for people does.
func runAsk(args []string) error {
	if len(args) != 2 {
		return errors.New("want: SOCKET WORD")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	answer, err := ask(ctx, args[0], args[1])
	if err != nil {
		return err
	}
	list, err := places(answer)
	if err != nil {
		return err
	}
	var table strings.Builder
	for _, p := range list {
		fmt.Fprintf(&table, "%-20s %-8s %7d %4d\n", p.Name, p.State, p.Pid, p.Restarts)
	}
	_, err = io.WriteString(os.Stdout, table.String())
	return err
}
