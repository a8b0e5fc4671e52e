package config

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxErrors is how many errors one [Load] reports; the rest is counted.
const maxErrors = 100

// KeyError is one thing that is wrong.
type KeyError struct {
	Source  string // a file, "environment variable NAME" or "flag --NAME"
	Line    int    // in the file, from 1; 0 if it is not known
	Key     string // dotted, as in sandbox.math.listen; empty if it is about the file
	Value   string // as given, cut to a line; empty if it is not about the value
	Reason  string // what is wrong with it
	Nearest string // the valid name that comes nearest, if one comes near

	err error
}

// Error is one line: file:line: key = value: reason; did you mean nearest?
func (e *KeyError) Error() string {
	var b strings.Builder
	b.WriteString(e.Source)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if e.Key != "" {
		b.WriteString(": " + e.Key)
		if e.Value != "" {
			b.WriteString(" = " + e.Value)
		}
	}
	b.WriteString(": " + e.Reason)
	if e.Nearest != "" {
		b.WriteString("; did you mean " + e.Nearest + "?")
	}
	return b.String()
}

// Unwrap gives the error of the system behind it, if there is one.
func (e *KeyError) Unwrap() error { return e.err }

// Errors are all things that are wrong, in the order of files and lines, then
// environment, then flags.
type Errors []*KeyError

// Error is one line for each error.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the errors to errors.Is and errors.As.
func (e Errors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, one := range e {
		errs[i] = one
	}
	return errs
}

// readable escapes what cannot be read on a line: a reason may repeat what somebody
// wrote.
func readable(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&b, `\x%02x`, text[0])
		} else if unicode.IsPrint(r) {
			b.WriteString(text[:size])
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
		text = text[size:]
	}
	return b.String()
}
