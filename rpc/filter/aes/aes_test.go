package aes_test

import (
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/filter/aes"
	"github.com/dserver/dserver/rpc/filter/filtertest"
)

func suite(t testing.TB) filtertest.Suite {
	t.Helper()
	f, err := aes.New([]byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	return filtertest.Suite{
		Filter: f, ID: 'a', Name: "aes",
		Refused: []filtertest.Refused{
			{Bytes: "fifteen bytes..", Want: "cannot decrypt 15 bytes: they come in blocks of 16"},
			{Bytes: "seventeen bytes..", Want: "they come in blocks of 16"},
			{Bytes: "sixteen bytes...", Want: "the padding is wrong", Is: aes.ErrPadding},
		},
		Bombs: []filtertest.Bomb{{Name: "a long message", Bytes: strings.Repeat("x", 1<<20), Limit: 1 << 19, Most: 2 << 20}},
	}
}

func TestFilter(t *testing.T) { suite(t).Run(t) }

func FuzzAppendUnpack(f *testing.F) { suite(f).Fuzz(f) }

func TestKeysOfOtherLengthsAreRefused(t *testing.T) {
	for _, n := range []int{0, 15, 17, 33} {
		if _, err := aes.New(make([]byte, n)); err == nil || !strings.Contains(err.Error(), "it needs 16, 24 or 32") {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	for _, n := range []int{16, 24, 32} {
		if _, err := aes.New(make([]byte, n)); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}
