package zstd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/dserver/dserver/rpc/filter"
	"github.com/dserver/dserver/rpc/filter/internal/grow"
)

// Filter is the filter with one level. Make it with [New].
type Filter struct {
	level         zstd.EncoderLevel
	compressors   sync.Pool // of *zstd.Encoder
	decompressors sync.Pool // of *zstd.Decoder
}

var _ filter.Filter = (*Filter)(nil)

// Levels of compression. A compressor has memory of 1.5, 2.5, 5.5 and 37 MB; there are
// as many as messages are compressed at the same time. Best takes several times as long
// as the others.
const (
	Fastest = int(zstd.SpeedFastest)
	Default = int(zstd.SpeedDefault)
	Better  = int(zstd.SpeedBetterCompression)
	Best    = int(zstd.SpeedBestCompression)
)

// New makes a filter of a level: [Fastest], [Default], [Better] or [Best].
func New(level int) (*Filter, error) {
	if level < Fastest || level > Best {
		return nil, fmt.Errorf("cannot make a zstd filter: the level is %d, it must be %d to %d", level, Fastest, Best)
	}
	return &Filter{level: zstd.EncoderLevel(level)}, nil
}

// ID is 'Z'.
func (*Filter) ID() byte { return filter.IDZstd }

// Name is "zstd".
func (*Filter) Name() string { return "zstd" }

// window is how far back a compressor looks for what it has seen. What it keeps
// between messages grows with it.
const window = 1 << 20

// AppendPack appends src in compressed form.
func (f *Filter) AppendPack(dst, src []byte) ([]byte, error) {
	c, ok := f.compressors.Get().(*zstd.Encoder)
	if !ok {
		var err error
		// One of them is used by one caller at a time, and starts no goroutines.
		c, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(f.level),
			zstd.WithWindowSize(window), zstd.WithLowerEncoderMem(true), zstd.WithZeroFrames(true), zstd.WithSingleSegment(true))
		if err != nil {
			return dst, fmt.Errorf("cannot compress: %w", err)
		}
	}
	out := c.EncodeAll(src, dst)
	f.compressors.Put(c)
	return out, nil
}

// AppendUnpack appends what was compressed, never more than the limit. A frame that
// says how much it becomes gets that memory at once, if its bytes can hold that much.
func (f *Filter) AppendUnpack(dst, src []byte, limit int) ([]byte, error) {
	var h zstd.Header
	err := h.Decode(src)
	if err == nil && h.Skippable {
		err = errors.New("the frame has no data")
	}
	size := int(min(h.FrameContentSize, math.MaxInt-spare))
	switch {
	case err != nil:
		return dst, fmt.Errorf("cannot decompress: %w", err)
	case limit > 0 && size > limit:
		return dst, fmt.Errorf("%d bytes, the most is %d: %w", size, limit, filter.ErrTooLarge)
	case size/largestBlock > len(src)/smallestBlock:
		return dst, fmt.Errorf("cannot decompress: %d bytes cannot be the %d that they say", len(src), size)
	}
	var out []byte
	if h.HasFCS {
		out, err = f.whole(dst, src, size)
	} else {
		out, err = stream(dst, src, limit)
	}
	if err != nil {
		return dst, fmt.Errorf("cannot decompress: %w", err)
	}
	return out, nil
}

const (
	smallestBlock = 4         // bytes in a message
	largestBlock  = 128 << 10 // bytes that one can become
	spare         = 16        // bytes of room with which decompressing is faster
)

// maxPooled is the largest message whose decompressor is kept: it holds on to it.
const maxPooled = 64 << 10

// whole appends a frame that becomes as many bytes as it said.
func (f *Filter) whole(dst, src []byte, size int) (_ []byte, err error) {
	d, ok := f.decompressors.Get().(*zstd.Decoder)
	if !ok {
		// With the limit it stops where the room ends.
		if d, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true)); err != nil {
			return nil, err
		}
	}
	if size <= maxPooled {
		defer f.decompressors.Put(d)
	}
	start := len(dst)
	room := slices.Grow(dst, size+spare)[:start+size+spare]
	out, err := d.DecodeAll(src, room[start:start:start+size+spare])
	if err == nil && len(out) != size {
		err = errors.New("more than one frame has data")
	}
	if err != nil {
		return nil, err
	}
	copy(room[start:], out) // onto itself, unless the library had memory of its own
	return room[:start+size], nil
}

// farthest is the most that a frame may look back, which every reader should allow: it
// costs as much memory.
const farthest = 8 << 20

// stream appends a frame that does not say how many bytes it becomes. Its decoder is
// not kept, because of its memory.
func stream(dst, src []byte, limit int) ([]byte, error) {
	power := windowPower(src, limit)
	// Further frames are not narrowed, and must not look back farther.
	d, err := zstd.NewReader(narrow(src, power), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(min(farthest, uint64(1)<<power)))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	out, err := grow.AppendAll(dst, d, limit)
	if errors.Is(err, zstd.ErrWindowSizeExceeded) {
		err = fmt.Errorf("%w: %w", err, filter.ErrTooLarge)
	}
	return out, err
}

// windowPower is the power of two that a frame needs to look back no farther than what
// it can or may become.
func windowPower(src []byte, limit int) int {
	most := (uint64(len(src))/smallestBlock + 1) * largestBlock
	if limit > 0 {
		most = min(most, uint64(limit))
	}
	return max(bits.Len64(most-1), 17)
}

// narrow reads a frame that looks back no farther than a power of two, whatever it says,
// so that a few bytes do not cost the memory of a long message.
func narrow(src []byte, power int) io.Reader {
	// The sixth byte has a power of two, from ten on, and eighths of it.
	const at = 5
	if int(src[at]>>3)+10 >= power {
		head := append([]byte(nil), src[:at+1]...)
		head[at] = byte(power-10) << 3
		return io.MultiReader(bytes.NewReader(head), bytes.NewReader(src[at+1:]))
	}
	return bytes.NewReader(src)
}
