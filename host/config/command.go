package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// maxCommand is how long a command with its arguments may be, in bytes: what the
// kernel takes for one argument.
const maxCommand = 128 << 10

// aCommand is a command: a list of words, or one text that is split into words.
func aCommand() kind[[]string] {
	return plainKind("command", (*node).asCommand, showCommand)
}

// asCommand reads the words; which executable the first one means is found out
// later, by [builder.executable].
func (n *node) asCommand() ([]string, error) {
	var words []string
	var err error
	switch v := n.value.(type) {
	case string:
		words, err = splitWords(v)
	case []any:
		words, err = n.asTexts()
	default:
		return nil, wrongType("a text or a list of texts", n)
	}
	if err != nil {
		return nil, err
	}
	return words, checkWords(words)
}

func checkWords(words []string) error {
	size := 0
	for _, word := range words {
		size += len(word) + 1
		if strings.ContainsRune(word, 0) {
			return errors.New("the command has a zero byte")
		}
	}
	switch {
	case len(words) == 0 || words[0] == "":
		return errors.New("the command is empty")
	case size > maxCommand:
		return fmt.Errorf("the command has more than %s", formatSize(maxCommand))
	}
	return nil
}

// shellOnly are the characters that a shell would act on. No shell reads a
// command here, so they are refused where they are not quoted: who writes them
// expects something else than the character.
const shellOnly = "|&;<>()$`\n"

// splitWords splits text into words as a shell does: blanks separate, '...' is
// taken as it is, "..." too but for \" \\ \$ and \`, and \ takes the next character
// as it is.
func splitWords(text string) ([]string, error) {
	s := splitter{rest: text}
	for s.rest != "" {
		if err := s.step(); err != nil {
			return nil, err
		}
	}
	s.end()
	return s.words, nil
}

type splitter struct {
	rest  string
	words []string
	word  []byte
	open  bool // a word has begun, perhaps an empty one in quotes
}

func (s *splitter) end() {
	if s.open {
		s.words = append(s.words, string(s.word))
	}
	s.word, s.open = s.word[:0], false
}

// step reads the next character, or what is in quotes.
func (s *splitter) step() error {
	c := s.rest[0]
	s.rest = s.rest[1:]
	switch {
	case c == ' ' || c == '\t' || c == '\r':
		s.end()
		return nil
	case strings.IndexByte(shellOnly, c) >= 0:
		return fmt.Errorf(`%q stands without quotes and there is no shell: quote it, or make the command ["sh", "-c", "..."]`, c)
	}
	s.open = true
	switch c {
	case '\'':
		inside, after, ok := strings.Cut(s.rest, "'")
		if !ok {
			return errors.New("a ' is not closed")
		}
		s.word, s.rest = append(s.word, inside...), after
	case '"':
		return s.quoted()
	case '\\':
		if s.rest == "" {
			return errors.New(`a \ at the end has nothing to stand for`)
		}
		s.word, s.rest = append(s.word, s.rest[0]), s.rest[1:]
	default:
		s.word = append(s.word, c)
	}
	return nil
}

// quoted reads on to the closing ".
func (s *splitter) quoted() error {
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			s.rest = s.rest[i+1:]
			return nil
		case c == '\\' && i+1 < len(s.rest) && strings.IndexByte("\"\\$`", s.rest[i+1]) >= 0:
			i++
			s.word = append(s.word, s.rest[i])
		default:
			s.word = append(s.word, c)
		}
	}
	return errors.New(`a " is not closed`)
}

// showCommand writes a command so that [splitWords] would read it.
func showCommand(words []string) string {
	// Space of any kind would be cut off at the ends of a text.
	special := func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`'"\`+shellOnly, r) }
	parts := make([]string, len(words))
	for i, word := range words {
		if parts[i] = word; word == "" || strings.ContainsFunc(word, special) {
			parts[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(parts, " ")
}
