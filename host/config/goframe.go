package config

import (
	"fmt"

	"github.com/gogf/gf/v2/os/gcfg"
)

// Content is everything that was set in files, environment and flags, merged, as
// JSON. A process that has no files of its own can be handed it for
// [ShareWithGoframe].
func (c *Config) Content() []byte { return c.content }

// ShareWithGoframe makes content, the [Config.Content] of a checked
// configuration, what g.Cfg() of goframe gives in this process. goframe's own
// file adapter would watch the file and give out what nobody has checked.
//
// Call it before any goroutine uses g.Cfg().
func ShareWithGoframe(content []byte) error {
	adapter, err := gcfg.NewAdapterContent(string(content))
	if err != nil {
		return fmt.Errorf("cannot hand the configuration to goframe: %w", err)
	}
	gcfg.Instance().SetAdapter(adapter)
	return nil
}
