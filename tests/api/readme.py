#!/usr/bin/env python3
"""Every block of C in the Markdown files is compiled and, if a program, run.

usage: readme.py SOURCE-ROOT BUILD-ROOT

A block that follows a line <!-- FILE --> is that file's text, word for word
(its first comment may be left out); the file is tested elsewhere.  A block
with a main is compiled, run, and prints what the ```text block after it says
(lines sorted where that says so: ```text sorted).  Any other block is a
function's body, compiled with the declarations of the hidden block before it:
<!-- given: declarations -->.

In the tour, examples/README.md, each block of Go or C follows a line <!-- FILE -->, and is that
file's text without its head: the first comment, package, imports, includes.
"""
import os
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(
    r"(?:<!-- (?P<note>[^>]*?) -->\n+)?```c\n(?P<code>.*?)```\n"
    r"(?:\n*```text(?P<how> sorted)?\n(?P<out>.*?)```)?", re.S)
FILES = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")
TOUR = "examples/README.md"
TOUR_BLOCK = re.compile(r"(?:^<!-- (\S+) -->\n)?^```(go|c)\n(.*?)^```$", re.S | re.M)
HEAD = re.compile(r"\A(?:/\*.*?\*/|//[^\n]*|package main|import \(.*?\)|import \"fmt\"|"
                  r"#include [^\n]*|\n)", re.S)


def build(root, build_root, code, program):
    flags = ["-fsyntax-only"] if program is None else [
        "-o", program, os.path.join(build_root, "libleat.so"), f"-Wl,-rpath,{build_root}"]
    done = subprocess.run(
        ["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wno-unused", "-x", "c",
         "-I", os.path.join(root, "include"), "-", "-x", "none", *flags],
        input=code, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def check_copy(root, path, code):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        text = file.read()
    without_comment = re.sub(r"\A/\*.*?\*/\n", "", text, flags=re.S)
    assert code in (text, without_comment), f"differs from {path}"


def check_program(root, build_root, code, expected, any_order):
    with tempfile.TemporaryDirectory() as work:
        program = os.path.join(work, "program")
        build(root, build_root, code, program)
        done = subprocess.run([program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"exit status {done.returncode}: {done.stderr}"
    assert expected is not None, "a program without its output in a ```text block"
    said, wanted = done.stdout.splitlines(), expected.splitlines()
    if any_order:
        said.sort()
        wanted.sort()
    assert said == wanted, f"prints {said}, not {wanted}"


def check(root, build_root, block):
    note, code = block["note"] or "", block["code"]
    if note.endswith(".c"):
        check_copy(root, note, code)
    elif re.search(r"\bLEAT_MAIN\b|\bmain\(", code):
        check_program(root, build_root, code, block["out"], block["how"])
    else:
        given = note[len("given:"):] if note.startswith("given:") else ""
        build(root, build_root, "#include <stdio.h>\n#include <leat/leat.h>\n" + given +
              "\nint leat_snippet(void);\nint leat_snippet(void)\n{\n" + code +
              "\nreturn 0;\n}\n", None)


def core_of(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    while HEAD.match(text):
        text = HEAD.sub("", text)
    return text


def check_tour(root):
    """What is wrong with the tour, and how many blocks it has."""
    with open(os.path.join(root, TOUR), encoding="utf-8") as file:
        text = file.read()
    wrong, shown = [], []
    for note, language, code in TOUR_BLOCK.findall(text):
        if not note.endswith("." + language):
            wrong.append(f"a block of {language} without the name of its file")
        elif code != core_of(os.path.join(root, note)):
            wrong.append(f"{note} has other code")
        shown.append(note)
    for name in sorted(os.listdir(os.path.join(root, "examples/go"))):
        pair = [f"examples/go/{name}", f"examples/{name[:-3]}.c"]
        if pair[0] not in shown or shown[shown.index(pair[0]):][:2] != pair:
            wrong.append(f"{pair[0]} is not shown beside {pair[1]}")
    for name in sorted(os.listdir(os.path.join(root, "examples"))):
        if name.endswith(".c") and f"({name})" not in text and f'"{name}"' not in text:
            wrong.append(f"{name} is not in it")
    for link in re.findall(r"(?:\]\(|href=\")([^#)\"][^)\"]*)", text):
        if not os.path.exists(os.path.join(root, "examples", link)):
            wrong.append(f"{link} does not exist")
    return wrong, len(shown)


def main():
    root, build_root = sys.argv[1:3]
    wrong, passed = check_tour(root)
    failed = len(wrong)
    for text in wrong:
        print(f"FAIL {TOUR}: {text}")
    for name in FILES:
        with open(os.path.join(root, name), encoding="utf-8") as file:
            text = file.read()
        blocks = list(BLOCK.finditer(text))
        if len(blocks) != len(re.findall(r"^```c$", text, re.M)):
            print(f"FAIL {name}: a block of C that this script does not read")
            failed += 1
        for block in blocks:
            line = text.count("\n", 0, block.start("code")) + 1
            try:
                check(root, build_root, block)
                passed += 1
            except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
                print(f"FAIL {name}:{line}: {error}")
                failed += 1
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


main()
