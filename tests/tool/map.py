#!/usr/bin/env python3
"""leat map: input, commands, output, status.

usage: map.py LEAT [TEST]...
"""
import os
import stat

from program import FULL, leat, lines, main, read, same, says


def test_a_job_for_each_line():
    done = leat("-k", "--", "echo", "got", feed="a b\n\nc")
    same((done.status, done.out, done.err), (0, b"got a b\ngot \ngot c\n", b""), done)


def test_no_input():
    done = leat("--", "echo", feed="")
    same((done.status, done.out, done.err), (0, b"", b""), done)


def test_no_newline_at_the_end():
    same(leat("-k", "--", "echo", feed="a\nb").out, b"a\nb\n")


def test_null():
    done = leat("-0", "-k", "--", "printf", "<%s>", feed=b"a\nb\0c d\0")
    same(done.out, b"<a\nb><c d>", done)


def test_a_file():
    with open("in", "w") as file:
        file.write("x\ny\n")
    same(leat("-a", "in", "-k", "--", "echo").out, b"x\ny\n")
    done = leat("-a", "none", "--", "echo")
    same(done.status, 255)
    says(done, "none: No such file")


def test_records_a_job():
    same(leat("-n2", "-k", "--", "echo", feed=lines(5)).out, b"1 2\n3 4\n5\n")
    same(leat("-n3", "-k", "--", "echo", "a{}z", feed=lines(4)).out, b"a1z a2z a3z\na4z\n")


def test_places():
    done = leat("-k", "-j1", "--", "echo", "{}", "{.}", "{/}", "{//}", "{/.}", "{#}", "{%}",
                feed="d/e/f.tar.gz\nx\n")
    same(done.out, b"d/e/f.tar.gz d/e/f.tar f.tar.gz d/e f.tar 1 1\nx x x . x 2 1\n", done)


def test_fields():
    done = leat("-k", "--", "echo", "{.user.id}", "{.name}",
                feed='{"user":{"id":7},"name":"A B"}\n{"user":{}}\nnot json\n')
    same((done.status, done.out), (2, b"7 A B\n"), done)
    says(done, "job 2: .*user.id")
    says(done, "job 3: .*JSON")


def test_no_shell_sees_it():
    evil = "$(touch evil); `touch evil` 'a' \"b\" > evil\n"
    same(leat("--", "echo", feed=evil).out, evil.encode())
    done = leat("--shell", "--", "echo {} | tr a-z A-Z", feed=evil)
    same(done.out, evil.upper().encode(), done)
    assert not os.path.exists("evil")


def test_bytes_that_are_no_text():
    odd = bytes(b for b in range(1, 256) if b != 10)
    same(leat("--", "printf", "%s", feed=odd).out, odd)
    same(leat("--shell", "--", "printf %s {}", feed=odd).out, odd)


def test_a_nul_byte_is_refused():
    done = leat("-k", "--", "echo", feed=b"a\nb\0c\nd\n")
    same((done.status, done.out), (1, b"a\nd\n"), done)
    says(done, "job 2: .*NUL byte, at column 2")


def test_a_long_record_is_refused():
    done = leat("-k", "--max-record", "1K", "--", "echo", feed="a\n" + "x" * 100000 + "\nb\n")
    same((done.status, done.out), (1, b"a\nb\n"), done)
    says(done, "job 2: .*100000 bytes")
    done = leat("-k", "--max-record", "1K", "--", "echo", feed="a\n" + "x" * 1000000)
    same((done.status, done.out), (1, b"a\n"), done)


def test_an_argument_that_is_too_long():
    done = leat("-k", "--", "echo", feed="a\n" + "x" * 200000 + "\nb\n")
    same((done.status, done.out), (1, b"a\nb\n"), done)
    says(done, "job 2: .*too long")


def test_order():
    script = "sleep 0.0$((9 - $1)); echo $1; echo e$1 >&2"
    done = leat("-k", "-j9", "--", "sh", "-c", script, "sh", feed=lines(9))
    same(done.out, lines(9).encode(), done)
    same(done.err, "".join(f"e{i}\n" for i in range(1, 10)).encode(), done)


