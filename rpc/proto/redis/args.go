package redis

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// The body of a command is a JSON array of its arguments, each a string of base64: what
// encoding/json makes of a [][]byte.

// appendArgs appends such an array.
func appendArgs(dst []byte, args [][]byte) []byte {
	dst = append(dst, '[')
	for i, arg := range args {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, arg)
		dst = append(dst, '"')
	}
	return append(dst, ']')
}

// parseArgs reads one; no bytes are no arguments. The result shares no memory with b.
func parseArgs(b []byte) ([][]byte, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if args, ok := parsePlainArgs(b); ok {
		return args, nil
	}
	var args [][]byte
	if err := json.Unmarshal(b, &args); err != nil {
		return nil, fmt.Errorf("cannot read the arguments of a command: %w", err)
	}
	return args, nil
}

// parsePlainArgs reads what appendArgs writes, into one piece of memory.
func parsePlainArgs(b []byte) (args [][]byte, ok bool) {
	if string(b) == "[]" {
		return nil, true
	}
	memory := make([]byte, 0, base64.StdEncoding.DecodedLen(len(b)))
	for before := byte('['); len(b) > 2 && b[0] == before && b[1] == '"'; before = ',' {
		b = b[2:]
		end := 0
		for end < len(b) && b[end] != '"' {
			if b[end] < ' ' {
				return nil, false // base64 would skip ends of lines, which JSON does not have
			}
			end++
		}
		start := len(memory)
		var err error
		if memory, err = base64.StdEncoding.AppendDecode(memory, b[:end]); err != nil || end == len(b) {
			return nil, false
		}
		args = append(args, memory[start:len(memory):len(memory)])
		b = b[end+1:]
	}
	return args, string(b) == "]" && args != nil
}
