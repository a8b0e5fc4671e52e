package ignorecase

import (
	"strings"

	"github.com/dserver/dserver/rpc"
)

// Plugin is the plugin; it has no settings.
type Plugin struct{}

var (
	_ rpc.AfterReadCallHeader = Plugin{}
	_ rpc.AfterReadPushHeader = Plugin{}
)

// Name is "ignorecase".
func (Plugin) Name() string { return "ignorecase" }

// AfterReadCallHeader changes the method of a CALL.
func (Plugin) AfterReadCallHeader(c rpc.ReadCtx) error {
	c.SetMethod(strings.ToLower(c.Method()))
	return nil
}

// AfterReadPushHeader changes the method of a PUSH.
func (p Plugin) AfterReadPushHeader(c rpc.ReadCtx) error { return p.AfterReadCallHeader(c) }
