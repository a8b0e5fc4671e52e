package probe

// lineage is what tells whose process one is. It is only true for the moment.
type lineage struct {
	pid        int
	session    int
	parents    []int             // from the nearest on, as far as they are in our family
	groups     map[string]string // its control groups by their hierarchies
	invocation string            // its INVOCATION_ID
}

// known gives the processes by which it may be known, the surest first.
func (l lineage) known() []int {
	known := append([]int{l.pid}, l.parents...)
	if l.session > 0 {
		known = append(known, l.session)
	}
	return known
}
