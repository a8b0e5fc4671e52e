// Package filtertest checks that a filter does what filter.Filter promises.
//
// A [Suite] is a filter, and bytes that it must refuse at little cost. It is for tests
// alone, also for those of filters that live elsewhere; one suite at a time, because it
// measures memory.
package filtertest
