package msgpack

import (
	"bytes"
	"errors"
)

// body is what a decoder reads. Where it wants a map and finds an extension, it would
// take the bytes of that for values. Nobody has looked at those: they could announce
// anything. It reads the beginnings of values by ReadByte, the bytes of extensions by
// Read, so the former is refused where the latter is right.
type body struct {
	*bytes.Reader
	extensions []int // where their bytes begin; none of them is empty
}

var errMap = errors.New("an extension stands where another value should be")

func (b *body) ReadByte() (byte, error) {
	at := int(b.Size()) - b.Len()
	for len(b.extensions) > 0 && b.extensions[0] < at {
		b.extensions = b.extensions[1:]
	}
	if len(b.extensions) > 0 && b.extensions[0] == at {
		return 0, errMap
	}
	return b.Reader.ReadByte()
}
