package gfservice_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// goframe has these as soon as it is linked.
		goleak.IgnoreTopFunction("github.com/gogf/gf/v2/util/grand.asyncProducingRandomBufferBytesLoop"),
		goleak.IgnoreTopFunction("github.com/gogf/gf/v2/os/gtimer.(*Timer).loop"),
		// The price of surviving a bad certificate: ghttp waits for a goroutine
		// that has given up.
		goleak.IgnoreAnyFunction("github.com/gogf/gf/v2/net/ghttp.(*Server).startServer"),
	)
}
