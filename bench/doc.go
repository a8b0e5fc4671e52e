// Command bench measures package rpc beside other implementations of RPC, in one run on
// one machine:
//
//	go run .                                       # everything; half an hour
//	go run . -quick                                # two minutes, or three; fails if half of a target is missed
//	go run . -peer 'dserver$|arpc' -cell 100:1     # some peers, some cells
//	go run . -json > runs.jsonl                    # one object for each measurement
//
// # Who is measured
//
//   - dserver: protobuf bodies, handlers on pooled goroutines. dserver-bytes: bodies that
//     are bytes. With -inline behind it the handlers run in the reading goroutine.
//   - ceil-yield, ceil-pb-go, ceil-c-pb-go: no products; they mark what is to be had. See
//     internal/peer/ceiling.
//   - kitex-thrift-mux, arpc, arpc-tuned, grpc, rpcx, net-rpc: as users have them, each
//     documented in its package below internal/peer.
//
// # What the cells are
//
// A cell is written call:record:100:1: the mode, what a call carries, how many callers
// there are, and how many connections they share.
//
//   - call: callers make one call after the other. push: messages have no answer, and the
//     rate is that of those which have come. dial: connect, one call, close. idle: what a
//     connection costs the server that has made a call and waits.
//   - record: 43 fields, about 570 bytes as protobuf. 16B, 64KiB: as many bytes.
//
// # How it is measured
//
// Each measurement has a new process for the server and one for the client, both with as
// many processors as there are, joined by TCP on the loopback device. Each answer is
// checked: a tag tells whose it is. Peers take turns inside a cell, in another order each
// round, and medians of the rounds count. CPU is that of both processes, in seconds per
// million calls; allocations, switches of context and writes are per call; RSS is that of
// the server, all of which have the code of all peers in them.
//
// With -quick, cells in which half of a target was missed are measured again, all their
// peers, in twice as many rounds as before, and the medians over all rounds count: a
// regression stays and noise does not. Without it targets are only told, and nothing is
// measured again.
//
// Writes are those that the kernel counts: what kitex sends by sendmsg is not among them.
//
// It needs Linux, and 5000 connections want a limit of 5100 open files. Nobody imports it;
// it is a program.
package main
