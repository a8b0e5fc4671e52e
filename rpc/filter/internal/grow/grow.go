package grow

import (
	"errors"
	"fmt"
	"io"

	"github.com/dserver/dserver/rpc/filter"
)

// AppendAll appends all of r, if that is not more than limit bytes; 0 is no limit. It
// wraps filter.ErrTooLarge, and gives other errors of r as they are.
func AppendAll(dst []byte, r io.Reader, limit int) ([]byte, error) {
	const step = 512
	start := len(dst)
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, make([]byte, step)...)[:len(dst)]
		}
		room := dst[len(dst):cap(dst)]
		if limit > 0 {
			room = room[:min(len(room), limit-(len(dst)-start)+1)]
		}
		n, err := r.Read(room)
		dst = dst[:len(dst)+n]
		switch {
		case limit > 0 && len(dst)-start > limit:
			return nil, fmt.Errorf("more than %d bytes: %w", limit, filter.ErrTooLarge)
		case errors.Is(err, io.EOF):
			return dst, nil
		case err != nil:
			return nil, err
		}
	}
}
