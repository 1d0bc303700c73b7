#!/usr/bin/env python3
"""leat map --http, against a server of this test.

usage: map_http.py LEAT [TEST]...
"""
import base64
import collections
import http.server
import json
import os
import random
import shutil
import socket
import socketserver
import subprocess
import threading
import time
import urllib.parse

from program import SLOW, leat, lines, main, read, same, says, start, wait_for

os.environ["NO_PROXY"] = "*"


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Counts, and keeps what it was asked; answer(handler) is the test's."""
    daemon_threads = True
    request_queue_size = 500

    def __init__(self, answer):
        self.answer, self.lock = answer, threading.Lock()
        self.requests, self.connections, self.active, self.most = [], 0, 0, 0
        self.times = collections.defaultdict(list)
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def process_request(self, request, client_address):
        self.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, *_):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def reply(self, status=200, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if status in (204, 304):
            body = b""
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def drop(self):
        self.close_connection = True

    def ask(self):
        server = self.server
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with server.lock:
            server.requests.append((self.command, self.path, self.body, dict(self.headers)))
            server.times[self.path].append(time.monotonic())
            self.nth = len(server.times[self.path])
            server.active += 1
            server.most = max(server.most, server.active)
        try:
            server.answer(self)
        finally:
            with server.lock:
                server.active -= 1

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = ask


def records(done):
    return [json.loads(line) for line in done.out.decode().splitlines()]


def test_get():
    with Server(lambda h: h.reply(body=h.path.encode())) as server:
        done = leat("-k", "-j4", "--http", "GET", server.url + "/item/{}?q={}",
                    feed="1\na b/c&d\n\u00e4\n")
        same(done.status, 0, done)
        same(done.err, b"", done)
        got = records(done)
        same([r["body"] for r in got],
             ["/item/1?q=1", "/item/a%20b%2Fc%26d?q=a%20b%2Fc%26d", "/item/%C3%A4?q=%C3%A4"])
        same([(r["seq"], r["status"], r["attempts"]) for r in got],
             [(i, 200, 1) for i in (1, 2, 3)])
        assert all(0 < r["time"] < 60 for r in got), got
        assert set(got[0]) == {"seq", "status", "time", "attempts", "body"}, got[0]


def test_urls_as_they_are():
    with Server(lambda h: h.reply(body=h.path.encode())) as server:
        done = leat("-k", "--http", "GET", "{}",
                    feed=f"{server.url}/a?b=c\nnot a url\nftp://127.0.0.1/\n{server.url}/d\n")
        got = records(done)
        same((done.status, [r["status"] for r in got]), (2, [200, None, None, 200]), done)
        same((got[0]["body"], got[3]["body"]), ("/a?b=c", "/d"))
        assert "error" in got[1] and "body" not in got[1], got[1]
        says(done, "job 2: no response")


def test_connections_are_kept():
    with Server(lambda h: h.reply(body=b"x")) as server:
        done = leat("-j4", "--http", "GET", server.url + "/{}", feed=lines(200))
        same((done.status, len(records(done))), (0, 200), done.err)
        assert server.connections <= 4, server.connections


def test_bodies():
    with Server(lambda h: h.reply(body=h.body)) as server:
        feed = b'{"a": 1, "b": "x"}\n\xff\xfe\0\n\n'
        for method in "POST", "PUT", "PATCH":
            done = leat("-k", "--http", method, server.url + "/same", feed=feed)
            same(done.status, 0, done)
            same([r.get("body") for r in records(done)], ['{"a": 1, "b": "x"}', None, ""])
            same(base64.b64decode(records(done)[1]["body_base64"]), b"\xff\xfe\0")
        done = leat("--http", "POST", server.url, "--body", '{"id":{.a}}', feed=b'{"a": 17}')
        same(done.status, 255, done)  # options come before the URL
        done = leat("--body", '{"id":{.a}}', "--http", "POST", server.url, feed=b'{"a": 17}')
        same(records(done)[0]["body"], '{"id":17}')
        server.requests.clear()
        done = leat("--http", "DELETE", server.url + "/{}", feed="1")
        same(server.requests[0][2], b"")
        done = leat("-n3", "-k", "--http", "POST", server.url, feed=lines(5))
        same([r["body"] for r in records(done)], ["1\n2\n3", "4\n5"])


def test_every_body_comes_back():
    """Text as a string, all else as base64, whatever it is; as Python's decoders see it."""
    bodies = [bytes(random.choices(b"\x00\x1f\x7f\"\\a\n\x80\xbf\xc2\xc3\xa4\xe0\xa0\xed\x9f\xf0\x90\xf4"
                                   b"\x8f\xff", k=random.randrange(6))) for _ in range(400)]
    bodies += [chr(c).encode("utf-8", "surrogatepass") for c in
               (0, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xd800, 0xdfff, 0xe000, 0xffff, 0x10000, 0x10ffff)]
    with Server(lambda h: h.reply(body=bodies[int(h.path[1:])])) as server:
        done = leat("-k", "-j8", "--http", "GET", server.url + "/{}",
                    feed="".join(f"{i}\n" for i in range(len(bodies))))
        same(done.status, 0, done)
        for body, record in zip(bodies, records(done), strict=True):
            try:
                same(record.get("body"), body.decode())
            except UnicodeDecodeError:
                same(base64.b64decode(record["body_base64"]), body)


def test_large_responses():
    """They are kept in files until they are delivered, and limited."""
    body = bytes(range(128)) * 40000
    with Server(lambda h: h.reply(body=body)) as server:
        done = leat("-k", "-j3", "--http", "GET", server.url + "/{}", feed=lines(6))
        same((done.status, [r["body"].encode() == body for r in records(done)]), (0, [True] * 6))
        done = leat("--max-response", "1M", "--retry", "5", "--http", "GET", server.url + "/{}",
                    feed="1")
        same((done.status, records(done)[0]["status"], records(done)[0]["attempts"]), (1, None, 1))
        says(done, "larger than allowed")


def test_headers():
    with Server(lambda h: h.reply(body=json.dumps(dict(h.headers)).encode())) as server:
        done = leat("-k", "--header", "Authorization: Bearer s3cret", "--header", "X-Id: <{}>",
                    "--header", "Content-Type: application/json", "--http", "POST", server.url,
                    feed=b"1\na\0b\nc\rd\n")
        got = records(done)
        sent = json.loads(got[0]["body"])
        same((sent["Authorization"], sent["X-Id"], sent["Content-Type"]),
             ("Bearer s3cret", "<1>", "application/json"))
        same((done.status, len(got), len(server.requests)), (2, 2, 1), done)
        says(done, "job 2: a header would have a 0 byte")
        says(done, "job 3: .*control character")
        assert b"s3cret" not in done.err, done


def test_what_fails():
    def answer(h):
        status = int(h.path[1:])
        h.drop() if status == 0 else h.reply(status, b"why")
    with Server(answer) as server:
        done = leat("-k", "--joblog", "log", "--http", "GET", server.url + "/{}",
                    feed="200\n204\n304\n302\n404\n500\n0\n")
        same([r["status"] for r in records(done)], [200, 204, 304, 302, 404, 500, None], done)
        same(done.status, 3, done)
        log = [line.split("\t") for line in read("log").decode().splitlines()[1:]]
        same([(int(e[6]), e[8]) for e in log],
             [(code, f"GET {server.url}/{path}") for code, path in
              ((0, 200), (0, 204), (0, 304), (0, 302), (404, 404), (500, 500), (1, 0))])


def test_secrets_are_not_shown():
    with Server(lambda h: h.reply(500)) as server:
        url = server.url.replace("://", "://user:s3cret@") + "/{}"
        for more in [], ["--dry-run"]:
            done = leat("--joblog", "log", "--journal", "journal", "--header", "Cookie: s3cret",
                        *more, "--http", "GET", url, feed="1\n")
            assert b"s3cret" not in done.out + done.err + read("log") + read("journal"), done
            os.unlink("journal")
        assert server.requests[0][3]["Authorization"].startswith("Basic "), server.requests


def test_retry():
    def answer(h):
        if h.path == "/drop" and h.nth < 3:
            return h.drop()
        if h.path.isdigit():
            return h.reply(int(h.path))
        return h.reply(int(h.path[1:]) if h.path[1:].isdigit() and h.nth < 3 else 200, b"x")
    with Server(answer) as server:
        done = leat("-k", "-j9", "--retry", "4", "--retry-delay", "1ms", "--http", "POST",
                    server.url + "/{}", feed="200\ndrop\n429\n503\n500\n408\n404\n400\n")
        same([(r["status"], r["attempts"]) for r in records(done)],
             [(200, 1), (200, 3), (200, 3), (200, 3), (200, 3), (200, 3), (404, 1), (400, 1)], done)
        same(len(server.requests), 1 + 3 * 5 + 2)
        same(done.status, 2, done)


def test_attempts_run_out():
    with Server(lambda h: h.reply(503, b"busy")) as server:
        done = leat("--retry", "2", "--retry-delay", "1ms", "--http", "GET", server.url + "/{}",
                    feed="1")
        same([(r["status"], r["attempts"], r["body"]) for r in records(done)], [(503, 3, "busy")])
        same((done.status, len(server.requests)), (1, 3), done)


def test_retry_after():
    """At least as long, however short the pauses of leat's own would be; seconds or a date."""
    def answer(h):
        if h.nth > 1:
            return h.reply()
        if h.path == "/seconds":
            return h.reply(429, Retry_After="1")
        date = h.date_time_string(time.time() + 2)
        return h.reply(503, Retry_After=date)  # the Date header is of the same clock
    with Server(answer) as server:
        done = leat("-j2", "--retry", "1", "--retry-delay", "1ms", "--http", "GET",
                    server.url + "/{}", feed="seconds\ndate\n")
        same((done.status, len(server.requests)), (0, 4), done)
        for path, least in ("/seconds", 0.99), ("/date", 0.99):
            first, second = server.times[path]
            assert second - first >= least, (path, second - first)


def test_retry_after_keeps_the_rate():
    """Those who were sent away together do not come back together: the rate is of what comes after the pause."""
    n, rate = 12, 20
    all_there = threading.Barrier(n)

    def answer(h):
        if h.nth == 1:
            all_there.wait(60)
            h.reply(429, Retry_After="1")
        else:
            h.reply()
    with Server(answer) as server:
        done = leat(f"-j{n}", "--rate", f"{rate}/s", "--retry", "1", "--retry-delay", "1ms", "--http", "GET",
                    server.url + "/{}", feed=lines(n))
        same((done.status, len(server.requests)), (0, 2 * n), done)
        again = sorted(times[1] for times in server.times.values())
        for i in range(n):
            for k in range(i + 1, n):
                assert k - i + 1 <= rate * (again[k] - again[i] + 0.2) + 1, (i, k, again)


def test_retry_after_too_long():
    with Server(lambda h: h.reply(429, b"later", Retry_After="3600")) as server:
        before = time.monotonic()
        done = leat("--retry", "9", "--retry-after-max", "10s", "--http", "GET", server.url + "/{}",
                    feed="1")
        assert time.monotonic() - before < 30, "it has waited"
        same((done.status, len(server.requests), records(done)[0]["body"]), (1, 1, "later"), done)
        says(done, "job 1: status 429, to be tried again after 3600 s")


def test_timeout():
    release = threading.Event()
    with Server(lambda h: release.wait(60)) as server:
        done = leat("--joblog", "log", "--timeout", "100ms", "--http", "GET", server.url + "/{}",
                    feed="1")
        release.set()
        same((done.status, records(done)[0]["status"]), (1, None), done)
        says(done, "timed out after 0.1 s")
        same(read("log").split(b"\t")[-3], b"124")


def test_limits():
    arrived = threading.Semaphore(0)
    release = threading.Event()

    def answer(h):
        arrived.release()
        release.wait(60)
        h.reply()
    with Server(answer) as server:
        process = start("-j8", "--per-host", "3", "--http", "GET", server.url + "/{}")
        thread = threading.Thread(target=process.communicate, args=(lines(20).encode(),))
        thread.start()
        for _ in range(3):
            assert arrived.acquire(timeout=60)
        release.set()
        thread.join(60)
        same((process.returncode, server.most, len(server.requests)), (0, 3, 20))


def test_interrupted():
    """Twice SIGINT: what hangs is given up at once."""
    release = threading.Event()
    with Server(lambda h: release.wait(60)) as server:
        process = start("-j4", "--http", "GET", server.url + "/{}")
        process.stdin.write(lines(4).encode())
        process.stdin.close()
        wait_for(lambda: server.active == 4)
        before = time.monotonic()
        process.send_signal(2)
        process.send_signal(2)
        while process.poll() is None and time.monotonic() - before < 30:
            process.send_signal(2)
            time.sleep(0.01)
        same(process.wait(60), -2)
        process.stdout.close()
        process.stderr.close()
        release.set()


def test_resume():
    with Server(lambda h: h.reply(500 if h.path == "/2" and h.nth == 1 else 200)) as server:
        command = ["--journal", "j", "--http", "GET", server.url + "/{}"]
        token = ["--header", "Authorization: first"], ["--header", "Authorization: second"]
        same(leat(*token[0], *command, feed=lines(3)).status, 1)
        done = leat("--resume-failed", *token[1], *command, feed=lines(4))
        same(done.status, 0, done)
        same(sorted(path for _, path, _, _ in server.requests),
             ["/1", "/2", "/2", "/3", "/4"], done)
        done = leat("--resume", "--header", "X-Other: 1", *command, feed=lines(4))
        same(done.status, 255, done)


def test_follow():
    def answer(h):
        h.reply(302, Location="/new") if h.path != "/new" else h.reply(body=b"new")
    with Server(answer) as server:
        done = leat("--http", "GET", server.url + "/{}", feed="1")
        same((done.status, records(done)[0]["status"]), (0, 302), done)
        done = leat("--follow", "--http", "GET", server.url + "/{}", feed="1")
        same((done.status, records(done)[0]["body"]), (0, "new"), done)


def test_tls():
    if not shutil.which("openssl"):
        return
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=leat",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem",
                    "-out", "cert.pem"], check=True, stderr=subprocess.DEVNULL)
    import ssl
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("cert.pem", "key.pem")
    with Server(lambda h: h.reply(body=b"safe")) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        url = server.url.replace("http:", "https:") + "/{}"
        done = leat("--retry", "3", "--http", "GET", url, feed="1")
        same((done.status, records(done)[0]["attempts"]), (1, 1), done)
        says(done, "certificate")
        for trust in ["--ca-file", "cert.pem"], ["--insecure"]:
            done = leat(*trust, "--http", "GET", url, feed="1")
            same((done.status, records(done)[0]["body"]), (0, "safe"), done)


