// Package inorder lets the answers to questions without numbers leave in the order of
// the questions, however they become ready: for peers such as HTTP and redis clients,
// who tell the answers apart by their order alone.
//
// A protocol gives each question a number of the queue when it reads it, and writes
// each answer through the queue:
//
//	m.Seq = queue.Ask(note)                      // in Unpack
//	err := queue.Answer(writer, m.Seq, bytes)    // in Pack
//
// Protocols import it; it imports nothing of ours. A Queue is guarded by who has it.
package inorder
