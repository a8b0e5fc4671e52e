package aes

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"

	"github.com/dserver/dserver/rpc/filter"
)

// vector is that of all peers.
const vector = "I Love Go Frame!"

// Filter is the filter with one key. Make it with [New].
type Filter struct{ block cipher.Block }

var _ filter.Filter = (*Filter)(nil)

// ErrPadding is what AppendUnpack wraps when bytes were not encrypted with this key.
var ErrPadding = errors.New("the padding is wrong: is it the same key?")

// New makes a filter of a key of 16, 24 or 32 bytes.
func New(key []byte) (*Filter, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("cannot make an aes filter: the key has %d bytes, it needs 16, 24 or 32", len(key))
	}
	return &Filter{block}, nil
}

// ID is 'a'.
func (*Filter) ID() byte { return filter.IDAES }

// Name is "aes".
func (*Filter) Name() string { return "aes" }

// AppendPack appends src in encrypted form, 1 to 16 bytes longer.
func (f *Filter) AppendPack(dst, src []byte) ([]byte, error) {
	padding := aes.BlockSize - len(src)%aes.BlockSize
	start := len(dst)
	dst = append(dst, src...)
	for range padding {
		dst = append(dst, byte(padding))
	}
	cipher.NewCBCEncrypter(f.block, []byte(vector)).CryptBlocks(dst[start:], dst[start:])
	return dst, nil
}

// AppendUnpack appends what was encrypted.
func (f *Filter) AppendUnpack(dst, src []byte, limit int) ([]byte, error) {
	if len(src) == 0 || len(src)%aes.BlockSize != 0 {
		return dst, fmt.Errorf("cannot decrypt %d bytes: they come in blocks of %d", len(src), aes.BlockSize)
	}
	if limit > 0 && len(src)-aes.BlockSize > limit {
		return dst, fmt.Errorf("%d bytes, the most is %d: %w", len(src), limit, filter.ErrTooLarge)
	}
	start := len(dst)
	out := append(dst, src...)
	plain := out[start:]
	cipher.NewCBCDecrypter(f.block, []byte(vector)).CryptBlocks(plain, plain)
	size := len(plain) - int(plain[len(plain)-1])
	if size == len(plain) || size < len(plain)-aes.BlockSize || !padded(plain[size:]) {
		return dst, fmt.Errorf("cannot decrypt %d bytes: %w", len(src), ErrPadding)
	}
	if limit > 0 && size > limit {
		return dst, fmt.Errorf("%d bytes, the most is %d: %w", size, limit, filter.ErrTooLarge)
	}
	return out[:start+size], nil
}

func padded(tail []byte) bool {
	for _, b := range tail {
		if int(b) != len(tail) {
			return false
		}
	}
	return true
}
