package securebody

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	classic "github.com/dserver/dserver/rpc/filter/aes"
)

// Key is a secret that both sides have, with the name by which messages refer to it.
type Key struct {
	ID     string // letters, digits, dots, dashes and underscores, 64 at most; default "key"
	Secret []byte // 16, 24 or 32 random bytes
}

const (
	label         = "dserver securebody 1"
	sealedVersion = "gcm1:"
	sealedKeySize = 32
	maxKeyID      = 64
)

// key is a Key made ready.
type key struct {
	id      string
	version string // in the form Classic
	secret  []byte
	classic *classic.Filter
}

// keyring is what is known at one time; the first one encrypts.
type keyring struct {
	list []*key
}

func newKeyring(keys []Key) (*keyring, error) {
	if len(keys) == 0 {
		return nil, errors.New("no key given")
	}
	r := new(keyring)
	for _, k := range keys {
		if k.ID == "" {
			k.ID = "key"
		}
		if len(k.ID) > maxKeyID || strings.ContainsFunc(k.ID, notInID) {
			return nil, fmt.Errorf("key id %q is no word of letters, digits, dots, dashes and underscores", k.ID)
		}
		if r.sealed(k.ID) != nil {
			return nil, fmt.Errorf("there are two keys with the id %q", k.ID)
		}
		f, err := classic.New(k.Secret)
		if err != nil {
			return nil, fmt.Errorf("key %s has %d bytes, it needs 16, 24 or 32", k.ID, len(k.Secret))
		}
		sum := md5.Sum(k.Secret)
		r.list = append(r.list, &key{id: k.ID, version: hex.EncodeToString(sum[:]), secret: slices.Clone(k.Secret), classic: f})
	}
	return r, nil
}

func notInID(c rune) bool {
	return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_')
}

func (r *keyring) first() *key { return r.list[0] }

// sealed finds a key by its id; nil if there is none.
func (r *keyring) sealed(id string) *key {
	return r.find(func(k *key) bool { return k.id == id })
}

// classic finds a key by its version in the form Classic; nil if there is none.
func (r *keyring) classic(version string) *key {
	return r.find(func(k *key) bool { return k.version == version })
}

func (r *keyring) find(is func(*key) bool) *key {
	if i := slices.IndexFunc(r.list, is); i >= 0 {
		return r.list[i]
	}
	return nil
}

// aead is what a sender's bodies are sealed with. A key of its own for each sender keeps
// random nonces from meeting.
func (k *key) aead(sender senderID) (cipher.AEAD, error) {
	derived, err := hkdf.Key(sha256.New, k.secret, sender[:], label, sealedKeySize)
	if err != nil {
		return nil, fmt.Errorf("cannot derive a key: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("cannot use a derived key: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}
