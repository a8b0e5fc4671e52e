// Package sandboxtest runs services under test, on real sockets and without a
// master.
//
// [Run] starts one, gives its addresses, and at the end of the test drains it and
// complains about what was cut, did not stop, or left goroutines behind. Several
// of them may share [Sockets], as generations do in a reload.
//
// Tests of applications import it. Its types are safe for concurrent use.
package sandboxtest
