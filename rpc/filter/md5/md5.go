package md5

import (
	"crypto/md5"
	"errors"
	"fmt"

	"github.com/dserver/dserver/rpc/filter"
)

// Filter is the filter; it has no settings.
type Filter struct{}

var _ filter.Filter = Filter{}

// ErrSum is what AppendUnpack wraps when the sum is another one.
var ErrSum = errors.New("the sum does not match")

// ID is '5'.
func (Filter) ID() byte { return filter.IDMD5 }

// Name is "md5".
func (Filter) Name() string { return "md5" }

// AppendPack appends src and its sum.
func (Filter) AppendPack(dst, src []byte) ([]byte, error) {
	sum := md5.Sum(src)
	return append(append(dst, src...), sum[:]...), nil
}

// AppendUnpack appends src without its sum, which must match.
func (Filter) AppendUnpack(dst, src []byte, limit int) ([]byte, error) {
	size := len(src) - md5.Size
	if size < 0 {
		return dst, fmt.Errorf("cannot check %d bytes: the sum alone has %d", len(src), md5.Size)
	}
	if limit > 0 && size > limit {
		return dst, fmt.Errorf("%d bytes, the most is %d: %w", size, limit, filter.ErrTooLarge)
	}
	if md5.Sum(src[:size]) != [md5.Size]byte(src[size:]) {
		return dst, fmt.Errorf("cannot check %d bytes: %w", size, ErrSum)
	}
	return append(dst, src[:size]...), nil
}
