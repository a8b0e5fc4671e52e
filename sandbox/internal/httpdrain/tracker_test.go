package httpdrain_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dserver/dserver/sandbox/internal/httpdrain"
)

func TestIdleConnectionIsClosedAfterQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, httpdrain.Config{}, ok)
		fresh, used := s.dial(), s.dial()
		used.get("/1")
		used.expect("200 /1")
		time.Sleep(time.Hour)
		s.drain()
		if d := s.gone(); d != 300*time.Millisecond {
			t.Errorf("took %v", d)
		}
		fresh.expect("unexpected EOF")
		used.expect("unexpected EOF")
	})
}

func TestRequestInADrainIsAnsweredWithClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, httpdrain.Config{}, ok)
		a := s.dial()
		a.get("/1")
		a.expect("200 /1")
		s.drain()
		time.Sleep(299 * time.Millisecond)
		a.get("/2")
		a.expect("200 /2 close")
		if d := s.gone(); d != 299*time.Millisecond {
			t.Errorf("took %v", d)
		}
	})
}

func TestResponseThatBeginsInADrainSaysClose(t *testing.T) {
	for name, write := range map[string]func(http.ResponseWriter){
		"nothing": func(http.ResponseWriter) {},
		"header":  func(w http.ResponseWriter) { w.WriteHeader(200) },
		"string":  func(w http.ResponseWriter) { _, _ = io.WriteString(w, "") },
		"copy":    func(w http.ResponseWriter) { _, _ = io.Copy(w, strings.NewReader("")) },
		"flush":   func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
		"control": func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
		"hints":   func(w http.ResponseWriter) { w.WriteHeader(103); w.WriteHeader(200) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				s := serve(t, httpdrain.Config{}, func(w http.ResponseWriter, _ *http.Request) { <-release; write(w) })
				a := s.dial()
				a.get("/")
				synctest.Wait()
				s.drain()
				time.Sleep(2 * time.Second)
				close(release)
				if name == "hints" {
					a.expect("103 ")
				}
				a.expect("200  close")
				if d := s.gone(); d != 2*time.Second || len(s.cut) > 0 {
					t.Errorf("took %v, cut %v", d, s.cut)
				}
			})
		})
	}
}

// The response had begun, so it could not say close; the connection falls quiet.
func TestResponseThatBeganBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := serve(t, httpdrain.Config{}, func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			<-release
		})
		a := s.dial()
		go func() { time.Sleep(time.Second); close(release) }()
		a.get("/")
		time.Sleep(100 * time.Millisecond)
		s.drain()
		a.expect("200 ")
		if d := s.gone(); d != 1200*time.Millisecond {
			t.Errorf("took %v", d)
		}
	})
}

func TestDeadlineClosesAndNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := serve(t, httpdrain.Config{Quiet: time.Hour}, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/slow" {
				c, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
				}
				if r.URL.Path == "/closed" {
					<-release
					_ = c.Close()
				}
				return
			}
			<-r.Context().Done()
		})
		slow, upgraded, half, idle, closed := s.dial(), s.dial(), s.dial(), s.dial(), s.dial()
		slow.get("/slow?secret=1")
		upgraded.get("/ws")
		half.send("GET /half")
		closed.get("/closed")
		synctest.Wait()
		s.drain()
		time.Sleep(time.Minute)
		close(release)
		synctest.Wait()
		s.quit()
		s.gone()
		want := []string{
			"GET /slow from pipe",
			"GET /ws from pipe (upgraded connection)",
			"a request that had not fully arrived from pipe",
		}
		if !slices.Equal(s.cut, want) {
			t.Errorf("cut %q", s.cut)
		}
		for _, p := range []*peer{slow, upgraded, half, idle} {
			p.expect("unexpected EOF")
		}
	})
}

func TestWaitDoesNotEndBeforeTheHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, httpdrain.Config{}, func(http.ResponseWriter, *http.Request) { time.Sleep(time.Hour) })
		s.dial().get("/")
		synctest.Wait()
		s.drain()
		s.quit()
		if d := s.gone(); d != time.Hour || len(s.cut) != 1 {
			t.Errorf("took %v, cut %q", d, s.cut)
		}
	})
}

