// Package snappy is the filter that compresses a little, and fast: the block format of
// Snappy, see https://github.com/google/snappy/blob/main/format_description.txt.
//
// The format has no sum: bytes that were changed can become others that nobody asked
// for. Put the filter md5 or aesgcm around it where that can happen.
//
// It imports github.com/klauspost/compress, which a program without it does not link.
// A Filter is safe for concurrent use.
package snappy
