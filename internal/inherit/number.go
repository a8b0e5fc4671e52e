package inherit

import (
	"fmt"
	"syscall"
)

// Number tells the descriptor number of c. It is valid only while c is open and
// somebody still refers to it.
func Number(c syscall.Conn) (uintptr, error) {
	var number uintptr
	err := Numbers([]syscall.Conn{c}, func(n []uintptr) error {
		number = n[0]
		return nil
	})
	return number, err
}

// Numbers calls use with the descriptor numbers of conns, in their order. None
// of them can be closed before use has returned, whose error it returns.
func Numbers(conns []syscall.Conn, use func(numbers []uintptr) error) error {
	return hold(conns, make([]uintptr, 0, len(conns)), use)
}

func hold(rest []syscall.Conn, held []uintptr, use func([]uintptr) error) error {
	if len(rest) == 0 {
		return use(held)
	}
	raw, err := rest[0].SyscallConn()
	if err != nil {
		return fmt.Errorf("cannot reach descriptor %d of the list: %w", len(held), err)
	}
	var inner error
	err = raw.Control(func(number uintptr) {
		inner = hold(rest[1:], append(held, number), use)
	})
	if err != nil {
		return fmt.Errorf("cannot reach descriptor %d of the list: %w", len(held), err)
	}
	return inner
}
