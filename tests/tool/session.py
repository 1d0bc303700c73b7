"""Sessions at a shell, as the manual and the README show them, and whether they are true.

A session has lines as a terminal shows them: "$ " before a command, "> " before the rest of it, then what it
prints, standard error with standard output.  "^C" is an interrupt, which is sent when all before it has been
printed, and a file .running is there; a file .go is made when the line after it has come, so commands in a
session can wait for either.

Each runs in a directory of its own, by bash, with leat in its PATH; http://localhost:8000 is a server of this
file's.  What is not the same in each run is made so: "time":0.004 has other digits.  A line that is longer than 80
columns is folded, at spaces.
"""
import contextlib
import http.server
import json
import os
import re
import signal
import subprocess
import tempfile
import textwrap
import threading
import time

LIMIT_S = 60
END = "\036"		# after the output of each command
URL = "http://localhost:8000"


class Service(http.server.BaseHTTPRequestHandler):
    """POST an order, an object of JSON with an id; GET /item/2, which is not there the first time, or another up
    to 3.
    """
    protocol_version = "HTTP/1.1"

    def reply(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.reply(201, f"order {order['id']}")

    def do_GET(self):
        number = int(self.path.rsplit("/", 1)[1])
        self.server.asked.append(number)
        if number > 3:
            self.reply(404, "there is no such item\n")
        elif number == 2 and self.server.asked.count(2) == 1:
            self.reply(503, "later\n")
        else:
            self.reply(200, f"item {number}\n")

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(commands):
    """The commands, with the address of a server that is there meanwhile."""
    if URL not in commands:
        yield commands
        return
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield commands.replace(URL, f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()


def script_of(lines):
    """The commands, each followed by END and with the status of the one before."""
    commands = []
    for line in lines:
        if line.startswith("$ "):
            commands.append(line[2:])
        elif line.startswith("> ") and commands:
            commands[-1] += "\n" + line[2:]
    return "".join(f"{command}\nleat_test_status=$?; echo '{END}'; (exit $leat_test_status)\n" for command in commands)


def expected_of(lines):
    """What each command prints."""
    parts = []
    for line in lines:
        if line.startswith("$ "):
            parts.append([])
        elif not line.startswith("> "):
            parts[-1].append(line)
    return parts


def as_shown(text):
    lines = []
    for line in re.sub(r'"time":[0-9.e-]+', '"time":0.001', text).split("\n"):
        lines += textwrap.wrap(line, 80, break_on_hyphens=False, break_long_words=False) if len(line) > 80 else [line]
    return lines


def child_of(parent, program):
    """The process that was started by that one and is this program."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as file:
                ppid = int(file.read().rsplit(")", 1)[1].split()[1])
            if ppid == parent and os.path.samefile(f"/proc/{pid}/exe", program):
                return int(pid)
        except OSError:
            pass
    return None


def wait_for(what, how):
    end = time.monotonic() + LIMIT_S
    while not (found := what()):
        assert time.monotonic() < end, f"{how} has not come"
        time.sleep(0.005)
    return found


def interrupt(bash, work, program, parts):
    """Sends what ^C does, at its time."""
    before, after = [], None
    for part in parts:
        if "^C" in part:
            at = part.index("^C")
            before += part[:at]
            after = part[at + 1]
            break
        before += part + [END]

    def printed():
        with open(os.path.join(work, ".out")) as file:
            return [line for line in file.read().split("\n") if line]
    wait_for(lambda: len(printed()) >= len(before), f"{before}")
    wait_for(lambda: os.path.exists(os.path.join(work, ".running")), ".running")
    os.kill(wait_for(lambda: child_of(bash.pid, program), "leat"), signal.SIGINT)
    wait_for(lambda: after in printed(), after)
    with open(os.path.join(work, ".go"), "w"):
        pass


def run(lines, given, program):
    """What is wrong with a session, in a line or two; "": nothing.  given: commands before it."""
    parts = expected_of(lines)
    env = {k: v for k, v in os.environ.items() if not k.startswith("LEAT_")}
    with tempfile.TemporaryDirectory(prefix="leat-test-") as work, served(script_of(lines)) as script:
        os.mkdir(os.path.join(work, ".bin"))
        os.symlink(program, os.path.join(work, ".bin", "leat"))
        env.update(PATH=os.path.join(work, ".bin") + ":" + env["PATH"], LC_ALL="C", NO_PROXY="*")
        for command in given:
            subprocess.run(["bash", "-ec", command], cwd=work, env=env, check=True)
        with open(os.path.join(work, ".out"), "w") as out:
            bash = subprocess.Popen(["bash", "--norc", "-c", script], cwd=work, env=env, stdin=subprocess.DEVNULL,
                                    stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            if any("^C" in part for part in parts):
                interrupt(bash, work, program, parts)
            bash.wait(LIMIT_S)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            os.killpg(bash.pid, signal.SIGKILL)
            bash.wait()
            return str(error)
        with open(os.path.join(work, ".out")) as out:
            printed = out.read()
    said = [as_shown(part.strip("\n")) if part.strip("\n") else [] for part in printed.split(END)[:-1]]
    wanted = [as_shown("\n".join(line for line in part if line != "^C")) if part else [] for part in parts]
    if said == wanted:
        return ""
    for i, part in enumerate(wanted):
        if i >= len(said) or said[i] != part:
            return f"command {i + 1} prints {said[i] if i < len(said) else None}, not {part}"
    return f"prints more: {said}"
