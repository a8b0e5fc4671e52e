// Package host is the master: it owns the sockets of an instance, runs its
// sandboxes in this process or in workers, replaces them by a new build without
// losing a request, and answers the control API.
//
// Beside them it keeps programs, any executables, and runs applications that have
// an executable of their own: programs.go and apps.go join them. It becomes a new
// build in place (upgrade.go, reborn.go), and takes over what a killed one has
// left (recovery.go, reception.go).
//
// An application is an [App]; its Main is the whole program. What a master does
// reads in three places: master.go is its life, transition.go the one way by
// which code and configuration change, state.go the life of a generation. Three
// runners (localrunner.go, processrunner.go, fliprunner.go) start generations;
// nothing above them knows in which mode it works.
//
// Only programs import it: commands and examples. An App is used by one
// goroutine, and one process runs at most one master.
package host
