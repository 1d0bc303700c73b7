#!/usr/bin/env python3
"""leat --help and leat help map: they fit, and their examples are right.

usage: help.py LEAT [TEST]...
"""
import os
import re
import subprocess

from program import LEAT, main, same

COLUMNS = 80
SCREEN = 24		# lines of a terminal as it opens; leat help map is for a tall one, twice
TALL = 40


def run(*arguments, status=0):
    done = subprocess.run([LEAT, *arguments], capture_output=True, text=True, check=False)
    same(done.returncode, status, done)
    return done.stdout, done.stderr


def fits(text, lines):
    assert text and len(text.splitlines()) <= lines, len(text.splitlines())
    for line in text.splitlines():
        assert len(line) <= COLUMNS and "\t" not in line and line == line.rstrip(), line
    assert "\n\n\n" not in text, text


def test_they_fit():
    for arguments in [], ["--help"], ["-h"], ["help"]:
        text, err = run(*arguments)
        fits(text, SCREEN)
        same(err, "")
    for arguments in ["help", "map"], ["map", "--help"], ["map", "-h"], ["help", "demo"], ["demo", "checksums", "-h"]:
        text, err = run(*arguments)
        fits(text, 2 * TALL)
        same(err, "")


def test_the_examples_are_taken():
    """They are three; each prints the commands that it would run."""
    for name in "a.log", "b.log":
        open(name, "w").close()
    for name in "hosts", "urls":
        with open(name, "w") as file:
            file.write("example.org\n")
    os.symlink(LEAT, "leat")
    for arguments in ["--help"], ["help", "map"]:
        examples = re.findall(r"^  (?! )(.*?leat map .*?)(?:   .*)?$", run(*arguments)[0], re.M)
        same(len(examples), 3)
        out = [subprocess.run(["sh", "-c", example.replace("leat map", "leat map -k --dry-run")], check=True,
                              env={**os.environ, "PATH": ".:" + os.environ["PATH"]},
                              stdout=subprocess.PIPE, text=True).stdout for example in examples]
        same(out, ["gzip a.log\ngzip b.log\n", "example.org\tping -c1 example.org\n", "curl -fsSO example.org\n"])


def test_what_is_not_there():
    for arguments, why in ((["help", "nothing"], "no topic nothing"), (["nothing"], "no command nothing")):
        out, err = run(*arguments, status=255)
        same(out, "")
        assert why in err and "try leat" in err, err


main()
