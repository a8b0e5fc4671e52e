package probe

import "github.com/dserver/dserver/internal/inherit"

// Parse reads the lines of a notice.
func Parse(lines ...string) Notice { return parse(inherit.Notice{Lines: lines}) }
