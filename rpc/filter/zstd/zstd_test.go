package zstd_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/filter"
	"github.com/dserver/dserver/rpc/filter/filtertest"
	"github.com/dserver/dserver/rpc/filter/zstd"
)

func newFilter(t testing.TB, level int) *zstd.Filter {
	t.Helper()
	f, err := zstd.New(level)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func pack(t testing.TB, size int) string {
	t.Helper()
	packed, err := newFilter(t, zstd.Fastest).AppendPack(nil, make([]byte, size))
	if err != nil {
		t.Fatal(err)
	}
	return string(packed)
}

// endless gives a frame of so many blocks of 128 KiB of one letter that does not say
// how much it is.
func endless(blocks int) string {
	return magic + "\x00\x58" + strings.Repeat("\x02\x00\x10x", blocks) + "\x01\x00\x00"
}

// The program zstd 1.5.4 made these of a file and of a pipe, whose length it did not
// know.
const (
	text     = `{"id":17,"items":["tea","pot","tea","pot","tea","pot","tea","pot","tea","pot"]}`
	fromFile = "28b52ffd204f45010004027b226964223a31372c226974656d73223a5b22746561222c22706f74222c5d7d0100f2a83801"
	fromPipe = "28b52ffd046845010004027b226964223a31372c226974656d73223a5b22746561222c22706f74222c5d7d0100f2a8380122d275b1"
)

func unhex(t testing.TB, text string) string {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const magic = "\x28\xb5\x2f\xfd"

func suite(t testing.TB) filtertest.Suite {
	return filtertest.Suite{
		Filter: newFilter(t, zstd.Default), ID: 'Z', Name: "zstd",
		Refused: []filtertest.Refused{
			{Bytes: "no such bytes", Want: "cannot decompress: invalid input: magic number mismatch"},
			{Bytes: magic, Want: "cannot decompress: unexpected EOF"},
			{Bytes: magic + "\x08\x58\x01\x00\x00", Want: "reserved bit"},
			{Bytes: magic + "\x01\x58\x07\x01\x00\x00", Want: "dictionary"},
			{Bytes: "\x50\x2a\x4d\x18\x01\x00\x00\x00x", Want: "cannot decompress: the frame has no data"},
			{Bytes: pack(t, 10) + "\x50\x2a\x4d\x18\xff\xff\xff\x7fx", Want: "cannot decompress"},
			{Bytes: pack(t, 10) + pack(t, 6), Want: "cannot decompress: more than one frame has data"},
			{Bytes: pack(t, 10) + pack(t, 100), Want: "cannot decompress"},
			{Bytes: unhex(t, fromPipe)[:40], Want: "cannot decompress: unexpected EOF"},
		},
		Bombs: []filtertest.Bomb{
			{Name: "16 MiB of zeros", Bytes: pack(t, 16<<20), Limit: 1 << 20, Most: 64 << 10},
			{Name: "64 MiB that do not say so", Bytes: endless(1 << 9), Limit: 1 << 20, Most: 12 << 20},
			{Name: "many small frames that do not say so", Bytes: strings.Repeat(endless(1), 64), Limit: 1 << 20, Most: 12 << 20},
			{Name: "a second frame of 16 MiB", Bytes: pack(t, 10) + pack(t, 16<<20), Limit: 1 << 20, Most: 64 << 10, Lie: true},
			{Name: "a frame of more than it says", Bytes: magic + "\xa0\x0a\x00\x00\x00" + strings.Repeat("\x02\x00\x10x", 1000) + "\x01\x00\x00", Limit: 1 << 20, Most: 1 << 20, Lie: true},
			{Name: "an announced size", Bytes: magic + "\xa0\x00\x00\x00\x01\x01\x00\x00", Limit: 16 << 20, Most: 64 << 10, Lie: true},
			{Name: "an announced size of 64 bits", Bytes: magic + "\xe0\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00", Limit: 16 << 20, Most: 64 << 10},
			{Name: "the same without a limit", Bytes: magic + "\xe0\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00", Most: 64 << 10, Lie: true},
			{Name: "a second frame with an announced size", Bytes: pack(t, 10) + magic + "\xa0\x00\x00\x00\x01\x01\x00\x00", Limit: 16 << 20, Most: 64 << 10, Lie: true},
			{Name: "an announced window of 4 TB", Bytes: magic + "\x00\xff\x53\x00\x00x", Limit: 9, Most: 1 << 20},
			{Name: "an announced window besides a size", Bytes: magic + "\x80\xff\x0a\x00\x00\x00\x53\x00\x00x", Limit: 16 << 20, Most: 64 << 10, Lie: true},
		},
	}
}

func TestFilter(t *testing.T) { suite(t).Run(t) }

// TestLevelsUnderstandEachOther: a level is the writer's affair.
func TestLevelsUnderstandEachOther(t *testing.T) {
	reader := newFilter(t, zstd.Default)
	src := []byte(strings.Repeat("tea, pot, cup; ", 20000))
	for _, level := range []int{zstd.Fastest, zstd.Default, zstd.Better, zstd.Best} {
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

func TestFramesOfAnotherWriter(t *testing.T) {
	f := newFilter(t, zstd.Default)
	for _, frame := range []string{fromFile, fromPipe} {
		for _, limit := range []int{0, len(text), 1 << 20} {
			if out, err := f.AppendUnpack([]byte("before "), []byte(unhex(t, frame)), limit); err != nil || string(out) != "before "+text {
				t.Errorf("%d: got %q, %v", limit, out, err)
			}
		}
		out, err := f.AppendUnpack([]byte("before"), []byte(unhex(t, frame)), len(text)-1)
		if !errors.Is(err, filter.ErrTooLarge) || string(out) != "before" {
			t.Errorf("got %q, %v", out, err)
		}
	}
}

func TestLevelsThatAreNoneAreRefused(t *testing.T) {
	for _, level := range []int{0, 5} {
		if _, err := zstd.New(level); err == nil || !strings.Contains(err.Error(), "it must be 1 to 4") {
			t.Errorf("%d: %v", level, err)
		}
	}
}

func ExampleNew() {
	f, err := zstd.New(zstd.Default)
	if err != nil {
		fmt.Println(err)
		return
	}
	packed, err := f.AppendPack(nil, []byte(strings.Repeat("tea ", 1000)))
	fmt.Println(len(packed) < 50, err)
	text, err := f.AppendUnpack(nil, packed, 4000)
	fmt.Println(len(text), err)
	_, err = f.AppendUnpack(nil, packed, 3999)
	fmt.Println(err)
	// Output:
	// true <nil>
	// 4000 <nil>
	// 4000 bytes, the most is 3999: message exceeds the limit
}
