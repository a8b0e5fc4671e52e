package cli

import "io"

// App is what the command line knows about its application.
type App struct {
	Name     string // of the command, as people type it
	Short    string // what it is, in one line
	Demo     bool   // start takes --demo
	DemoHint string // lines to print once the demo runs: what to try next
}

// Streams is where a command reads and prints. Colours are used on a terminal only.
type Streams struct {
	In  io.Reader
	Out io.Writer // what was asked for
	Err io.Writer // what went wrong
}
