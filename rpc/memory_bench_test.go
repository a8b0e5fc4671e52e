package rpc_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dserver/dserver/rpc"
)

// BenchmarkCallInMemory shows what a call of 581 bytes each way costs both ends together,
// without a kernel between them, by how many goroutines call at the same time.
func BenchmarkCallInMemory(b *testing.B) {
	for _, callers := range []int{1, 100} {
		b.Run(fmt.Sprint(callers, "callers"), func(b *testing.B) {
			s := hookedSession(b, 0)
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ReportAllocs()
			b.ResetTimer()
			var all sync.WaitGroup
			for range callers {
				all.Go(func() {
					for body := make([]byte, 581); left.Add(-1) >= 0; {
						if err := callEcho(b, s, body); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
		})
	}
}

func callEcho(t testing.TB, s *rpc.Session, body []byte) error {
	var got []byte
	if err := s.Call(t.Context(), "/echo", body, &got); err != nil {
		return err
	}
	if len(got) != len(body) {
		return fmt.Errorf("%d bytes came back as %d", len(body), len(got))
	}
	return nil
}

// TestACallAllocatesLittle: six times, on both ends together, bodies and the result of the
// caller included; seven on a busy machine, where goroutines change processors, whose pools
// are their own.
func TestACallAllocatesLittle(t *testing.T) {
	s, body := hookedSession(t, 0), make([]byte, 581)
	n := testing.AllocsPerRun(2000, func() {
		if err := callEcho(t, s, body); err != nil {
			t.Fatal(err)
		}
	})
	if n > 7+pooledLoss {
		t.Errorf("a call allocates %v times", n)
	}
}
