// Package gzip is the filter that compresses, in the form of RFC 1952.
//
// It imports package filter alone. A Filter is safe for concurrent use.
package gzip
