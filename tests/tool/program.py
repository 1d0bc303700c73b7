"""What the tests of the program share: run it, look at what it says and leaves.

A test is a function whose name begins with test_; the file calls main().  LEAT_TEST_FULL=1 makes it long.
"""
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

LEAT = os.path.abspath(sys.argv[1])
FULL = bool(os.environ.get("LEAT_TEST_FULL"))
SLOW = bool(os.environ.get("LEAT_TEST_SLOW"))
LIMIT_S = 600 if FULL or SLOW else 30
SEED = int(os.environ.get("LEAT_TEST_SEED", random.SystemRandom().randrange(1 << 31)))


class Skip(Exception):
    pass


class Done:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def __repr__(self):
        return f"status {self.status}, stdout {self.out[-2000:]!r}, stderr {self.err[-2000:]!r}"


class Popen(subprocess.Popen):
    """A test that fails may leave some; they are killed when it has ended."""
    all = []

    def __init__(self, *arguments, **how):
        super().__init__(*arguments, **how)
        Popen.all.append(self)

    @classmethod
    def kill_all(cls):
        for process in cls.all:
            if process.poll() is None:
                process.kill()
                process.wait()
        cls.all = []


subprocess.Popen = Popen


def environment(**more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("LEAT_")}
    env.update({k: v for k, v in more.items() if v is not None})
    return env


def start(*arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, program=None, env=None, **how):
    return subprocess.Popen([program or LEAT, "map", *map(str, arguments)], stdin=stdin, stdout=stdout,
                            stderr=subprocess.PIPE, env=environment(**(env or {})), **how)


def leat(*arguments, feed=b"", **how):
    """Runs leat map to its end; feed is its input, text or bytes."""
    if isinstance(feed, str):
        feed = feed.encode()
    process = start(*arguments, **how)
    try:
        out, err = process.communicate(feed, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"no end after {LIMIT_S} s: {Done(None, out, err)}") from None
    return Done(process.returncode, out, err)


def same(is_, wanted, done=None):
    assert is_ == wanted, f"{is_!r}, wanted {wanted!r}" + (f"; {done}" if done else "")


def says(done, pattern):
    """Of stderr."""
    if isinstance(pattern, str):
        pattern = pattern.encode()
    assert re.search(pattern, done.err), f"stderr does not say {pattern!r}: {done}"


def lines(n, first=1):
    return "".join(f"{i}\n" for i in range(first, first + n))


def wait_for(what, how="it"):
    """Until what() is true; the order of things is never made by a sleep, only awaited."""
    end = time.monotonic() + LIMIT_S
    while not (found := what()):
        assert time.monotonic() < end, f"{how} has not come"
        time.sleep(0.002)
    return found


def read(path):
    with open(path, "rb") as file:
        return file.read()


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in ("Z", "X")
    except OSError:
        return False


def main():
    tests = {k: v for k, v in sys.modules["__main__"].__dict__.items() if k.startswith("test_")}
    only = [f"test_{name}" for name in sys.argv[2:] if not name.startswith("/")]
    passed = failed = skipped = 0
    # leat leaves a signal alone that it was told to ignore, as nohup(1) tells all below it.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    for name, test in tests.items():
        if only and name not in only:
            continue
        work = tempfile.mkdtemp(prefix="leat-test-")
        os.chdir(work)
        random.seed(SEED)
        try:
            test()
            passed += 1
        except Skip as why:
            print(f"SKIP {name[5:]}: {why}", flush=True)
            skipped += 1
        except Exception:
            print(f"FAIL {name[5:]}: LEAT_TEST_SEED={SEED}\n{traceback.format_exc()}", flush=True)
            failed += 1
        Popen.kill_all()
        os.chdir("/")
        shutil.rmtree(work, ignore_errors=True)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    sys.exit(1 if failed else 0)
