"""A terminal for tests: a pty, what is done with it, and what is then to be seen on it."""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import threading

from program import LEAT, environment, wait_for


class Screen:
    """Lines as a terminal without reflow has them; a control sequence that it does not know is an error."""

    def __init__(self, columns):
        self.columns = columns
        self.lines = [""]
        self.at = 0
        self.widest = 0
        self.rest = ""          # of a sequence that has not come as a whole

    def put(self, letter):
        if self.at >= self.columns:
            self.newline()
            self.at = 0
        line = self.lines[-1].ljust(self.at)
        self.lines[-1] = line[:self.at] + letter + line[self.at + 1:]
        self.at += 1
        self.widest = max(self.widest, self.at)

    def newline(self):
        self.lines.append("")

    def feed(self, text):
        text, self.rest = self.rest + text, ""
        while text:
            match = re.match("\033\\[(\\d*)([A-Za-z])", text)
            if match:
                if match.group(2) == "K":
                    assert match.group(1) in ("", "0"), text
                    self.lines[-1] = self.lines[-1][:self.at]
                else:
                    assert match.group(2) == "m", repr(text)
                text = text[match.end():]
                continue
            if text[0] == "\033":
                assert len(text) < 8, repr(text)
                self.rest = text
                return
            letter, text = text[0], text[1:]
            if letter == "\r":
                self.at = 0
            elif letter == "\n":
                self.newline()
            else:
                assert letter.isprintable(), repr(letter)
                self.put(letter)

    def text(self):
        return [line.rstrip() for line in self.lines]


class Terminal:
    """Runs a program with stderr, and more, on a pty of its own; reads it all the time."""

    def __init__(self, *arguments, columns=80, stdout=True, feed=b"", env=None, own=True):
        self.master, slave = pty.openpty()
        self.slave = slave
        self.screen = Screen(columns)
        self.lock = threading.Lock()
        self.raw = b""
        self.resize(columns)
        env = environment(**{"TERM": "xterm", "LC_ALL": "C.UTF-8", "NO_COLOR": "", **(env or {})})

        def take():
            os.setsid()
            fcntl.ioctl(2, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen([LEAT, *map(str, arguments)], stdin=subprocess.PIPE, stderr=slave,
                                        stdout=slave if stdout is True else stdout or subprocess.PIPE,
                                        env=env, preexec_fn=take if own else None)
        if feed is not None:
            self.process.stdin.write(feed if isinstance(feed, bytes) else feed.encode())
            self.process.stdin.close()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def resize(self, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        with self.lock:
            self.screen.columns = columns

    def read(self):
        rest = b""
        while True:
            try:
                bytes_ = os.read(self.master, 65536)
            except OSError:
                return
            if not bytes_:
                return
            with self.lock:
                self.raw += bytes_
                rest += bytes_
                try:
                    text, rest = rest.decode(), b""
                except UnicodeDecodeError:
                    continue
                self.screen.feed(text)

    def text(self):
        with self.lock:
            return self.screen.text()

    def shows(self, pattern):
        try:
            return wait_for(lambda: [line for line in self.text() if re.search(pattern, line)])
        except AssertionError:
            raise AssertionError(f"no {pattern!r} on the terminal, but {self.text()}") from None

    def end(self):
        """Its status; the screen has all then."""
        status = self.process.wait(60)
        os.close(self.slave)
        self.reader.join(60)
        os.close(self.master)
        return status
