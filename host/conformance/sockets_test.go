package conformance

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dserver/dserver/host/hosttest"
	"github.com/dserver/dserver/internal/loopback"
)

// listenOn is a configuration in which web listens on some addresses.
func listenOn(in *hosttest.Instance, addresses ...string) string {
	return fmt.Sprintf("mode = %q\nprobation = \"50ms\"\n"+
		"[sandbox.math]\nlisten = [\"tcp://127.0.0.1:0\"]\n[sandbox.shop]\nlisten = [\"tcp://127.0.0.1:0\"]\n"+
		"[sandbox.web]\nlisten = [\"%s\"]\n", in.Mode, strings.Join(addresses, `", "`))
}

// TestReloadMovesASocket: what is no longer configured refuses connections, and
// its file has gone.
func TestReloadMovesASocket(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		before, after := loopback.Free(t), loopback.Free(t)
		in.ConfigureText(listenOn(in, "tcp://"+before, "unix://old.sock"))
		in.Start()
		kept := sandbox(t, in, "web")
		in.ConfigureText(listenOn(in, "tcp://"+after, "unix://new.sock"))
		in.MustReload(hosttest.Build{Label: "second"})
		if _, err := get(t.Context(), after, "/"); err != nil {
			t.Errorf("the new address: %v", err)
		}
		for network, address := range map[string]string{"tcp": before, "unix": filepath.Join(ownFolder(in), "old.sock")} {
			waitFor(t, address+" to be refused", func() bool {
				conn, err := net.DialTimeout(network, address, time.Second)
				if err == nil {
					conn.Close()
				}
				return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, os.ErrNotExist)
			})
		}
		if _, err := os.Lstat(filepath.Join(ownFolder(in), "old.sock")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the old socket file: %v", err)
		}
		if now := sandbox(t, in, "web"); len(now.Listen) != 2 || now.Listen[0] != "tcp://"+after {
			t.Errorf("web listened on %q and listens on %q", kept.Listen, now.Listen)
		}
	})
}

// TestReloadToAnAddressInUse: refused with the address and what to do; the old one
// serves on, and nothing of the new configuration is there.
func TestReloadToAnAddressInUse(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		address := loopback.Free(t)
		in.ConfigureText(listenOn(in, "tcp://"+address))
		in.Start()
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		also := loopback.Free(t)
		in.ConfigureText(listenOn(in, "tcp://"+address, "tcp://"+also, "tcp://"+ln.Addr().String()))
		got := in.Run("reload")
		if got.Code != 1 {
			t.Errorf("reload: %v\nwant exit code 1", got)
		}
		checkError(t, got, `cannot reload app: .*cannot listen on tcp://`+ln.Addr().String()+`: the address is in use \(sandbox web\): stop the program that listens there or change the address`, 1)
		if _, err := get(t.Context(), address, "/"); err != nil {
			t.Error(err)
		}
		if conn, err := net.Dial("tcp", also); err == nil {
			conn.Close()
			t.Error("a socket of the refused configuration is open")
		}
	})
}

// TestPortsOfTheirOwnStay: port 0 is chosen once in the life of an instance.
func TestPortsOfTheirOwnStay(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Start()
		before := in.Addr("web", "tcp")
		for i := range 3 {
			in.MustReload(hosttest.Build{Label: "build" + itoa(i)})
		}
		if got := in.Run("restart", "web"); got.Code != 0 {
			t.Error(got)
		}
		if after := in.Addr("web", "tcp"); after != before {
			t.Errorf("web listened on %s and listens on %s", before, after)
		}
	})
}
