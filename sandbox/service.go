package sandbox

import "context"

// Service is one part of an application.
//
// # What Serve promises
//
//   - It opens what it needs (Box.Listeners, Box.Listen), calls [Box.Ready] once
//     it can work, and then works until it is told to drain.
//   - When Box.Drain() closes it stops taking new work, finishes what runs, and
//     returns nil. Listeners of the box return net.ErrClosed from then on.
//   - ctx ends when the time for that is over (the drain deadline). Serve has two
//     more seconds to return; after that the sandbox counts as stuck and is
//     reported by name.
//
// # What the host promises
//
//   - One Serve at a time on one value. A restart calls Serve again, on the same
//     value, after the former call has returned. A host that was given a function
//     instead of a value makes a fresh value each time.
//   - Sockets stay open between two Serves and over reloads: connections wait in
//     the kernel's queue, they are not refused.
//   - Before the new generation of a reload is committed its listeners do not
//     accept; Serve need not care.
//
// # What a return means
//
//   - nil before Ready: a failed start. nil after Ready and without being told to
//     drain: the service has finished.
//   - an error: the service failed; the sandbox's restart policy decides.
//   - a panic in Serve, in a handler of an adapter, or in a goroutine started by
//     Box.Go fails this sandbox alone. A panic in a goroutine that the service
//     started with a bare go statement ends the process, as Go has it.
type Service interface {
	// Name is the sandbox's name: [a-z0-9-], at most 63 characters, unique in
	// the application.
	Name() string
	// Serve does the work; see above.
	Serve(ctx context.Context, box *Box) error
}

// Healther is a Service that can tell whether it is well. Health is asked before
// a new generation counts as ready; it must answer before ctx ends.
type Healther interface {
	Health(ctx context.Context) error
}

// ConfigSharer is a Service that hands what was configured on to a framework with
// a configuration of its own. ShareConfig gets everything that files, environment
// and flags have set, merged and checked, as JSON. It is called once in each
// process that runs the service, before any Serve; its error fails the start.
type ConfigSharer interface {
	ShareConfig(content []byte) error
}
