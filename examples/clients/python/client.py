"""A client of the raw protocol over TCP, as docs/wire.md tells it; all methods may be called from any thread.

    client = Client("127.0.0.1", 9091)
    print(client.call("/math/add", [1, 2, 3], timeout=2))
"""
import concurrent.futures as futures, contextlib, io, itertools, json, math, queue, socket, struct, threading, time
CALL, REPLY, PUSH, JSON, LIMIT = 1, 2, 3, ord("j"), 16 << 20

class Status(Exception):
    """What the peer answered, or why nobody did. With retry set nothing was executed."""
    def __init__(self, code, msg="", cause="", retry=False, details=None, **_):
        super().__init__(f"{code} {msg}: {cause}")
        self.code, self.msg, self.cause, self.retry, self.details = code, msg, cause, retry, details

def base36(n, digits="0123456789abcdefghijklmnopqrstuvwxyz"):
    return "-" + base36(-n) if n < 0 else (base36(n // 36) if n > 35 else "") + digits[n % 36]

def encode(seq, kind, method, meta, codec, body, status):
    number, route, text = base36(seq).encode(), method.encode(), json.dumps(meta).encode()
    if len(route) > 255 or len(text) > 65535 or len(body) > LIMIT - (1 << 17):
        raise Status(104, "Write Failed", "the method, the metadata or the body is too long")
    payload = b"".join((bytes([len(number)]), number, bytes([kind, len(route)]), route, struct.pack(">H", len(status)),
                        status, struct.pack(">H", len(text)), text, bytes([codec]), body))
    return struct.pack(">IBB", 6 + len(payload), 1, 0) + payload

def decode(payload):
    def field(size):
        return payload.read(int.from_bytes(payload.read(size), "big"))
    seq, kind, method = int(field(1), 36), payload.read(1)[0], field(1).decode()
    status, meta = field(2), json.loads(field(2) or "{}")
    codec, body = payload.read(1)[0], payload.read()  # no codec: a field ran past the end
    return seq, kind, method, status, meta, json.loads(body) if codec == JSON and body else body or None

class Session:
    """One connection. A thread of its own reads, everybody writes."""
    leaving = ours = False  # no new calls here; the peer understands /_cancel
    final = None  # number of the last call that the peer has executed
    def __init__(self, client):
        self.client, self.lock, self.ended = client, threading.Lock(), threading.Event()
        self.numbers, self.waiting = itertools.count(1), {}  # calls by their numbers
        self.sock = socket.create_connection(client.address, client.patience)
        self.sock.settimeout(None)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", client.patience, 0))
        for work in self.read, self.beat:
            threading.Thread(target=work, daemon=True).start()

    def send(self, kind, method="", meta={}, codec=JSON, body=b"", seq=None, status=b"", future=None):
        seq = (next(self.numbers) + 2**31) % 2**32 - 2**31 if seq is None else seq  # they wrap
        frame = encode(seq, kind, method, meta, codec, body, status)
        self.waiting.update({seq: future} if future else {})
        try:
            with self.lock:
                self.sock.sendall(frame)
        except OSError as e:  # what has not been sent in full is not executed
            self.waiting.pop(seq, None)
            self.leave(socket.SHUT_RDWR)
            raise Status(102, "Connection Closed", str(e), retry=True)
        return seq

    def call(self, method, body, until, meta, reply_meta):
        left, future = until and until - time.monotonic(), futures.Future()
        meta = {**meta, "X-Timeout-Ms": str(max(1, math.ceil(left * 1000)))} if until else meta
        seq = self.send(CALL, method, meta, body=body, future=future)
        try:
            status, got, value = future.result(left)
        except futures.TimeoutError:
            if self.waiting.pop(seq, None) and self.ours and not self.leaving:
                self.send(PUSH, "/_cancel", {"seq": str(seq)}, codec=0)
            raise Status(408, "Handle Timeout")
        reply_meta.update(got)
        if status.get("code"):
            raise Status(**status)
        return value

    def read(self):
        reason = "the peer has left"
        try:
            with self.sock, self.sock.makefile("rb") as file:
                while len(head := file.read(6)) == 6:
                    size, _, filters = struct.unpack(">IBB", head)
                    if filters or not 6 <= size <= LIMIT:
                        raise ValueError(f"a frame of {size} bytes with {filters} filters")
                    self.handle(*decode(io.BytesIO(file.read(size - 6))))
        except Exception as e:  # whatever it is: nobody must wait for ever
            reason = str(e)
        self.leaving = True
        for seq in list(self.waiting):
            unsent = self.final is not None and 0 < (seq - self.final) % 2**32 < 2**31
            lost = Status(102, "Connection Closed", reason, retry=unsent)
            self.waiting.pop(seq, futures.Future()).set_exception(lost)
        self.ended.set()

    def handle(self, seq, kind, method, status, meta, value):
        self.ours = self.ours or not status or method.startswith("/_")
        if kind == REPLY:
            self.waiting.pop(seq, futures.Future()).set_result((json.loads(status or "{}") or {}, meta, value))
        elif kind == CALL:
            self.send(REPLY, codec=0, seq=seq, status=b'{"code":404,"msg":"Not Found","cause":""}')
        elif method == "/_goaway":
            self.leaving, self.final = True, int(meta["seq"]) if meta["deadline_ms"] == "0" else None
        elif not method.startswith("/_") and not self.client.pushes.full():
            self.client.pushes.put((method, value))
        self.leave()

    def beat(self):
        with contextlib.suppress(Status):  # it has ended
            while not self.ended.wait(self.client.heartbeat):
                self.send(PUSH, "/heartbeat", {"hb_": str(self.client.heartbeat)})

    def leave(self, how=0):
        self.leaving = self.leaving or how > 0
        if how or self.leaving and not self.waiting:
            with contextlib.suppress(OSError):  # it may have ended
                self.sock.shutdown(how or socket.SHUT_WR)

class Client:
    """An address, with a session whenever one is needed. pushes is a queue of what the peer has sent:
    (method, body). 1000 may wait there, more are dropped. heartbeat is in seconds, None for none."""
    def __init__(self, host, port, heartbeat=None, patience=10):
        self.address, self.heartbeat, self.patience, self.session = (host, port), heartbeat, patience, None
        self.lock, self.pushes = threading.Lock(), queue.Queue(1000)

    def call(self, method, arg=None, timeout=None, meta={}, reply_meta=None):
        """Gives the result or raises Status; reply_meta is a dict that gets the metadata of the reply."""
        until, body, got = timeout and time.monotonic() + timeout, json.dumps(arg).encode(), reply_meta
        return self.attempt(lambda s: s.call(method, body, until, meta, {} if got is None else got))

    def push(self, method, arg=None, meta={}):
        self.attempt(lambda s: s.send(PUSH, method, meta, body=json.dumps(arg).encode()))

    def attempt(self, work, tries=5):
        with self.lock:
            if not self.session or self.session.leaving:
                try:
                    self.session = Session(self)
                except OSError as e:
                    if not self.session or not self.session.waiting:  # else it is still open
                        raise Status(105, "Dial Failed", str(e))
        try:
            return work(self.session)
        except Status as e:
            if e.code != 102 or not e.retry or tries == 1:
                raise
        return self.attempt(work, tries - 1)

    def close(self):
        if self.session:
            self.session.leave(socket.SHUT_WR)
            self.session.ended.wait(self.patience)
