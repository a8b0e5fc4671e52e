// Package status holds the answer of a call that did not go well: a [Status] is
// an error with a code, texts for people, and a hint whether to try again.
//
// Handlers return it, callers find it with errors.As or [CodeOf]. Anybody may
// import the package; it imports internal/gotext. A Status is not changed after
// it was made and may be shared by goroutines.
package status
