package reexec

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// What one program leaves to the next is in two places. A variable says where the
// rest is, and is all that is needed to go back:
//
//	DSERVER_REEXEC=PID LETTER EXECUTABLE [REASON]
//
// PID is the process that it is meant for, LETTER and EXECUTABLE are descriptors:
// the letter, and the executable that went before. REASON is only there on the
// way back. The letter is a sealed file in memory:
//
//	offset  size
//	     0     8  magic, "reexec 1"
//	     8     4  size of the head, big endian
//	    12        head, JSON; fields are only ever added
//	              the state, up to the end
const (
	variable = "DSERVER_REEXEC"
	magic    = "reexec 1"

	prefixSize = len(magic) + 4
	maxHead    = 64 << 20 // bytes
	maxReason  = 4 << 10  // bytes; it is part of the environment
)

// seals make sure that nobody changes a letter while it is read.
const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE

// head is the part of a letter that this package reads itself.
type head struct {
	Files   []int    `json:"files"`   // descriptors, in the order of Image.Files
	Signals []int    `json:"signals"` // received, and not yet handled
	Ignored []int    `json:"ignored"` // signals that the old program ignored of its own
	Args    []string `json:"args"`    // of the old program, for the way back
	Env     []string `json:"env"`     // likewise
}

// newLetter writes a letter. The file is at its beginning, and closed on exec.
func newLetter(h head, state []byte) (*os.File, error) {
	text, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	number, err := unix.MemfdCreate("reexec", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(number), "letter")
	if err := writeLetter(f, text, state); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if _, err := unix.FcntlInt(uintptr(number), unix.F_ADD_SEALS, seals); err != nil {
		return nil, errors.Join(os.NewSyscallError("fcntl", err), f.Close())
	}
	return f, nil
}

func writeLetter(f *os.File, head, state []byte) error {
	prefix := binary.BigEndian.AppendUint32([]byte(magic), uint32(len(head)))
	for _, part := range [][]byte{prefix, head, state} {
		if _, err := f.Write(part); err != nil {
			return err
		}
	}
	_, err := f.Seek(0, io.SeekStart)
	return err
}

// readLetter reads a letter from its beginning, wherever the file stands.
func readLetter(f *os.File) (h head, state []byte, err error) {
	size, err := checkLetter(f)
	if err != nil {
		return head{}, nil, err
	}
	text := make([]byte, size)
	if _, err := f.ReadAt(text, 0); err != nil {
		return head{}, nil, err
	}
	if !bytes.HasPrefix(text, []byte(magic)) {
		return head{}, nil, errors.New("it begins with something else than " + strconv.Quote(magic))
	}
	length := int64(binary.BigEndian.Uint32(text[len(magic):]))
	if length > maxHead || length > size-int64(prefixSize) {
		return head{}, nil, fmt.Errorf("it says that its head has %d bytes", length)
	}
	text = text[prefixSize:]
	if err := json.Unmarshal(text[:length], &h); err != nil {
		return head{}, nil, fmt.Errorf("its head: %w", err)
	}
	return h, text[length:], nil
}

// checkLetter gives the size of a letter. Only a file in memory has seals, so
// nothing else is taken for one.
func checkLetter(f *os.File) (int64, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var has int
	var sealErr error
	if err := raw.Control(func(number uintptr) { has, sealErr = unix.FcntlInt(number, unix.F_GET_SEALS, 0) }); err != nil {
		return 0, err
	}
	if sealErr != nil || has&seals != seals {
		return 0, errors.New("it is not a sealed file in memory")
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if info.Size() < int64(prefixSize) || info.Size() > int64(prefixSize)+maxHead+maxState {
		return 0, fmt.Errorf("it has %d bytes", info.Size())
	}
	return info.Size(), nil
}

// address is what the variable says.
type address struct {
	pid, letter, executable int
	reason                  string
}

func (a address) entry() string {
	reason := strings.ReplaceAll(a.reason, "\x00", " ")
	return fmt.Sprintf("%s=%d %d %d %s", variable, a.pid, a.letter, a.executable, reason[:min(len(reason), maxReason)])
}

func parseAddress(text string) (address, error) {
	parts := strings.SplitN(text, " ", 4)
	if len(parts) != 4 {
		return address{}, fmt.Errorf("%s is %q", variable, text)
	}
	var numbers [3]int
	for i := range numbers {
		n, err := strconv.Atoi(parts[i])
		if err != nil || n <= 0 {
			return address{}, fmt.Errorf("%s is %q", variable, text)
		}
		numbers[i] = n
	}
	return address{pid: numbers[0], letter: numbers[1], executable: numbers[2], reason: parts[3]}, nil
}

// without gives env without what is left of an earlier address.
func without(env []string) []string {
	clean := make([]string, 0, len(env)+1)
	for _, entry := range env {
		if !strings.HasPrefix(entry, variable+"=") {
			clean = append(clean, entry)
		}
	}
	return clean
}
