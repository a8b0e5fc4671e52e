package rpc

import "slices"

// resolve gives the configuration with its defaults, as plugins have changed it, and
// their hooks.
func (c Config) resolve() (Config, *hooks, error) {
	// Plugins may add plugins, but not to the caller's own list.
	c.Plugins, c.LastPlugins = slices.Clip(c.Plugins), slices.Clip(c.LastPlugins)
	for first, last := 0, 0; first < len(c.Plugins) || last < len(c.LastPlugins); {
		var p Plugin
		if first < len(c.Plugins) {
			p = c.Plugins[first]
			first++
		} else {
			p = c.LastPlugins[last]
			last++
		}
		h, err := newHooks(atEndpoint, p)
		if err == nil {
			err = h.runBeforeNewEndpoint(&c)
		}
		if err != nil {
			return c, nil, err
		}
	}
	h, err := newHooks(atEndpoint, c.plugins()...)
	if err != nil {
		return c, nil, err
	}
	c, err = c.normalise()
	return c, h, err
}

func (c *Config) plugins() []Plugin { return slices.Concat(c.Plugins, c.LastPlugins) }

// routeHooks are those of a route whose own plugins, from groups and options, stand
// between those of the endpoint.
func (e *Endpoint) routeHooks(own []Plugin) (*hooks, error) {
	if len(own) == 0 {
		return e.hooks, nil
	}
	if _, err := newHooks(atRoute, own...); err != nil {
		return nil, err
	}
	return newHooks(atEndpoint, slices.Concat(e.config.Plugins, own, e.config.LastPlugins)...)
}
