package eventbus

import (
	"fmt"
	"strings"
)

const maxName = 255 // bytes of a name or pattern

// checkName refuses what is not words joined by dots.
func checkName(name string) error {
	if strings.IndexByte(name, '*') >= 0 {
		return fmt.Errorf("event name %.40q has a star, which is for patterns", name)
	}
	return checkWords("event name", name)
}

func checkWords(what, s string) error {
	if len(s) > maxName {
		return fmt.Errorf("%s %.40q... has %d bytes, %d are the limit", what, s, len(s), maxName)
	}
	if s == "" || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return fmt.Errorf("%s %.40q has an empty word", what, s)
	}
	return nil
}

// pattern is the words of a pattern that has stars in it.
type pattern []string

// parsePattern returns nil if s is a plain name.
func parsePattern(s string) (pattern, error) {
	if err := checkWords("pattern", s); err != nil {
		return nil, err
	}
	if strings.IndexByte(s, '*') < 0 {
		return nil, nil
	}
	if s == "*" {
		return pattern{"**"}, nil
	}
	p := pattern(strings.Split(s, "."))
	for i, word := range p {
		switch {
		case word == "**" && i < len(p)-1:
			return nil, fmt.Errorf("pattern %.40q has a ** that is not its last word", s)
		case word != "*" && word != "**" && strings.IndexByte(word, '*') >= 0:
			return nil, fmt.Errorf("pattern %.40q has a star beside other characters", s)
		}
	}
	return p, nil
}

// match tells whether a valid name is one of those the pattern means.
func (p pattern) match(name string) bool {
	for i, word := range p {
		if word == "**" {
			return true // at least one word is left, or the loop had ended
		}
		head, rest, more := strings.Cut(name, ".")
		if word != "*" && word != head {
			return false
		}
		if last := i == len(p)-1; last || !more {
			return last && !more
		}
		name = rest
	}
	return false
}
