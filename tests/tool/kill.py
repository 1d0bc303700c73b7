#!/usr/bin/env python3
"""leat map --journal is killed, at each crash point of the journal and at random times, and resumed.

Every line is run, the output is complete (in order with -k), and what is repeated is within what
the manual says: at most -j + --window jobs run again for each kill, and at most one group is once more in
the output: the one that was delivered and not yet in the journal.

usage: kill.py LEAT LEAT_CRASH [TEST]...
"""
import collections
import os
import random
import signal
import subprocess
import sys
import time

from program import FULL, SEED, SLOW, leat, main, read, same, start

CRASH = os.path.abspath(sys.argv.pop(2))
JOBS, WINDOW = 4, 8
# Says that it ran, before anything else can be known of it; then the output.
JOB = ["sh", "-c", "echo \"$1\" >>runs; echo \"got $1\"", "sh", "{}"]


def with_duplicates(n):
    """The numbers of lines, some equal lines near each other and some far."""
    return [str(random.randrange(n // 2 + 1)) for _ in range(n)]


class Story:
    """Runs over the same input, which are killed but for the last one."""

    def __init__(self, jobs, order):
        for name in ("runs", "out", "journal", "in"):
            if os.path.exists(name):
                os.remove(name)
        self.jobs, self.order = jobs, order
        self.kills = 0
        self.segments = []	# what each run delivered
        with open("in", "w") as file:
            file.write("".join(job + "\n" for job in jobs))
        self.out = open("out", "ab")

    def arguments(self):
        return ["-a", "in", f"-j{JOBS}", "--window", WINDOW, "--journal", "journal",
                *(["-k"] if self.order else []), *(["--resume"] if self.kills else []), "--", *JOB]

    def start(self, **how):
        self.size = os.path.getsize("out")
        return start(*self.arguments(), stdin=subprocess.DEVNULL, stdout=self.out, **how)

    def ended(self, process):
        """True: it was killed.  What it says when it was not is in the failure."""
        _, err = process.communicate()
        delivered = read("out")[self.size:]
        assert not delivered or delivered.endswith(b"\n"), delivered[-100:]
        self.segments.append([line[4:] for line in delivered.decode().splitlines()])
        if process.returncode == -signal.SIGKILL:
            self.kills += 1
            return True
        same((process.returncode, err), (0, b""))
        self.check()
        return False

    def check(self):
        self.out.close()
        wanted = collections.Counter(self.jobs)
        runs = collections.Counter(read("runs").decode().split())
        delivered = collections.Counter(sum(self.segments, []))
        for what, found, most in (("run", runs, JOBS + WINDOW), ("delivered", delivered, 1)):
            lost = sorted((wanted - found).elements())
            assert not lost, f"{len(lost)} never {what}: {lost[:10]}"
            again = sum((found - wanted).values())
            assert again <= most * self.kills, f"{again} {what} again after {self.kills} kills"
        assert set(runs) == set(wanted) == set(delivered)
        if self.order:
            self.check_order()

    def check_order(self):
        """Each run goes on where the one before ended, or with its last one."""
        at = 0
        for segment in self.segments:
            here = [first for first in {at, max(at - 1, 0)}
                    if self.jobs[first:first + len(segment)] == segment]
            assert here, (f"after {at} jobs: {segment[:10]}..., wanted "
                          f"{self.jobs[max(at - 1, 0):at + 10]}...")
            at = max(first + len(segment) for first in here)
        same(at, len(self.jobs))


def points(order, jobs):
    """How many crash points a whole run passes."""
    story = Story(jobs, order)
    listed = os.path.abspath("points")
    assert not story.ended(story.start(program=CRASH, env={"LEAT_CRASH_LIST": listed}))
    found = read(listed).decode().splitlines()
    os.remove(listed)
    assert len(found) > 4 * len(jobs) // 2, found
    for call in ("open", "write", "fsync", "ftruncate", "fsync of the directory"):
        for when in ("before", "after"):
            assert any(line.endswith(f" {when} {call}") for line in found), (when, call, found)
    return len(found)


def kill_at_each_point(order):
    jobs = ["a", "b", "a", "c", "b", "a"]
    count = points(order, jobs)
    killed = 0
    for first in range(1, count + 1):
        # And the run that resumes it, at some point, too.
        seconds = range(1, count + 1) if FULL else [random.randrange(1, count + 1)]
        for second in seconds:
            story = Story(jobs, order)
            for at in (first, second):
                if not story.ended(story.start(program=CRASH, env={"LEAT_CRASH_AT": str(at)})):
                    break
                killed += 1
            else:
                assert not story.ended(story.start())
    # The last points depend on how many jobs a sync in between has found.
    assert killed >= count - 8, f"{killed} of {count}"


def test_killed_at_each_crash_point():
    kill_at_each_point(False)


def test_killed_at_each_crash_point_in_order():
    kill_at_each_point(True)


def kill_at_random(order, n, rounds):
    story = Story(with_duplicates(n), order)
    while story.kills < rounds:
        process = story.start()
        # When it has delivered so much more, to the byte; each line has at least 6.
        target = story.size + random.randrange(2 * 6 * n // rounds)
        while os.path.getsize("out") < target and process.poll() is None:
            time.sleep(0.0005)
        time.sleep(random.choice([0, 0, 0.001, 0.01]))
        process.kill()
        if not story.ended(process):
            return story.kills
    assert not story.ended(story.start())
    return story.kills


def kill_over_and_over(order):
    for _ in range(5 if FULL else 1):
        n, rounds = (300, 10) if SLOW else (3000, 50)
        kills = kill_at_random(order, n, rounds)
        print(f"{n} jobs, {kills} kills, LEAT_TEST_SEED={SEED}", flush=True)
        assert kills > rounds // 3, kills


def test_killed_at_random():
    kill_over_and_over(False)


def test_killed_at_random_in_order():
    kill_over_and_over(True)


def test_lines_that_are_added_moved_or_removed():
    """A resumed run runs what it has not run, wherever it is now."""
    def run(jobs, *more):
        with open("in", "w") as file:
            file.write("".join(job + "\n" for job in jobs))
        done = leat("-a", "in", "-j1", "-k", "--journal", "journal", *more, "--", "echo")
        same((done.status, done.err), (0, b""), done)
        return done.out.decode().split()

    same(run(["a", "b", "a"]), ["a", "b", "a"])
    same(run(["a", "b", "a"], "--resume"), [])
    same(run(["new", "a", "a", "a", "b", "c"], "--resume"), ["new", "a", "c"])
    same(run(["b", "b", "c"], "--resume"), ["b"])
    same(run(["c", "b", "b", "a", "a", "a", "new", "last"], "--resume"), ["last"])


main()
