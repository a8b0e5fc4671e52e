#include "textflag.h"

// The numbers of the system calls, and what they are asked.
#define SYS_write         1
#define SYS_open          2
#define SYS_close         3
#define SYS_pause         34
#define SYS_getpid        39
#define SYS_clock_gettime 228
#define SYS_exit_group    231

#define CLOCK_MONOTONIC   1
#define WRITE_APPEND      0x401 // O_WRONLY|O_APPEND

// childStart to childEnd is a whole program, copied from here into a file of its
// own; so it may refer to nothing but itself. At its entry the stack pointer is at
// the number of arguments, and behind that are their addresses:
//
//	child FILE        writes a birth to the end of FILE and waits for a signal
//	child FILE ANY    writes a birth and exits with 1
//
// A birth is the monotonic time as seconds and nanoseconds, and the pid; each has 8
// bytes. It is put below the stack pointer, where nobody else writes: there is no
// signal handler.
TEXT ·childStart(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ $SYS_clock_gettime, AX // first, so that the time is that of the start
	MOVQ $CLOCK_MONOTONIC, DI
	LEAQ -64(SP), SI
	SYSCALL
	MOVQ $SYS_getpid, AX
	SYSCALL
	MOVQ AX, -48(SP)
	MOVQ $SYS_open, AX
	MOVQ 16(SP), DI
	MOVQ $WRITE_APPEND, SI
	MOVQ $0, DX
	SYSCALL
	MOVQ AX, R12
	MOVQ $SYS_write, AX
	MOVQ R12, DI
	LEAQ -64(SP), SI
	MOVQ $24, DX
	SYSCALL
	MOVQ $SYS_close, AX
	MOVQ R12, DI
	SYSCALL
	CMPQ 0(SP), $2
	JGT  fail

wait:
	MOVQ $SYS_pause, AX
	SYSCALL
	JMP  wait

fail:
	MOVQ $SYS_exit_group, AX
	MOVQ $1, DI
	SYSCALL
	JMP  fail

TEXT ·childEnd(SB), NOSPLIT|NOFRAME, $0-0
	RET

// func childBounds() (start, end unsafe.Pointer)
TEXT ·childBounds(SB), NOSPLIT, $0-16
	LEAQ ·childStart(SB), AX
	MOVQ AX, start+0(FP)
	LEAQ ·childEnd(SB), AX
	MOVQ AX, end+8(FP)
	RET
