#!/usr/bin/env python3
"""Programs looked at from outside: SIGQUIT, stack overflow, gdb on a process and on a core.

usage: outside.py GDB_SCRIPT TASKS_PROGRAM OVERFLOW_PROGRAM [WRAPPER...]
"""
import glob
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

SCRIPT, TASKS, OVERFLOW = (os.path.abspath(name) for name in sys.argv[1:4])
WRAPPER = sys.argv[4:]
SANITIZE = os.environ.get("LEAT_TEST_SANITIZE", "none")
CROSS = bool(os.environ.get("LEAT_TEST_CROSS"))
LIMIT_S = 120

counts = {"passed": 0, "failed": 0, "skipped": 0}


class Skip(Exception):
    pass


class Program:
    """The program of blocked tasks, once it is ready; killed if it takes too long."""

    def __init__(self, *arguments, **popen):
        self.process = subprocess.Popen(
            WRAPPER + [TASKS, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, **popen)
        self.timer = threading.Timer(LIMIT_S, self.process.kill)
        self.timer.start()
        line = self.process.stdout.readline()
        assert line == "ready\n", f"the program said {line!r}, {self.process.stderr.read()!r}"

    def end(self):
        out, err = self.process.communicate("go on\n")
        self.timer.cancel()
        return out, err


def check(what, text):
    assert re.search(what, text), f"no /{what}/ in:\n{text}"


def check_tasks(text):
    check(r"task \d+ 'puller' blocked.*: channel receive 0x[0-9a-f]+", text)
    check(r"task \d+ 'the locker' blocked.*: mutex 0x[0-9a-f]+", text)
    check(r"group 'crew' 0x[0-9a-f]+", text)


def sigquit():
    if "thread" in SANITIZE:
        raise Skip("TSan keeps a signal until the thread calls libc, and a sleeping worker may not")
    program = Program()
    for _ in range(2):
        text = ""
        program.process.send_signal(signal.SIGQUIT)
        while "counters:" not in text:
            line = program.process.stderr.readline()
            assert line, "the dump has no end: " + text
            text += line
        check_tasks(text)
        check(r"made at '.*tasks\.c:\d+', 0 of 3 buffered, open", text)
        check(r"'the locker' blocked.* held by task 1 'main'", text)
        check(r"'puller' blocked .* ms: .*; in pull\S*\+0x", text)
        check(r"'the locker' blocked .*; in locker\S*\+0x", text)
        check(r"worker 0 ", text)
        check(r"counters: spawned 2, ended 0, .*stacks \d+, in use [1-9]", text)
    out, _ = program.end()
    assert out == "done\n" and program.process.returncode == 0, "it did not go on"


def overflow():
    if SANITIZE != "none":
        raise Skip("the sanitizer reports a stack overflow itself")
    if CROSS:
        raise Skip("the emulator reports the fault at another address")
    run = subprocess.run(WRAPPER + [OVERFLOW], capture_output=True, text=True, timeout=LIMIT_S,
                         preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)))
    check(r"stack overflow in task \d+ 'the digger'", run.stderr)
    check(r"stack_size", run.stderr)
    assert run.returncode in (-signal.SIGSEGV, -signal.SIGBUS), f"status {run.returncode}"


def gdb(*arguments):
    if CROSS:
        raise Skip("gdb does not see through the emulator")
    if SANITIZE != "none":
        raise Skip("gdb is for builds without sanitizers")
    if not shutil.which("gdb"):
        raise Skip("gdb is not installed")
    run = subprocess.run(
        ["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off", *arguments,
         "-ex", "python print('python works')", "-x", SCRIPT,
         "-ex", "leat tasks", "-ex", "echo ---\\n", "-ex", "leat bt all"],
        capture_output=True, text=True, timeout=LIMIT_S, stdin=subprocess.DEVNULL)
    if "python works" not in run.stdout:
        raise Skip("gdb has no Python")
    return run.stdout, run.stderr


def check_frames(out, err):
    tasks, _, frames = out.partition("---\n")
    assert frames, f"no commands: {out} {err}"
    check_tasks(tasks)
    puller = frames[frames.index("'puller'"):].partition("\ntask ")[0]
    check(r"#[012] .*leat__switch", puller)  # leat__ctx_jump may be a frame of its own
    check(r"#\d+ .*leat__park", puller)
    check(r"#\d+ .* pull\b", puller)
    check(r"#\d+ .* leat__run_new", puller)
    locker = frames[frames.index("'the locker'"):].partition("\ntask ")[0]
    check(r"#\d+ .* locker", locker)


def gdb_live():
    program = Program()
    try:
        out, err = gdb("-p", str(program.process.pid))
        if "ptrace" in err and "not permitted" in err:
            raise Skip("ptrace is not permitted")
        check_frames(out, err)
    finally:
        said, _ = program.end()
    assert said == "done\n", "the program did not go on after gdb"


def gdb_core():
    with tempfile.TemporaryDirectory() as where:
        def allow_core():
            hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
            resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
        program = Program("abort", cwd=where, preexec_fn=allow_core)
        program.end()
        assert program.process.returncode == -signal.SIGABRT or CROSS
        cores = glob.glob(os.path.join(where, "core*"))
        if not cores:
            raise Skip("no core file: a limit or /proc/sys/kernel/core_pattern")
        check_frames(*gdb(TASKS, cores[0]))


for test in (sigquit, overflow, gdb_live, gdb_core):
    try:
        test()
    except Skip as why:
        print(f"skip {test.__name__}: {why}")
        counts["skipped"] += 1
    except (AssertionError, ValueError, OSError, subprocess.TimeoutExpired) as why:
        print(f"FAIL {test.__name__}: {why}")
        counts["failed"] += 1
    else:
        print(f"ok {test.__name__}")
        counts["passed"] += 1
print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
sys.exit(1 if counts["failed"] else 0)
