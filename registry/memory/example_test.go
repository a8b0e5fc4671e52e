package memory_test

import (
	"context"
	"fmt"

	"github.com/dserver/dserver/registry"
	"github.com/dserver/dserver/registry/memory"
)

func Example() {
	ctx := context.Background()
	reg, err := memory.New(memory.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer reg.Close(ctx)

	users, err := reg.Register(ctx, "users", registry.Node{Address: "10.0.0.7:9000", Version: "1.4"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for service, err := range reg.Watch(ctx, "users") {
		if err != nil {
			fmt.Println("nothing new for now:", err)
			continue
		}
		if len(service.Nodes) == 0 {
			fmt.Println("nobody serves users any more")
			break
		}
		for _, n := range service.Nodes {
			fmt.Println("users", n.Version, "at", n.Address)
		}
		fmt.Println(users.Close(ctx)) // before draining
	}
	// Output:
	// users 1.4 at 10.0.0.7:9000
	// <nil>
	// nobody serves users any more
}
