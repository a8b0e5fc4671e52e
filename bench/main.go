package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/dserver/dserver/bench/internal/process"
)

func main() {
	if code, ok := process.Play(os.Args[1:]); ok {
		os.Exit(code)
	}
	o, err := parseOptions(os.Args[1:], os.Stderr)
	if err != nil {
		os.Exit(2) // the reason has been told
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	b := &bench{options: o, out: os.Stdout, progress: os.Stderr, take: process.Measure}
	err = b.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
