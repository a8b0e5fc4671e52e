package supervise

// Sink takes what a process writes to one of its output streams, as it comes.
// Its methods are called in order and by one goroutine at a time.
type Sink interface {
	// Write takes any number of lines and pieces of lines. p is only valid during
	// the call. While it blocks, the process comes to block as well when it writes.
	Write(p []byte)
	// Finish says that no more comes. A last line without a newline counts as a
	// line.
	Finish()
	// Rest gives the last line as far as it has come; it is empty after a newline.
	// Whoever goes on in our place writes it to a new Sink, before what comes then.
	// Finish is not called in this case.
	Rest() []byte
}

// EachLine gives a Sink that calls f for each line, without its newline; line is
// only valid during the call. A line of more than 64 KiB comes in pieces of that
// size: cut is true for all but the last piece.
func EachLine(f func(line []byte, cut bool)) Sink { return &splitter{emit: f} }
