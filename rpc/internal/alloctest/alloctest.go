package alloctest

import "runtime"

// tries is how often a function is measured at most. The whole process is, and the
// runtime allocates as well, now and then: a new thread has over 5000 bytes.
const tries = 5

// Bytes gives how many bytes f allocates: the first number that is not above enough,
// else the least of some tries. prepare makes f for each of them, which is not counted.
func Bytes(enough uint64, prepare func() (f func())) uint64 {
	least := once(prepare())
	for n := 1; n < tries && least > enough; n++ {
		least = min(least, once(prepare()))
	}
	return least
}

func once(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
