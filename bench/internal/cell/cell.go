package cell

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dserver/dserver/bench/internal/payload"
)

// Mode is how connections are used.
type Mode string

// The modes there are.
const (
	Call Mode = "call" // callers make one call after the other
	Push Mode = "push" // they send messages that have no answer
	Dial Mode = "dial" // they connect, make a call and close
	Idle Mode = "idle" // connections have made one call each and wait
)

// Cell is one of the things to measure.
type Cell struct {
	Mode        Mode
	Body        payload.Body
	Callers     int
	Connections int // that callers share; with Dial each call has its own
}

// String writes the cell as call:record:100:1: mode, body, callers, connections.
func (c Cell) String() string {
	return fmt.Sprintf("%s:%v:%d:%d", c.Mode, c.Body, c.Callers, c.Connections)
}

// Parse reads what String writes.
func Parse(text string) (Cell, error) {
	words := strings.Split(text, ":")
	if len(words) != 4 {
		return Cell{}, fmt.Errorf("cannot use the cell %q: it is written as call:record:100:1", text)
	}
	c := Cell{Mode: Mode(words[0])}
	switch c.Mode {
	case Call, Push, Dial, Idle:
	default:
		return Cell{}, fmt.Errorf("cannot use the cell %q: there is no mode %q", text, c.Mode)
	}
	var err error
	if c.Body, err = payload.ParseBody(words[1]); err != nil {
		return Cell{}, fmt.Errorf("cannot use the cell %q: %w", text, err)
	}
	for i, n := range []*int{&c.Callers, &c.Connections} {
		if *n, err = strconv.Atoi(words[2+i]); err != nil || *n < 1 || *n > 100_000 {
			return Cell{}, fmt.Errorf("cannot use the cell %q: %q is no such number", text, words[2+i])
		}
	}
	return c, nil
}

// Describe says the same in words.
func (c Cell) Describe() string {
	size := fmt.Sprintf("%d bytes", c.Body.Size())
	connections := plural(c.Connections, "connection")
	switch c.Mode {
	case Push:
		return fmt.Sprintf("messages of %s without an answer, %s, %s", size, plural(c.Callers, "sender"), connections)
	case Dial:
		return fmt.Sprintf("connect, call with %s and close, %s", size, plural(c.Callers, "caller"))
	case Idle:
		return fmt.Sprintf("%s that have made a call and wait", connections)
	}
	return fmt.Sprintf("calls with %s each way, %s, %s", size, plural(c.Callers, "caller"), connections)
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return strconv.Itoa(n) + " " + word + "s"
}

// Matrix lists all cells that can be asked for.
func Matrix() []Cell {
	var list []Cell
	for _, b := range payload.Bodies() {
		for _, callers := range []int{1, 16, 100, 1000} {
			for _, connections := range []int{1, 8} {
				if connections <= callers {
					list = append(list, Cell{Call, b, callers, connections})
				}
			}
		}
	}
	for _, b := range payload.Bodies() {
		list = append(list, Cell{Push, b, 16, 1})
	}
	return append(list, Cell{Dial, payload.Small, 16, 1}, Cell{Idle, payload.Record, 1, 5000})
}

// Standard lists those that are measured if nobody asks for others.
func Standard() []Cell {
	return []Cell{
		{Call, payload.Record, 1, 1}, {Call, payload.Record, 16, 1}, {Call, payload.Record, 100, 1},
		{Call, payload.Record, 1000, 1}, {Call, payload.Record, 100, 8}, {Call, payload.Record, 1000, 8},
		{Call, payload.Small, 1, 1}, {Call, payload.Small, 100, 1}, {Call, payload.Small, 1000, 1},
		{Call, payload.Large, 16, 1}, {Call, payload.Large, 100, 1},
		{Push, payload.Record, 16, 1}, {Dial, payload.Small, 16, 1}, {Idle, payload.Record, 1, 5000},
	}
}
