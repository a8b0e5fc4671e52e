package supervise

import (
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// Whoever has exited between the look for members and their kill may have left
// somebody to us in between: that takes another look, once.
func TestWhoExitsAfterTheLookIsLate(t *testing.T) {
	cmd := exec.Command("/bin/true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	ref, err := openPidfd(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer ref.close()
	exit := []unix.PollFd{{Fd: int32(ref), Events: unix.POLLIN}}
	if n, err := retry(func() (int, error) { return unix.Poll(exit, 10_000) }); n != 1 || err != nil {
		t.Fatalf("it does not exit: %d, %v", n, err)
	}
	u, f := new(undertaker), &funeral{process: new(Process), members: []member{{pid: cmd.Process.Pid, ref: ref}}}
	if waiting, late := u.kill(f); waiting || !late {
		t.Errorf("waiting %t, late %t", waiting, late)
	}
	if waiting, late := u.kill(f); waiting || late {
		t.Errorf("the second time: waiting %t, late %t", waiting, late)
	}
}