func TestHijackedConnectionIsLeftAloneUntilClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, httpdrain.Config{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "Upgrade")
			w.WriteHeader(http.StatusSwitchingProtocols)
			c, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			if got := fmt.Sprintf("%T", c.LocalAddr()); got != "net.pipeAddr" {
				t.Errorf("a hijacked connection has a %s", got)
			}
			go func() {
				defer c.Close()
				time.Sleep(10 * time.Second)
				_, _ = rw.WriteString("bye")
				_ = rw.Flush()
			}()
		})
		a := s.dial()
		a.get("/")
		res, err := http.ReadResponse(a.in, nil)
		if err != nil || res.Header.Get("Connection") != "Upgrade" {
			t.Fatalf("%v, %v", res, err)
		}
		s.drain()
		if rest, err := io.ReadAll(a.in); string(rest) != "bye" || err != nil {
			t.Errorf("%q, %v", rest, err)
		}
		if d := s.gone(); d != 10*time.Second || len(s.cut) > 0 {
			t.Errorf("took %v, cut %q", d, s.cut)
		}
	})
}

func TestUpgradeInADrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, httpdrain.Config{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "Upgrade")
			w.WriteHeader(http.StatusSwitchingProtocols)
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_ = c.Close()
		})
		a := s.dial()
		s.drain()
		a.get("/")
		if res, err := http.ReadResponse(a.in, nil); err != nil || res.Header.Get("Connection") != "Upgrade" {
			t.Errorf("%v, %v", res, err)
		}
		s.gone()
	})
}

// What a handler leaves of a body is read by the server after the handler; it
// must not be taken for the next request, which would hold the drain up.
func TestUnreadBodyIsNoRequest(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"small": ok,
		"flushed": func(w http.ResponseWriter, r *http.Request) {
			ok(w, r)
			w.(http.Flusher).Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, httpdrain.Config{}, h)
				a := s.dial()
				a.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 50000\r\n\r\n")
				go a.send(strings.Repeat("x", 50000))
				a.expect("200 /")
				time.Sleep(time.Minute)
				s.drain()
				if d := s.gone(); d != 300*time.Millisecond || len(s.cut) > 0 {
					t.Errorf("took %v, cut %q", d, s.cut)
				}
			})
		})
	}
}

func TestPipelinedRequestsAreAllAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, httpdrain.Config{}, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			ok(w, r)
		})
		a := s.dial()
		get := func(n int) string { return fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: h\r\n\r\n", n) }
		a.send(get(1) + get(2)) // in one read
		go func() {
			time.Sleep(1500 * time.Millisecond)
			a.send(get(3)) // found by the watch for the peer's leaving
		}()
		a.expect("200 /1")
		a.expect("200 /2")
		s.drain()
		a.expect("200 /3 close")
		s.gone()
	})
}

func TestPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, httpdrain.Config{}, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/early":
				panic("early")
			case "/late":
				ok(w, r)
				w.(http.Flusher).Flush()
				panic("late")
			case "/abort":
				panic(http.ErrAbortHandler)
			}
			ok(w, r)
		})
		a := s.dial()
		a.get("/early")
		a.expect("500 Internal Server Error")
		a.get("/fine")
		a.expect("200 /fine")
		a.get("/late")
		a.expect("200 /late unexpected EOF")
		b := s.dial()
		b.get("/abort")
		b.expect("unexpected EOF")
		s.drain()
		s.gone()
	})
}

func TestHeaderTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, httpdrain.Config{HeaderTimeout: 10 * time.Second}, ok)
		silent, slow, fine := s.dial(), s.dial(), s.dial()
		slow.send("GET / HTTP/1.1\r\n")
		began := time.Now()
		for range 3 {
			fine.get("/")
			fine.expect("200 /")
			time.Sleep(3 * time.Second)
		}
		silent.expect("unexpected EOF")
		slow.expect("unexpected EOF")
		if d := time.Since(began); d != 10*time.Second {
			t.Errorf("closed after %v", d)
		}
		time.Sleep(time.Hour) // between two requests it says nothing
		fine.get("/")
		fine.expect("200 /")
		fine.send("GET / HTTP/1.1\r\n")
		fine.expect("unexpected EOF")
		s.drain()
		s.gone()
	})
}

func TestHandlersSeeTheRealAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, httpdrain.Config{}, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%T", r.Context().Value(http.LocalAddrContextKey))
		})
		a := s.dial()
		a.get("/")
		a.expect("200 net.pipeAddr")
		s.drain()
		s.gone()
	})
}
