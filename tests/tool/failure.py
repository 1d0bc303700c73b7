#!/usr/bin/env python3
"""leat map, when something goes wrong around it.

usage: failure.py LEAT [TEST]...
"""
import fcntl
import os
import pty
import resource
import signal
import subprocess
import time

from program import FULL, LEAT, SLOW, Skip, environment, is_alive, lines, leat, main, read, same, says, start, wait_for


def pids(path):
    """Those that jobs have written there, when all n are complete."""
    return [int(p) for p in read(path).split()] if os.path.exists(path) else []


SLEEPER = "echo $$ >> pids; exec sleep 1000"


def run_sleepers(n, *more):
    process = start(f"-j{n}", *more, "--", "sh", "-c", SLEEPER, "sh")
    process.stdin.write(lines(100).encode())
    process.stdin.flush()
    wait_for(lambda: len(pids("pids")) == n, "jobs")
    return process


def all_gone(path="pids"):
    wait_for(lambda: not any(map(is_alive, pids(path))), "the end of all children")


def end(process):
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_kill_9_of_leat_leaves_no_child():
    process = run_sleepers(4)
    process.kill()
    process.wait()
    all_gone()


def test_interrupted_once_it_ends_soon():
    process = start("-j2", "--", "sh", "-c", "echo $$ >> pids; while [ ! -e go ]; do sleep 0.01; done; echo $1", "sh")
    process.stdin.write(lines(100).encode())
    process.stdin.flush()
    wait_for(lambda: len(pids("pids")) == 2, "jobs")
    process.send_signal(signal.SIGINT)
    wait_for(lambda: b"no new jobs" in os.read(process.stderr.fileno(), 4096), "a message")
    open("go", "w").close()
    status, out, err = end(process)
    same((status, sorted(out.split())), (-signal.SIGINT, [b"1", b"2"]), err)
    same(len(pids("pids")), 2)


def test_interrupted_twice_it_stops_its_jobs():
    for sig in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        process = run_sleepers(3)
        process.send_signal(sig)
        wait_for(lambda: b"no new jobs" in os.read(process.stderr.fileno(), 4096), "a message")
        process.send_signal(sig)
        same(end(process)[0], -sig)
        all_gone()
        os.unlink("pids")


def test_a_child_that_ignores_term():
    script = "trap '' TERM; echo $$ >> pids; while :; do sleep 0.05; done"
    done = leat("--timeout", "0.2", "--grace", "0.2", "--", "sh", "-c", script, "sh", feed="a\n")
    same(done.status, 1, done)
    says(done, "timed out")
    all_gone()


def test_a_child_that_is_stopped():
    done = leat("--timeout", "0.2", "--grace", "30", "--", "sh", "-c", "echo $$ >> pids; kill -STOP $$",
                feed="a\n")
    same(done.status, 1, done)
    all_gone()


def test_kill_9_of_a_child():
    done = leat("-k", "--joblog", "log", "--", "sh", "-c", "echo before; [ $1 = 2 ] && kill -9 $$; echo after",
                "sh", feed=lines(3))
    same((done.status, done.out), (1, b"before\nafter\nbefore\nbefore\nafter\n"), done)
    same([line.split("\t")[7] for line in read("log").decode().splitlines()[1:]], ["0", "9", "0"])


def test_what_a_job_leaves_running_is_killed():
    script = "sleep 1000 & echo $! >> pids; sleep 1000 > /dev/null 2>&1 & echo $! >> pids; echo done"
    before = time.monotonic()
    done = leat("-k", "--", "sh", "-c", script, "sh", feed=lines(5))
    same((done.status, done.out), (0, b"done\n" * 5), done)
    same(len(pids("pids")), 10)
    all_gone()
    assert time.monotonic() - before < 20


def test_a_daemon_that_holds_the_output():
    """It has left the group: the job ends all the same, and the daemon lives on."""
    script = "setsid sh -c 'echo $$ >> pids; exec sleep 1000' & while [ ! -s pids ]; do sleep 0.01; done; echo out"
    done = leat("--", "sh", "-c", script, "sh", feed="a\n")
    same((done.status, done.out), (0, b"out\n"), done)
    assert is_alive(pids("pids")[0])
    os.kill(pids("pids")[0], signal.SIGKILL)


def test_isolated_daemons_do_not_live_on():
    script = "setsid sh -c 'echo $$ >> pids; exec sleep 1000' & while [ ! -s pids ]; do sleep 0.01; done; readlink /proc/self; echo out"
    done = leat("--isolate", "--", "sh", "-c", "setsid sleep 4321 & echo out; exit 3", "sh", feed="a\n")
    if b"--isolate" in done.err:
        raise Skip(done.err.decode().strip())
    same((done.status, done.out), (1, b"out\n"), done)
    wait_for(lambda: not sleepers("4321"), "the end of the daemon")


