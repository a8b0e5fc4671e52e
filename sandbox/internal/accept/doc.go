// Package accept runs the accept loops of a service: one for each socket that is
// declared for its sandbox, ending together.
//
// Only the adapters below sandbox may import it. Loops is safe for concurrent use.
package accept
