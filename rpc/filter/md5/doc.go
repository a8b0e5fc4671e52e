// Package md5 is the filter that adds an MD5 sum: it finds bytes that were damaged
// by accident, and protects from nobody who wants to change them.
//
// The form is the bytes themselves, then the 16 bytes of their sum.
//
// It imports package filter alone. A Filter is safe for concurrent use.
package md5
