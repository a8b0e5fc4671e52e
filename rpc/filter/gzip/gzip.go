package gzip

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/dserver/dserver/rpc/filter"
	"github.com/dserver/dserver/rpc/filter/internal/grow"
)

// Filter is the filter with one level. Make it with [New].
type Filter struct {
	level         int
	compressors   sync.Pool // of *compressor
	decompressors sync.Pool // of *decompressor
}

var _ filter.Filter = (*Filter)(nil)

// Levels of compression.
const (
	Fastest = gzip.BestSpeed
	Default = gzip.DefaultCompression
	Best    = gzip.BestCompression
)

// New makes a filter of a level: [Fastest], 1, to [Best], 9, or [Default].
func New(level int) (*Filter, error) {
	if level != Default && (level < Fastest || level > Best) {
		return nil, fmt.Errorf("cannot make a gzip filter: the level is %d, it must be %d to %d, or %d for the default", level, Fastest, Best, Default)
	}
	return &Filter{level: level}, nil
}

// ID is 'z'.
func (*Filter) ID() byte { return filter.IDGzip }

// Name is "gzip".
func (*Filter) Name() string { return "gzip" }

// AppendPack appends src in compressed form.
func (f *Filter) AppendPack(dst, src []byte) ([]byte, error) {
	c, ok := f.compressors.Get().(*compressor)
	if !ok {
		c = new(compressor)
		c.gzip, _ = gzip.NewWriterLevel(nil, f.level) // New has looked at the level
	}
	c.out = dst
	c.gzip.Reset(c)
	_, err := c.gzip.Write(src)
	err = errors.Join(err, c.gzip.Close())
	out := c.out
	c.out = nil
	f.compressors.Put(c)
	if err != nil {
		return dst, fmt.Errorf("cannot compress: %w", err)
	}
	return out, nil
}

// AppendUnpack appends what was compressed. Memory grows with what comes out, never
// beyond the limit.
func (f *Filter) AppendUnpack(dst, src []byte, limit int) ([]byte, error) {
	d, ok := f.decompressors.Get().(*decompressor)
	if !ok {
		d = new(decompressor)
	}
	d.in.Reset(src)
	defer func() {
		d.in.Reset(nil)
		f.decompressors.Put(d)
	}()
	if err := d.gzip.Reset(&d.in); err != nil {
		return dst, broken(err)
	}
	out, err := grow.AppendAll(dst, &d.gzip, limit)
	if err != nil {
		return dst, broken(err)
	}
	return out, nil
}

// compressor appends what its gzip.Writer writes to out.
type compressor struct {
	gzip *gzip.Writer
	out  []byte
}

func (c *compressor) Write(p []byte) (int, error) {
	c.out = append(c.out, p...)
	return len(p), nil
}

type decompressor struct {
	gzip gzip.Reader
	in   bytes.Reader
}

func broken(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // it is no orderly end here
	}
	return fmt.Errorf("cannot decompress: %w", err)
}
