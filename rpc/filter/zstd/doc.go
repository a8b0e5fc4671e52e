// Package zstd is the filter that compresses with Zstandard (RFC 8878): to about the
// size that gzip does, in a fifth of the time.
//
// The form is one frame. What the filter writes says how many bytes it becomes, and has
// a checksum of 32 bits. Frames that do not say it are read as well, more slowly, if
// they look back 8 MiB at most; those that need a dictionary are refused.
//
// It imports github.com/klauspost/compress, which a program without it does not link.
// A Filter is safe for concurrent use.
package zstd
