package sandboxtest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/dserver/dserver/sandbox/httpservice"
	"github.com/dserver/dserver/sandbox/sandboxtest"
)

// In a test, Run does the starting and the closing.
func ExampleStart() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	hello := httpservice.New("web", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello from %s", r.URL.Path)
	}))
	web, err := sandboxtest.Start(ctx, hello, sandboxtest.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := http.Get("http://" + web.Addr() + "/here")
	if err != nil {
		fmt.Println(err)
		return
	}
	body, err := io.ReadAll(res.Body)
	fmt.Println(string(body), err, res.Body.Close())
	fmt.Println("closed:", web.Close(ctx))
	// Output:
	// hello from /here <nil> <nil>
	// closed: <nil>
}
