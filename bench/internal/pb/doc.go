// Package pb is the protobuf messages of the benchmark, generated from record.proto.
//
// Packages of this module import it. Messages are safe for concurrent reading.
package pb

//go:generate go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
//go:generate protoc --go_out=. --go_opt=paths=source_relative record.proto
