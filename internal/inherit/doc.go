// Package inherit moves sockets and descriptors between processes: it numbers
// them for a child, takes them over from a parent, sends them over a socket, and
// speaks the two protocols that service managers speak to their children,
// LISTEN_FDS and NOTIFY_SOCKET.
//
// A descriptor that two processes hold is one open file: what one of them does
// to its mode, the other feels. Two rules follow, and the package keeps both.
// Nothing here ever sets a shared descriptor to blocking mode, not even for a
// moment ([os.File.Fd] may do that). And a copy that is only kept to be handed
// on is kept out of the runtime's poller, so that a process that holds a socket
// but does not read it is not woken by its traffic.
//
// Any package of this repository may import it; it imports nothing of ours. It
// works on Linux; elsewhere what needs the kernel answers
// [errors.ErrUnsupported]. Functions are safe for concurrent use; a [Socket] and
// a [NotifyListener] are, too.
package inherit
