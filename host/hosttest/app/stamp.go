package main

import "strings"

// stamp is what makes a build of its own out of a copy of this program: package
// hosttest writes over these bytes. It begins with hosttest.stampPrefix and has
// hosttest.stampSize bytes; behind the prefix stand key=value pairs, then dots.
const stamp = "hosttest-stamp:build=first;......................................................................"

// stamped gives the value of a key of the stamp, empty if it has none.
func stamped(key string) string {
	_, pairs, _ := strings.Cut(stamp, ":")
	for pair := range strings.SplitSeq(strings.TrimRight(pairs, "."), ";") {
		if k, v, _ := strings.Cut(pair, "="); k == key {
			return v
		}
	}
	return ""
}
