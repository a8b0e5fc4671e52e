// Package kitex is github.com/cloudwego/kitex as a peer: thrift with generated code over
// its multiplexed transport, which is the fastest it has. Its one-way calls are not
// measured, and its clients cannot be closed.
//
// The code in gen is what kitex makes of record.thrift.
//
// Package roster imports it. It is safe for concurrent use.
package kitex

//go:generate go tool kitex -module github.com/dserver/dserver/bench -gen-path gen record.thrift
//go:generate rm gen/record/k-consts.go
