package cgroup

import "slices"

// Lacks tells which of the limits in l cannot be enforced here, a sentence for
// each, with the reason: of memory, memory_high, cpu and pids, in this order. To
// know it, it does to our own group what [Tree.Make] does.
func (t *Tree) Lacks(l Limits) []string {
	reason := "there is no control group here that we may write to"
	if t.Kind() != None {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.prepare()
		reason = t.hindrance
	}
	var list []string
	lack := func(wanted bool, name, controller string) {
		if !wanted || slices.ContainsFunc(t.served(), func(h *hierarchy) bool { return h.serves(controller) }) {
			return
		}
		why := reason
		if why == "" {
			why = "the " + controller + " controller is not at hand in our own control group"
		}
		list = append(list, name+" is not enforced: "+why)
	}
	lack(l.Memory > 0, "memory", memory)
	lack(l.MemoryHigh > 0, "memory_high", memory)
	if l.MemoryHigh > 0 && slices.ContainsFunc(t.served(), func(h *hierarchy) bool { return !h.unified && h.serves(memory) }) {
		list = append(list, "memory_high is watched but slows nothing down: control groups of version 1 cannot do that")
	}
	lack(l.CPU > 0, "cpu", cpu)
	lack(l.Pids > 0, "pids", pids)
	return list
}

// served gives the hierarchies that there are.
func (t *Tree) served() []*hierarchy {
	if t == nil {
		return nil
	}
	return t.hierarchies
}
