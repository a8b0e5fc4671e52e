package docs_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary be the curl of the pages: the tests shall need
// nothing but Go.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "curl" {
		if err := curl(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "curl:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// curl does what curl does with the flags that the pages use; others it does not
// know.
func curl(args []string) error {
	flags := flag.NewFlagSet("curl", flag.ContinueOnError)
	body := flags.String("d", "", "what to POST")
	socket := flags.String("unix-socket", "", "socket to dial")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return fmt.Errorf("want one URL, not %q", flags.Args())
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	method := http.MethodGet
	if *body != "" {
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(ctx, method, flags.Arg(0), strings.NewReader(*body))
	if err != nil {
		return err
	}
	client := &http.Client{}
	if *socket != "" {
		client.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", *socket)
		}}
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(os.Stdout, answer.Body)
	return err
}
