// Package load makes the calls of a measurement, in the process of the client, and takes
// the figures.
//
// A client with many callers is a closed loop: each makes its next call when the last one
// is answered. The time is divided into one to warm up and one that is measured; calls
// that are not wholly in the second do not count.
//
// The client's process imports it. Its function is for one measurement at a time.
package load
