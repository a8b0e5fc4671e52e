package pbmessage

// Layout gives the number, below 16, of each field.
type Layout struct {
	Seq, Type, Method, Status, Meta, Codec, Body byte
}
