//go:build !linux || !amd64

package main

func tinyChild() []byte { return nil }
