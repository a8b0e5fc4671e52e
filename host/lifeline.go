package host

// lifelineVar names the descriptor of the lifeline in a launched process.
//
// The lifeline is a pipe from whichever process is the master to its launcher.
// Each new master writes its pid as a decimal line; the end of the pipe means
// that no master is left.
const lifelineVar = "DSERVER_LIFELINE"
