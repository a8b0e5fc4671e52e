// Package proc reads what Linux says of processes in /proc.
//
// All of it is true for the moment of the look only: a number may belong to another
// process by the next one, which [Stat.Ticks] tells apart. What cannot be read is
// like what is not there, unless a function says otherwise.
//
// Any package of this repository may import it; it imports nothing of ours. On
// other systems it is empty. Functions are safe for concurrent use.
package proc
