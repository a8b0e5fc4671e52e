"""Uses the client as a program would, and prints what comes of it."""
import re, sys, threading

from client import Client, Status


def attempt(name, work):
    try:
        print(name, ascii(work()), flush=True)
    except Status as s:
        print(name, "failed:", s.code, s.msg, ascii(re.sub("incident .*", "incident ID", s.cause)), s.retry, s.details, flush=True)


c = Client(sys.argv[1], int(sys.argv[2]))
attempt("add", lambda: c.call("/math/add", [1, 2, 3], timeout=10))
attempt("nothing", lambda: c.call("/math/add"))
attempt("text", lambda: c.call("/echo", "<业务> \u2028 \U0001f600 \\ \" \n"))
attempt("big", lambda: len(c.call("/echo", "x" * (1 << 20))))
attempt("fail", lambda: c.call("/fail"))
attempt("none", lambda: c.call("/none"))
attempt("bad", lambda: c.call("/math/add", "no list"))
got = {}
attempt("metadata", lambda: c.call("/meta", meta={"name": "值"}, reply_meta=got))
print("reply has", ascii(got), flush=True)
attempt("slow", lambda: c.call("/wait", 1, timeout=0.2))
attempt("huge method", lambda: c.call("/" + 255 * "x"))
attempt("huge metadata", lambda: c.call("/echo", meta={"k": "v" * 65535}))

sums = []
threads = [threading.Thread(target=lambda n=n: sums.append(c.call("/math/add", [n, 1]) - n)) for n in range(50)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("threads", sum(sums), flush=True)

c.push("/echo", {"hello": [1]}, meta={"a": "b"})
print("pushed", c.pushes.get(timeout=10), flush=True)

running = threading.Thread(target=attempt, args=("on the old one:", lambda: c.call("/gate")))
attempt("server", lambda: c.call("/who"))
running.start()
print(c.pushes.get(timeout=30), flush=True)  # the server says this after GOAWAY
attempt("server", lambda: c.call("/who"))
c.call("/open")
running.join()
attempt("server", lambda: c.call("/who"))
c.close()
attempt("again", lambda: c.call("/math/add", [1]))
c.close()
