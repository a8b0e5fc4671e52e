"""A server as people write them who know LISTEN_FDS, with the routes that package
load asks for. SIGTERM lets it finish what it has."""
import http.server
import os
import signal
import socket
import sys
import threading
import time
import urllib.parse


def inherited():
    """The sockets that were meant for this process, by name."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        sys.exit("the sockets are meant for process %s, this is %d" % (os.environ.get("LISTEN_PID"), os.getpid()))
    names = os.environ["LISTEN_FDNAMES"].split(":")
    if len(names) != int(os.environ["LISTEN_FDS"]):
        sys.exit("%s sockets, but the names %s" % (os.environ["LISTEN_FDS"], names))
    return {name: socket.socket(fileno=3 + i) for i, name in enumerate(names)}


def notify(text):
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        if path[0] == "@":
            path = "\0" + path[1:]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(text.encode(), path)


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, body):
        self.send_response(200)
        self.send_header("X-Build", os.environ.get("BUILD", "none"))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        if url.path == "/sleep":
            ms = urllib.parse.parse_qs(url.query)["ms"][0]
            time.sleep(int(ms) / 1000)
            return self.answer(b"slept " + ms.encode())
        self.answer(b"hello from %d" % os.getpid())

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def address_string(self):
        return "client"

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False

    def __init__(self, sock):
        super().__init__(("", 0), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = sock


servers = [Server(s) for s in inherited().values()]
signal.signal(signal.SIGTERM, lambda *_: [threading.Thread(target=s.shutdown).start() for s in servers])
loops = [threading.Thread(target=s.serve_forever, kwargs={"poll_interval": 0.05}) for s in servers]
for loop in loops:
    loop.start()
print("serving %d sockets" % len(servers), flush=True)
notify("READY=1\nSTATUS=serving")
for loop in loops:
    while loop.is_alive():  # a join without a limit would keep the signal waiting
        loop.join(0.05)
for s in servers:
    s.server_close()  # waits for the requests that it has accepted
