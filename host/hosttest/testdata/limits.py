"""Tells what it may, or tries to have more of it: limits.py show|files|processes|memory|cpu."""
import os
import resource
import signal
import sys
import time


def show():
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    mask = os.umask(0)
    print("uid=%d gid=%d umask=%03o nice=%d no_new_privs=%s oom=%s home=%s" % (
        os.getuid(), os.getgid(), mask, os.getpriority(os.PRIO_PROCESS, 0), status["NoNewPrivs"].strip(),
        open("/proc/self/oom_score_adj").read().strip(), os.environ.get("HOME")))


def files():
    held = []
    try:
        while len(held) < 500:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as e:
        print("opened %d: %s" % (len(held), e.strerror))
        return
    print("opened %d" % len(held))


def processes():
    children = []
    why = "no error"
    try:
        while len(children) < 200:
            pid = os.fork()
            if pid == 0:
                time.sleep(1000)
                os._exit(0)
            children.append(pid)
    except OSError as e:
        why = e.strerror
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    print("forked %d: %s" % (len(children), why))


def memory():
    held = [b"x" * (8 << 20) + bytes([i]) for i in range(64)]
    print("allocated %d MiB" % (8 * len(held)))


def cpu():
    began, spent = time.monotonic(), time.process_time()
    while time.monotonic() < began + 2:
        pass
    print("spent %d ms of 2000" % ((time.process_time() - spent) * 1000))


globals()[sys.argv[1]]()
