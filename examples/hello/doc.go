// Command hello is the smallest application: one rpc service. The README shows
// it whole.
package main