def sleepers(argument):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if read(f"/proc/{pid}/cmdline") == b"sleep\0" + argument.encode() + b"\0":
                found.append(pid)
        except OSError:
            pass
    return found


def test_few_descriptors():
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    done = leat("-j100", "-k", "--", "echo", feed=lines(400), preexec_fn=limit)
    same((done.status, done.out), (0, lines(400).encode()), done)


def test_few_processes():
    if os.geteuid() == 0:
        user = 54321        # root has no limit
    else:
        raise Skip("needs another user's limit")

    def limit():
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
        resource.setrlimit(resource.RLIMIT_NPROC, (16, 16))
    if subprocess.run(["test", "-x", LEAT], preexec_fn=lambda: os.setuid(user), check=False).returncode != 0:
        raise Skip("another user cannot run the program there")
    script = "i=0; while [ $i -lt 4000 ]; do i=$((i+1)); done; echo $1"
    done = leat("-j50", "-k", "--", "sh", "-c", script, "sh", feed=lines(100), preexec_fn=limit)
    same((done.status, done.out), (0, lines(100).encode()), done)
    says(done, "no room for all of the jobs at once: Resource temporarily unavailable")


def test_nobody_reads_the_output():
    read_end, write_end = os.pipe()
    os.close(read_end)
    process = start("--journal", "j", "--", "echo", stdout=write_end)
    os.close(write_end)
    try:
        process.communicate(lines(1000).encode(), timeout=60)
    except BrokenPipeError:
        pass
    same(process.returncode, -signal.SIGPIPE)
    # What was not delivered is not done.
    done = leat("-k", "--journal", "j", "--resume", "--", "echo", feed=lines(1000))
    same((done.status, done.out), (0, lines(1000).encode()), done)


def test_the_disk_is_full():
    if not os.path.exists("/dev/full"):
        raise Skip("no /dev/full")
    with open("/dev/full", "w") as full:
        done = leat("-j1", "--journal", "j", "--", "echo", feed=lines(100), stdout=full)
    same(done.status, 255, done)
    says(done, "stdout: No space left on device")
    done = leat("-k", "--journal", "j", "--resume", "--", "echo", feed=lines(100))
    same(done.out, lines(100).encode(), done)


def tmpfs(size):
    os.mkdir("small")
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", "small"],
                                           stderr=subprocess.DEVNULL, check=False).returncode != 0:
        raise Skip("no file system may be mounted")


def test_no_space_for_much_output():
    """In TMPDIR: the job fails and says so; the others do not notice."""
    tmpfs("1M")
    try:
        done = leat("-k", "-j1", "--", "sh", "-c", "[ $1 = 2 ] && exec seq 10000000; echo $1", "sh", feed=lines(3),
                    env={"TMPDIR": os.path.abspath("small")})
    finally:
        subprocess.run(["umount", "small"], check=True)
    assert done.status == 1 and done.out.startswith(b"1\n") and done.out.endswith(b"3\n"), done.err
    says(done, "job 2: .*No space left")


def test_no_space_for_the_journal():
    tmpfs("16K")
    try:
        done = leat("-k", "--journal", "small/j", "--", "echo", feed=lines(2000))
        same(done.status, 255, done.err)
        says(done, "--journal small/j: No space left")
        delivered = done.out.split()
        again = leat("-k", "--journal", "small/j", "--resume", "--", "echo", feed=lines(2000))
        subprocess.run(["mount", "-o", "remount,size=16M", "small"], check=True)
        rest = leat("-k", "--journal", "small/j", "--resume", "--", "echo", feed=lines(2000))
        same(rest.status, 0, rest.err)
        all_out = delivered + again.out.split() + rest.out.split()
        same(sorted(set(map(int, all_out))), list(range(1, 2001)))
    finally:
        subprocess.run(["umount", "small"], check=True)


def test_another_run_has_the_journal():
    process = run_sleepers(1, "--journal", "j")
    done = leat("--journal", "j", "--resume", "--", "sh", "-c", SLEEPER, "sh", feed=lines(100))
    same((done.status, done.out), (255, b""), done)
    says(done, "j: ")
    process.kill()
    process.wait()
    all_gone()


