// Package conformance holds an instance to what its verbs promise, through the
// real executable and real processes: that both modes answer alike but for what
// docs/modes.md lists, that bad input gets one clear line and the right exit code,
// and that a crash of any process costs no more than it has to.
//
// It has tests only; nobody imports it. The long ones need the build tag slow; the
// budgets are benchmarks:
//
//	go test -tags slow ./host/conformance
//	go test -run '^$' -bench . ./host/conformance
package conformance
