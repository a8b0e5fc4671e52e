package usage

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/metrics"
	"strings"
	"syscall"
	"time"
)

// Usage is what a process has used since it began, and what it holds now.
type Usage struct {
	CPU      time.Duration // of all threads, in the kernel and out of it
	Switches int64         // of context, of all threads, wanted or not
	Writes   int64         // write(2) and its kin; sendmsg(2) is not among them
	Objects  uint64        // allocated
	Bytes    uint64        // allocated

	RSS        int64 // bytes, now
	Goroutines int   // now

	Pushed int64 // messages without an answer that have come; for servers
}

// Read looks at this process.
func Read() (Usage, error) {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		return Usage{}, fmt.Errorf("cannot read the usage of the process: %w", err)
	}
	u := Usage{
		CPU:        time.Duration(ru.Utime.Nano() + ru.Stime.Nano()),
		Switches:   int64(ru.Nvcsw) + int64(ru.Nivcsw),
		Goroutines: runtime.NumGoroutine(),
	}
	u.Objects, u.Bytes = allocated()
	var err error
	if u.Writes, err = field("/proc/self/io", "syscw:"); err != nil {
		return Usage{}, err
	}
	kib, err := field("/proc/self/status", "VmRSS:")
	u.RSS = kib << 10
	return u, err
}

// field reads a number that stands behind its name on a line of a file of /proc.
func field(path, name string) (n int64, err error) {
	if runtime.GOOS != "linux" {
		return 0, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for in := bufio.NewScanner(bytes.NewReader(data)); in.Scan(); {
		if text, ok := strings.CutPrefix(in.Text(), name); ok {
			if _, err := fmt.Sscan(text, &n); err != nil {
				return 0, fmt.Errorf("cannot read %s of %s: %w", name, path, err)
			}
			return n, nil
		}
	}
	return 0, fmt.Errorf("cannot find %s in %s", name, path)
}

// allocated counts what was allocated since the process began, but for what lies in spans
// that are not full yet. It does not stop the process, as runtime.ReadMemStats does.
func allocated() (objects, bytes uint64) {
	samples := []metrics.Sample{
		{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/tiny/allocs:objects"}, {Name: "/gc/heap/allocs:bytes"},
	}
	metrics.Read(samples)
	return samples[0].Value.Uint64() + samples[1].Value.Uint64(), samples[2].Value.Uint64()
}

// Allocations tells how many allocations a call of f makes, if nothing else runs.
func Allocations(f func()) float64 {
	const calls = 200
	f()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range calls {
		f()
	}
	runtime.ReadMemStats(&after)
	return math.Round(float64(after.Mallocs-before.Mallocs) / calls)
}
