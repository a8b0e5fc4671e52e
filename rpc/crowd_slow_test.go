//go:build slow && linux

package rpc_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/rpc"
)

const crowd = 10_000

// TestTenThousandSessions opens, leaves idle, pushes to and closes many sessions. Their
// peers are bare sockets of another process: one may not have as many as both ends need.
func TestTenThousandSessions(t *testing.T) {
	const mostMemory = 16 << 10
	server := newEndpoint(t, rpc.Config{})
	address := serve(t, server, "tcp://127.0.0.1:0")
	before := residentMemory(t)

	started := time.Now()
	tell, hear := startCrowd(t, address)
	hear("open")
	eventually(t, "all are accepted", func() bool { return server.Stats().Sessions == crowd })
	opened := time.Since(started)

	memory := (residentMemory(t) - before) / crowd
	if memory > mostMemory {
		t.Errorf("an idle session takes %d bytes, at most %d are allowed", memory, mostMemory)
	}

	tell("read")
	started = time.Now()
	if sent, err := server.PushAll(t.Context(), "/news", strings.Repeat("x", 100)); sent != crowd || err != nil {
		t.Errorf("pushed to %d sessions, %v", sent, err)
	}
	hear("read")
	pushed := time.Since(started)

	started = time.Now()
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	closed := time.Since(started)
	if n := server.Stats().Sessions; n != 0 {
		t.Errorf("%d sessions are left", n)
	}
	t.Logf("%d sessions: opened in %v, %d bytes each when idle, pushed to in %v, closed in %v", crowd, opened, memory, pushed, closed)
}

const crowdVariable = "DSERVER_TEST_CROWD_PORT"

// startCrowd runs TestCrowd in a process of its own, tells it what to do and waits for
// what it has done.
func startCrowd(t *testing.T, address string) (tell, hear func(word string)) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^TestCrowd$")
	c.Env = append(os.Environ(), crowdVariable+"="+address[strings.LastIndexByte(address, ':')+1:])
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := c.Wait(); err != nil {
			t.Errorf("the crowd: %v", err)
		}
	})
	lines := bufio.NewScanner(out)
	hear = func(word string) {
		t.Helper()
		for lines.Scan() {
			if lines.Text() == word {
				return
			}
		}
		t.Fatalf("the crowd does not say %q", word)
	}
	tell = func(word string) {
		if _, err := fmt.Fprintln(in, word); err != nil {
			t.Fatal(err)
		}
	}
	return tell, hear
}

// TestCrowd is the peers' process.
func TestCrowd(t *testing.T) {
	port, err := strconv.Atoi(os.Getenv(crowdVariable))
	if err != nil {
		t.Skip("it is a part of TestTenThousandSessions")
	}
	peers := make([]int, crowd)
	for i := range peers {
		peers[i] = connect(t, port)
	}
	fmt.Println("open")
	orders := bufio.NewReader(os.Stdin)
	if _, err := orders.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1<<10)
	for _, fd := range peers {
		if n, err := unix.Read(fd, buf); n < 100 || err != nil {
			t.Fatalf("a peer got %d bytes, %v", n, err)
		}
	}
	fmt.Println("read")
	if _, err := io.Copy(io.Discard, orders); err != nil {
		t.Error(err)
	}
	for _, fd := range peers {
		unix.Close(fd)
	}
}

func connect(t *testing.T, port int) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	}
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// residentMemory is what the process has of the machine's, in bytes.
func residentMemory(t *testing.T) int {
	t.Helper()
	runtime.GC()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}
