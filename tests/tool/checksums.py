#!/usr/bin/env python3
"""leat demo checksums: what it says of files is what md5sum -c says, and a run that was stopped goes on.

usage: checksums.py LEAT [TEST]...
"""
import collections
import glob
import hashlib
import os
import random
import re
import signal
import subprocess

from program import LEAT, LIMIT_S, Done, Skip, environment, main, read, same, says, wait_for
from terminal import Terminal

INFO = "var/lib/dpkg/info"


def run(*arguments, env=None):
    env = environment(**{"XDG_STATE_HOME": os.path.abspath("state"), **(env or {})})
    done = subprocess.run([LEAT, "demo", "checksums", *map(str, arguments)], capture_output=True, env=env,
                          stdin=subprocess.DEVNULL, timeout=LIMIT_S, check=False)
    return Done(done.returncode, done.stdout.decode(), done.stderr)


def listed(done):
    """{(package, path): verdict} of --list."""
    rows = (re.fullmatch(r"(not read|[a-z]+) +(\S+)  (/.*?|'.*')(: .*)?", line) for line in done.out.splitlines())
    return {(row[2], row[3]): row[1] for row in rows if row}


def sums(done):
    match = re.search(r"(\d+) match, (\d+) differ, (\d+) missing, (\d+) unreadable, (\d+) excluded"
                      r"(?:, (\d+) not read)?", done.out)
    assert match, done
    return [int(n or 0) for n in match.groups()]


def ledger(done):
    match = re.search(r"^in (\d+) = out (\d+) \+ failed (\d+) \+ dropped (\d+) \+ cancelled (\d+) \+ in flight (\d+)$",
                      done.out, re.M)
    assert match, done
    numbers = [int(n) for n in match.groups()]
    same(numbers[0], sum(numbers[1:]), done)
    return numbers


class Root:
    """A small system."""

    def __init__(self):
        os.makedirs("root/" + INFO)

    def add(self, package, path, content=b"", line=None):
        path = path.lstrip("/")
        os.makedirs(os.path.dirname(f"root/{path}"), exist_ok=True)
        with open(f"root/{path}", "wb") as file:
            file.write(content)
        self.sum(package, line or f"{hashlib.md5(content).hexdigest()}  {path}")

    @staticmethod
    def sum(package, line):
        with open(f"root/{INFO}/{package}.md5sums", "a") as file:
            file.write(line + "\n")

    @staticmethod
    def file(path, text):
        os.makedirs(os.path.dirname(f"root/{path}"), exist_ok=True)
        with open(f"root/{path}", "w") as file:
            file.write(text)


def verdicts_of_md5sum(directory, text):
    """{path: verdict}: of what md5sum -c says."""
    done = subprocess.run(["md5sum", "-c"], input=text, capture_output=True, cwd=directory, check=False,
                          env={**os.environ, "LC_ALL": "C"})
    found = {}
    for line in done.stdout.decode(errors="surrogateescape").splitlines():
        path, verdict = line.rsplit(": ", 1)
        if verdict == "FAILED open or read":
            lost = not os.path.exists(os.path.join(directory, path))
            verdict = "missing" if lost else "unreadable"
        found["/" + path] = {"OK": "matches", "FAILED": "differs"}.get(verdict, verdict)
    return found


