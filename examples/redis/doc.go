// Command redis is a key-value service that redis-cli and the clients of redis speak
// with:
//
//	go build -o bin/redis ./examples/redis
//	bin/redis start -d
//	redis-cli -p 6380 set greeting hello
//	redis-cli -p 6380 incr visits
//
// What it holds lives in its process: a reload begins with nothing.
package main
