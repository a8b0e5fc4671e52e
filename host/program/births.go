package program

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// births knows who is about to start a process, or waits for the end of a command,
// and can hold that up: what would be begun then is unknown to who comes after us.
type births struct {
	mu     sync.Mutex
	under  []string      // what is under way
	frozen chan struct{} // closed when it goes on; nil if it does
	calm   beacon        // flashes when something is no longer under way
}

// enter waits until something may begin that what leave ends.
func (b *births) enter(ctx context.Context, what string) (leave func(), err error) {
	for {
		b.mu.Lock()
		frozen := b.frozen
		if frozen == nil {
			b.under = append(b.under, what)
			b.mu.Unlock()
			return func() { b.leave(what) }, nil
		}
		b.mu.Unlock()
		if err := await(ctx, frozen); err != nil {
			return nil, err
		}
	}
}

func (b *births) leave(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at := slices.Index(b.under, what); at >= 0 {
		b.under = slices.Delete(b.under, at, at+1)
	}
	b.calm.flash()
}

// freeze lets nothing begin any more and waits for what is under way. If ctx ends
// before, all goes on.
func (b *births) freeze(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.frozen == nil {
		b.frozen = make(chan struct{})
	}
	for len(b.under) > 0 {
		calm := b.calm.wait()
		b.mu.Unlock()
		err := await(ctx, calm)
		b.mu.Lock()
		if err != nil && len(b.under) > 0 {
			err = fmt.Errorf("still under way: %s: %w", strings.Join(b.under, ", "), err)
			close(b.frozen)
			b.frozen = nil
			return err
		}
	}
	return nil
}

// hold lets nothing begin, when nothing can be under way yet.
func (b *births) hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.frozen = make(chan struct{})
}

func (b *births) thaw() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.frozen != nil {
		close(b.frozen)
		b.frozen = nil
	}
}
