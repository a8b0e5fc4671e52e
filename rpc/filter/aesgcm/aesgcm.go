package aesgcm

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"

	"github.com/dserver/dserver/rpc/filter"
)

// Key is a key and the byte that names it in messages.
type Key struct {
	ID     byte
	Secret []byte // 16, 24 or 32 bytes
}

// Filter is the filter with its keys. Make it with [New].
type Filter struct {
	current byte
	ciphers [256]cipher.AEAD // by key id
}

var _ filter.Filter = (*Filter)(nil)

var (
	// ErrForged is what AppendUnpack wraps when the bytes are not as they were
	// encrypted, or the key of that id is another one.
	ErrForged = errors.New("the message was changed, or it is another key")
	// ErrKey is what AppendUnpack wraps when it has no key of the id.
	ErrKey = errors.New("there is no such key")
)

// New makes a filter that encrypts with the current key and decrypts with each of the
// keys. Their ids must differ.
func New(current Key, others ...Key) (*Filter, error) {
	f := &Filter{current: current.ID}
	for _, key := range append([]Key{current}, others...) {
		if f.ciphers[key.ID] != nil {
			return nil, fmt.Errorf("cannot make an aesgcm filter: two keys have the id %d", key.ID)
		}
		block, err := aes.NewCipher(key.Secret)
		if err != nil {
			return nil, fmt.Errorf("cannot make an aesgcm filter: key %d has %d bytes, it needs 16, 24 or 32", key.ID, len(key.Secret))
		}
		if f.ciphers[key.ID], err = cipher.NewGCMWithRandomNonce(block); err != nil {
			return nil, fmt.Errorf("cannot make an aesgcm filter: %w", err)
		}
	}
	return f, nil
}

// ID is 'g'.
func (*Filter) ID() byte { return filter.IDAESGCM }

// Name is "aesgcm".
func (*Filter) Name() string { return "aesgcm" }

// AppendPack appends src in encrypted form, 29 bytes longer.
func (f *Filter) AppendPack(dst, src []byte) ([]byte, error) {
	return f.ciphers[f.current].Seal(append(dst, f.current), nil, src, []byte{f.current}), nil
}

// AppendUnpack appends what was encrypted.
func (f *Filter) AppendUnpack(dst, src []byte, limit int) ([]byte, error) {
	if len(src) == 0 {
		return dst, fmt.Errorf("cannot decrypt no bytes: the id of a key comes first")
	}
	id := src[0]
	gcm := f.ciphers[id]
	if gcm == nil {
		return dst, fmt.Errorf("cannot decrypt with key %d: %w", id, ErrKey)
	}
	size := len(src) - 1 - gcm.Overhead()
	if size < 0 {
		return dst, fmt.Errorf("cannot decrypt %d bytes: nonce and tag alone have %d", len(src), gcm.Overhead())
	}
	if limit > 0 && size > limit {
		return dst, fmt.Errorf("%d bytes, the most is %d: %w", size, limit, filter.ErrTooLarge)
	}
	out, err := gcm.Open(dst, nil, src[1:], []byte{id})
	if err != nil {
		return dst, fmt.Errorf("cannot decrypt %d bytes with key %d: %w", len(src), id, ErrForged)
	}
	return out, nil
}
