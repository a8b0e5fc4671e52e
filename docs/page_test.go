package docs_test

import (
	"os"
	"strings"
	"testing"
)

// root is the repository, seen from here.
const root = ".."

// block is one fenced block of a page.
type block struct {
	page string
	line int // of the opening fence, from 1
	lang string
	text string // with its last newline
}

// blocks takes the fenced blocks out of a page.
func blocks(t *testing.T, page string) (list []block) {
	t.Helper()
	var open *block
	for i, line := range strings.Split(read(t, page), "\n") {
		lang, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open == nil:
			open = &block{page: page, line: i + 1, lang: lang}
		case fence && lang == "":
			list, open = append(list, *open), nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	if open != nil {
		t.Fatalf("%s:%d: the block is not closed", page, open.line)
	}
	return list
}

// read reads a file of the repository.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(root + "/" + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// code gives what the blocks of a page say to machines.
func code(list []block) (all []string) {
	for _, b := range list {
		all = append(all, b.lang+"\n"+b.text)
	}
	return all
}
