"""Writes numbered lines in bursts until it is told to end; then it says how many
there were, without a newline at the end unless it is called with "whole"."""
import os
import signal
import sys
import time

run = "%d-%d" % (os.getpid(), time.time_ns())
going = True


def stop(*_):
    global going
    going = False


signal.signal(signal.SIGTERM, stop)
n = 0
while going:
    lines = "".join("%s line %d %s\n" % (run, n + i, "x" * ((n + i) % 97)) for i in range(50))
    n += 50
    sys.stdout.write(lines)
    sys.stdout.flush()
    time.sleep(0.02)  # it shares the machine with others
print("%s end %d" % (run, n), end="\n" if "whole" in sys.argv else "", flush=True)
