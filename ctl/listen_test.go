package ctl_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dserver/dserver/ctl"
)

func TestListenMakesASocketForItsUserAlone(t *testing.T) {
	path := socketPath(t)
	ln := listen(t, path)
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
}

func TestListenRefusesWhatIsNotItsOwn(t *testing.T) {
	for _, tt := range []struct {
		name  string
		setUp func(t *testing.T, path string)
		kind  error
		want  string
	}{
		{"a live socket", func(t *testing.T, path string) { listen(t, path) }, ctl.ErrConflict,
			fmt.Sprintf("process %d answers there", os.Getpid())},
		{"a file", func(t *testing.T, path string) { os.WriteFile(path, []byte("precious"), 0o600) }, ctl.ErrConflict,
			"there is something that is not a socket"},
		{"a folder", func(t *testing.T, path string) { os.Mkdir(path, 0o700) }, ctl.ErrConflict,
			"there is something that is not a socket"},
		{"a link to a dead socket", func(t *testing.T, path string) {
			deadSocket(t, path+".real")
			os.Symlink(path+".real", path)
		}, ctl.ErrConflict, "there is something that is not a socket"},
		{"no folder", func(t *testing.T, path string) { os.Remove(filepath.Dir(path)) }, fs.ErrNotExist, "no such file or directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := socketPath(t)
			tt.setUp(t, path)
			before, _ := os.Lstat(path)
			_, err := ctl.Listen(path)
			if !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
			if after, _ := os.Lstat(path); before != nil && !os.SameFile(before, after) {
				t.Error("it was touched")
			}
		})
	}
}

// deadSocket leaves a socket as a killed process does.
func deadSocket(t *testing.T, path string) {
	t.Helper()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	ln.Close()
}

func TestListenReplacesADeadSocket(t *testing.T) {
	path := socketPath(t)
	deadSocket(t, path)
	serve(t, listen(t, path), newMaster(), ctl.Config{})
	if _, err := ctl.New(path).Info(within(t)); err != nil {
		t.Error(err)
	}
}

func TestALongPathSaysWhatToDo(t *testing.T) {
	path := "/" + strings.Repeat("x", 107)
	_, listenErr := ctl.Listen(path)
	_, askErr := ctl.New(path).Info(within(t))
	for _, err := range []error{listenErr, askErr} {
		p, ok := errors.AsType[*ctl.Problem](err)
		if !ok || p.Text != "the path has 108 bytes, a unix socket takes at most 107" || !strings.Contains(p.Hint, "--runtime-dir") {
			t.Errorf("got %v", err)
		}
	}
}

func TestAViewerMayLookOnly(t *testing.T) {
	path := socketPath(t)
	m := newMaster()
	var seen ctl.Peer
	serve(t, listen(t, path), m, ctl.Config{Allow: func(p ctl.Peer, a ctl.Access) bool {
		seen = p
		return a == ctl.View
	}})
	c, ctx := ctl.New(path), within(t)
	if _, err := c.Info(ctx); err != nil {
		t.Error(err)
	}
	_, err := c.Stop(ctx, ctl.ActionRequest{})
	if !errors.Is(err, ctl.ErrDenied) || m.stopped != 0 {
		t.Errorf("got %v", err)
	}
	if seen != (ctl.Peer{Pid: os.Getpid(), UID: os.Geteuid(), GID: os.Getegid()}) {
		t.Errorf("the server saw %+v", seen)
	}
}

func TestServeWantsAUnixSocket(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if err := ctl.NewServer(newMaster(), ctl.Config{}).Serve(ln); err == nil || errors.Is(err, ctl.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
