// Package memory is a registry inside one process: for programs in single mode,
// for tests, and for those who want to see how a registry works.
//
// A [Store] holds the nodes and forgets those that are not renewed; a [Registry]
// is one client of it. Programs need one of each; give several registries the
// same Store to have them see each other's services. A Store runs no goroutine, a
// Registry one for each registration, until closed.
//
// Any package may import it that may import registry; it imports registry and
// internal packages. All methods are safe for concurrent use.
package memory
