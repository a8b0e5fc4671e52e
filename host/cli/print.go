package cli

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"syscall"
	"unicode/utf8"

	"golang.org/x/term"
)

// style is an ANSI colour code.
type style string

const (
	plain  style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
	cyan   style = "36"
)

// printer writes for a person, in colour if that person sees them.
type printer struct {
	w        io.Writer
	terminal bool
	colour   bool
}

func newPrinter(w io.Writer) *printer {
	t := isTerminal(w)
	return &printer{w: w, terminal: t, colour: t && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// isTerminal asks without File.Fd, which would set a pipe that others share to
// blocking.
func isTerminal(w io.Writer) bool {
	c, ok := w.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	yes := false
	err = raw.Control(func(fd uintptr) { yes = term.IsTerminal(int(fd)) })
	return err == nil && yes
}

func (p *printer) paint(s style, text string) string {
	if !p.colour || s == plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// line prints one line of a short text. A reader that has gone by then is not an
// error of the verb.
func (p *printer) line(parts ...string) {
	_ = p.write(strings.Join(parts, ""))
}

// write prints one line of a text that may be long, and fails when nobody reads.
func (p *printer) write(line string) error {
	_, err := io.WriteString(p.w, line+"\n")
	return err
}

// json prints one indented value.
func (p *printer) json(v any) error {
	e := json.NewEncoder(p.w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// jsonLine prints one value on one line.
func (p *printer) jsonLine(v any) error {
	e := json.NewEncoder(p.w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// cell is one field of a table.
type cell struct {
	text  string
	style style
}

// table is printed with aligned columns, two spaces between them.
type table struct {
	head []string
	rows [][]cell
}

func (t *table) add(row ...cell) { t.rows = append(t.rows, row) }

func (p *printer) table(t *table) {
	head := make([]cell, len(t.head))
	for i, h := range t.head {
		head[i] = cell{h, bold}
	}
	rows := append([][]cell{head}, t.rows...)
	width := make([]int, len(head))
	for _, row := range rows {
		for i, c := range row {
			width[i] = max(width[i], utf8.RuneCountInString(c.text))
		}
	}
	var b strings.Builder // so that hundreds of rows are one write
	for n, row := range rows {
		if n > 0 {
			b.WriteByte('\n')
		}
		gap := 0 // kept back so that no line ends in spaces
		for i, c := range row {
			if c.text != "" {
				b.WriteString(strings.Repeat(" ", gap) + p.paint(c.style, c.text))
				gap = 0
			}
			gap += width[i] - utf8.RuneCountInString(c.text) + 2
		}
	}
	p.line(b.String())
}
