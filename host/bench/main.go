package main

import (
	"fmt"
	"os"
)

func main() {
	if code, ok := play(os.Args[1:]); ok {
		os.Exit(code)
	}
	if _, err := parseOptions(os.Args[1:], os.Stderr); err != nil {
		os.Exit(2) // the reason has been told
	}
	code, err := guard(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}
