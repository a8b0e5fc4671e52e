package usage_test

import (
	"os"
	"testing"
	"time"

	"github.com/dserver/dserver/bench/internal/usage"
)

// TestRead uses something of everything, and looks for it in the figures.
func TestRead(t *testing.T) {
	before, err := usage.Read()
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	const writes, objects, size = 100, 10_000, 4096
	for range writes {
		if _, err := null.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	kept := make([][]byte, objects)
	for i := range kept {
		kept[i] = make([]byte, size)
		kept[i][0] = 1
	}
	for start := time.Now(); time.Since(start) < 50*time.Millisecond; {
		kept[0][1]++
	}
	after, err := usage.Read()
	if err != nil {
		t.Fatal(err)
	}
	if n := after.Writes - before.Writes; n < writes || n > 2*writes {
		t.Errorf("%d writes, want about %d", n, writes)
	}
	if n := after.Objects - before.Objects; n < objects*9/10 || n > 2*objects {
		t.Errorf("%d allocations, want about %d", n, objects)
	}
	if n := after.Bytes - before.Bytes; n < objects*size*9/10 {
		t.Errorf("%d bytes, want about %d", n, objects*size)
	}
	if n := after.RSS - before.RSS; n < objects*size*9/10 {
		t.Errorf("the memory grew by %d bytes, want about %d", n, objects*size)
	}
	if after.CPU <= before.CPU || after.Switches < before.Switches || after.Goroutines < 1 {
		t.Errorf("got %+v after %+v", after, before)
	}
	if kept[objects-1][0] != 1 {
		t.Error("the memory is lost")
	}
}

func TestAllocations(t *testing.T) {
	var kept [][]byte
	if n := usage.Allocations(func() {
		kept = append(kept[:0], make([]byte, 100), make([]byte, 100), make([]byte, 100))
	}); n != 3 {
		t.Errorf("%v allocations, want 3", n)
	}
}
