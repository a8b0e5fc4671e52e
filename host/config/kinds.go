package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// kind is one way of writing a value: how it is called, read and shown.
type kind[V any] struct {
	name string
	read func(b *builder, n *node) (V, error)
	show func(V) string
}

// keyed completes a field whose value is of kind k and goes to where into says.
func keyed[T, V any](f field[T], k kind[V], into func(*T) *V) field[T] {
	if f.kind == "" {
		f.kind = k.name
	}
	f.set = func(b *builder, n *node, to *T) {
		v, err := k.read(b, n)
		if err != nil {
			b.refuse(n, err)
			return
		}
		*into(to) = v
	}
	f.diff = func(old, next T) string {
		return changed(f.key, k.show(*into(&old)), k.show(*into(&next)))
	}
	return f
}

// lift makes the fields of a part fields of the whole.
func lift[T, S any](fields []field[S], part func(*T) *S) []field[T] {
	lifted := make([]field[T], len(fields))
	for i, f := range fields {
		lifted[i] = field[T]{key: f.key, kind: f.kind, def: f.def, note: f.note, doc: f.doc,
			set:  func(b *builder, n *node, to *T) { f.set(b, n, part(to)) },
			diff: func(old, next T) string { return f.diff(*part(&old), *part(&next)) },
		}
	}
	return lifted
}

// plainKind is a kind whose reader needs the value alone.
func plainKind[V any](name string, read func(*node) (V, error), show func(V) string) kind[V] {
	return kind[V]{name, func(_ *builder, n *node) (V, error) { return read(n) }, show}
}

func aBool() kind[bool] { return plainKind("true or false", (*node).asBool, strconv.FormatBool) }

// aCount is a whole number within bounds that fit an int32.
func aCount(low, high int64) kind[int] {
	return plainKind("number", func(n *node) (int, error) { return small(n.asInt(low, high)) }, strconv.Itoa)
}

func aWord[W ~string](words ...W) kind[W] {
	list := make([]string, len(words))
	for i, word := range words {
		list[i] = string(word)
	}
	return plainKind(orList(list), func(n *node) (W, error) { return oneOf(n, words...) },
		func(w W) string { return string(w) })
}

func aDuration(low time.Duration) kind[time.Duration] {
	return plainKind("duration", durationFrom(low), time.Duration.String)
}

// aDurationOrZero is a duration from low on, or 0, which switches something off.
func aDurationOrZero(low time.Duration) kind[time.Duration] {
	return plainKind("duration", func(n *node) (time.Duration, error) {
		d, err := n.asDuration(0, maxDays*24*time.Hour)
		if err == nil && d != 0 && d < low {
			err = fmt.Errorf("must be 0s or from %v on", low)
		}
		return d, err
	}, orEmpty(time.Duration.String))
}

// maxDays is the longest age of anything.
const maxDays = 366

// aSizeOrZero is a size from low on, or 0B.
func aSizeOrZero(low int64) kind[int64] {
	return plainKind("size", func(n *node) (int64, error) {
		size, err := n.asSize(0, 1<<50)
		if err == nil && size != 0 && size < low {
			err = fmt.Errorf("must be 0B or from %s on", formatSize(low))
		}
		return size, err
	}, orEmpty(formatSize))
}

// orEmpty shows nothing for the zero value.
func orEmpty[V comparable](show func(V) string) func(V) string {
	return func(v V) string {
		if v == *new(V) {
			return ""
		}
		return show(v)
	}
}

// aFraction is a number within bounds.
func aFraction(low, high float64) kind[float64] {
	return plainKind("number", func(n *node) (float64, error) { return n.asFloat(low, high) },
		orEmpty(func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }))
}

// someTexts is a list of texts, each of which good tells about.
func someTexts(name string, good func(string) error) kind[[]string] {
	return plainKind(name, func(n *node) ([]string, error) {
		list, err := n.asTexts()
		for i, text := range list {
			if err == nil {
				if err = good(text); err != nil && len(list) > 1 {
					err = fmt.Errorf("entry %d: %w", i+1, err)
				}
			}
			if err == nil && slices.Contains(list[:i], text) {
				err = fmt.Errorf("%q is there twice", cut(text, 80))
			}
		}
		return list, err
	}, func(list []string) string { return strings.Join(list, ", ") })
}

func (n *node) asBool() (bool, error) {
	switch v := n.value.(type) {
	case bool:
		return v, nil
	case string:
		if n.text && (v == "true" || v == "false") {
			return v == "true", nil
		}
		if v == "true" || v == "false" {
			return false, &reason{text: "wrong type: want true or false without quotes"}
		}
	}
	return false, wrongType("true or false", n)
}

func (n *node) asFloat(low, high float64) (float64, error) {
	var f float64
	switch v := n.value.(type) {
	case int64:
		f = float64(v)
	case float64:
		f = v
	case string:
		parsed, err := strconv.ParseFloat(v, 64)
		if !n.text {
			return 0, wrongType("a number", n)
		}
		if err != nil || math.IsNaN(parsed) {
			return 0, fmt.Errorf("must be a number from %v to %v", low, high)
		}
		f = parsed
	default:
		return 0, wrongType("a number", n)
	}
	if f < low || f > high {
		return 0, fmt.Errorf("must be from %v to %v", low, high)
	}
	return f, nil
}

// asInts reads a list of whole numbers; one stands for a list of one.
func (n *node) asInts(low, high int64) ([]int, error) {
	items, ok := n.value.([]any)
	if s, isText := n.value.(string); isText && n.text {
		items, ok = nil, true
		for part := range strings.SplitSeq(s, ",") {
			items = append(items, strings.TrimSpace(part))
		}
	}
	switch n.value.(type) {
	case int64, float64:
		items, ok = []any{n.value}, true
	}
	if !ok {
		return nil, wrongType("a number or a list of numbers", n)
	}
	list := make([]int, len(items))
	for i, item := range items {
		number, err := small((&node{value: item, text: n.text}).asInt(low, high))
		switch {
		case err != nil && len(items) > 1:
			return nil, fmt.Errorf("entry %d: %w", i+1, err)
		case err != nil:
			return nil, err
		}
		list[i] = number
	}
	if len(list) == 0 {
		return nil, errors.New("the list is empty")
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}
