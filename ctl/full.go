package ctl

// orEmpty makes JSON say [] instead of null, which every reader would have to
// look out for.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// fullSandboxes is a copy of list without null in it.
func fullSandboxes(list []Sandbox) []Sandbox {
	full := make([]Sandbox, len(list))
	for i, sb := range list {
		sb.Instances, sb.Listen = orEmpty(sb.Instances), orEmpty(sb.Listen)
		full[i] = sb
	}
	return full
}

// fullWorkers is a copy of list without null in it.
func fullWorkers(list []Worker) []Worker {
	full := make([]Worker, len(list))
	for i, w := range list {
		w.Sandboxes = orEmpty(w.Sandboxes)
		full[i] = w
	}
	return full
}

// fullPrograms is a copy of list without null in it.
func fullPrograms(list []Program) []Program {
	full := make([]Program, len(list))
	for i, p := range list {
		p.Command, p.Instances = orEmpty(p.Command), orEmpty(p.Instances)
		full[i] = p
	}
	return full
}
