#!/usr/bin/env python3
"""bash completes what can follow leat: its options are those of the program, its values are taken by it.

usage: complete.py LEAT SOURCE-ROOT
"""
import os
import pty
import re
import select
import subprocess
import sys
import time

from program import LEAT, main, same

del sys.argv[3:]	# no-http, which is no matter here
SCRIPT = os.path.join(os.path.abspath(sys.argv.pop(2)), "tool/completion/leat.bash")
BREAKS = "=:"


def bash(script, **more):
    done = subprocess.run(["bash", "--norc", "-c", f". {SCRIPT}\n{script}"], capture_output=True, text=True,
                          env={**os.environ, **more}, check=True)
    same(done.stderr, "")
    return done.stdout


def words_of(line):
    """As readline cuts it; the cursor is at the end."""
    words = []
    for word in line.split():
        words += re.findall(f"[{BREAKS}]+|[^{BREAKS}]+", word)
    return words + ([""] if line.endswith(" ") else [])


def complete(line, breaks=" \t\n\"'><=;|&(:"):
    words = words_of(line) if "=" in breaks else line.split() + ([""] if line.endswith(" ") else [])
    quoted = " ".join(f"'{word}'" for word in words)
    out = bash("COMP_WORDBREAKS=$BREAKS\n"
               f"COMP_LINE='{line}' COMP_POINT={len(line)} COMP_WORDS=({quoted}) COMP_CWORD={len(words) - 1}\n"
               "_leat\nprintf '%s\\n' \"${COMPREPLY[@]}\"", BREAKS=breaks)
    return sorted(filter(None, out.split("\n")))


def options_of_program():
    """{"--jobs": (letter or None, whether it has an argument)}"""
    said = subprocess.run([LEAT, "help", "map"], capture_output=True, text=True, check=True).stdout
    return {match[2]: (match[1], match[3] == " ")
            for match in re.finditer(r"^  (?:-(\w), |    )(--[a-z-]+)(?:( )[A-Z]+ |\[| )", said, re.M)}


def test_the_options_are_those_of_the_program():
    wanted = options_of_program()
    assert len(wanted) > 30, wanted
    flags, options, letters = (text.split() for text in bash(
        'printf "%s\\0" "$_leat_map_flags" "$_leat_map_options" "$_leat_map_letters"').split("\0")[:3])
    same(sorted(flags), sorted(name for name, (_, has_argument) in wanted.items() if not has_argument))
    same(sorted(options), sorted(name for name, (_, has_argument) in wanted.items() if has_argument))
    same(sorted(letters[0]), sorted(letter for letter, has_argument in wanted.values() if letter and has_argument))


def test_the_values_are_taken_by_the_program():
    for option in "--halt", "--jobs", "--retry-on":
        values = complete(f"leat map {option} ")
        assert values, option
        for value in values:
            subprocess.run([LEAT, "map", option, value, "--", "true"], stdin=subprocess.DEVNULL, check=True)


def test_commands():
    same(complete("leat "), ["--help", "--version", "demo", "help", "map"])
    same(complete("leat ma"), ["map"])
    same(complete("leat help "), ["demo", "map"])
    same(complete("leat demo "), ["checksums"])
    same(complete("leat demo checksums --s"), ["--seed", "--size"])
    same(complete("leat help map "), [])


def test_options():
    same(complete("leat map --kee"), ["--keep-order"])
    same(complete("leat map -k --res"), ["--results", "--resume", "--resume-failed", "--resume=force"])
    same(complete("leat map -j 4 --line"), ["--line-buffer"])
    # They are over when the command has begun.
    same(complete("leat map -j 4 gzip --line"), [])
    same(complete("leat map -- --line"), [])


def test_values():
    same(complete("leat map --halt now"), ["now,fail=1", "now,fail=10%", "now,success=1"])
    same(complete("leat map -j a"), ["auto"])
    same(complete("leat map -kj a"), ["auto"])
    same(complete("leat map --http P"), ["PATCH", "POST", "PUT"])


def test_values_behind_an_equals_sign():
    same(complete("leat map --resume="), ["force"])
    same(complete("leat map --resume=f"), ["force"])
    same(complete("leat map --halt=now,s"), ["now,success=1"])
    same(complete("leat map --halt=now,fail=1"), ["1", "10%"])
    same(complete("leat map --halt now,fail="), ["1", "10%"])
    same(complete("leat map --resume=f", breaks=" \t\n"), ["--resume=force"])
    same(complete("leat map --halt=now,s", breaks=" \t\n"), ["--halt=now,success=1"])


def test_files_and_directories():
    os.mkdir("some dir")
    for name in "some file", "other":
        open(name, "w").close()
    for option in "-a", "--arg-file", "--ca-file", "--joblog", "--journal":
        same(complete(f"leat map {option} so"), ["some dir", "some file"])
    same(complete("leat map --journal=so"), ["some dir", "some file"])
    same(complete("leat map --results so"), ["some dir"])
    same(complete("leat map --rate so"), [])
    # Also for the command itself.
    same(complete("leat map -- gzip ot"), ["other"])
    same(complete("leat map --tag -a list -n 2 gzip -9 ot"), ["other"])


def test_names_of_commands():
    os.mkdir("bin")
    open("bin/leat-test-command", "w").close()
    os.chmod("bin/leat-test-command", 0o700)
    os.environ["PATH"] += ":" + os.path.abspath("bin")
    for line in "leat map ", "leat map -- ", "leat map -k -j 4 ", "leat map --rate=5/s ", "leat map --null ":
        same(complete(line + "leat-test"), ["leat-test-command"])
    same(complete("leat map --http GET leat-test"), [])
    same(complete("leat map --rate leat-test"), [])


def read_until(fd, wanted):
    text, end = "", time.monotonic() + 60
    while wanted not in text:
        ready, _, _ = select.select([fd], [], [], end - time.monotonic())
        assert ready, f"{wanted!r} has not come: {text!r}"
        text += os.read(fd, 4096).decode()
    return text


def test_at_a_terminal():
    """What readline makes of it: the line is completed, and then printed instead of run."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"],
                   {**os.environ, "TERM": "dumb", "PS1": "ready> ", "HISTFILE": "", "INPUTRC": "/dev/null"})
    try:
        read_until(fd, "ready> ")
        os.write(fd, f". {SCRIPT}; bind 'set enable-bracketed-paste off'; PS1='go''on> '\n".encode())
        read_until(fd, "goon> ")
        for line, wanted in (("leat map --kee\t", "leat map --keep-order"),
                             ("leat map --resume=\t", "leat map --resume=force"),
                             ("leat map --halt now,s\t", "leat map --halt now,success=1"),
                             ("leat map --halt=now,s\t", "leat map --halt=now,success=1")):
            os.write(fd, line.encode() + b"\x01echo '<' \x05 '>'\n")
            said = read_until(fd, "\ngoon> ")
            said = re.search(r"^< (.*?) *>", said, re.M)[1]
            same(said, wanted)
    finally:
        os.close(fd)
        os.waitpid(pid, 0)


main()
