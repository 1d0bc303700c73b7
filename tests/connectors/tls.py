#!/usr/bin/env python3
"""The servers of tests/connectors/https.c: TLS on the loopback, with certificates made here.

Prints one line: a directory with trusted.pem, and ports: of the server that this certificate is
for; of one whose certificate is for another name; of one that ends the connection after the
handshake; of nghttpd, which speaks HTTP/2 (0: not installed).  Ends with its standard input.

The first two answer /hello, /plain (a redirect to http), /cut (a body that is cut), /connections
(how many the first has had) and /h2-connections.
"""
import http.server
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    count = 0

    def __init__(self, certificate, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate + ".pem", certificate + ".key")
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def finish_request(self, request, client_address):
        """In the connection's thread, so that a handshake holds nobody up."""
        self.count += 1
        request = self.context.wrap_socket(request, server_side=True)
        try:
            self.RequestHandlerClass(request, client_address, self)
        finally:
            self.shutdown_request(request)

    def handle_error(self, request, client_address):
        pass  # clients that do not trust it, and those that are cancelled


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, body, status=200, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/hello":
            self.answer(b"hello")
        elif self.path == "/plain":
            self.answer(b"", 302, Location="http://127.0.0.1:1/")
        elif self.path == "/connections":
            self.answer(b"%d" % self.server.count)
        elif self.path == "/h2-connections":
            self.answer(b"%d" % h2_connections())
        elif self.path == "/cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut")
            self.close_connection = True  # and Python sends no close_notify
        else:
            self.answer(b"", 404)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(b"posted")


class Closer(http.server.BaseHTTPRequestHandler):
    """Reads a little and closes, with the rest unread."""

    def handle(self):
        self.connection.recv(100)


def make_certificate(name, subject):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=leat",
                    "-addext", f"subjectAltName={subject}", "-keyout", name + ".key",
                    "-out", name + ".pem"], check=True, stderr=subprocess.DEVNULL)


def h2_connections():
    with open("nghttpd.log", encoding="ascii", errors="replace") as log:
        return len(set(re.findall(r"\[id=(\d+)\].* recv \(stream_id", log.read())))


def start_h2():
    """Its process and port, or (None, 0)."""
    if not shutil.which("nghttpd"):
        return None, 0
    with open("big", "wb") as big:
        big.write(bytes(20 << 20))
    with open("hello", "wb") as hello:
        hello.write(b"hello")
    for _ in range(10):
        with socket.socket() as chosen:
            chosen.bind(("127.0.0.1", 0))
            port = chosen.getsockname()[1]
        with open("nghttpd.log", "wb") as log:
            process = subprocess.Popen(
                ["nghttpd", "--address=127.0.0.1", "-v", "-d", ".", str(port), "trusted.key",
                 "trusted.pem"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return process, port
            except ConnectionRefusedError:
                pass
    return None, 0


def main():
    directory = tempfile.mkdtemp(prefix="leat-tls-")
    os.chdir(directory)
    h2 = None
    try:
        make_certificate("trusted", "IP:127.0.0.1,DNS:localhost")
        make_certificate("other", "DNS:other.example")
        ports = [Server("trusted", Handler).port, Server("other", Handler).port,
                 Server("trusted", Closer).port]
        h2, port = start_h2()
        print(directory, *ports, port, flush=True)
        sys.stdin.read()
    finally:
        if h2:
            h2.kill()
        shutil.rmtree(directory)


main()
