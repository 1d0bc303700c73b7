#!/usr/bin/env python3
"""Shows that each option of each pattern has a test that fails without the option's code.

usage: tests/patterns/without.py SOURCE_ROOT PROGRAM...

The programs are those of tests/patterns, linked with without.c.  Each is first run as it is: what
fails with all options finds none.  Then each line of without.list is one run of one test.

Every field of every struct leat_X_options that src/patterns uses, every value of a field that is an
enum, and every number that leat_X_init gets, must be in the list, and in without.c.
"""
import glob
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

TIMEOUT_S = 60


def run(program, tests, without):
    """(exit status, output); a hang is an output that says so."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("LEAT_")}
    if without:
        env["LEAT_WITHOUT"] = without
    try:
        done = subprocess.run([program, *tests], env=env, timeout=TIMEOUT_S, text=True,
                              errors="replace", stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
    except subprocess.TimeoutExpired:
        return -1, f"no end after {TIMEOUT_S} s"
    return done.returncode, done.stdout


def sound(program, tests):
    status, output = run(program, tests, None)
    name = os.path.basename(program)
    if status == 0:
        return True, f"ok {name} passes with all options"
    return False, f"{output}\nFAIL {name} fails with all options"


def found(key, program, test):
    status, output = run(program, [test], key)
    failure = re.search(rf"^FAIL {re.escape(test)}: (.*)", output, re.M)
    if status == 1 and failure and "LEAT_WITHOUT" not in output:
        return True, f"ok {key}: found by {os.path.basename(program)} {test}: {failure.group(1)}"
    return False, f"{output}\nFAIL {key}: not found by {os.path.basename(program)} {test}"


def read(*paths):
    texts = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            texts.append(file.read())
    return re.sub(r"/\*.*?\*/", "", "\n".join(texts), flags=re.S)


def names_of(declaration):
    """The names that a declaration of fields gives: a, b of "int a, *b" and of "int (*a)(int)"."""
    functions = re.findall(r"\(\*(\w+)\)\(", declaration)
    if functions:
        return functions
    return [re.search(r"(\w+)(?:\[\w*\])?$", part.strip()).group(1)
            for part in declaration.split(",")]


def options_of(source):
    """What without.list must have, from the headers."""
    headers = read(*sorted(glob.glob(os.path.join(source, "include/leat/*.h"))))
    patterns = read(*sorted(glob.glob(os.path.join(source, "src/patterns/*.[ch]"))))
    enums = {name: re.findall(r"^\s*(LEAT_\w+)", body, re.M) for name, body in
             re.findall(r"\benum (\w+) \{(.*?)\}", headers, re.S)}
    needed = set()
    for name, body in re.findall(r"typedef struct leat_(\w+)_options \{(.*?)\n\}", headers, re.S):
        if not re.search(rf"\bleat_{name}_options\b", patterns):
            continue  # the runtime's
        for declaration in filter(None, map(str.strip, body.split(";"))):
            policy = re.match(r"enum (\w+)\s", declaration)
            for field in names_of(declaration):
                key = f"{name}.{field}"
                needed |= {f"{key}={v}" for v in enums[policy.group(1)]} if policy else {key}
    for name, numbers in re.findall(r"\bint leat_(\w+)_init\(leat_\1 \*\w+,\s*([^)*]*)\)", headers):
        if re.search(rf"\bint leat_{name}_init\(", patterns):
            needed |= {f"{name}.{number.split()[-1]}" for number in numbers.split(",")}
    return needed


def lines_of(source):
    with open(os.path.join(source, "tests/patterns/without.list"), encoding="utf-8") as file:
        lines = [re.split(r"\t+", line.strip(), 2) for line in file
                 if line.strip() and not line.startswith("#")]
    return [line for line in lines if line[1] != "-"], [line for line in lines if line[1] == "-"]


def complaints(source, lines, no_options):
    needed = options_of(source)
    tested = {line[0] for line in lines}
    listed = {key.split(",")[0] for key in tested} | {line[0] for line in no_options}
    taken = set()
    for function, name, value in re.findall(
            r'\b(WITHOUT|INSTEAD)\("([^"]+)"(?:, [^,]*, (LEAT_\w+))?',
            read(os.path.join(source, "tests/patterns/without.c"))):
        taken.add(f"{name}={value}" if function == "INSTEAD" else name)
    for key in sorted(needed - listed):
        yield f"{key} is in a header, and not in tests/patterns/without.list"
    for key in sorted(listed - needed):
        yield f"{key} is in tests/patterns/without.list, and in no header"
    for key in sorted(tested ^ taken):
        yield f"{key} is not both in tests/patterns/without.list and in without.c"


def main():
    source, programs = sys.argv[1], {}
    for path in sys.argv[2:]:
        programs[os.path.basename(path).removeprefix("without-")] = path
    lines, no_options = lines_of(source)
    results = [(False, f"FAIL {text}") for text in complaints(source, lines, no_options)]
    used = {}
    for _, program, test in lines:
        used.setdefault(program, set()).add(test)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(sound, programs[p], sorted(used[p])) for p in sorted(used)]
        jobs += [pool.submit(found, key, programs[p], t) for key, p, t in lines]
        results += [job.result() for job in jobs]
    for _, text in results:
        print(text)
    failed = sum(not ok for ok, _ in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    sys.exit(1 if failed or not lines else 0)


main()
