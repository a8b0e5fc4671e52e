package cell_test

import (
	"slices"
	"testing"

	"github.com/dserver/dserver/bench/internal/cell"
	"github.com/dserver/dserver/bench/internal/payload"
)

func TestCellsAreReadAsTheyAreWritten(t *testing.T) {
	for _, c := range slices.Concat(cell.Matrix(), cell.Standard()) {
		if got, err := cell.Parse(c.String()); err != nil || got != c {
			t.Errorf("%v is read as %v, %v", c, got, err)
		}
	}
	if name := (cell.Cell{cell.Call, payload.Record, 100, 8}).String(); name != "call:record:100:8" {
		t.Errorf("got %s", name)
	}
}

func TestWhatIsNoCell(t *testing.T) {
	for _, text := range []string{
		"", "call", "call:record:1", "call:record:1:1:1", "walk:record:1:1", "call:book:1:1", "call:record:0:1",
		"call:record:1:-1", "call:record:x:1", "call:record:1:1000000",
	} {
		if c, err := cell.Parse(text); err == nil {
			t.Errorf("%q is taken for %v", text, c)
		}
	}
}

func TestTheUsualCellsAreOfTheMatrix(t *testing.T) {
	for _, c := range cell.Standard() {
		if !slices.Contains(cell.Matrix(), c) {
			t.Errorf("%v is not", c)
		}
	}
}

func TestDescribe(t *testing.T) {
	tests := map[string]string{
		"call:16B:1:1":       "calls with 16 bytes each way, 1 caller, 1 connection",
		"call:64KiB:16:8":    "calls with 65536 bytes each way, 16 callers, 8 connections",
		"push:16B:16:1":      "messages of 16 bytes without an answer, 16 senders, 1 connection",
		"dial:16B:2:1":       "connect, call with 16 bytes and close, 2 callers",
		"idle:record:1:5000": "5000 connections that have made a call and wait",
	}
	for text, want := range tests {
		c, err := cell.Parse(text)
		if err != nil || c.Describe() != want {
			t.Errorf("%s is %q, %v, want %q", text, c.Describe(), err, want)
		}
	}
}
