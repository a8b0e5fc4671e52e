"""Writes numbered lines in bursts until it is told to end; then it says how many
there were, without a newline at the end unless it is called with "whole".

It writes to the descriptor itself: sys.stdout drops what is left of a write that
a signal has cut short, which is not a loss of the one who reads."""
import os
import signal
import sys
import time

run = "%d-%d" % (os.getpid(), time.time_ns())
going = True


def stop(*_):
    global going
    going = False


def say(text):
    data = text.encode()
    while data:
        data = data[os.write(1, data):]


signal.signal(signal.SIGTERM, stop)
n = 0
while going:
    say("".join("%s line %d %s\n" % (run, n + i, "x" * ((n + i) % 97)) for i in range(50)))
    n += 50
    time.sleep(0.02)  # it shares the machine with others
say("%s end %d%s" % (run, n, "\n" if "whole" in sys.argv else ""))
