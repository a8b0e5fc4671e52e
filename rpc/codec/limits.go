package codec

import (
	"cmp"
	"fmt"
)

// Limits bound what a codec of nested values reads. A body that exceeds them is an
// error. Fields that are 0 have their defaults.
type Limits struct {
	Depth    int // arrays and maps within each other: 4 to 65,535, 100 by default
	Elements int // of one array or map: 16 to 2,147,483,647, 1,048,576 by default
}

// Normalise gives a copy with the defaults filled in, or says which field is wrong.
func (l Limits) Normalise() (Limits, error) {
	l = Limits{Depth: cmp.Or(l.Depth, 100), Elements: cmp.Or(l.Elements, 1<<20)}
	if l.Depth < 4 || l.Depth > 1<<16-1 {
		return l, fmt.Errorf("Depth is %d, it must be 4 to %d", l.Depth, 1<<16-1)
	}
	if l.Elements < 16 || l.Elements > 1<<31-1 {
		return l, fmt.Errorf("Elements is %d, it must be 16 to %d", l.Elements, 1<<31-1)
	}
	return l, nil
}
