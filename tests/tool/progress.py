#!/usr/bin/env python3
"""leat map --progress: on a terminal, and without one.

usage: progress.py LEAT [TEST]...
"""
import os
import re
import signal

from program import leat, lines, main, same, wait_for
from terminal import Terminal

# Each waits until the test has seen enough.
GATED = ["sh", "-c", "while [ ! -e go$1 ]; do sleep 0.01; done; echo got $1; echo err $1 >&2; [ $1 != 2 ]",
         "sh"]


def go(*names):
    for name in names:
        open(f"go{name}", "w").close()


def is_bar(line):
    return "█" in line or "░" in line


def state(process):
    with open(f"/proc/{process.pid}/stat") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0]


def test_nothing_without_a_terminal():
    done = leat("--progress", "--", "echo", feed="a\n")
    same((done.status, done.out, done.err), (0, b"a\n", b""), done)


def test_nothing_on_a_dumb_terminal():
    t = Terminal("map", "--progress", "--", "true", feed="a\n", env={"TERM": "dumb"})
    same(t.end(), 0)
    same(t.raw, b"")


def test_the_end_stays():
    t = Terminal("map", "--progress", "-k", "--", "sh", "-c", "echo got $1; [ $1 != 2 ]", "sh", feed=lines(4))
    same(t.end(), 1)
    *output, bar, last = t.text()
    same(output, ["got 1", "got 2", "got 3", "got 4"])
    assert re.fullmatch(r"█+  100%  4/4  .*/s  in \d+\.\d s  1 failed", bar), bar
    same(last, "")
    assert t.screen.widest < 80, t.text()


def test_plain_letters_and_no_colour():
    for env, colour in (({"LC_ALL": "C"}, True), ({"LC_ALL": "C", "NO_COLOR": "1"}, False)):
        t = Terminal("map", "--progress", "--", "false", feed=lines(2), env=env)
        same(t.end(), 2)
        same(b"\033[31m" in t.raw, colour)
        bar = t.text()[-2]
        assert re.fullmatch(r"\[=+\]  100%  2/2  .*  2 failed", bar), bar


def test_messages_and_output_are_above():
    """The bar is the last line at any time that somebody looks, and none of it is left above."""
    t = Terminal("map", "--progress", "-j1", "--", *GATED, feed="1\n2\nx\0y\n3\n")
    t.shows(r"0/4|0 done")
    for i in (1, 2, 3):
        go(i)
        t.shows(f"err {i}")
    same(t.end(), 2)
    *above, bar, last = t.text()
    same([line for line in above if line.startswith("leat: ")],
         ["leat: job 3: a record has a NUL byte, at column 2; no argument can have one"])
    same([line for line in above if not line.startswith("leat: ")],
         [f"{what} {i}" for i in (1, 2, 3) for what in ("got", "err")])
    assert is_bar(bar) and "4/4" in bar and "2 failed" in bar, bar


def test_output_without_a_newline():
    t = Terminal("map", "--progress", "-j1", "--", "printf", "%s", feed="a\nb\n")
    same(t.end(), 0)
    *above, bar, last = t.text()
    same("".join(above), "ab")
    assert is_bar(bar), bar


def test_output_that_is_no_terminal():
    with open("out", "wb") as out:
        t = Terminal("map", "--progress", "--", "echo", feed=lines(3), stdout=out)
        same(t.end(), 0)
    same(sorted(open("out").read().split()), ["1", "2", "3"])
    bar, last = t.text()
    assert is_bar(bar), bar


def test_narrower():
    """At 20 columns it is cut to what matters, from the next time on that it is drawn."""
    with open("in", "w") as file:
        file.write(lines(3))
    t = Terminal("map", "--progress", "-j1", "-a", "in", "--", *GATED, columns=120)
    t.shows("░.* 1 run")
    t.resize(20)
    wait_for(lambda: not is_bar(t.text()[-1]) and t.text()[-1], "a short line")
    with t.lock:
        t.screen.widest = 0
    go(1, 2, 3)
    same(t.end(), 1)
    assert 0 < t.screen.widest < 20, t.text()
    same(t.text()[-2], "100%  3/3  1 failed")


def test_share_of_a_file():
    """Before the end of the input is read, by its bytes."""
    with open("in", "w") as file:
        file.write(lines(1000, first=1000))
    t = Terminal("map", "--progress", "-j1", "--window", "1", "-a", "in", "--", "sh", "-c",
                 "[ $1 != 1500 ] || while [ ! -e go ]; do sleep 0.01; done", "sh", feed=None)
    bar = t.shows("5[01]%")[-1]
    assert re.search(r" 5[01]%  50\d/~1,000 ", bar), bar
    go("")
    same(t.end(), 0)
    assert "1,000/1,000" in t.text()[-2], t.text()


def test_skipped():
    leat("--journal", "j", "--", "true", feed=lines(3))
    t = Terminal("map", "--progress", "--journal", "j", "--resume", "--", "true", feed=lines(5))
    same(t.end(), 0)
    assert re.search("5/5 .* 3 skipped", t.text()[-2]), t.text()


def test_stopped_by_the_terminal():
    """Ctrl-Z takes the line away, before it stops; then it comes back."""
    t = Terminal("map", "--progress", "-j1", "--", *GATED, feed=lines(1))
    t.shows("░")
    os.write(t.master, b"\x1a")
    wait_for(lambda: state(t.process) == "T", "the stop")
    wait_for(lambda: not any(map(is_bar, t.text())), "an empty line")
    t.process.send_signal(signal.SIGCONT)
    t.shows("░")
    go(1)
    same(t.end(), 0)
    same([line for line in t.text() if line and not is_bar(line) and "^Z" not in line], ["got 1", "err 1"])
    same(sum(map(is_bar, t.text())), 1)


def test_a_terminal_that_goes_away():
    with open("out", "wb") as out:
        t = Terminal("map", "--progress", "-j1", "--", "sh", "-c",
                     "while [ ! -e go ]; do sleep 0.01; done; echo got $1", "sh", feed="1\n3\n",
                     stdout=out, own=False)
        t.shows(" 1 run")
        os.close(t.slave)
        os.close(t.master)
        go("")
        same(t.process.wait(60), 0)
    same(open("out").read(), "got 1\ngot 3\n")


main()
