// Package matrix has no code, only a test: every protocol with every codec, filter and
// transport that this module has, over calls, errors and pushes in both directions.
//
// It stands apart so that the tests of package rpc link none of the leaves.
package matrix