def test_refused():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        done = leat("--http", "GET", f"http://127.0.0.1:{nobody.getsockname()[1]}/{{}}", feed="1")
        same((done.status, records(done)[0]["status"]), (1, None), done)
        says(done, "job 1: no response: .*connect")


def test_without_libcurl():
    """It is loaded only where there is something to ask; and is not there, or is something else."""
    os.mkdir("libraries")
    with open("libraries/libcurl.so.4", "w") as file:
        file.write("no library\n")
    env = {"LD_LIBRARY_PATH": "libraries"}
    same(leat("echo", feed="a\n", env=env).out, b"a\n")
    done = leat("--http", "GET", "http://127.0.0.1/{}", feed="1\n", env=env)
    same((done.status, done.out), (255, b""), done)
    says(done, "HTTP needs libcurl .*libcurl.so.4")


def test_usage():
    for arguments, why in (
            (["--http", "GET", "http://h/"], "put {} into the URL"),
            (["--http", "G T", "http://h/{}"], "method"),
            (["--header", "no colon", "--http", "GET", "http://h/{}"], "Name: value"),
            (["--header", "Content-Length: 1", "--http", "POST", "http://h/{}"], "length|how long"),
            (["--header", "A: b", "--", "echo"], "--header is for --http"),
            (["--follow", "--", "echo"], "--follow is for --http"),
            (["--http", "GET", "a", "b"], "one URL"),
            (["-n2", "--http", "GET", "http://h/{}"], "-n is more than 1"),
            (["--retry-on", "1", "--http", "GET", "http://h/{}"], "--retry-on"),
            (["--shell", "--http", "GET", "http://h/{}"], "not for --http"),
            (["--ca-file", "nowhere.pem", "--http", "GET", "http://h/{}"], "nowhere.pem"),
            (["--max-response", "0", "--http", "GET", "http://h/{}"], "more than 0")):
        done = leat(*arguments, feed="1\n")
        same(done.status, 255, done)
        says(done, why)


main()