def test_a_small_database():
    root = Root()
    root.add("good", "usr/bin/good", b"good\n")
    root.add("good", "usr/bin/empty")
    root.add("good", "usr/share/a name with  spaces", b"x" * 1000000)
    root.add("libbad:amd64", "usr/lib/bad", b"good")
    root.add("libbad:amd64", "usr/lib/gone", b"gone")
    root.add("libbad:amd64", "usr/lib/same", b"same")
    root.sum("libbad:amd64", "0" * 32 + "  usr/nothing/here")
    with open("root/usr/lib/bad", "wb") as file:
        file.write(b"evil")
    os.unlink("root/usr/lib/gone")
    text = b"".join(map(read, glob.glob(f"root/{INFO}/*.md5sums")))
    wanted = verdicts_of_md5sum("root", text)
    same(collections.Counter(wanted.values()), {"matches": 4, "differs": 1, "missing": 2})
    done = run("--list", "root")
    same({path.strip("'"): verdict for (_, path), verdict in listed(done).items()}, wanted)
    same((done.status, done.err, sums(done)), (2, b"", [4, 1, 2, 0, 0, 0]), done)
    same(ledger(done), [7, 4, 3, 0, 0, 0])
    assert "widen" in done.out or "checksums" in done.out.splitlines()[-1], done
    done = run("root")
    same(done.out.splitlines()[:3], ["differs     libbad:amd64  /usr/lib/bad", "missing     libbad:amd64  /usr/lib/gone",
                                     "missing     libbad:amd64  /usr/nothing/here"], done)


def test_all_is_well():
    Root().add("good", "usr/bin/good", b"good\n")
    done = run("root")
    same((done.status, done.err), (0, b""), done)
    assert done.out.startswith("1 files of 1 packages, 0.0 MB; of 1 in the database\n1 match, 0 differ, "), done
    assert not glob.glob("state/leat/*"), done


def test_many_of_a_package():
    root = Root()
    for i in range(10):
        root.sum("p", f"{'0' * 32}  usr/{i}")
    done = run("root")
    same(done.out.splitlines()[:4], [f"missing     p  /usr/{i}" for i in range(3)] + ["missing     p  7 more; see --list"])


def test_what_md5sum_does_not_know():
    """Diversions, the administrator's files, escaped names, and what is no file any more."""
    root = Root()
    root.add("dash", "bin/sh", b"dash")
    os.rename("root/bin/sh", "root/bin/sh.distrib")
    root.add("bash:amd64", "bin/sh", b"bash")
    root.file("var/lib/dpkg/diversions", "/bin/sh\n/bin/sh.distrib\nbash\n/x\n/y\n:\n")
    root.add("p", "etc/p.conf", b"as it came")
    root.file("etc/p.conf", "changed")
    root.file(f"{INFO}/p.conffiles", "/etc/other\nremove-on-upgrade /etc/old\n/etc/p.conf\n")
    root.add("p", "usr/a\\b", b"1", line="\\" + hashlib.md5(b"1").hexdigest() + "  usr/a\\\\b")
    root.add("p", "usr/binary", b"2", line=hashlib.md5(b"2").hexdigest() + " *usr/binary")
    for name in "fifo", "directory", "loop":
        root.sum("p", f"{'0' * 32}  usr/{name}")
    os.mkfifo("root/usr/fifo")
    os.mkdir("root/usr/directory")
    os.symlink("loop", "root/usr/loop")
    root.sum("p", "no checksum at all")
    done = run("--list", "root")
    same(done.status, 3, done)
    same(listed(done), {("dash", "/bin/sh.distrib"): "matches", ("bash:amd64", "/bin/sh"): "matches",
                        ("p", "'/usr/a\\b'"): "matches", ("p", "/usr/binary"): "matches",
                        ("p", "/usr/fifo"): "differs", ("p", "/usr/directory"): "differs",
                        ("p", "/usr/loop"): "unreadable"})
    says(done, r"^leat: /var/lib/dpkg/info/p.md5sums:7: no checksum")


