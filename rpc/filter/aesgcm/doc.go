// Package aesgcm is the filter that encrypts and authenticates: AES-GCM, each message
// with a random nonce. Equal messages have other bytes each time, and bytes that
// somebody changed are refused.
//
// The form is a byte that names the key, 12 bytes of nonce, the encrypted bytes and 16
// bytes of tag, which vouches for the first byte as well: 29 bytes more than the
// message.
//
// # Keys
//
// A filter encrypts with its current key and decrypts with that and all others it has.
// To change keys without an interruption give the new one to all as another key, then
// to all as the current one, then take the old one away.
//
// Change keys after about 4,000,000,000 messages of all who have them (2^32; a day, at
// 50,000 messages a second): beyond that, the chance that a nonce comes twice is not
// negligible any more, and then encryption ends to protect.
//
// # What it does not do
//
// A message that is recorded and sent again is accepted again, and the other side of a
// session has the same keys: one can send back what the other wrote. TLS knows of
// sessions and sides; this is for messages that pass others who must not read them.
//
// It imports package filter alone. A Filter is safe for concurrent use.
package aesgcm
