// Package python is a client of the raw protocol in one file of Python, and the
// tests that run it against a real endpoint. There is no Go in it: it shows what
// docs/wire.md is good for, and keeps it true.
//
// Nobody imports it.
package python
