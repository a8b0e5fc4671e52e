// Package group owns goroutines: who starts one is who waits for it.
//
// A [Group] carries a context, starts named goroutines under it, and waits for
// them up to a deadline; those that did not end are reported by name. A panic
// inside a goroutine can be handed to the group's owner as a [*PanicError]
// instead of ending the process.
//
// Any package of this repository may import it; it imports nothing of ours.
// All methods are safe for concurrent use.
package group
