package gzip_test

import (
	"bytes"
	stdgzip "compress/gzip"
	"io"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/filter/filtertest"
	"github.com/dserver/dserver/rpc/filter/gzip"
)

// zeros gives n bytes of 0, compressed.
func zeros(t testing.TB, n int64) string {
	t.Helper()
	var out bytes.Buffer
	w := stdgzip.NewWriter(&out)
	if _, err := io.CopyN(w, zero{}, n); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

type zero struct{}

func (zero) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func newFilter(t testing.TB, level int) *gzip.Filter {
	t.Helper()
	f, err := gzip.New(level)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func suite(t testing.TB) filtertest.Suite {
	return filtertest.Suite{
		Filter: newFilter(t, gzip.Default), ID: 'z', Name: "gzip",
		Refused: []filtertest.Refused{
			{Bytes: "\x1f\x8b", Want: "cannot decompress: unexpected EOF", Is: io.ErrUnexpectedEOF},
			{Bytes: "no such bytes", Want: "cannot decompress: gzip: invalid header"},
		},
		Bombs: []filtertest.Bomb{
			{Name: "16 MiB of zeros", Bytes: zeros(t, 16<<20), Limit: 1 << 20, Most: 6 << 20},
			{Name: "many small members", Bytes: strings.Repeat(zeros(t, 64<<10), 64), Limit: 1 << 20, Most: 6 << 20},
		},
	}
}

func TestFilter(t *testing.T) { suite(t).Run(t) }

// TestLevelsUnderstandEachOther: a level is the writer's affair.
func TestLevelsUnderstandEachOther(t *testing.T) {
	reader := newFilter(t, gzip.Default)
	src := []byte(strings.Repeat("tea, pot, cup; ", 20000))
	for _, level := range []int{gzip.Fastest, gzip.Default, gzip.Best} {
		packed, err := newFilter(t, level).AppendPack(nil, src)
		if err != nil || len(packed) > len(src)/20 {
			t.Errorf("level %d: %d bytes, %v", level, len(packed), err)
		}
		if out, err := reader.AppendUnpack(nil, packed, len(src)); err != nil || !bytes.Equal(out, src) {
			t.Errorf("level %d: got %d bytes, %v", level, len(out), err)
		}
	}
}

func FuzzAppendUnpack(f *testing.F) { suite(f).Fuzz(f) }

func TestLevelsThatAreNoneAreRefused(t *testing.T) {
	for _, level := range []int{-2, 0, 10} {
		if _, err := gzip.New(level); err == nil || !strings.Contains(err.Error(), "it must be 1 to 9, or -1 for the default") {
			t.Errorf("%d: %v", level, err)
		}
	}
}

// TestMembersBehindEachOther are one message, as RFC 1952 has it.
func TestMembersBehindEachOther(t *testing.T) {
	f := newFilter(t, gzip.Default)
	first, err := f.AppendPack(nil, []byte("one "))
	if err != nil {
		t.Fatal(err)
	}
	both, err := f.AppendPack(first, []byte("message"))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := f.AppendUnpack(nil, both, 11); err != nil || string(out) != "one message" {
		t.Errorf("got %q, %v", out, err)
	}
}
