package main

import (
	"bytes"
	"encoding/binary"
	"unsafe"
)

func childStart() // never called: it is copied
func childEnd()
func childBounds() (start, end unsafe.Pointer)

// maxChildCode is far more than the code has; what is longer was not laid out as
// one piece.
const maxChildCode = 1 << 10

const (
	childBase    = 0x400000 // where the file is mapped
	elfHeader    = 64       // bytes
	programEntry = 56       // bytes
)

// tinyChild gives an executable of some 300 bytes, or nil if there is none for this
// kind of machine: a header, and the code between childStart and childEnd.
func tinyChild() []byte {
	start, end := childBounds()
	size := int(uintptr(end) - uintptr(start))
	if size <= 0 || size > maxChildCode {
		return nil
	}
	code := unsafe.Slice((*byte)(start), size)
	const head = elfHeader + programEntry
	var file bytes.Buffer
	put := func(values ...any) {
		for _, v := range values {
			binary.Write(&file, binary.LittleEndian, v) // to memory, never fails
		}
	}
	put([]byte("\x7fELF\x02\x01\x01"), make([]byte, 9)) // 64 bits, little endian
	put(uint16(2), uint16(62), uint32(1))               // executable, x86-64
	put(uint64(childBase+head), uint64(elfHeader), uint64(0))
	put(uint32(0), uint16(elfHeader), uint16(programEntry), uint16(1), uint16(0), uint16(0), uint16(0))
	put(uint32(1), uint32(5)) // load; readable, executable
	put(uint64(0), uint64(childBase), uint64(childBase))
	put(uint64(head+size), uint64(head+size), uint64(0x1000))
	put(code)
	return file.Bytes()
}
