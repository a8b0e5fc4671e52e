package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Newline waits until a newline comes out of f, the reading end of a pipe whose
// other end the program has. What comes before it is dropped. The error is for a
// program that has closed its end without one, which is the same as having ended,
// and for ctx. f stays open.
func Newline(ctx context.Context, f *os.File) error {
	if err := f.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("cannot wait for a newline: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	buf := make([]byte, 512)
	for {
		n, err := f.Read(buf)
		switch {
		case bytes.IndexByte(buf[:n], '\n') >= 0:
			return nil
		case errors.Is(err, io.EOF):
			return errors.New("the descriptor was closed without a newline")
		case ctx.Err() != nil:
			return fmt.Errorf("no newline came: %w", context.Cause(ctx))
		case err != nil:
			return fmt.Errorf("cannot wait for a newline: %w", err)
		}
	}
}
