"""The routes that package load asks for, for any WSGI server."""
import os
import time
import urllib.parse


def app(environ, start_response):
    if environ["PATH_INFO"] == "/sleep":
        ms = urllib.parse.parse_qs(environ["QUERY_STRING"])["ms"][0]
        time.sleep(int(ms) / 1000)
        body = b"slept " + ms.encode()
    elif environ["REQUEST_METHOD"] == "POST":
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    else:
        body = b"hello from %d" % os.getpid()
    start_response("200 OK", [("X-Build", os.environ.get("BUILD", "none")), ("Content-Length", str(len(body)))])
    return [body]
