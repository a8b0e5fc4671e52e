package conformance

import (
	"os"
	"testing"

	"github.com/dserver/dserver/host/hosttest"
)

func TestMain(m *testing.M) { os.Exit(hosttest.Main(m)) }
