// Package hosttest runs whole instances for tests: real processes of a program
// that was built for the purpose (package app beside it), in both modes, with new
// builds of it to reload, and a look at the end whether anything was left behind.
//
// Only tests import it. Their TestMain calls [Main]; a test then says
//
//	hosttest.EachMode(t, func(t *testing.T, in *hosttest.Instance) {
//		in.Start()
//		...
//	})
//
// An Instance belongs to one test; its methods may be called from any goroutine
// of it unless they can fail the test at once.
package hosttest
