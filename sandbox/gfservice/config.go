package gfservice

import (
	"fmt"

	"github.com/gogf/gf/v2/os/gcfg"

	"github.com/dserver/dserver/sandbox"
)

// Config makes what was configured what g.Cfg() of goframe gives in this process.
// A [Service] does so by itself; embed Config in another service that uses
// goframe. goframe's own adapter for files would watch them, and give out what
// nobody has checked.
type Config struct{}

// ShareConfig implements [sandbox.ConfigSharer].
func (Config) ShareConfig(content []byte) error {
	adapter, err := gcfg.NewAdapterContent(string(content))
	if err != nil {
		return fmt.Errorf("cannot hand the configuration to goframe: %w", err)
	}
	gcfg.Instance().SetAdapter(adapter)
	return nil
}

var _ sandbox.ConfigSharer = Config{}
