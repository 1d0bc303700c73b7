"""What the tests of the examples share: a program with its lines of output, and the checks.

Nothing sleeps to get an order: a test waits for a line, a port or an end, for LIMIT_S at most.
"""
import os
import queue
import re
import signal
import subprocess
import sys
import threading

COMMAND = sys.argv[1:]		# the program, perhaps behind an emulator or Valgrind
SANITIZE = os.environ.get("LEAT_TEST_SANITIZE", "none")
LIMIT_S = 120


class Skip(Exception):
    pass


class Program:
    """A running example; with: it has ended at the end, one way or another."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(COMMAND + list(map(str, arguments)), text=True, bufsize=1,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.out, self.err = queue.Queue(), queue.Queue()
        self.readers = []
        for stream, lines in (self.process.stdout, self.out), (self.process.stderr, self.err):
            self.readers.append(threading.Thread(target=self.read, args=(stream, lines)))
            self.readers[-1].start()

    @staticmethod
    def read(stream, lines):
        for line in stream:
            if not re.match(r"--\d+-- ", line):  # Valgrind, of a system call that it does not know
                lines.put(line.rstrip("\n"))
        lines.put(None)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(LIMIT_S)
        for reader in self.readers:
            reader.join(LIMIT_S)
        if kind:
            print("stdout:", self.rest(self.out), "stderr:", self.rest(self.err))
        self.process.stdout.close()
        self.process.stderr.close()

    @staticmethod
    def rest(lines):
        found = []
        while not lines.empty():
            found.append(lines.get())
        return [line for line in found if line is not None]

    def line(self, lines=None):
        """The next line of output (or of program.err); None at the end."""
        try:
            return (lines or self.out).get(timeout=LIMIT_S)
        except queue.Empty:
            raise AssertionError("no line of output came") from None

    def end(self):
        """(exit status, lines of stdout, lines of stderr) since the last line that was taken."""
        status = self.process.wait(LIMIT_S)
        for reader in self.readers:
            reader.join(LIMIT_S)
        return status, self.rest(self.out), self.rest(self.err)

    def stop(self, number=signal.SIGTERM):
        """Asks it to end, by a signal; it must do so with status 0."""
        if "thread" in SANITIZE:
            return  # TSan keeps a signal until the thread calls libc, and a sleeper may not
        self.process.send_signal(number)
        status, out, err = self.end()
        same("exit status", status, 0)
        same("stdout after the signal", out, [])
        same("stderr after the signal", err, [])


def run(*arguments):
    with Program(*arguments) as program:
        return program.end()


def same(what, is_, should):
    assert is_ == should, f"{what}: {is_!r}, should be {should!r}"


def main(*tests):
    failed = skipped = 0
    for test in tests:
        try:
            test()
            print(f"ok {test.__name__}")
        except Skip as reason:
            skipped += 1
            print(f"skip {test.__name__}: {reason}")
        except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
            failed += 1
            print(f"FAIL {test.__name__}: {type(error).__name__}: {error}")
    print(f"{len(tests) - failed - skipped} passed, {failed} failed, {skipped} skipped")
    sys.stdout.flush()
    os._exit(1 if failed else 0)  # a reader may still be blocked if a program could not be killed
