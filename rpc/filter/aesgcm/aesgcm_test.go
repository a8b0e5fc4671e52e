package aesgcm_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/filter/aesgcm"
	"github.com/dserver/dserver/rpc/filter/filtertest"
)

func key(id byte, secret string) aesgcm.Key { return aesgcm.Key{ID: id, Secret: []byte(secret)} }

func newFilter(t testing.TB, current aesgcm.Key, others ...aesgcm.Key) *aesgcm.Filter {
	t.Helper()
	f, err := aesgcm.New(current, others...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func suite(t testing.TB) filtertest.Suite {
	return filtertest.Suite{
		Filter: newFilter(t, key(1, "0123456789abcdef"), key(0, "another key of 32 bytes length..")), ID: 'g', Name: "aesgcm", Detects: true,
		Refused: []filtertest.Refused{
			{Bytes: "", Want: "cannot decrypt no bytes"},
			{Bytes: "\x02" + strings.Repeat("x", 40), Want: "cannot decrypt with key 2: there is no such key", Is: aesgcm.ErrKey},
			{Bytes: "\x01" + strings.Repeat("x", 27), Want: "cannot decrypt 28 bytes: nonce and tag alone have 28"},
			{Bytes: "\x01" + strings.Repeat("x", 28), Want: "cannot decrypt 29 bytes with key 1: the message was changed", Is: aesgcm.ErrForged},
		},
		Bombs: []filtertest.Bomb{{Name: "a long message", Bytes: "\x01" + strings.Repeat("x", 1<<20), Limit: 1 << 19, Most: 2 << 20}},
	}
}

func TestFilter(t *testing.T) { suite(t).Run(t) }

func FuzzAppendUnpack(f *testing.F) { suite(f).Fuzz(f) }

// TestForm: what others encrypted by the same rules is read.
func TestForm(t *testing.T) {
	// AES-128-GCM of "x" with the nonce 00 01 ... 0b and the associated byte 07, by
	// another implementation.
	packed, err := hex.DecodeString("07" + "000102030405060708090a0b" + "85d062046d1478c7e66b6da6fcf2e215ff")
	if err != nil {
		t.Fatal(err)
	}
	f := newFilter(t, key(7, "0123456789abcdef"))
	if out, err := f.AppendUnpack(nil, packed, 1); err != nil || string(out) != "x" {
		t.Errorf("got %q, %v", out, err)
	}
}

// F112: equal messages have different bytes, and changed ones are refused; the suite
// looks at every bit.
func TestF112EqualMessagesHaveDifferentBytes(t *testing.T) {
	f := newFilter(t, key(1, "0123456789abcdef"))
	seen := make(map[string]bool)
	for range 1000 {
		packed, err := f.AppendPack(nil, []byte("the same"))
		if err != nil || len(packed) != len("the same")+29 || bytes.Contains(packed, []byte("same")) {
			t.Fatalf("got %q, %v", packed, err)
		}
		if nonce := string(packed[1:13]); seen[nonce] {
			t.Fatalf("nonce %x came twice", nonce)
		} else {
			seen[nonce] = true
		}
	}
}

// TestKeysChangeWithoutInterruption, in the three steps that the package describes.
func TestKeysChangeWithoutInterruption(t *testing.T) {
	old, fresh := key(1, "0123456789abcdef"), key(2, "fedcba9876543210")
	steps := []*aesgcm.Filter{
		newFilter(t, old), newFilter(t, old, fresh), newFilter(t, fresh, old), newFilter(t, fresh),
	}
	understands := func(writer, reader int) error {
		packed, err := steps[writer].AppendPack(nil, []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = steps[reader].AppendUnpack(nil, packed, 0)
		return err
	}
	for step := range steps {
		for _, other := range []int{step - 1, step, step + 1} {
			if other < 0 || other == len(steps) {
				continue
			}
			if err := understands(step, other); err != nil {
				t.Errorf("who is at step %d is not understood at step %d: %v", step, other, err)
			}
		}
	}
	if err := understands(0, 3); !errors.Is(err, aesgcm.ErrKey) {
		t.Errorf("the old key, when it was taken away: %v", err)
	}
	packed, err := newFilter(t, key(1, "fedcba9876543210")).AppendPack(nil, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := steps[0].AppendUnpack(nil, packed, 0); !errors.Is(err, aesgcm.ErrForged) {
		t.Errorf("another key of the same id: %v", err)
	}
}

func TestBadKeysAreRefused(t *testing.T) {
	good := key(1, "0123456789abcdef")
	for _, n := range []int{0, 15, 17, 33} {
		if _, err := aesgcm.New(good, key(2, strings.Repeat("k", n))); err == nil ||
			!strings.Contains(err.Error(), fmt.Sprintf("key 2 has %d bytes, it needs 16, 24 or 32", n)) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, err := aesgcm.New(good, good); err == nil || !strings.Contains(err.Error(), "two keys have the id 1") {
		t.Errorf("the same id twice: %v", err)
	}
}

func Example() {
	old := aesgcm.Key{ID: 1, Secret: []byte("0123456789abcdef")}
	fresh := aesgcm.Key{ID: 2, Secret: []byte("fedcba9876543210")}
	before, err := aesgcm.New(old)
	if err != nil {
		fmt.Println(err)
		return
	}
	after, err := aesgcm.New(fresh, old)
	if err != nil {
		fmt.Println(err)
		return
	}
	packed, err := before.AppendPack(nil, []byte("hello"))
	fmt.Println(len(packed), err)
	text, err := after.AppendUnpack(nil, packed, 0)
	fmt.Println(string(text), err)
	packed[20] ^= 1
	_, err = after.AppendUnpack(nil, packed, 0)
	fmt.Println(err)
	// Output:
	// 34 <nil>
	// hello <nil>
	// cannot decrypt 34 bytes with key 1: the message was changed, or it is another key
}
