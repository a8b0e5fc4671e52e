package hosttest

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Descriptor is a listening socket in a process of an instance.
type Descriptor struct {
	Process  Process
	Number   int
	Address  string // as the kernel lists it
	Blocking bool
}

// String is for failure messages.
func (d Descriptor) String() string {
	return fmt.Sprintf("descriptor %d (%s) of process %v", d.Number, d.Address, d.Process)
}

// Listening lists the descriptors of listening sockets in all processes of the
// instance, as the kernel shows them.
func (in *Instance) Listening() (found []Descriptor) {
	in.tb.Helper()
	for _, p := range in.Processes() {
		folder := filepath.Join("/proc", strconv.Itoa(p.Pid))
		sockets := listeningSockets(folder)
		entries, err := os.ReadDir(filepath.Join(folder, "fd"))
		if err != nil {
			continue // the process has just ended
		}
		for _, entry := range entries {
			link, err := os.Readlink(filepath.Join(folder, "fd", entry.Name()))
			address, listens := sockets[link]
			if err != nil || !listens {
				continue
			}
			number, err := strconv.Atoi(entry.Name())
			if err != nil {
				in.tb.Fatal(err)
			}
			flags, err := fdFlags(filepath.Join(folder, "fdinfo", entry.Name()))
			if err != nil {
				continue // closed meanwhile
			}
			found = append(found, Descriptor{Process: p, Number: number, Address: address, Blocking: flags&syscall.O_NONBLOCK == 0})
		}
	}
	return found
}

// table is a list of sockets as the kernel shows it.
type table struct {
	file                  string
	inode, address, state int    // columns
	listening             string // the state that listens
}

// listeningSockets gives the addresses of the sockets that listen in a process'
// network namespace, by what the links in /proc/PID/fd say.
func listeningSockets(folder string) map[string]string {
	sockets := make(map[string]string)
	for _, t := range []table{
		{"tcp", 9, 1, 3, "0A"}, {"tcp6", 9, 1, 3, "0A"}, {"unix", 6, 7, 3, "00010000"},
	} {
		text, err := os.ReadFile(filepath.Join(folder, "net", t.file))
		if err != nil {
			continue // the process has just ended, or there is no IPv6
		}
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			if len(fields) > max(t.inode, t.address) && fields[t.state] == t.listening {
				sockets["socket:["+fields[t.inode]+"]"] = fields[t.address]
			}
		}
	}
	return sockets
}

// fdFlags reads the flags of the open file that a descriptor stands for.
func fdFlags(path string) (int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), "flags:"); ok {
			return strconv.ParseInt(strings.TrimSpace(text), 8, 64)
		}
	}
	return 0, fmt.Errorf("%s tells no flags", path)
}