def test_resume():
    leat("-k", "--journal", "j", "--", "echo", feed="a\nb\na\n")
    done = leat("--journal", "j", "--", "echo", feed="a\n")
    same((done.status, done.out), (255, b""), done)
    says(done, "--resume")
    done = leat("-k", "--journal", "j", "--resume", "--", "echo", feed="b\na\na\na\nc\n")
    same((done.status, done.out), (0, b"a\nc\n"), done)
    done = leat("--journal", "j", "--resume", "--", "echo", "-n", feed="b\n")
    same((done.status, done.out), (255, b""), done)
    says(done, "another command.*[0-9a-f]{8}.*[0-9a-f]{8}.*--resume=force")
    done = leat("--journal", "j", "--resume", "--shell", "--", "echo", feed="b\n")
    same((done.status, done.out), (255, b""), done)
    done = leat("-k", "--journal", "j", "--resume=force", "--", "printf", "%s.", feed="b\nd\n")
    same((done.status, done.out), (0, b"d."), done)


def test_resume_failed():
    script = "echo $1; [ -e good ] || [ $1 != 2 ]"
    same(leat("-k", "--journal", "j", "--", "sh", "-c", script, "sh", feed=lines(3)).status, 1)
    open("good", "w").close()
    same(leat("-k", "--journal", "j", "--resume", "--", "sh", "-c", script, "sh", feed=lines(3)).out, b"")
    same(leat("-k", "--journal", "j", "--resume-failed", "--", "sh", "-c", script, "sh", feed=lines(3)).out, b"2\n")
    same(leat("-k", "--journal", "j", "--resume-failed", "--", "sh", "-c", script, "sh", feed=lines(3)).out, b"")


def test_an_interrupted_run_is_resumed():
    process = start("-j2", "--journal", "j", "--", "sh", "-c",
                    "echo x >> n; while [ $1 -gt 10 ] && [ ! -e go ]; do sleep 0.01; done; echo $1", "sh")
    process.stdin.write(lines(50).encode())
    process.stdin.flush()
    wait_for(lambda: os.path.exists("n") and len(read("n").split()) == 12, "twelve jobs")
    for _ in range(2):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.05)        # two signals at once are one
    status, out, _ = end(process)
    same((status, sorted(map(int, out.split()))), (-signal.SIGTERM, list(range(1, 11))))
    open("go", "w").close()
    done = leat("-k", "--journal", "j", "--resume", "--", "sh", "-c",
                "echo x >> n; while [ $1 -gt 10 ] && [ ! -e go ]; do sleep 0.01; done; echo $1", "sh", feed=lines(50))
    same((done.status, done.out), (0, lines(40, 11).encode()), done)


def test_the_rate_is_kept():
    script = "date +%s%N >> times"
    leat("-j8", "--rate", "50/s:5", "--", "sh", "-c", script, "sh", feed=lines(40))
    times = sorted(map(int, read("times").split()))
    same(len(times), 40)
    # Of the starts; those of the children follow by some milliseconds.
    for i in range(40):
        for k in range(i + 1, 40):
            assert k - i + 1 <= 50 * ((times[k] - times[i]) / 1e9 + 0.2) + 5, (i, k, times)


def test_the_rate_is_kept_by_those_that_wait_for_a_place():
    """With --jobs auto as many as there are cores run at first; those behind them have the time for many tokens."""
    cores, more, rate = os.cpu_count(), 14, 20
    script = "date +%s%N >> times; [ $1 -gt " + str(cores) + " ] || while [ ! -e go ]; do sleep 0.01; done"
    process = start("-jauto", "--rate", f"{rate}/s", "--", "sh", "-c", script, "sh")
    process.stdin.write(lines(cores + more).encode())
    process.stdin.close()
    wait_for(lambda: os.path.exists("times") and len(read("times").split()) == cores, "the first jobs")
    time.sleep(1)               # the time of more tokens than there are jobs
    open("go", "w").close()
    same((process.wait(60), process.stderr.read()), (0, b""))
    times = sorted(map(int, read("times").split()))[cores:]
    same(len(times), more)
    for i in range(more):
        for k in range(i + 1, more):
            assert k - i + 1 <= rate * ((times[k] - times[i]) / 1e9 + 0.2) + 1, (i, k, times)


def test_a_rate_for_each_key():
    script = "date +%s%N >> times.$1; echo $1"
    feed = "".join('{"k":"%s"}\n' % "ab"[i % 2] for i in range(20)) + '{"other":1}\n'
    began = time.monotonic()
    done = leat("-j21", "--rate", "20/s", "--rate-key", "{.k}", "--", "sh", "-c", script, "sh", "{.k}", feed=feed)
    took = time.monotonic() - began
    same((done.status, sorted(done.out.split())), (1, [b"a"] * 10 + [b"b"] * 10), done)
    says(done, "job 21: .*k")
    for key in "ab":
        times = sorted(map(int, read(f"times.{key}").split()))
        assert times[-1] - times[0] > 0.3e9, times  # nine intervals of 50 ms, less what a start may vary
    assert SLOW or took < 0.9 + 0.45, took          # both at once


