// Package registry is where services say at which addresses they can be reached,
// and where others find them.
//
// It has the types and the contract of a [Registry]; the folders below it have
// implementations: memory for one process. Who writes another one runs the suite
// of registrytest against it. Programs choose an implementation where they are put
// together; all else knows this package alone.
//
// A registration lives. [Registry.Register] makes one that is renewed until it is
// closed, and that comes back by itself after the registry was away, even if it
// was away when the program started. A program that dies without closing it is
// forgotten after a time to live. Close the registration before draining, so that
// nobody is sent to a service that is about to go.
//
// A Registry, its Registrations and the functions here may be used from any
// goroutine. A Node or a Service is a plain value; what a registry hands out
// belongs to the caller, and what is handed in is copied.
//
// Any package above may import it; it imports internal packages only.
package registry
