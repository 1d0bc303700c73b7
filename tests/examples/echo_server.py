#!/usr/bin/env python3
"""examples/echo_server.c against nc and sockets.

usage: echo_server.py COMMAND...
"""
import random
import shutil
import signal
import socket
import subprocess

from program import LIMIT_S, Program, Skip, main, run, same


class Server(Program):
    def __init__(self, limit=100, idle=600):
        super().__init__("127.0.0.1:0", limit, idle)
        line = self.line()
        assert line and line.startswith("listening at 127.0.0.1:"), f"it said {line!r}"
        self.port = int(line.rsplit(":", 1)[1])

    def connect(self):
        client = socket.create_connection(("127.0.0.1", self.port), LIMIT_S)
        client.settimeout(LIMIT_S)
        return client


def read_to_end(client):
    data = b""
    while piece := client.recv(65536):
        data += piece
    return data


def echo(client, data):
    client.sendall(data)
    back = b""
    while len(back) < len(data):
        piece = client.recv(65536)
        assert piece, "the server has closed the connection"
        back += piece
    same("echo", back, data)


def netcat():
    if not shutil.which("nc") or "-N" not in subprocess.run(
            ["nc", "-h"], capture_output=True, text=True, timeout=LIMIT_S, check=False).stderr:
        raise Skip("OpenBSD's nc is not installed")
    text = b"".join(b"line %d\n" % i for i in range(10000))
    with Server() as server:
        done = subprocess.run(["nc", "-N", "127.0.0.1", str(server.port)], input=text,
                              capture_output=True, timeout=LIMIT_S, check=True)
        assert done.stdout == text, f"{len(done.stdout)} bytes came back of {len(text)}"
        server.stop()


def half_close():
    """All comes back to a client that has said that it sends no more, and then the end."""
    data = random.Random(1).randbytes(50000)
    with Server() as server, server.connect() as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        assert read_to_end(client) == data, "not what was sent"
        server.stop()


def many_at_once():
    with Server() as server:
        clients = [server.connect() for _ in range(50)]
        for turn in range(3):
            for i, client in enumerate(clients):
                client.sendall(b"%d of %d" % (turn, i))
            for i, client in enumerate(clients):
                should = b"%d of %d" % (turn, i)
                same("echo", client.recv(len(should), socket.MSG_WAITALL), should)
        server.stop(signal.SIGINT)
        for client in clients:
            client.close()


def limit():
    """The third of two connections is served when the first ends, and not before."""
    with Server(limit=2) as server:
        first, second, third = (server.connect() for _ in range(3))
        echo(first, b"1")
        echo(second, b"2")
        third.sendall(b"3")
        third.settimeout(0.2)
        try:
            assert not third.recv(1), "served beyond the limit"
            raise AssertionError("closed beyond the limit")
        except socket.timeout:
            pass
        third.settimeout(LIMIT_S)
        first.close()
        same("the third's echo", third.recv(1), b"3")
        server.stop()
        second.close()
        third.close()


def idle():
    with Server(idle=1) as server, server.connect() as client:
        echo(client, b"hello")
        same("the idle client reads", client.recv(1), b"")
        line = server.line(server.err)
        same("message", line, "%s:%d: idle for too long" % client.getsockname())
        server.stop()


def slow_reader():
    """A client that does not read is closed as well; it may not hold its task for ever."""
    with Server(idle=1) as server, server.connect() as client:
        client.settimeout(0.5)
        try:
            while True:
                client.sendall(bytes(1 << 16))
        except OSError:
            pass
        line = server.line(server.err)
        assert line.startswith("%s:%d: " % client.getsockname()), line
        server.stop()


def stop_with_clients():
    """Connections that are open end with the server."""
    with Server() as server, server.connect() as client:
        echo(client, b"hello")
        server.stop()
        if server.process.poll() is None:
            raise Skip("TSan delays signals")
        same("the client reads", client.recv(1), b"")


def errors():
    same("address", run("nowhere"),
         (1, [], ["echo_server: nowhere: Invalid argument"]))
    same("limit", run("127.0.0.1:0", "many"),
         (2, [], ["echo_server: many: a number from 1 to 1000000 is needed"]))
    with Server() as server:
        where = f"127.0.0.1:{server.port}"
        same("in use", run(where), (1, [], [f"echo_server: {where}: Address already in use"]))
        server.stop()


main(netcat, half_close, many_at_once, limit, idle, slow_reader, stop_with_clients, errors)