def test_output_is_grouped():
    """Two jobs write their lines in turns; each one's come out together."""
    script = ("mkfifo f 2>/dev/null; i=0; while [ $i -lt 20 ]; do echo $1; "
              "[ $1 = a ] && echo >> t || { read x < t; } 2>/dev/null; i=$((i + 1)); done")
    done = leat("-j2", "--", "sh", "-c", script, "sh", feed="a\nb\n")
    assert done.out in (b"a\n" * 20 + b"b\n" * 20, b"b\n" * 20 + b"a\n" * 20), done


def test_much_output():
    """More than is kept in memory: in order, and nothing is lost."""
    n = 100_000_000 if FULL else 17_000_000
    done = leat("-k", "-j3", "--", "sh", "-c", "seq $1 $(($1 + %d)); echo $1 >&2" % (n // 10),
                "sh", feed="1\n2\n3\n")
    wanted = b"".join(("\n".join(map(str, range(i, i + n // 10 + 1))) + "\n").encode()
                      for i in (1, 2, 3))
    assert done.out == wanted, (len(done.out), len(wanted), done.err)
    same(done.err, b"1\n2\n3\n")


def test_line_buffer():
    """Lines come as they are written, whole, while the job runs."""
    script = "echo first; while [ ! -e go ]; do sleep 0.01; done; printf last"
    from program import start
    process = start("--line-buffer", "--tag", "--", "sh", "-c", script, "sh")
    process.stdin.write(b"x\n")
    process.stdin.flush()
    same(process.stdout.readline(), b"x\tfirst\n")
    open("go", "w").close()
    out, err = process.communicate()
    same((process.returncode, out, err), (0, b"x\tlast", b""))


def test_tag():
    done = leat("-k", "--tag", "-n2", "--", "printf", r"1\n\n3", feed="a\nb\nc\n")
    same(done.out, b"a b\t1\na b\t\na b\t3c\t1\nc\t\nc\t3", done)


def test_results():
    done = leat("--results", "r", "--", "sh", "-c", "echo out $1; echo err $1 >&2", "sh",
                feed="a\nb\n")
    same(done.status, 0, done)
    same([read(f"r/{i}/{s}") for i in (1, 2) for s in ("stdout", "stderr")],
         [b"out a\n", b"err a\n", b"out b\n", b"err b\n"])
    for path, mode in ("r", 0o700), ("r/1", 0o700), ("r/1/stdout", 0o600):
        same(stat.S_IMODE(os.stat(path).st_mode), mode)


def test_pipe():
    text = lines(200_000).encode()
    same(leat("-k", "--pipe", "--block", "100K", "--", "cat", feed=text).out, text)
    counts = leat("-k", "--pipe", "--block", "1M", "--", "wc", "-l", feed=text).out.split()
    same(sum(map(int, counts)), 200_000)
    assert len(counts) == 2, counts
    # Borders are those of records; a record is never cut.
    done = leat("-k", "--pipe", "--block", "10", "--", "sh", "-c", "cat; echo /", feed="a\n" * 7 + "b" * 25 + "\nc")
    same(done.out, b"a\na\na\na\na\n/\na\na\n/\n" + b"b" * 25 + b"\n/\nc/\n", done)
    same(leat("-0", "-k", "--pipe", "--block", "4", "--", "sh", "-c", "cat; echo", feed=b"a\0b\0c\0d").out,
         b"a\0b\0\nc\0d\n")


def test_a_child_that_reads_nothing():
    same(leat("--pipe", "--", "true", feed=lines(100_000)).status, 0)


def test_stdin_of_a_job_is_empty():
    same(leat("-k", "--", "cat", "-", feed="-\n-\n").out, b"")


def test_status():
    same(leat("--", "sh", "-c", "exit $1", "sh", feed="0\n0\n3\n0\n1\n").status, 2)
    same(leat("--", "false", feed=lines(100)).status, 100)
    same(leat("--", "false", feed=lines(101)).status, 101)
    same(leat("--", "sh", "-c", "kill -9 $$", feed="a\n").status, 1)


def test_a_command_that_cannot_run_stops_the_run():
    for command, status, why in ((["no-such-program"], 127, "No such file"),
                                 (["/etc/passwd"], 126, "Permission denied")):
        done = leat("-j1", "--joblog", "log", "--", *command, feed=lines(1000))
        assert 1 <= done.status < 10, done
        says(done, f"job 1: cannot run .*{why}")
        says(done, f"exit status {status}.*no new jobs")
        assert str(status).encode() in read("log")
        os.unlink("log")


def test_a_script_without_an_interpreter():
    with open("script", "w") as file:
        file.write("echo script $1\n")
    os.chmod("script", 0o700)
    same(leat("--", "./script", feed="a\n").out, b"script a\n")


def test_options_that_are_refused():
    for arguments, why in (
            ([], "no command"),
            (["--no-such", "--", "echo"], "--no-such is no option"),
            (["-j", "0", "--", "echo"], "--jobs 0: "),
            (["--rate", "fast", "--", "echo"], "--rate fast: "),
            (["--timeout", "-1", "--", "echo"], "--timeout -1: "),
            (["--halt", "never,fail=1", "--", "echo"], "--halt never,fail=1: "),
            (["--window", "0", "--", "echo"], "--window 0: "),
            (["--delay", "2d", "--", "echo"], "give 1d at most"),
            (["--retry-delay", "100000d", "--", "echo"], "give 1d at most"),
            (["--max-record", "x", "--", "echo"], "--max-record x: "),
            (["--retry-on", "300", "--", "echo"], "--retry-on 300: "),
            (["--timeout"], "--timeout lacks its argument"),
            (["--resume", "--", "echo"], "--journal"),
            (["--resume=often", "--journal", "j", "--", "echo"], "--resume=force"),
            (["-k", "--line-buffer", "--", "echo"], "give one of them"),
            (["--rate-key", "{}", "--", "echo"], "--rate-key is for --rate"),
            (["--pipe", "-n2", "--", "echo"], "-n is not for --pipe"),
            (["--pipe", "--", "echo", "{}"], "the records are the command's stdin"),
            (["--body", "x", "--", "echo"], "for --http")):
        done = leat(*arguments, feed="a\n")
        same((done.status, done.out), (255, b""), done)
        says(done, "^leat: map: .*" + why.replace("-", "[-]"))


def test_dry_run():
    done = leat("-k", "--dry-run", "--", "rm", "-f", "{}", feed="a b\nc'd\n")
    same((done.status, done.err), (0, b""), done)
    out = leat("--shell", "--", "eval 'set -- '{}; echo $#", feed=done.out).out
    same(out.split(), [b"3", b"3"])


def test_dry_run_does_nothing():
    """And so it marks nothing as done; what is done, it leaves out."""
    more = ["--journal", "journal", "--joblog", "log", "--results", "results"]
    done = leat("-k", "--dry-run", *more, "--", "touch", feed="a\nb\n")
    same((done.status, done.out, done.err), (0, b"touch a\ntouch b\n", b""), done)
    same([name for name in ("a", "b", "log", "results") if os.path.exists(name)], [])
    same(leat("-k", *more, "--", "touch", feed="a\n").status, 0)
    done = leat("--dry-run", "--resume", *more, "--", "touch", feed="a\nb\n")
    same((done.status, done.out, done.err), (0, b"touch b\n", b""), done)
    same((os.path.exists("b"), len(read("log").splitlines())), (False, 2))


def test_retry():
    script = "n=$(cat n$1 2>/dev/null || echo 0); echo $((n + 1)) > n$1; echo try $n; [ $n -ge $1 ]"
    done = leat("-k", "--retry", "2", "--retry-delay", "1ms", "--joblog", "log", "--", "sh", "-c",
                script, "sh", feed="0\n1\n2\n3\n")
    same((done.status, done.out), (1, b"try 0\ntry 1\ntry 2\ntry 2\n"), done)
    same([read(f"n{i}") for i in range(4)], [b"1\n", b"2\n", b"3\n", b"3\n"])
    same(len(read("log").splitlines()), 5)


def test_retry_without_a_pause():
    done = leat("--retry", "50", "--retry-delay", "0", "--", "sh", "-c", "echo x >> n; false", feed="a\n")
    same((done.status, done.err, read("n")), (1, b"", b"x\n" * 51), done)


def test_retry_only_on_some():
    script = "echo x >> n$1; exit $1"
    done = leat("--retry", "3", "--retry-delay", "1ms", "--retry-on", "7,10-12", "--", "sh", "-c",
                script, "sh", feed="7\n8\n11\n")
    same(done.status, 3, done)
    same([read(f"n{i}") for i in (7, 8, 11)], [b"x\n" * 4, b"x\n", b"x\n" * 4])


def test_timeout():
    done = leat("--timeout", "0.2", "--joblog", "log", "--", "sleep", feed="0\n1000\n")
    same(done.status, 1, done)
    says(done, r"job 2: timed out after 0\.2 s")
    same(sorted(line.split()[6] for line in read("log").splitlines()[1:]), [b"0", b"124"])


def test_halt():
    done = leat("-j1", "--halt", "soon,fail=1", "--", "sh", "-c", "echo $1; [ $1 != 3 ]", "sh", feed=lines(1000))
    same(done.status, 1, done)
    assert done.out.startswith(b"1\n2\n3\n") and len(done.out.split()) < 10, done
    done = leat("-j2", "--halt", "now,fail=1", "--", "sh", "-c", "[ $1 = 1 ] && exec sleep 1000; exit 1",
                "sh", feed=lines(1000))
    same(done.status, 1, done)
    done = leat("-j1", "--halt", "soon,success=2", "--", "echo", feed=lines(1000))
    same(done.status, 0, done)
    assert 2 <= len(done.out.split()) < 10, done


def test_jobs_at_once():
    """As many as -j says, and no more: each waits until the others are there."""
    script = ("echo >> here; while [ $(wc -l < here) -lt 4 ]; do sleep 0.01; done; echo $1")
    done = leat("-j4", "--timeout", "30", "--", "sh", "-c", script, "sh", "{%}", feed=lines(4))
    same(sorted(done.out.split()), [b"1", b"2", b"3", b"4"], done)


def test_joblog():
    leat("--joblog", "log", "-k", "--", "sh", "-c", "echo $1; exit $1", "a b", feed="0\n3\n")
    header, *rows = read("log").decode().splitlines()
    same(header.split("\t"), ["Seq", "Host", "Starttime", "JobRuntime", "Send", "Receive", "Exitval",
                              "Signal", "Command"])
    rows = [row.split("\t") for row in rows]
    same([(r[0], r[1], r[5], r[6], r[7], r[8]) for r in rows],
         [("1", ":", "2", "0", "0", "sh -c 'echo $1; exit $1' 'a b' 0"),
          ("2", ":", "2", "3", "0", "sh -c 'echo $1; exit $1' 'a b' 3")])
    same(stat.S_IMODE(os.stat("log").st_mode), 0o600)


def test_joblog_of_a_record_that_is_refused():
    done = leat("--joblog", "log", "--max-record", "5", "--", "echo", feed="a\nmuch longer\nb\n")
    same((done.status, sorted(done.out.split())), (1, [b"a", b"b"]), done)
    rows = sorted(line.split("\t") for line in read("log").decode().splitlines()[1:])
    same([(row[0], row[6], row[8]) for row in rows],
         [("1", "0", "echo a"), ("2", "1", ""), ("3", "0", "echo b")])


def test_joblog_has_the_script_of_a_shell():
    leat("--joblog", "log", "--shell", "--", "echo {} | cat", feed="a b\n")
    same(read("log").decode().splitlines()[1].split("\t")[8], "echo 'a b' | cat")


def test_nice():
    done = leat("--nice", "7", "--", "sh", "-c", "ps -o ni= -p $$ 2>/dev/null || cut -d' ' -f19 /proc/$$/stat",
                feed="a\n")
    own = os.getpriority(os.PRIO_PROCESS, 0)
    same(int(done.out), min(own + 7, 19), done)


main()
