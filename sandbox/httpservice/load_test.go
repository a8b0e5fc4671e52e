package httpservice_test

import (
	"testing"

	"github.com/dserver/dserver/sandbox"
	"github.com/dserver/dserver/sandbox/httpservice"
	"github.com/dserver/dserver/sandbox/internal/httpload"
)

func TestNoRequestIsLostBetweenGenerations(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			httpload.Generations(t, network, 30, func() sandbox.Service {
				return httpservice.New("web", httpload.Handler())
			})
		})
	}
}
