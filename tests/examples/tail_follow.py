#!/usr/bin/env python3
"""examples/tail_follow.c with a log that is appended to, truncated and rotated.

usage: tail_follow.py COMMAND...
"""
import os
import tempfile

from program import Program, main, run, same


class Tail(Program):
    """Follows the file log in a directory of its own."""

    def __init__(self, content=""):
        # pylint: disable=consider-using-with
        self.directory = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.directory.name, "log")
        if content is not None:
            self.append(content)
        super().__init__(self.path)

    def __exit__(self, *error):
        super().__exit__(*error)
        self.directory.cleanup()

    def append(self, text, path=None):
        with open(path or self.path, "a", encoding="ascii") as file:
            file.write(text)

    def prints(self, *lines):
        for should in lines:
            same("line", self.line(), should)

    def says(self, what):
        same("message", self.line(self.err), f"tail_follow: {self.path}: {what}")


def append():
    with Tail("one\ntwo\n") as tail:
        tail.prints("one", "two")
        for i in range(200):
            tail.append(f"{i}\n")
            if i % 3 == 0:
                tail.prints(*(str(n) for n in range(max(i - 2, 0), i + 1)))
        tail.prints("199")
        tail.append("in two ")
        tail.append("pieces\n")
        tail.prints("in two pieces")
        tail.stop()


def much():
    """More than any buffer holds, while it is read."""
    lines = [f"line {i} {'x' * (i % 200)}" for i in range(20000)]
    with Tail() as tail:
        for i in range(0, len(lines), 100):
            tail.append("".join(line + "\n" for line in lines[i:i + 100]))
        tail.prints(*lines)
        tail.stop()


def truncate():
    with Tail("old 1\nold 2\n") as tail:
        tail.prints("old 1", "old 2")
        for i in range(20):
            os.truncate(tail.path, 0)
            tail.says("truncated")
            tail.append(f"new {i}\n")
            tail.prints(f"new {i}")
        tail.stop()


def rotate():
    """Whatever is written before the new file is there comes before what is in that."""
    with Tail("0 first\n") as tail:
        tail.prints("0 first")
        for i in range(50):
            tail.append(f"{i} second\n")
            os.rename(tail.path, f"{tail.path}.{i}")
            tail.append(f"{i} third, under another name\n", f"{tail.path}.{i}")
            tail.append(f"{i + 1} first\n")
            tail.prints(f"{i} second", f"{i} third, under another name", f"{i + 1} first")
            tail.says("another file")
        tail.stop()


def rename_over():
    """A file that was written elsewhere comes under the name; and a removed one is made again."""
    with Tail("old\n") as tail:
        tail.prints("old")
        tail.append("new\n", tail.path + ".new")
        os.rename(tail.path + ".new", tail.path)
        tail.prints("new")
        tail.says("another file")
        os.unlink(tail.path)
        tail.append("newest\n")
        tail.prints("newest")
        tail.says("another file")
        tail.append("and more\n")
        tail.prints("and more")
        tail.stop()


def moved_away():
    """While there is no new file the old one is followed, wherever it is."""
    with Tail("one\n") as tail, tempfile.TemporaryDirectory(dir=tail.directory.name) as other:
        tail.prints("one")
        away = os.path.join(other, "log")
        os.rename(tail.path, away)
        tail.append("two\n", away)
        tail.prints("two")
        tail.append("three\n")
        tail.prints("three")
        tail.says("another file")
        tail.stop()


def not_yet_there():
    with Tail(None) as tail:
        other = tail.path + ".other"
        tail.append("not of this file\n", other)
        tail.append("here\n")
        tail.prints("here")
        tail.stop()


def errors():
    same("no arguments", run(), (2, [], ["usage: tail_follow FILE"]))
    same("no directory", run("/nowhere/log"),
         (1, [], ["tail_follow: /nowhere/log: No such file or directory"]))
    with Tail(None) as tail:
        os.rmdir(tail.directory.name)  # before or after it has begun to look
        status, out, err = tail.end()
        same("end", (status, out, err[-1]),
             (1, [], f"tail_follow: {tail.path}: No such file or directory"))
        os.mkdir(tail.directory.name)  # for the clean-up


main(append, much, truncate, rotate, rename_over, moved_away, not_yet_there, errors)
