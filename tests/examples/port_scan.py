#!/usr/bin/env python3
"""examples/port_scan.c against listeners of this test.

usage: port_scan.py COMMAND...
"""
import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys

from program import COMMAND, LIMIT_S, Skip, main, run, same

NEWUSER, NEWNET = 0x10000000, 0x40000000


def listen(address="127.0.0.1", family=socket.AF_INET, backlog=10):
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.bind((address, 0))
    listener.listen(backlog)
    return listener, listener.getsockname()[1]


def ports(*arguments):
    status, out, err = run(*arguments)
    same("exit status and messages", (status, err), (0, []))
    same("order", sorted(out, key=int), out)
    return {int(line) for line in out}


def listeners():
    """All that listen are found, however few are tried at once; one that is bound alone is not."""
    opened = [listen() for _ in range(5)]
    mine = {port for _, port in opened}
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        for at_once in (1, 7, 500):
            first = max(min(mine) - 20, 1)
            found = ports("127.0.0.1", first, min(first + 2000, 65535), at_once)
            near = {port for port in mine if port <= first + 2000}
            assert near <= found, f"{near - found} not found"
            assert bound.getsockname()[1] not in found, "found a port that nobody listens at"
        for port in mine:
            same("one port", ports("127.0.0.1", port), {port})
    for listener, port in opened:
        listener.close()
    same("after the close", ports("127.0.0.1", opened[0][1]), set())


def v6():
    try:
        listener, port = listen("::1", socket.AF_INET6)
    except OSError as error:
        raise Skip("no IPv6") from error
    same("::1", ports("::1", port), {port})
    listener.close()


def other_addresses():
    for address in ("192.0.2.1", "0.0.0.0", "::", "2001:db8::1", "126.255.255.255", "128.0.0.1"):
        same(address, run(address, 1, 2),
             (2, [], [f"port_scan: {address}: not this machine; only loopback is scanned"]))
    same("a name", run("example", 1, 2), (2, [], ["port_scan: example: not an IP address"]))
    same("a port", run("127.0.0.1", 0, 1),
         (2, [], ["port_scan: 0: a number from 1 to 65535 is needed"]))


def own_network():
    """A network of our own, in which the kernel has one port to choose from."""
    # Root needs no user namespace, and those may be forbidden.
    if ctypes.CDLL(None).unshare(NEWNET | (NEWUSER if os.geteuid() else 0)):
        raise OSError("unshare")
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 1))  # SIOCSIFFLAGS, up
    with open("/proc/sys/net/ipv4/ip_local_port_range", "w", encoding="ascii") as file:
        file.write("40000 40000")


def connected_to_itself():
    """The kernel has but port 40000 to connect from, also to port 40000."""
    listener = ("import socket, subprocess, sys; s = socket.socket(); "
                "s.bind(('127.0.0.1', 40007)); s.listen(); "
                "sys.exit(subprocess.run(sys.argv[1:]).returncode)")
    try:
        done = subprocess.run([sys.executable, "-c", listener, *COMMAND, "127.0.0.1", "40000",
                               "40009", "1"], preexec_fn=own_network, capture_output=True,
                              text=True, timeout=LIMIT_S)
    except subprocess.SubprocessError as error:
        raise Skip("no network namespace") from error
    same("stdout and stderr", (done.stdout, done.stderr), ("40007\n", ""))


main(listeners, v6, other_addresses, connected_to_itself)
