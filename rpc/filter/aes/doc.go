// Package aes is the filter that encrypts as peers of old do: AES-CBC with PKCS #7
// padding and an initial vector that is always the same.
//
// It is there to talk to them. Equal messages have equal bytes, and who changes
// bytes is not found out: between peers of one's own take a filter that
// authenticates, or TLS.
//
// It imports package filter alone. A Filter is safe for concurrent use.
package aes
