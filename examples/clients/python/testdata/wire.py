"""Makes the client meet what only a peer by hand would send, and prints what comes of it."""
import sys

from client import Client, Status

c = Client(sys.argv[1], int(sys.argv[2]), heartbeat=1)


def attempt(method, **options):
    try:
        print(method, c.call(method, **options), flush=True)
    except Status as s:
        print(method, "failed:", s.code, s.retry, flush=True)


for method in "/old", "/late", "/ours", "/late", "/asked", "/moved", "/cut", "/broken", "/after":
    attempt(method, timeout=0.1 if method == "/late" else None)
print(c.pushes.qsize(), c.pushes.get(), flush=True)
c.close()
attempt("/alone")
