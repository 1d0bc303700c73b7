"""The programs that bench/compare runs: how each is built, and a run of one row."""

import os
import re
import shutil
import statistics
import subprocess

from rows import Ratio

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
TIMEOUT_S = 120


class Missing(Exception):
    """A program that cannot be had here, and why."""


def call(command, cwd=TOP, env=None):
    try:
        done = subprocess.run(command, cwd=cwd, env=env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except OSError as error:
        raise Missing(f"{command[0]}: {error.strerror}") from None
    if done.returncode != 0:
        raise Missing(f"{' '.join(command)} failed:\n{done.stdout.strip()}")


def need(tool, name):
    if not shutil.which(tool):
        raise Missing(f"{name} is not installed")


def build_meson(target, builddir):
    if not os.path.exists(os.path.join(builddir, "build.ninja")):
        call(["meson", "setup", "--buildtype=release", "-Dchecks=off", "-Dtests=false",
              builddir, TOP])
    call(["ninja", "-C", builddir, f"bench/{target}"])
    return os.path.join(builddir, "bench", target)


def build_leat(builddir):
    return build_meson("bench-leat", builddir)


def build_bare(builddir):
    return build_meson("bench-bare", builddir)


def build_go(builddir):
    need("go", "go")
    binary = os.path.join(builddir, "bench", "bench-go")
    # local: an older Go says so, it does not fetch a newer one.
    env = dict(os.environ, GOTOOLCHAIN="local")
    build = ["go", "build", "-buildvcs=false", "-o", binary]
    try:
        call(build + ["."], os.path.join(HERE, "go"), env)
    except Missing as why:
        # Without the modules; what is made of them is then missing.
        call(build + ["-tags", "nomodules", "."], os.path.join(HERE, "go"), env)
        print(f"missing: ants, conc, x/sync: {why}")
    return binary


def build_tokio(builddir):
    need("cargo", "cargo")
    target = os.path.join(builddir, "bench", "tokio")
    call(["cargo", "build", "--release", "--quiet", "--target-dir", target],
         os.path.join(HERE, "tokio"))
    return os.path.join(target, "release", "bench-tokio")


def build_tbb(builddir):
    need("c++", "a C++ compiler")
    binary = os.path.join(builddir, "bench", "bench-tbb")
    harness = []
    for name in ("bench", "work"):
        harness.append(f"{binary}-{name}.o")
        call(["cc", "-O2", "-D_GNU_SOURCE", "-c", "-o", harness[-1],
              os.path.join(HERE, "lib", f"{name}.c")])
    call(["c++", "-std=c++20", "-O3", "-fopenmp", "-o", binary, os.path.join(HERE, "tbb", "main.cc"),
          *harness, "-ltbb", "-lm"])
    return binary


# The first is what the others are compared with.  A program is added here: its name, the other
# peers that it has rows for (ROW@PEER), and a function that builds it and returns the path, or
# raises Missing.
PROGRAMS = (
    ("leat", (), build_leat),
    ("bare", (), build_bare),
    ("go", ("ants", "conc", "go-buffered"), build_go),
    ("tokio", ("joinset", "crossbeam"), build_tokio),
    ("tbb", ("openmp",), build_tbb),
)
NAMES = tuple(name for first, others, _build in PROGRAMS for name in (first, *others))


class Program:
    """A program, or the part of it that is made with a library of its own."""

    def __init__(self, name, path, listed, suffix=""):
        self.name, self.path, self.suffix = name, path, suffix
        self.rows = [row.partition("@")[0] for row in listed
                     if row.partition("@")[2] == suffix]
        self.failures = []

    def metric(self, row):
        """The metric that this program shows for row, or None."""
        for metric in (row.metric, row.instead):
            if metric and metric.split(".")[0] in self.rows:
                return metric
        return None

    def run(self, name, workers, pinned, scale, cpu):
        """One process.  Returns {metric: (value, cores, ops)}; empty when it failed."""
        if cpu:
            workers, pinned = 1, True
        name += "@" + self.suffix if self.suffix else ""
        command = [self.path, name, str(workers), str(scale)]
        if pinned:
            command = ["taskset", "-c", str(max(os.sched_getaffinity(0)))] + command
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("LEAT_", "GO", "TOKIO_", "TBB_", "OMP_"))}
        try:
            done = subprocess.run(command, env=env, text=True, timeout=TIMEOUT_S,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except subprocess.TimeoutExpired:
            self.failures.append((command, f"not finished after {TIMEOUT_S} s"))
            return {}
        if done.returncode != 0:
            why = f"exit status {done.returncode}"
            if done.returncode < 0:
                why = f"killed by signal {-done.returncode}"
            self.failures.append((command, "\n".join([why] + done.stderr.split("\n")[:12]).strip()))
            return {}
        return dict(parse(line, cpu) for line in done.stdout.splitlines())


def parse(line, cpu=False):
    metric, value, unit, cpu_s, wall_s, ops = line.split()
    if cpu and unit == "ns":
        value = float(cpu_s) / int(ops) * 1e9
    cores = float(cpu_s) / float(wall_s) if float(wall_s) > 0 else 0
    return re.sub("@[^.]*", "", metric), (float(value), cores, int(ops))


def build_programs(wanted, builddir):
    """Those of wanted that can be had; says which cannot."""
    programs = []
    os.makedirs(builddir, exist_ok=True)
    for name, others, build in PROGRAMS:
        parts = [part for part in (name, *others) if part in wanted]
        if not parts:
            continue
        try:
            path = build(builddir)
            listed = subprocess.run([path, "--list"], text=True, stdout=subprocess.PIPE, check=True)
        except Missing as why:
            if name == PROGRAMS[0][0]:
                raise
            print(f"missing: {', '.join(parts)}: {why}")
            continue
        for part in parts:
            suffix = "" if part == name else part
            programs.append(Program(part, path, listed.stdout.split(), suffix))
    return programs


class Measurements:
    """Values by program, row of the program, workers and pinning; each is measured once."""

    def __init__(self, programs, reps, scale, cpu):
        self.programs, self.reps, self.scale, self.cpu = programs, reps, scale, cpu
        self.runs = {}

    def of(self, program, row):
        """(values, median of cores) of one row, or None."""
        metric = program.metric(row)
        if metric is None:
            return None
        key = (metric.split(".")[0], row.workers, row.pinned)
        runs = [run[metric] for run in self.runs.get((program.name,) + key, ()) if metric in run]
        if not runs:
            return None
        return [run[0] for run in runs], statistics.median(run[1] for run in runs)

    def measure(self, row):
        """All repetitions of what row needs: leat, go, leat, go, ..."""
        rows = [row.upper, row.lower] if isinstance(row, Ratio) else [row]
        programs = self.programs[:1] if isinstance(row, Ratio) else self.programs
        todo = []
        for program in programs:
            for part in rows:
                metric = program.metric(part)
                if metric is None:
                    continue
                key = (program.name, metric.split(".")[0], part.workers, part.pinned)
                if key not in self.runs and (program, key) not in todo:
                    todo.append((program, key))
        for program, key in todo:
            self.runs[key] = []
        for _ in range(self.reps):
            for program, key in todo:
                runs = self.runs[key]
                # A row that failed once is not waited for again.
                if not runs or runs[-1]:
                    runs.append(program.run(*key[1:], self.scale, self.cpu))
