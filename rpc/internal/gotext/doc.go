// Package gotext writes and reads texts in quotes: as JSON wants them, and as older
// writers have them, who follow the rules of Go, which is not always JSON.
//
// Packages status, message and protocols of JSON import it; it imports nothing of
// ours. It keeps no state.
package gotext
