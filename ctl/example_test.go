package ctl_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/internal/group"
)

// A program looks at a master, as the command line does, and tells apart why it
// cannot.
func Example() {
	dir, err := os.MkdirTemp("", "ctl")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "ctl.sock")
	client := ctl.New(path)
	ctx := context.Background()

	_, err = client.Info(ctx)
	fmt.Println("before:", errors.Is(err, ctl.ErrNotRunning))

	ln, err := ctl.Listen(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	server := ctl.NewServer(newMaster(), ctl.Config{})
	serving := group.New(ctx, nil)
	serving.Go("ctl", func(context.Context) { server.Serve(ln) })

	info, err := client.Info(ctx)
	fmt.Println("now:", info.Name, info.Mode, err)
	_, err = client.Restart(ctx, ctl.ActionRequest{Names: []string{"nobody"}})
	fmt.Println("restart:", errors.Is(err, ctl.ErrNotFound))

	fmt.Println("end:", errors.Join(server.Shutdown(ctx), ln.Close(), serving.Wait(ctx)))
	// Output:
	// before: true
	// now: shop multi <nil>
	// restart: true
	// end: <nil>
}
