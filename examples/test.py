#!/usr/bin/env python3
"""Runs an example and judges what it prints, then again in the simulator.

usage: test.py NAME COMMAND...

Concurrent programs print in many orders, so each judge states what holds in
every order.  In the simulator time is virtual: a worker pool that sleeps for
three seconds takes none.
"""
import os
import re
import subprocess
import sys

SEEDS = 20


def worker_pool(lines):
    begun = [re.fullmatch(r"Worker ([123]) processing job (\d+)", line) for line in lines]
    jobs = {m.group(2): i for i, m in enumerate(begun) if m}
    results = {line: i for i, line in enumerate(lines) if line.isdigit()}
    assert len(lines) == 18, "9 jobs begun and 9 results"
    assert sorted(map(int, jobs)) == list(range(1, 10)), "each job once"
    assert sorted(map(int, results)) == [2 * n for n in range(1, 10)], "each result once"
    for job, at in jobs.items():
        assert at < results[str(2 * int(job))], f"result of job {job} before the job"
    assert len({m.group(1) for m in begun if m}) == 3, "all three workers work"


def pipeline(lines):
    assert lines == ["4", "9", "16"]


def fan_out_fan_in(lines):
    squared = [re.fullmatch(r"worker [12] squares (\d+)", line) for line in lines[:-1]]
    assert all(squared), "only known lines"
    assert sorted(int(m.group(1)) for m in squared) == list(range(1, 11)), "each number once"
    assert lines[-1] == "sum of the squares: 385"


def semaphore(lines):
    begun = [re.fullmatch(r"downloading (\d+)", line) for line in lines[:-1]]
    assert all(begun), "only known lines"
    assert sorted(int(m.group(1)) for m in begun) == list(range(1, 11)), "each download once"
    assert lines[-1] == "10 done, at most 3 at once"


def thumbnails(lines):
    assert lines.count("image 13: Input/output error") == 1
    stored = [line for line in lines if line.startswith("stored")]
    assert stored == [f"stored {a} to {b}" for a, b in
                      ((1, 10), (11, 21), (22, 31), (32, 41), (42, 51), (52, 60))]
    assert re.fullmatch(r"widen make small: its 4 workers are busy \d+ % of the time", lines[-2])
    assert lines[-1] == "in 60 = out 59 + failed 1 + dropped 0 + cancelled 0 + in flight 0"


def connection_pool(lines):
    results = [line for line in lines if "squared" in line]
    assert results == [f"{n} squared is {n * n}" for n in range(1, 13) if n != 7], "in order"
    assert lines.count("question 7: Protocol error") == 1
    assert 1 <= lines.count("a connection closes") <= 3
    assert lines[-1] == "in 12 = out 11 + failed 1 + dropped 0 + cancelled 0 + in flight 0"


def limits(lines):
    counts = re.fullmatch(r"(\d+) calls, (\d+) answers, (\d+) failed", lines[0])
    calls, answers, failed = map(int, counts.groups())
    assert answers + failed == 45, "each request once"
    assert calls >= 45 and failed <= 1
    assert lines[1:] == ["not faster than 100 a second: yes"]


JUDGES = {judge.__name__: judge for judge in (worker_pool, pipeline, fan_out_fan_in, semaphore,
                                              thumbnails, connection_pool, limits)}


def output(command, seed):
    env = dict(os.environ)
    env.pop("LEAT_SIM", None)
    if seed:
        env["LEAT_SIM"] = str(seed)
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"exit status {done.returncode}: {done.stderr}"
    assert not done.stderr, f"says on stderr: {done.stderr}"
    return done.stdout


def main():
    judge, command = JUDGES[sys.argv[1]], sys.argv[2:]
    failed = 0
    for seed in range(SEEDS + 1):
        try:
            out = output(command, seed)
            judge(out.splitlines())
            if seed:
                assert out == output(command, seed), "the same seed printed something else"
        except (AssertionError, subprocess.TimeoutExpired) as error:
            failed += 1
            print(f"FAIL {sys.argv[1]}, " + (f"LEAT_SIM={seed}" if seed else "real") + f": {error}")
    print(f"{SEEDS + 1 - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
