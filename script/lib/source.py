"""What the checks share: the tracked files, C text without comments, the report."""
import re
import subprocess
import sys


def tracked(*patterns):
    """Tracked and new files that match git's patterns, that exist."""
    out = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns],
        check=True, capture_output=True, text=True).stdout
    names = sorted(set(out.split("\0")) - {""})
    kept = []
    for name in names:
        try:
            open(name, "rb").close()
            kept.append(name)
        except OSError:
            pass  # removed in the work tree
    return kept


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def code_of(text):
    """C text with comments and literals blanked out; lines keep their numbers."""
    def blank(match):
        token = match.group(0)
        if token[0] in "\"'":
            return token[0] + token[0]
        return " " + "\n" * token.count("\n")
    return _TOKEN.sub(blank, text)


class Report:
    """Counts what was looked at; a subject with a complaint has failed."""

    def __init__(self):
        self.subjects = set()
        self.failed = set()

    def look(self, subject):
        self.subjects.add(subject)

    def complain(self, subject, text):
        self.look(subject)
        self.failed.add(subject)
        print(f"FAIL {text}")

    def end(self):
        print(f"{len(self.subjects) - len(self.failed)} passed, {len(self.failed)} failed")
        sys.exit(1 if self.failed or not self.subjects else 0)
