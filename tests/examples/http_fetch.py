#!/usr/bin/env python3
"""examples/http_fetch.c against an HTTP server of this test, compared with what curl fetches.

usage: http_fetch.py COMMAND...
"""
import http.server
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

from program import LIMIT_S, SANITIZE, Program, Skip, main, run, same

os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"
CROWD = 8
PAGES = {"/empty": b"", "/small": b"hello\n", "/big": random.Random(1).randbytes(3 << 20)}
together = threading.Barrier(CROWD)	# of those who ask for /together
asked = threading.Event()	# for /never
leave = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        path = self.path.split("?")[0]
        if path == "/together":
            try:
                together.wait(20)
            except threading.BrokenBarrierError:
                return self.send_error(500)
        if path == "/never":
            asked.set()
            leave.wait(LIMIT_S)
            self.close_connection = True
            return None
        if path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "/small")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if path == "/cut":  # says that there is more than it sends
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"cut")
            self.close_connection = True
            return None
        if path not in PAGES and path != "/together":
            return self.send_error(404)
        body = PAGES.get(path, self.path.encode())
        self.send_response(200)
        if "chunked" in self.path:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for i in range(0, len(body), 10000):
                piece = body[i:i + 10000]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            return self.wfile.write(b"0\r\n\r\n")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass  # clients that leave are part of the test


server = Server(("127.0.0.1", 0), Handler)
BASE = f"http://127.0.0.1:{server.server_port}"
threading.Thread(target=server.serve_forever, daemon=True).start()


def content(path):
    with open(path, "rb") as file:
        return file.read()


def by_curl(url):
    done = subprocess.run(["curl", "-s", "-L", "-f", url], capture_output=True, timeout=LIMIT_S,
                          check=True)
    return done.stdout


def as_curl():
    if not shutil.which("curl"):
        raise Skip("curl is not installed")
    urls = [BASE + path for path in ("/big", "/small", "/empty", "/redirect", "/big?chunked",
                                     "/small?chunked", "/big?again")]
    with tempfile.TemporaryDirectory() as directory:
        pairs = [(url, os.path.join(directory, str(i))) for i, url in enumerate(urls)]
        status, out, err = run(*(word for pair in pairs for word in pair))
        same("exit status and messages", (status, err), (0, []))
        should = []
        for url, path in pairs:
            right = by_curl(url)
            assert content(path) == right, f"{url}: not what curl fetches"
            should.append(f"{url}: {len(right)} bytes")
        same("output", out, should)
        assert content(pairs[0][1]) == PAGES["/big"], "not what the server sends"


def at_once():
    """The server answers none before all have asked."""
    with tempfile.TemporaryDirectory() as directory:
        pairs = [(f"{BASE}/together?{i}", os.path.join(directory, str(i))) for i in range(CROWD)]
        status, _, err = run(*(word for pair in pairs for word in pair))
        same("exit status and messages", (status, err), (0, []))
        for i, (_, path) in enumerate(pairs):
            same("body", content(path), b"/together?%d" % i)


def failures():
    """Each failure is reported, its file removed, and the others fetched."""
    with socket.socket() as bound, tempfile.TemporaryDirectory() as directory:
        bound.bind(("127.0.0.1", 0))  # nobody listens there
        port = bound.getsockname()[1]
        urls = [f"http://127.0.0.1:{port}/", BASE + "/missing", BASE + "/small", BASE + "/cut",
                "nothing://at.all/"]
        paths = [os.path.join(directory, str(i)) for i in range(len(urls))]
        status, out, err = run(*(word for pair in zip(urls, paths) for word in pair))
        same("exit status and output", (status, out), (1, [f"{BASE}/small: 6 bytes"]))
        same("messages", len(err), 4)
        for line, url, what in zip(err, urls[:2] + urls[3:], (
                "refused|Couldn't connect|Failed to connect", "404", "transfer closed", "nothing")):
            assert line.startswith(url + ": "), line
            assert any(w in line for w in what.split("|")), line
        same("files", os.listdir(directory), ["2"])
        status, out, err = run(BASE + "/small", "/nowhere/file")
        same("no such directory", (status, out, err[0]),
             (1, [], "http_fetch: /nowhere/file: No such file or directory"))


def timers():
    """libcurl's own timeout ends a transfer of which nothing comes, and no other."""
    with tempfile.TemporaryDirectory() as directory:
        never, small = os.path.join(directory, "never"), os.path.join(directory, "small")
        status, out, err = run("-t", 1, BASE + "/never", never, BASE + "/small", small)
        same("exit status and output", (status, out), (1, [f"{BASE}/small: 6 bytes"]))
        assert len(err) == 1 and "timed out" in err[0], err
        same("files", os.listdir(directory), ["small"])


def cancel():
    if "thread" in SANITIZE:
        raise Skip("TSan keeps a signal until the thread calls libc, and a sleeper may not")
    asked.clear()
    with tempfile.TemporaryDirectory() as directory:
        with Program(BASE + "/never", os.path.join(directory, "never")) as program:
            assert asked.wait(LIMIT_S), "the server was not asked"
            program.process.send_signal(signal.SIGTERM)
            same("end", program.end(),
                 (1, [], [f"{BASE}/never: cancelled", "http_fetch: Interrupted system call"]))
        same("files", os.listdir(directory), [])


def usage():
    for arguments in (), ("-t", "x", "a", "b"), ("a",), ("a", "b", "c"):
        same(f"{arguments}", run(*arguments),
             (2, [], ["usage: http_fetch [-t SECONDS] URL FILE [URL FILE]..."]))


main(as_curl, at_once, failures, timers, cancel, usage)
