// Package rundir keeps the runtime folder of one instance: where it lies, who
// holds it, and the small files in it.
//
// An instance called NAME owns the folder BASE/NAME, mode 0700:
//
//	lock        held by flock as long as the instance runs: the one truth about that
//	pid         the process id of its master, for people; nothing acts on it
//	state.json  what the master needs to find its processes again
//	ctl.sock    the control API
//	log/        its logs, if they do not lie in a state folder (see [Root])
//
// Beside its logs lies wanted.json: what somebody asked for against what is
// configured, to be remembered over a restart.
//
// BASE is the folder given by --runtime-dir or DSERVER_RUNTIME_DIR. Without
// either it is /run/dserver for root, $XDG_RUNTIME_DIR/dserver for other users,
// and dserver-UID in the temporary folder where that variable is of no use.
//
// Any package below host may import it, and the command line; it imports
// nothing of ours. A [Root] and a [Dir] are plain values. A [Lock] is safe for
// concurrent use.
package rundir
