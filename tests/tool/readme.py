#!/usr/bin/env python3
"""The sessions at a shell in the README are run, and print what it says.

usage: readme.py LEAT SOURCE-ROOT [no-http]

They are blocks of ```console; what must be there before is made by the hidden block before it:
<!-- given:
commands
-->
"""
import os
import re
import sys

import session

LEAT = os.path.abspath(sys.argv[1])
FILE = os.path.join(sys.argv[2], "README.md")
BLOCK = re.compile(r"(?:<!-- given:\n(?P<given>(?:(?!-->).)*?)-->\n+)?```console\n(?P<text>.*?)```", re.S)
AT_LEAST = 5


def main():
    with open(FILE, encoding="utf-8") as file:
        text = file.read()
    blocks = list(BLOCK.finditer(text))
    passed = failed = 0
    assert len(blocks) == text.count("```console"), "a block that this script does not read"
    assert len(blocks) >= AT_LEAST, f"{len(blocks)} blocks"
    for block in blocks:
        lines = block["text"].splitlines()
        if "no-http" in sys.argv[3:] and "--http" in block["text"]:
            continue
        why = session.run(lines, [block["given"]] if block["given"] else [], LEAT)
        passed += not why
        failed += bool(why)
        if why:
            number = text.count("\n", 0, block.start("text")) + 1
            print(f"FAIL README.md:{number}: {lines[0]}: {why}", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
