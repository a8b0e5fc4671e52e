// Package inorder puts the answers of a session into the order of its questions,
// for protocols whose peers know an answer by its place alone.
//
// A [Queue] is told of each question when it is read, and of each answer when it is
// encoded: it gives back what may be written now, and keeps the rest until its turn.
// What is due must reach the connection in the order in which Done gave it, so nobody
// may write between a call of Done and the writing of its result.
//
// Protocols import it; it imports nothing of ours. A Queue is safe for concurrent use.
package inorder
