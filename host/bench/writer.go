package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const (
	lineSize  = 100 // bytes, the newline included
	lineHead  = len("<000 00000000 ")
	lineBegin = '<'
	// lineRest follows the numbers, lineTail is what a piece of a line may end with.
	lineRest = "the quick brown fox jumps over the lazy dog and then walks on until the lin" + lineTail
	lineTail = "e is full>"
)

// appendLine adds line number i of a writer, without its newline.
func appendLine(b []byte, writer, i int) []byte {
	b = append(b, lineBegin)
	b = append(padded(b, writer, 3), ' ')
	b = append(padded(b, i, 8), ' ')
	return append(b, lineRest...)
}

// padded adds n in that many digits.
func padded(b []byte, n, digits int) []byte {
	for i := len(strconv.Itoa(n)); i < digits; i++ {
		b = append(b, '0')
	}
	return strconv.AppendInt(b, int64(n), 10)
}

// pages is what writers share: a folder in which each says what it has done.
type pages struct{ dir string }

func (p pages) register() register          { return register(filepath.Join(p.dir, "births")) }
func (p pages) gate() string                { return filepath.Join(p.dir, "gate") }
func (p pages) result(writer string) string { return filepath.Join(p.dir, "result."+writer) }

// written is what a writer tells at its end.
type written struct {
	Began time.Time     `json:"began"`
	Ended time.Time     `json:"ended"`
	CPU   time.Duration `json:"cpu"`
}

// runWriter waits at the gate, writes LINES lines, one write each, and exits; the
// last one has no newline. Some supervisors know no program that runs but once:
// started again, it waits for a signal.
func runWriter(args []string) error {
	if len(args) != 3 {
		return errors.New("want: FOLDER WRITER LINES")
	}
	p := pages{args[0]}
	writer, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	lines, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	result := p.result(args[1])
	if _, err := os.Stat(result); !errors.Is(err, fs.ErrNotExist) {
		sleepForever()
	}
	if err := p.register().enter(birth{monotonic(), os.Getpid()}); err != nil {
		return err
	}
	if gate, err := os.Open(p.gate()); err != nil {
		return err
	} else if err := gate.Close(); err != nil {
		return err
	}
	w := written{Began: time.Now()}
	if err := writeLines(writer, lines); err != nil {
		return err
	}
	w.Ended, w.CPU = time.Now(), cpuTime(os.Getpid())
	text, err := json.Marshal(w)
	if err != nil {
		return err
	}
	if err := os.WriteFile(result+".part", text, 0o600); err != nil {
		return err
	}
	return os.Rename(result+".part", result)
}

func writeLines(writer, lines int) error {
	buf := make([]byte, 0, lineSize)
	for i := range lines {
		buf = appendLine(buf[:0], writer, i)
		if i < lines-1 {
			buf = append(buf, '\n')
		}
		if _, err := os.Stdout.Write(buf); err != nil {
			return fmt.Errorf("cannot write line %d: %w", i, err)
		}
	}
	return nil
}
