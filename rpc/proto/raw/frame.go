package raw

// A frame, integers big endian, text UTF-8:
//
//	 0        4       5       6           6+n
//	+--------+-------+-------+-----------+--------------------------------+
//	| u32    | u8    | u8    | n bytes   | payload, behind the n filters  |
//	| total  | ver=1 | n     | filters   |                                |
//	+--------+-------+-------+-----------+--------------------------------+
//
//	payload:
//	+------+---------+------+------+-----------+-------+----------+-------+----------+-------+-------+
//	| u8 a | a bytes | u8   | u8 b | b bytes   | u16 c | c bytes  | u16 d | d bytes  | u8    | rest  |
//	|      | seq     | type |      | method    |       | status   |       | metadata | codec | body  |
//	+------+---------+------+------+-----------+-------+----------+-------+----------+-------+-------+
//
//   - total counts the whole frame, its own 4 bytes too: never below 6+n.
//   - ver is written as 1 and ignored on reading.
//   - seq is an int32 in base 36, lower case, "-" if negative: 1 to 7 bytes.
//     Reading takes upper case as well.
//   - status is JSON; 0 bytes mean success. Older writers spell success out in
//     30 bytes, so an empty one shows a peer of this implementation.
//   - metadata is a JSON object, {} when empty: older readers hang up on 0 bytes.
//   - Limits: method 255 bytes, status and metadata 65535 each, 255 filters.

const (
	version    = 1
	headerSize = 6
	maxText16  = 1<<16 - 1
	maxText8   = 1<<8 - 1
	maxSeqSize = 7
)
