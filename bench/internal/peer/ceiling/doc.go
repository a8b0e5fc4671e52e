// Package ceiling marks what is to be had: the least that answers over one connection
// which many callers share. It is no product: it has no routes, no errors, no deadlines.
//
//   - ceil-yield: bytes come back as they are. Writers append to a buffer, which one
//     goroutine takes away, after it has let others run once, and writes.
//   - ceil-pb-go: the same with protobuf on both ends and a goroutine for each request.
//     This is what a complete endpoint with this message can hope for.
//   - ceil-c-pb-go: as that, without the goroutine that writes: who finds nobody writing
//     writes for all.
//
// A frame is the number of bytes that follow (4 bytes, little-endian), the number of the
// call (4 bytes), what it carries (1 byte; the highest bit is set if there is no answer)
// and the body. Peers are trusted.
//
// Package roster imports it. It is safe for concurrent use.
package ceiling