def test_excluded_by_a_filter():
    root = Root()
    for name in "usr/share/doc/p/README", "usr/share/doc/p/copyright", "usr/share/man/p.1", "usr/lib/p":
        root.sum("p", f"{'0' * 32}  {name}")
    root.file("etc/dpkg/dpkg.cfg", "# path-exclude=/usr/lib/*\nno-debsig\npath-exclude \"/usr/share/man/*\"\n")
    root.file("etc/dpkg/dpkg.cfg.d/docker", "path-exclude=/usr/share/doc/*\npath-include=/usr/share/doc/*/copyright\n")
    root.file("etc/dpkg/dpkg.cfg.d/x.dpkg-old", "path-exclude=/usr/lib/*\n")
    done = run("root")
    same((done.status, sums(done)), (2, [0, 0, 2, 0, 2, 0]), done)
    same(sorted(done.out.splitlines()[:4]),
         ["excluded    1 files, path-exclude=/usr/share/doc/* in /etc/dpkg/dpkg.cfg.d/docker",
          "excluded    1 files, path-exclude=/usr/share/man/* in /etc/dpkg/dpkg.cfg",
          "missing     p  /usr/lib/p", "missing     p  /usr/share/doc/p/copyright"])
    for name in "usr/lib/p", "usr/share/doc/p/copyright":
        root.file(name, "")
    same(run("root").status, 2)     # they differ
    with open(f"root/{INFO}/p.md5sums", "w") as file:
        file.write("0" * 32 + "  usr/share/man/p.1\n")
    same(run("root").status, 0)     # as dpkg was told