def test_stopped_for_a_while():
    """SIGSTOP of leat alone: what ended meanwhile has ended, nothing is lost."""
    process = start("-j2", "-k", "--timeout", "60", "--", "sh", "-c", "echo x >> n; echo $1", "sh")
    process.stdin.write(lines(2).encode())
    process.stdin.flush()
    wait_for(lambda: os.path.exists("n") and len(read("n").split()) == 2, "two jobs")
    process.send_signal(signal.SIGSTOP)
    time.sleep(60 if FULL else 1)
    process.send_signal(signal.SIGCONT)
    process.stdin.write(lines(100, 3).encode())
    status, out, err = end(process)
    same((status, out), (0, lines(102).encode()), err)


def test_much_input_in_little_memory():
    size = 10_000_000_000 if FULL else 300_000_000
    source = subprocess.Popen(f"yes 0123456789012345678901234567890123456789 | head -c {size}", shell=True,
                              stdout=subprocess.PIPE)
    with open("out", "w") as out:
        process = subprocess.Popen([LEAT, "map", "--pipe", "--block", "4M", "--", "wc", "-c"], stdin=source.stdout,
                                   stdout=out, env=environment())
        source.stdout.close()
        peak = 0
        while process.poll() is None:
            peak = max(peak, status_of(process.pid))
    source.wait()
    same((process.returncode, sum(map(int, read("out").split()))), (0, size))
    assert SLOW or 0 < peak < 64 << 10, f"{peak} KiB"  # a sanitizer has its own


def status_of(pid):
    try:
        for line in read(f"/proc/{pid}/status").splitlines():
            if line.startswith(b"VmHWM:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def test_a_line_of_a_gigabyte():
    size = 1_000_000_000 if FULL else 200_000_000
    source = subprocess.Popen(f"echo a; head -c {size} /dev/zero | tr '\\0' x; echo; echo b",
                              shell=True, stdout=subprocess.PIPE)
    with open("out", "w") as out, open("err", "w") as err:
        process = subprocess.Popen([LEAT, "map", "-k", "--max-record", "1M", "--", "echo"], stdin=source.stdout,
                                   stdout=out, stderr=err, env=environment())
        source.stdout.close()
        peak = 0
        while process.poll() is None:
            peak = max(peak, status_of(process.pid))
    source.wait()
    same((process.returncode, read("out")), (1, b"a\nb\n"))
    assert str(size).encode() in read("err"), read("err")
    assert SLOW or 0 < peak < 12 << 10, f"{peak} KiB"


def test_job_control():
    """Ctrl-Z stops the children with it, and they go on with it."""
    process = start("-j2", "--", "sh", "-c", "echo $$ >> pids; while [ ! -e go ]; do sleep 0.01; done; echo $1", "sh")
    process.stdin.write(lines(2).encode())
    process.stdin.close()
    wait_for(lambda: len(pids("pids")) == 2, "jobs")
    process.send_signal(signal.SIGTSTP)
    wait_for(lambda: state_of(process.pid) == "T", "the stop")
    wait_for(lambda: all(state_of(p) == "T" for p in pids("pids")), "the stop of the children")
    process.send_signal(signal.SIGCONT)
    open("go", "w").close()
    same(process.wait(timeout=60), 0)
    same(sorted(process.stdout.read().split()), [b"1", b"2"])


def state_of(pid):
    return read(f"/proc/{pid}/stat").rsplit(b")", 1)[1].split()[0].decode()


def test_a_terminal_that_goes_away():
    master, slave = pty.openpty()

    def take_terminal():
        os.setsid()
        fcntl.ioctl(slave, 0x540E, 0)   # TIOCSCTTY
    process = subprocess.Popen([LEAT, "map", "-j2", "--", "sh", "-c", SLEEPER, "sh"], stdin=slave, stdout=slave,
                               stderr=slave, preexec_fn=take_terminal, env=environment())
    os.close(slave)
    os.write(master, b"a\nb\n")
    wait_for(lambda: len(pids("pids")) == 2, "jobs")
    os.close(master)            # SIGHUP: no new jobs; again: it stops them
    time.sleep(0.1)
    process.send_signal(signal.SIGHUP)
    same(process.wait(timeout=60), -signal.SIGHUP)
    all_gone()


main()
