#!/usr/bin/env python3
"""The journal's bytes, as tool/journal_format.h has them, by a reader and writer of its own.

usage: journal_format.py LEAT [TEST]...
"""
import collections
import hashlib
import struct

from program import leat, main, read, same, says

HEADER, RECORD = 128, 32
DONE, FAILED, MARK = 1, 2, 3


class Journal:
    def __init__(self, path):
        self.path = path
        data = read(path)
        magic, version, command, self.id, check = data[:HEADER - 1].decode().split(" ")
        same((magic, version, data[HEADER - 1:HEADER]), ("leat-journal", "1", b"\n"))
        self.start = b"leat-journal 1\0\0" + bytes.fromhex(self.id) + bytes.fromhex(command)
        same(check, self.hash(b"h", 7).hex())
        same(len(data) % RECORD, 0)
        self.records = [data[at:at + RECORD] for at in range(HEADER, len(data), RECORD)]
        for index, record in enumerate(self.records):
            same(record, self.record(index, record[:16], record[16]))

    def hash(self, rest, n):
        return hashlib.sha256(self.start + rest).digest()[:n]

    def record(self, index, key, state):
        bytes_ = key + bytes([state])
        return bytes_ + self.hash(b"r" + struct.pack("<Q", index) + bytes_, 15)

    def key(self, records, earlier=0):
        content = b"c" + struct.pack("<Q", len(records)) + b"".join(
            struct.pack("<Q", len(record)) + record for record in records)
        first = self.hash(content, 16)
        return self.hash(b"a" + first + struct.pack("<Q", earlier), 16) if earlier else first

    def jobs(self):
        return {record[:16]: record[16] for record in self.records if record[16] != MARK}

    def marks(self):
        return [(i, *struct.unpack("<Q8s", record[:16]))
                for i, record in enumerate(self.records) if record[16] == MARK]

    def append(self, key, state):
        record = self.record(len(self.records), key, state)
        self.records.append(record)
        with open(self.path, "ab") as file:
            file.write(record)


def run(lines, *more, command=("sh", "-c", 'test "$1" != bad && echo "$1"', "sh", "{}")):
    return leat("-k", "--journal", "journal", *more, "--", *command,
                feed=b"".join(line + b"\n" for line in lines))


def test_read():
    lines = [b"a", b"b b", b"a", b"bad", b"", b"a", b"\xff\xfe", b"x" * 100000]
    same(run(lines).status, 1)
    journal = Journal("journal")
    seen, wanted = collections.Counter(), {}
    for line in lines:
        wanted[journal.key([line], seen[line])] = FAILED if line == b"bad" else DONE
        seen[line] += 1
    same(journal.jobs(), wanted)
    # The last mark is behind all jobs and says that they are sure.
    marks = journal.marks()
    same((marks[0][0], marks[0][1]), (0, 0))
    same((marks[-1][0], marks[-1][1]), (len(journal.records) - 1,) * 2)
    same(len({boot for _, _, boot in marks}), 1)
    # The same input once more: another file, so other keys.
    same(leat("--journal", "other", "--", "true", feed=b"a\n").status, 0)
    other = Journal("other")
    assert not set(other.jobs()) & set(wanted)
    assert other.id != journal.id


def test_read_several_records_a_job():
    done = leat("-n2", "--journal", "journal", "--", "true", feed=b"a\nb\nab\n\n")
    same(done.status, 0, done)
    journal = Journal("journal")
    same(set(journal.jobs()), {journal.key([b"a", b"b"]), journal.key([b"ab", b""])})


def test_written():
    """What another writer has appended is believed."""
    same(run([b"a"]).out, b"a\n")
    journal = Journal("journal")
    journal.append(journal.key([b"b"]), DONE)
    journal.append(journal.key([b"a"], 1), DONE)
    journal.append(journal.key([b"c"]), FAILED)
    lines = [b"a", b"b", b"c", b"d", b"a", b"a"]
    same(run(lines, "--resume").out, b"d\na\n")
    same(run(lines, "--resume-failed").out, b"c\n")
    same(run(lines, "--resume-failed").out, b"")


def test_marks_of_another_start_of_the_machine():
    """What follows the last of them is not believed; what comes before its number is."""
    same(run([b"a"]).out, b"a\n")
    journal = Journal("journal")
    journal.append(journal.key([b"b"]), DONE)
    sure = len(journal.records)
    journal.append(journal.key([b"c"]), DONE)
    journal.append(struct.pack("<Q8s", sure, b"elsewher"), MARK)
    journal.append(journal.key([b"d"]), DONE)
    same(run([b"a", b"b", b"c", b"d"], "--resume").out, b"c\nd\n")
    same(run([b"a", b"b", b"c", b"d"], "--resume").out, b"")
    Journal("journal")


def test_unknown_records():
    """Of a state that this version does not know: not believed, the rest is."""
    same(run([b"a"]).out, b"a\n")
    journal = Journal("journal")
    journal.append(journal.key([b"b"]), 4)
    journal.append(struct.pack("<Q8s", 1 << 40, b"elsewher"), MARK)	# after itself
    journal.append(journal.key([b"c"]), DONE)
    same(run([b"a", b"b", b"c"], "--resume").out, b"b\n")


def test_another_command():
    same(run([b"a"]).status, 0)
    before = read("journal")
    done = run([b"a", b"b"], "--resume", command=("echo", "other"))
    same((done.status, done.out), (255, b""), done)
    says(done, before[15:31])
    same(read("journal"), before)


main()
