package pbmessage

// Layout gives the number, below 16, of each field.
type Layout struct {
	Seq, Type, Method, Status, Meta, Codec, Body byte
	// Filters is for protocols whose filters act on the body alone; 0 is all others.
	Filters byte
}
