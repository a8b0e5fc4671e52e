package conformance

import (
	"testing"
	"time"

	"github.com/dserver/dserver/host/hosttest"
)

// The budgets. Each benchmark reports the application's own start beside its
// figure, since that is not ours to make shorter: a process of the same program
// that prints its help.

// BenchmarkReloadToReady: from the decision to reload to a new generation that is
// ready. Budget: 50 ms plus the application's own start.
func BenchmarkReloadToReady(b *testing.B) {
	for _, mode := range []string{"single", "multi"} {
		b.Run(mode, func(b *testing.B) {
			in := hosttest.New(b, mode)
			in.Configure(hosttest.Settings{Probation: time.Millisecond})
			in.Start()
			var ready, start []time.Duration
			for b.Loop() {
				result := in.MustReload(hosttest.Build{Label: itoa(len(ready))})
				ready = append(ready, result.Ready)
				start = append(start, ownStart(b, in))
			}
			report(b, ready, "ready")
			report(b, start, "own-start")
		})
	}
}

// BenchmarkStatus: `status` as a process, from its start to its end. Budget: 30 ms.
func BenchmarkStatus(b *testing.B) {
	for _, mode := range []string{"single", "multi"} {
		b.Run(mode, func(b *testing.B) {
			in := hosttest.New(b, mode)
			in.Start()
			var status, start []time.Duration
			for b.Loop() {
				began := time.Now()
				if got := in.Run("status"); got.Code != 0 {
					b.Fatal(got)
				}
				status = append(status, time.Since(began))
				start = append(start, ownStart(b, in))
			}
			report(b, status, "status")
			report(b, start, "own-start")
		})
	}
}

// BenchmarkRestartAfterKill: from kill -9 of a worker to the first answer of the
// new one. Budget: 50 ms plus the application's own start.
func BenchmarkRestartAfterKill(b *testing.B) {
	in := hosttest.New(b, "multi")
	r := newRestarts(b, in)
	for b.Loop() {
		r.another()
	}
	report(b, r.answer, "answer")
	report(b, r.served(), "lost-to-serving")
	report(b, r.start, "own-start")
}

// BenchmarkStart: `start -d` as a process, from its start to ready.
func BenchmarkStart(b *testing.B) {
	for _, mode := range []string{"single", "multi"} {
		b.Run(mode, func(b *testing.B) {
			in := hosttest.New(b, mode)
			var start []time.Duration
			for b.Loop() {
				began := time.Now()
				in.Start()
				start = append(start, time.Since(began))
				in.Stop()
			}
			report(b, start, "start")
		})
	}
}

func report(b *testing.B, all []time.Duration, name string) {
	b.ReportMetric(0, "ns/op") // one turn does more than what is measured
	b.ReportMetric(float64(quantile(all, 0.5))/1e6, name+"-p50-ms")
	b.ReportMetric(float64(quantile(all, 0.99))/1e6, name+"-p99-ms")
}
