package rpc

import (
	"fmt"
	"testing"
)

// routed is a router of so many calls, /service7/method7 for example, and one handler for
// the unknown ones below /else.
func routed(t testing.TB, routes int) *router {
	t.Helper()
	r := new(router)
	for n := range routes {
		if err := r.add([]*route{{method: fmt.Sprintf("/service%d/method%d", n, n)}}); err != nil {
			t.Fatal(err)
		}
	}
	r.unknown.Store(&[]*route{{method: "/else"}})
	return r
}

// lookup is a name and whether there is such a route.
type lookup struct {
	name, method string
	there        bool
}

func lookups() []lookup {
	return []lookup{{"hit", "/service7/method7", true}, {"unknown", "/else/where", true}, {"miss", "/service7/method8", false}}
}

func (l lookup) in(t testing.TB, r *router) {
	if found := r.lookup(false, l.method); (found != nil) != l.there {
		t.Fatalf("%s: found %v", l.method, found)
	}
}

// BenchmarkLookup finds the route of a call, by its name, as an unknown one below a
// prefix, and not at all.
func BenchmarkLookup(b *testing.B) {
	for _, routes := range []int{10, 1000} {
		r := routed(b, routes)
		for _, l := range lookups() {
			b.Run(fmt.Sprintf("%droutes/%s", routes, l.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					l.in(b, r)
				}
			})
		}
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	r := routed(t, 1000)
	for _, l := range lookups() {
		if n := testing.AllocsPerRun(100, func() { l.in(t, r) }); n != 0 {
			t.Errorf("looking %s up allocates %v times", l.method, n)
		}
	}
}
