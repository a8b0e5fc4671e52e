package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"time"
)

// birth is what a child writes when it begins to run.
type birth struct {
	at  time.Duration // of the monotonic clock, as monotonic gives it
	pid int
}

const birthSize = 3 * 8 // bytes: seconds, nanoseconds, pid, little endian

// register is the file to which the children of one peer append their births.
type register string

// newRegister makes the file: children do not, so that none can be born too late
// into a folder that is being removed.
func newRegister(path string) (register, error) {
	return register(path), os.WriteFile(path, nil, 0o600)
}

func (r register) enter(b birth) error {
	f, err := os.OpenFile(string(r), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	record := binary.LittleEndian.AppendUint64(nil, uint64(b.at/time.Second))
	record = binary.LittleEndian.AppendUint64(record, uint64(b.at%time.Second))
	_, err = f.Write(binary.LittleEndian.AppendUint64(record, uint64(b.pid)))
	return err
}

// births lists those from the given number on, in the order in which they were
// written.
func (r register) births(from int) ([]birth, error) {
	f, err := os.Open(string(r))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	count, err := r.count()
	if err != nil || count <= from {
		return nil, err
	}
	data := make([]byte, (count-from)*birthSize)
	if _, err := f.ReadAt(data, int64(from)*birthSize); err != nil {
		return nil, err
	}
	list := make([]birth, 0, count-from)
	for ; len(data) > 0; data = data[birthSize:] {
		number := func(i int) int64 { return int64(binary.LittleEndian.Uint64(data[8*i:])) }
		list = append(list, birth{time.Duration(number(0))*time.Second + time.Duration(number(1)), int(number(2))})
	}
	return list, nil
}

func (r register) count() (int, error) {
	info, err := os.Stat(string(r))
	if err != nil {
		return 0, err
	}
	return int(info.Size() / birthSize), nil
}

// look is how often a file is looked at. What is measured has its time from the
// child, so this costs a little of the processor, not of the precision.
const look = 2 * time.Millisecond

// stallTime is how long children may take to start one more.
const stallTime = 15 * time.Second

// await waits until there are count births. It gives up when there are no more for
// a while.
func (r register) await(ctx context.Context, count int) error {
	seen, since := -1, time.Now()
	soFar := func() string { return fmt.Sprintf("%d of %d children have started", max(seen, 0), count) }
	return poll(ctx, look, func() (bool, error) {
		n, err := r.count()
		if n != seen {
			seen, since = n, time.Now()
		}
		if err == nil && n < count && time.Since(since) > stallTime {
			err = fmt.Errorf("%s, and no more for %v", soFar(), stallTime)
		}
		return n >= count, err
	}, soFar)
}

// poll asks until the answer is yes. The error at the end of ctx says how far it
// has come.
func poll(ctx context.Context, every time.Duration, done func() (bool, error), soFar func() string) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if yes, err := done(); yes || err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", soFar(), context.Cause(ctx))
		}
	}
}

// pause waits that long, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// runChild is the role of a child in place of the tiny one: it does the same.
func runChild(args []string) error {
	at := monotonic()
	if len(args) == 0 {
		return fmt.Errorf("cannot be a child without a register")
	}
	if err := register(args[0]).enter(birth{at, os.Getpid()}); err != nil {
		return err
	}
	if len(args) > 1 {
		return fmt.Errorf("told to fail by %s", strconv.Quote(args[1]))
	}
	sleepForever()
	return nil
}
