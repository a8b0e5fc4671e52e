// Package signals knows the names of signals, as people type them and as
// configurations spell them: HUP, SIGHUP, hup, 1, RTMIN+3.
//
// Every package of the module may import it. Its functions are pure.
package signals
