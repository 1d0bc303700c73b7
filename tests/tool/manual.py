#!/usr/bin/env python3
"""The manual: each example is run, and the options are those of the program.

usage: manual.py LEAT SOURCE-ROOT [no-http]
"""
import glob
import os
import re
import subprocess
import sys

import session

LEAT = os.path.abspath(sys.argv[1])
ROOT = sys.argv[2]
ESCAPES = {r"\e": "\\", r"\(aq": "'", r"\(dq": '"', r"\(ga": "`", r"\(ti": "~", r"\(ha": "^", r"\-": "-", r"\&": ""}
# A reader shall be able to copy an example: what roff makes other characters of.
TO_BE_ESCAPED = re.compile(r"['`~-]|(?<!^)\^")


def plain(line, where):
    """The text of a line of roff."""
    rest = re.sub(r"\\(?:\(..|.)", "", line)
    assert not TO_BE_ESCAPED.search(rest), f"{where}: write {rest!r} with escapes"
    return re.sub(r"\\(?:\(..|.)", lambda match: ESCAPES[match[0]], line)


def examples_of(path):
    """(line number, lines, commands before it) of each display that begins with "$ "."""
    found, given, inside = [], [], None
    for number, line in enumerate(open(path), 1):
        line = line.rstrip("\n")
        where = f"{path}:{number}"
        if line.startswith('.\\" given: '):
            given.append(line.split(": ", 1)[1])
        elif line.startswith(".Bd -literal"):
            inside = []
        elif line == ".Ed":
            assert inside and inside[0].startswith("$ "), f"{where}: not a session"
            found.append((number - len(inside), inside, given))
            inside, given = None, []
        elif inside is not None:
            inside.append(plain(line, where))
    return found


def options_of_page():
    """{"-j, --jobs N": text} of the lists of options."""
    text = open(os.path.join(ROOT, "docs/man/leat-map.1")).read()
    section = re.search(r"^\.Ss Input\n.*?(?=^\.Sh )", text, re.S | re.M)[0]
    options = {}
    for item in re.split(r"^\.It ", section, flags=re.M)[1:]:
        head, body = item.split("\n", 1)
        head = head.replace(" Ns Op Ns = Ns Cm force", "[=force]").replace(" , ", ", ")
        head = re.sub(r"Fl (\S)", r"-\1", head.replace("Ar ", ""))
        assert head not in options, head
        options[head] = body
    return options


def options_of_program():
    """{"-j, --jobs N": what it says of it}."""
    said = subprocess.run([LEAT, "help", "map"], capture_output=True, text=True, check=True).stdout
    options = {}
    for line in said.splitlines():
        match = re.match(r"  (?:(-\w), |    )(--[a-z-]+\S*(?: [A-Z]+)?) +(.*)$", line)
        if match:
            options[(match[1] + ", " if match[1] else "") + match[2]] = match[3]
    return options


def compare_options():
    page, program = options_of_page(), options_of_program()
    wrong = [f"{option} is not in the manual" for option in program if option not in page]
    wrong += [f"{option} is no option of the program" for option in page if option not in program]
    if not wrong and list(page) != list(program):
        wrong.append("the options are in another order than those of leat help map")
    for option, text in program.items():
        default = re.search(r"\(([\w%]+)\)$", text)
        if default and option in page and not re.search(r"\(" + re.escape(default[1]) + r"\)", page[option]):
            wrong.append(f"{option}: the default ({default[1]}) is not in the manual")
    assert len(program) > 30, program
    return wrong


def main():
    wrong = compare_options()
    passed, failed = int(not wrong), len(wrong)
    for text in wrong:
        print(f"FAIL {text}")
    for path in sorted(glob.glob(os.path.join(ROOT, "docs/man/*.1"))):
        examples = examples_of(path)
        assert examples, f"{path} has no examples"
        for number, lines, given in examples:
            if "no-http" in sys.argv[3:] and any("--http" in line for line in lines):
                continue
            why = session.run(lines, given, LEAT)
            passed += not why
            failed += bool(why)
            if why:
                print(f"FAIL {path}:{number}: {lines[0]}: {why}", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
