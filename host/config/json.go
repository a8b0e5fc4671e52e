package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// parseJSON reads by token, for encoding/json itself takes keys that are there
// twice and forgets where they are.
func parseJSON(data []byte, at place) (*node, error) {
	p := &jsonParser{data: data, dec: json.NewDecoder(bytes.NewReader(data)), at: at}
	p.dec.UseNumber()
	root := &node{at: at}
	err := p.value(root, 0)
	if err == nil {
		if _, err = p.dec.Token(); errors.Is(err, io.EOF) {
			err = nil
		} else if err == nil {
			err = errors.New("there is more after the end")
		}
	}
	if err == nil && !root.isTable() {
		err = errors.New("the file must be a table: { ... }")
	}
	if err != nil {
		return nil, p.wrap(err)
	}
	return root, nil
}

type jsonParser struct {
	data []byte
	dec  *json.Decoder
	at   place

	seen  int64 // bytes of data whose lines are counted
	lines int   // newlines in them
}

// line is the number of the line that the parser has come to.
func (p *jsonParser) line() int {
	to := min(p.dec.InputOffset(), int64(len(p.data)))
	p.lines += bytes.Count(p.data[p.seen:to], []byte("\n"))
	p.seen = to
	return p.lines + 1
}

func (p *jsonParser) wrap(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return &KeyError{Line: p.line(), Reason: "bad JSON: " + oneLine(err.Error())}
}

// value reads the next value into n.
func (p *jsonParser) value(n *node, depth int) error {
	token, err := p.dec.Token()
	if err != nil {
		return err
	}
	if token == json.Delim('{') {
		return p.table(n, depth)
	}
	n.value, err = p.item(token, depth)
	return err
}

// table reads what follows { into n.
func (p *jsonParser) table(n *node, depth int) error {
	if depth > maxDepth {
		return errTooDeep()
	}
	n.kids = make(map[string]*node)
	for p.dec.More() {
		token, err := p.dec.Token()
		if err != nil {
			return err
		}
		name, ok := token.(string)
		if !ok {
			return fmt.Errorf("a key must be a string, not %v", token)
		}
		if _, ok := n.kids[name]; ok {
			return fmt.Errorf("key %q is there twice", cut(name, 80))
		}
		kid := &node{at: p.at}
		kid.at.line = fixed(p.line())
		n.add(name, kid)
		if err := p.value(kid, depth+1); err != nil {
			return err
		}
	}
	_, err := p.dec.Token()
	return err
}

// item reads the rest of a value that begins with token and is not the value of
// a key, or not a table.
func (p *jsonParser) item(token json.Token, depth int) (any, error) {
	switch token {
	case json.Delim('{'):
		n := &node{}
		err := p.table(n, depth)
		return n.content(), err
	case json.Delim('['):
		return p.list(depth)
	}
	return numbers(token)
}

// numbers makes int64 of whole numbers that fit and float64 of others, in tables
// and lists too, which it changes.
func numbers(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i, nil
		}
		return v.Float64()
	case []any:
		for i := range v {
			if v[i], err = numbers(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for key := range v {
			if v[key], err = numbers(v[key]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// list reads what follows [.
func (p *jsonParser) list(depth int) ([]any, error) {
	if depth > maxDepth {
		return nil, errTooDeep()
	}
	list := []any{}
	for p.dec.More() {
		token, err := p.dec.Token()
		if err != nil {
			return nil, err
		}
		item, err := p.item(token, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	_, err := p.dec.Token()
	return list, err
}
