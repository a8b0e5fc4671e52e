// Package cli is the command line: the verbs of the dserver command and of
// every application that is built on host.
//
// Only host and the commands import it. It does not know how a master works:
// what is already running it asks over the control API, what has to happen in
// this process it asks of a [Host]. [Main] prints to the writers it was given
// and returns the exit code; it never ends the process.
//
// Exit codes are the same for all verbs: 0 done, 1 failed, 2 wrong use, 3 not
// running, 4 timed out.
//
// Main may run many times in one process, also concurrently with different
// streams.
package cli
