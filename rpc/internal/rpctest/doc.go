// Package rpctest has what tests of plugins and of other leaves of rpc need again and
// again: endpoints that close with their test, and waiting that fails loudly.
//
// Only tests below rpc import it. Its functions must be called from the goroutine of
// the test.
package rpctest
