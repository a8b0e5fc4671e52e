package rpc

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
)

// Tasks that wait for each other all start, however many there are: nobody who takes long
// holds up those behind him.
func TestTasksThatWaitForEachOtherAllStart(t *testing.T) {
	for _, count := range []int{1, 2, maxIdleWorkers, 1000} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorkers()
			for range 3 {
				var all sync.WaitGroup
				all.Add(count)
				for range count {
					w.run(func() {
						all.Done()
						all.Wait()
					})
				}
				all.Wait()
				synctest.Wait()
			}
			if len(w.idle) > maxIdleWorkers || w.seeking != 0 || w.first != len(w.queue) {
				t.Errorf("%d wait, %d seek, %d tasks are left", len(w.idle), w.seeking, len(w.queue)-w.first)
			}
			if err := w.stop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// Short and long tasks from many sides at once: each runs once, those of a side that are
// short in no particular order, and the queue is not longer than what waits.
func TestTasksOfManySidesEachRunOnce(t *testing.T) {
	const sides, each = 8, 5000
	w := newWorkers()
	ran := make([]int, sides*each) // each place is one task's own
	var done, senders sync.WaitGroup
	done.Add(sides * each)
	release := make(chan struct{})
	for side := range sides {
		senders.Go(func() {
			for n := range each {
				w.run(func() {
					defer done.Done()
					if rand.IntN(100) == 0 {
						<-release
					}
					ran[side*each+n]++
				})
			}
		})
	}
	senders.Wait()
	close(release)
	done.Wait()
	for i, times := range ran {
		if times != 1 {
			t.Fatalf("task %d ran %d times", i, times)
		}
	}
	if err := w.stop(t.Context()); err != nil {
		t.Error(err)
	}
	if cap(w.queue) > 2*keptQueue {
		t.Errorf("the queue keeps %d places", cap(w.queue))
	}
}

// TestPendingIsLikeAMap: calls are found by their numbers as in a map, also when some take
// very long, and when the numbers wrap.
func TestPendingIsLikeAMap(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const most = 3000
	p := pending{most: most, last: math.MaxInt32 - 20_000}
	model := make(map[int32]*call)
	var open []int32
	for step := range 200_000 {
		busy := 1 + most*(step/20_000%2) // few at times, then many
		if random.IntN(2*busy) >= len(open) {
			c := new(call)
			if err := p.add(c); err != nil {
				if len(model) < most {
					t.Fatal(err)
				}
				continue
			}
			if model[c.m.Seq] != nil {
				t.Fatalf("number %d is given twice", c.m.Seq)
			}
			model[c.m.Seq] = c
			open = append(open, c.m.Seq)
			continue
		}
		if len(open) == 0 {
			continue
		}
		i := random.IntN(len(open))
		if i < 5 && random.IntN(1000) > 0 {
			i = len(open) - 1 // the first ones take long
		}
		seq := open[i]
		open[i] = open[len(open)-1]
		open = open[:len(open)-1]
		if got, others := p.take(seq); got != model[seq] || others != len(model)-1 {
			t.Fatalf("number %d is %p, want %p; %d others of %d", seq, got, model[seq], others, len(model)-1)
		}
		delete(model, seq)
		for _, none := range []int32{seq, seq + 1<<20, p.last + 1} {
			if got, _ := p.take(none); got != nil && model[none] != got {
				t.Fatalf("number %d is there", none)
			} else if got != nil {
				t.Fatalf("number %d was taken by mistake", none)
			}
		}
	}
	if p.count != len(model) || len(p.list()) != len(model) {
		t.Errorf("%d calls, %d in the list, want %d", p.count, len(p.list()), len(model))
	}
}
