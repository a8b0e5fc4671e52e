package snappy

import (
	"fmt"
	"slices"

	"github.com/klauspost/compress/s2"

	"github.com/dserver/dserver/rpc/filter"
)

// Filter is the filter; it has no settings.
type Filter struct{}

var _ filter.Filter = Filter{}

// ID is 'S'.
func (Filter) ID() byte { return filter.IDSnappy }

// Name is "snappy".
func (Filter) Name() string { return "snappy" }

// AppendPack appends src in compressed form. It takes up to 3 GiB.
func (Filter) AppendPack(dst, src []byte) ([]byte, error) {
	most := s2.MaxEncodedLen(len(src))
	if most < 0 {
		return dst, fmt.Errorf("cannot compress %d bytes: that is more than a block can have", len(src))
	}
	start := len(dst)
	dst = slices.Grow(dst, most)
	packed := s2.EncodeSnappy(dst[start:start:start+most], src)
	return dst[:start+len(packed)], nil
}

// densest is how many bytes a byte can stand for: three of them copy 64.
const densest = 22

// AppendUnpack appends what was compressed. It needs the memory at once, for all that
// is announced, so it believes nothing that the bytes cannot hold.
func (Filter) AppendUnpack(dst, src []byte, limit int) ([]byte, error) {
	size, err := s2.DecodedLen(src)
	if err != nil {
		return dst, fmt.Errorf("cannot decompress: %w", err)
	}
	if limit > 0 && size > limit {
		return dst, fmt.Errorf("%d bytes, the most is %d: %w", size, limit, filter.ErrTooLarge)
	}
	if size/densest > len(src) {
		return dst, fmt.Errorf("cannot decompress: %d bytes cannot be the %d that they say", len(src), size)
	}
	start := len(dst)
	out := slices.Grow(dst, size)[:start+size]
	if _, err := s2.Decode(out[start:start+size:start+size], src); err != nil {
		return dst, fmt.Errorf("cannot decompress: %w", err)
	}
	return out, nil
}
