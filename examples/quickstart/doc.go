// Command quickstart is the demo of the dserver command as a user would write
// it: an rpc service and an HTTP service, each in a file of its own, and a
// configuration file beside them.
package main