def test_what_is_not_in_the_page_cache():
    """Where it ends in the middle of a file, that is read anew, and counted once."""
    root = Root()
    root.add("p", "usr/half", random.randbytes(900000))
    root.add("p", "usr/large", random.randbytes(1100000))
    for name, offset in ("half", 450560), ("large", 0):
        with open(f"root/usr/{name}", "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), offset, 0, os.POSIX_FADV_DONTNEED)
    done = run("root")
    same((done.status, sums(done)), (0, [2, 0, 0, 0, 0, 0]), done)
    assert re.search("^2.0 MB read in ", done.out, re.M), done


def test_the_sample():
    root = Root()
    for i in range(300):
        root.add("p", f"usr/{i}", b"x" * 1000)
    for i in range(30):     # they never fit
        root.add("p", f"usr/huge{i}", b"x" * 200000)
    first, again, other = (listed(run("--list", "--size", "100kB", "--seed", seed, "root")) for seed in (7, 7, 8))
    assert 95 <= len(first) <= 100, len(first)
    same(again, first)
    assert len(set(first) & set(other)) < 70, "another seed, the same files"
    assert not any("huge" in path for _, path in first), first
    same(len(listed(run("--list", "--all", "root"))), 330)


def test_files_of_this_machine():
    """A sample of the real database, with md5sum -c beside it."""
    lines = {}
    for name in glob.glob(f"/{INFO}/*.md5sums"):
        for line in open(name, "rb").read().splitlines():
            lines[os.path.basename(name)[:-len(".md5sums")], "/" + line[34:].decode(errors="surrogateescape")] = line
    if not lines:
        raise Skip("there is no database of dpkg here")
    seed = random.randrange(1 << 30)
    done = run("--list", "--size", "30MB", "--seed", seed)
    found = listed(done)
    assert len(found) > min(50, len(lines) / 2) and sum(sums(done)) == len(found), done
    ours, theirs = {}, []
    for (package, path), verdict in found.items():
        if (package, path) in lines:    # else it has been diverted, or has odd letters
            ours[path] = "missing" if verdict == "excluded" else verdict
            theirs.append(lines[package, path])
    assert len(ours) > 0.9 * len(found), (len(ours), len(found))
    wanted = verdicts_of_md5sum("/", b"".join(line + b"\n" for line in theirs))
    same({k: v for k, v in ours.items() if wanted.get(k) != v}, {}, f"seed {seed}")


def big_root(n):
    """Files without blocks, which take a while to read."""
    root = Root()
    os.makedirs("root/usr")
    size = 2 << 20
    digest = hashlib.md5(bytes(size)).hexdigest()
    for i in range(n):
        with open(f"root/usr/{i}", "wb") as file:
            file.truncate(size)
        root.sum("p", f"{digest}  usr/{i}")
    return root


def stop(sig, n, *arguments):
    """A run that gets sig after some of n files."""
    env = environment(XDG_STATE_HOME=os.path.abspath("state"))
    process = subprocess.Popen([LEAT, "demo", "checksums", "-j2", "--all", *arguments, "root"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
    journal = wait_for(lambda: glob.glob("j") + glob.glob("state/leat/checksums-*.journal"))[0]
    wait_for(lambda: os.path.getsize(journal) > 128 + 12 * 32, "some files")
    process.send_signal(sig)
    out, err = process.communicate(timeout=LIMIT_S)
    same(process.returncode, -sig, err)
    return Done(process.returncode, out.decode(), err), journal


def before(done):
    match = re.search(r"^(\d+) of them matched before", done.out, re.M)
    return int(match[1]) if match else 0


def test_stopped_and_resumed():
    n = 300
    big_root(n)
    done, journal = stop(signal.SIGINT, n)
    matched, *_, unread = sums(done)
    assert 10 <= matched and unread > 0 and matched + unread == n, done
    says(done, "stopped; run again to go on")
    _, out, failed, _, cancelled, _ = ledger(done)
    same((out, failed), (matched, 0), done)
    assert cancelled > 0, done
    same(os.stat(journal).st_mode & 0o777, 0o600)
    # One of those that matched changes meanwhile.
    first = "root/usr/0"
    with open(first, "r+b") as file:
        file.write(b"x")
    done = run("--all", "root")
    same((done.status, sums(done)), (2, [n - 1, 1, 0, 0, 0, 0]), done)
    same(before(done), matched - 1, done)
    same(ledger(done)[0], n - matched + 1)
    assert not os.path.exists(journal)
    same(before(run("--all", "root")), 0)


def test_killed_and_resumed():
    n = 200
    big_root(n)
    _, journal = stop(signal.SIGKILL, n, "--journal", "j")
    same(journal, "j")
    done = run("--all", "--journal", "j", "root")
    same((done.status, sums(done)), (0, [n, 0, 0, 0, 0, 0]), done)
    assert before(done) >= 10, done
    assert not os.path.exists("j") and not os.path.exists("state"), done


def test_a_journal_that_is_not_its_own():
    Root().add("p", "usr/x", b"x")
    with open("j", "w") as file:
        file.write("my letters\n" * 100)
    done = run("--journal", "j", "root")
    same((done.status, done.out), (255, ""), done)
    says(done, "j: is no journal")
    same(len(read("j")), 1100)


def test_no_place_for_a_journal():
    Root().add("p", "usr/x", b"x")
    done = run("root", env={"XDG_STATE_HOME": "", "HOME": ""})
    same((done.status, sums(done)), (0, [1, 0, 0, 0, 0, 0]), done)
    says(done, "cannot go on later")


def test_where_there_is_no_dpkg():
    os.mkdir("empty")
    for name in "empty", "none":
        done = run(name)
        same((done.status, done.out), (255, ""), done)
        says(done, f"^leat: {name} has no database of dpkg")


def test_options_that_are_refused():
    for arguments, why in ((["--seed", "x"], "x: "), (["--size", "much"], "much: "), (["-j0"], "0: "),
                           (["--no-such"], "--no-such is no option"), (["--seed"], "lacks its argument"),
                           (["a", "b"], "one directory")):
        done = run(*arguments)
        same((done.status, done.out), (255, ""), done)
        says(done, "^leat: demo checksums: .*" + why.replace("-", "[-]"))


def test_progress():
    big_root(100)
    t = Terminal("demo", "checksums", "--all", "root", feed=None, env={"XDG_STATE_HOME": os.path.abspath("state")},
                 stdout=subprocess.DEVNULL)
    t.shows("MB/s  ETA ")
    same(t.end(), 0)
    bar, last = t.text()
    assert re.search(r"█  100%  100/100  .* MB/s  in \d+\.\d s$", bar), bar


main()
