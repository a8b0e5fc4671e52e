package snappy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/filter/filtertest"
	"github.com/dserver/dserver/rpc/filter/snappy"
)

func suite(t testing.TB) filtertest.Suite {
	t.Helper()
	packed, err := snappy.Filter{}.AppendPack(nil, make([]byte, 64<<20))
	if err != nil {
		t.Fatal(err)
	}
	return filtertest.Suite{
		Filter: snappy.Filter{}, ID: 'S', Name: "snappy",
		Refused: []filtertest.Refused{
			{Bytes: "", Want: "cannot decompress: s2: corrupt input"},
			{Bytes: "\xff\xff\xff\xff\xff\x01", Want: "corrupt input"},
			{Bytes: "\x05\x10hell", Want: "corrupt input"},
			{Bytes: "\x05\x0c" + "hell", Want: "corrupt input"},
			{Bytes: "\x0a\x00a\x15\x02", Want: "corrupt input"},
		},
		Bombs: []filtertest.Bomb{
			{Name: "64 MiB of zeros", Bytes: string(packed), Limit: 1 << 20, Most: 16 << 10},
			{Name: "an announced size", Bytes: "\x80\x80\x80\x08\x00x", Limit: 16 << 20, Most: 16 << 10, Lie: true},
			{Name: "the same without a limit", Bytes: "\xff\xff\xff\xff\x0f\x00x", Most: 16 << 10, Lie: true},
		},
	}
}

func TestFilter(t *testing.T) { suite(t).Run(t) }

func FuzzAppendUnpack(f *testing.F) { suite(f).Fuzz(f) }

// TestForm: the first has a literal, the second a copy besides, as the format describes
// them.
func TestForm(t *testing.T) {
	for packed, want := range map[string]string{
		"\x05\x10hello":         "hello",
		"\x0a\x00a\x15\x01":     "aaaaaaaaaa",
		"\x40\x00a\xfa\x01\x00": strings.Repeat("a", 64),
	} {
		if out, err := (snappy.Filter{}).AppendUnpack(nil, []byte(packed), 64); err != nil || string(out) != want {
			t.Errorf("%q: got %q, %v", packed, out, err)
		}
	}
}

// TestTheDensestBlockIsRead: no writer needs fewer bytes than copies of 64 each.
func TestTheDensestBlockIsRead(t *testing.T) {
	const copies = 1 << 14
	size := 1 + 64*copies
	packed := []byte{byte(size) | 0x80, byte(size>>7) | 0x80, byte(size >> 14), 0, 'a'}
	for range copies {
		packed = append(packed, 0xfe, 1, 0)
	}
	out, err := snappy.Filter{}.AppendUnpack(nil, packed, size)
	if err != nil || string(out) != strings.Repeat("a", size) {
		t.Errorf("got %d bytes, %v", len(out), err)
	}
}

func ExampleFilter() {
	f := snappy.Filter{}
	packed, err := f.AppendPack(nil, []byte(strings.Repeat("tea ", 1000)))
	fmt.Println(len(packed) < 300, err)
	text, err := f.AppendUnpack(nil, packed, 4000)
	fmt.Println(len(text), err)
	_, err = f.AppendUnpack(nil, packed, 3999)
	fmt.Println(err)
	// Output:
	// true <nil>
	// 4000 <nil>
	// 4000 bytes, the most is 3999: message exceeds the limit
}
