// Package registrytest is the contract of package registry as a test suite: [Run]
// is called by the tests of each implementation.
//
// The suite works with several clients of one store, as in life, and can only
// know what a client sees. What it needs beyond the contract it asks of a
// [Harness]; outages are tested with clients that are a [Cutter].
//
// Tests may import it; it imports registry and internal packages.
package registrytest
