//go:build linux

package probe_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/dserver/dserver/internal/standin"
)

func TestMain(m *testing.M) {
	if code, is := standin.Run(standIns()); is {
		os.Exit(code)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) { os.Exit(standin.Settle(code)) }))
}
