package rpc_test

import (
	"fmt"
	"testing"

	"github.com/dserver/dserver/rpc"
)

// BenchmarkCall shows the cost of a call of 581 bytes each way, alone and in a
// crowd, over one connection.
func BenchmarkCall(b *testing.B) {
	for _, callers := range []int{1, 100} {
		b.Run(fmt.Sprint(callers, "callers"), func(b *testing.B) {
			e, err := rpc.New(rpc.Config{})
			if err != nil {
				b.Fatal(err)
			}
			defer e.Close()
			if err := rpc.Handle(e, "/echo", func(_ rpc.Context, v []byte) ([]byte, error) { return v, nil }); err != nil {
				b.Fatal(err)
			}
			ln, err := e.Listen(b.Context(), "tcp://127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			go e.Serve(ln)
			s, err := e.Dial(b.Context(), "tcp://"+ln.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			body := make([]byte, 581)
			b.ReportAllocs()
			b.SetParallelism(callers)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					var got []byte
					if err := s.Call(b.Context(), "/echo", body, &got); err != nil || len(got) != len(body) {
						b.Errorf("got %d bytes, %v", len(got), err)
						return
					}
				}
			})
		})
	}
}
