// Command dserver supervises services: it starts them, shows them, replaces them
// by a new build without losing a request, and stops them. `dserver --help` tells
// its verbs, `dserver start --demo` shows them at work.
package main
