package supervise

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// reopen gives a read end of the pipe with this inode, which one of the processes
// has open. What is in the pipe stays there until it is read.
func reopen(inode uint64, pids ...int) (*os.File, error) {
	target := fmt.Sprintf("pipe:[%d]", inode)
	for _, pid := range pids {
		dir := "/proc/" + strconv.Itoa(pid) + "/fd/"
		for _, number := range descriptorsOf(dir) {
			path := dir + strconv.Itoa(number)
			if found, err := os.Readlink(path); err != nil || found != target {
				continue
			}
			if pipe, err := openPipe(path, inode); err == nil {
				return pipe, nil
			}
		}
	}
	return nil, errors.New("nobody has the pipe open")
}

// descriptorsOf lists the numbers in a folder of /proc, in their order.
func descriptorsOf(dir string) []int {
	folder, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	if err != nil {
		return nil
	}
	var numbers []int
	for _, name := range names {
		if number, err := strconv.Atoi(name); err == nil {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// openPipe opens a descriptor of another process for reading, if it is still the
// pipe that was meant.
func openPipe(path string, inode uint64) (*os.File, error) {
	number, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	pipe := os.NewFile(uintptr(number), path)
	var stat unix.Stat_t
	if err := unix.Fstat(number, &stat); err != nil || stat.Ino != inode || stat.Mode&unix.S_IFMT != unix.S_IFIFO {
		return nil, errors.Join(errors.New("it is another file by now"), err, pipe.Close())
	}
	return pipe, nil
}

// endedPipe gives a pipe of which nothing comes but its end.
func endedPipe() (*os.File, error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	pipe := os.NewFile(uintptr(ends[0]), "ended pipe")
	if err := unix.Close(ends[1]); err != nil {
		return nil, errors.Join(err, pipe.Close())
	}
	return pipe, nil
}
