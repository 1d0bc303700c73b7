#!/usr/bin/env python3
"""Adds up test results and prints one line "N passed, N failed[, N skipped]".

usage: sum-tests.py FILE...

A .json file is meson's testlog.json: each program in it counts with the "N
passed, N failed" line that it ended on, or as one test if it printed none.
Any other file is the output of a script that ends on such a line.  A program
that failed without saying which test failed is one failure, so a crash never
counts as nothing.  Of what failed the output is printed.
"""
import json
import re
import sys

TOTAL = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$")


def total_of(text):
    """The counts on the last line of text, or None."""
    lines = text.rstrip().splitlines()
    match = TOTAL.match(lines[-1]) if lines else None
    return [int(n or 0) for n in match.groups()] if match else None


def of_program(entry):
    """[passed, failed, skipped] of one program in a testlog.json."""
    result = entry["result"]
    counts = total_of(entry.get("stdout", ""))
    if counts is None:
        counts = {"OK": [1, 0, 0], "SKIP": [0, 0, 1]}.get(result, [0, 1, 0])
    if result not in ("OK", "SKIP") and counts[1] == 0:
        counts[1] = 1
    return counts


def show_failure(entry):
    print(f"--- {entry['name']}: {entry['result']}, exit status {entry.get('returncode')}")
    for stream in ("stdout", "stderr"):
        text = entry.get(stream, "")
        lines = text.splitlines()
        if stream == "stdout":
            lines = [line for line in lines if not line.startswith("ok ")]
        if len(lines) > 120:
            lines = lines[:60] + [f"... ({len(lines) - 120} lines)"] + lines[-60:]
        print("\n".join(lines))


def of_file(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        if not path.endswith(".json"):
            return total_of(file.read()) or [0, 1, 0]
        sums = [0, 0, 0]
        for line in file:
            entry = json.loads(line)
            counts = of_program(entry)
            if counts[1]:
                show_failure(entry)
            sums = [a + b for a, b in zip(sums, counts)]
        return sums


def main():
    sums = [0, 0, 0]
    for path in sys.argv[1:]:
        sums = [a + b for a, b in zip(sums, of_file(path))]
    line = f"{sums[0]} passed, {sums[1]} failed"
    if sums[2]:
        line += f", {sums[2]} skipped"
    print(line)
    sys.exit(1 if sums[1] or not sums[0] else 0)


main()
