package md5_test

import (
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/filter/filtertest"
	"github.com/dserver/dserver/rpc/filter/md5"
)

func suite() filtertest.Suite {
	return filtertest.Suite{
		Filter: md5.Filter{}, ID: '5', Name: "md5", Detects: true,
		Refused: []filtertest.Refused{
			{Bytes: "fifteen bytes..", Want: "cannot check 15 bytes: the sum alone has 16"},
			{Bytes: "a" + strings.Repeat("\x00", 16), Want: "cannot check 1 bytes: the sum does not match", Is: md5.ErrSum},
		},
		Bombs: []filtertest.Bomb{{Name: "a long message", Bytes: strings.Repeat("x", 1<<20), Limit: 1 << 19, Most: 2 << 20}},
	}
}

func TestFilter(t *testing.T) { suite().Run(t) }

func FuzzAppendUnpack(f *testing.F) { suite().Fuzz(f) }

func TestForm(t *testing.T) {
	const sum = "\x0c\xc1\x75\xb9\xc0\xf1\xb6\xa8\x31\xc3\x99\xe2\x69\x77\x26\x61"
	if got, err := (md5.Filter{}).AppendPack(nil, []byte("a")); err != nil || string(got) != "a"+sum {
		t.Errorf("got %x, %v", got, err)
	}
}
