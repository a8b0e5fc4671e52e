//go:build linux

package program_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/program"
	"github.com/dserver/dserver/host/supervise"
	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/internal/inherit"
)

// TestNoticesOfTheMeantimeAreHeard: what is said between two masters is kept in the
// socket, which goes from hand to hand.
func TestNoticesOfTheMeantimeAreHeard(t *testing.T) {
	dir := t.TempDir()
	make := func() (*program.Set, *group.Group) {
		owner := group.New(context.Background(), nil)
		set, err := program.New(program.Options{
			Spawner: supervise.New(supervise.Options{}), Group: owner, NotifySocket: dir + "/ntf.sock",
		})
		if err != nil {
			t.Fatal(err)
		}
		return set, owner
	}
	set, owner := make()
	if r := set.Apply(t.Context(), []config.Program{}, nil, nil, nil); len(r) != 0 {
		t.Fatal(r)
	}
	if err := set.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	records, kept := set.Bequest()
	if len(kept) != 1 {
		t.Fatalf("kept %v", kept)
	}
	socket, err := inherit.Dup(kept[0].File, kept[0].Name)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	limit, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := owner.Stop(limit); err != nil {
		t.Fatal(err)
	}
	if err := inherit.Notify(limit, dir+"/ntf.sock", "STATUS=nobody is there"); err != nil {
		t.Fatalf("between two masters: %v", err)
	}
	next, owner := make()
	if err := next.Restore(records, func(name string) *os.File {
		if name == kept[0].Name {
			return socket
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	next.Thaw()
	if err := inherit.Notify(limit, dir+"/ntf.sock", "STATUS=somebody is there"); err != nil {
		t.Fatal(err)
	}
	if err := owner.Stop(limit); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(dir + "/ntf.sock"); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
}
