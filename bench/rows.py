"""The table that bench/compare prints: what is measured, and what leat shall reach.

Of the two Row forms, a Row shows one value that a program prints; a Ratio shows
leat's value of one by leat's value of another.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    text: str
    metric: str  # the first word of the line that the program prints
    workers: int
    pinned: bool  # the process on one core
    unit: str
    target: float | None = None  # at most; None: only shown
    instead: str | None = None  # the metric of a program that lacks this one
    times: dict = field(default_factory=dict)  # by program: at least so many times leat's value

    @property
    def name(self):
        """The row of the program: metric up to the dot."""
        return self.metric.split(".")[0]


@dataclass(frozen=True)
class Ratio:
    text: str
    upper: Row
    lower: Row
    target: float | None = None
    unit = "ratio"

    @property
    def name(self):
        return self.upper.name


def one(text, metric, unit, target=None):
    return Row(text + ", 1 worker", metric, 1, False, unit, target)


def core(text, metric, unit, target=None, instead=None):
    return Row(text + ", 1 core", metric, 1, True, unit, target, instead)


def two(text, metric, unit, target=None, instead=None, **times):
    return Row(text, metric, 2, False, unit, target, instead, times)


def by(text, upper, lower, target):
    """The row upper by the row lower, both of two workers."""
    return Ratio(text, two("", upper, ""), two("", lower, ""), target)


# The machine at its best, in plain C; printed above the table.
LIMITS = (
    one("an uncontended locked add", "lock-add", "ns"),
    one("two CAS loops on one word", "cas-pair", "ns"),
    one("a read of the monotonic clock", "clock-read", "ns"),
    one("1M pages touched for the first time", "pages", "ms"),
)

ROWS = (
    core("spawn + join, 1M empty tasks", "spawn", "ns/task", 15),
    two("spawn + join, 1M empty tasks", "spawn", "ns/task", 25),
    two("skynet, 1M leaves, by join", "skynet-join", "ms", 20),
    two("skynet, 1M leaves, by channels", "skynet-chan", "ms", 150),
    two("fib(35), a group per call", "fib-group", "ns/spawn", 40),
    two("fib(35), fork-join", "fib-fork", "ns/spawn", 6, "fib-group"),
    one("yield", "yield", "ns/switch", 7),
    two("ping-pong, unbuffered", "pingpong", "ns/message", 20),
    core("SPSC, capacity 100", "spsc", "ns/message"),
    two("SPSC, capacity 100", "spsc", "ns/message", 8),
    core("MPMC 4x4, capacity 100", "mpmc", "ns/message"),
    two("MPMC 4x4, capacity 100", "mpmc", "ns/message", 14),
    core("the page's worker pool", "pool", "ns/job", 18),
    two("the page's worker pool", "pool", "ns/job", 18),
    two("  by leat/pool.h", "pool-object", "ns/job", None, "pool", go=5),
    two("    with prefetch 16", "prefetch-object", "ns/job", None, "pool", go=5),
    core("pool of 3, empty jobs", "pool-empty", "ns/job"),
    two("pool of 3, empty jobs", "pool-empty", "ns/job", bare=0.9, go=5, ants=4, conc=4),
    two("  in batches of 100", "pool-batch", "ns/job", bare=0.9),
    by("  by those one by one", "pool-batch", "pool-empty", 0.5),
    two("  with prefetch 16", "prefetch-empty", "ns/job"),
    two("    in batches of 100", "prefetch-batch", "ns/job"),
    by("    by those one by one", "prefetch-batch", "prefetch-empty", 0.5),
    by("    by those, without prefetch", "prefetch-batch", "pool-empty", 0.5),
    two("pool of 10,000, empty jobs", "pool-10000", "ns/job"),
    by("  by a pool of 3", "pool-10000", "pool-empty", 1.05),
    two("pool of 3, jobs of 1 us", "pool-1us", "ns/job", bare=0.99),
    two("1M queued jobs, above the job", "pool-queued.bytes", "bytes", 100),
    two("  submit and do them", "pool-queued", "ns/job"),
    core("the page's pipeline", "pipeline", "ns/item"),
    two("the page's pipeline", "pipeline", "ns/item", 45),
    core("  by leat/pipeline.h", "pipeline-object", "ns/item", None, "pipeline"),
    two("  by leat/pipeline.h", "pipeline-object", "ns/item", None, "pipeline", go=6, tbb=1.5),
    two("  its stage parallel(8)", "pipeline-parallel", "ns/item", tbb=1.5),
    two("  its stage ordered(8)", "pipeline-ordered", "ns/item", tbb=1.5),
    two("  parallel(8), work of 1 us", "parallel-1us", "ns/item"),
    two("  ordered(8), work of 1 us", "ordered-1us", "ns/item"),
    by("  ordered by parallel", "ordered-1us", "parallel-1us", 1.15),
    two("skewed work, parallel(8): by the ideal", "skew-parallel.ideal", "ratio"),
    two("  ordered(8), window 64: by the ideal", "skew-ordered.ideal", "ratio"),
    two("  by the ideal with that window", "skew-ordered.window", "ratio", 1.25),
    two("loop over 10M floats, by ranges", "loop", "ns/float", tbb=0.9, openmp=0.9),
    two("  by elements", "loop-map", "ns/float"),
    two("chain of 100 stages", "chain", "ns/hop", 20),
    two("prime sieve, 2,000 primes", "sieve", "ms", 60),
    two("select over 2 channels", "select2", "ns", 45),
    two("select over 8 channels", "select8", "ns", 60),
    two("weighted semaphore alone", "sem", "ns/pair", 8),
    two("weighted semaphore, 8 tasks", "sem8", "ns/pair", 40),
    two("token bucket alone", "bucket", "ns/take", 12),
    two("  the clock read in it", "now", "ns"),
    two("breaker, closed, alone", "breaker", "ns/call", 12),
    two("adaptive limit alone", "adaptive", "ns/call"),
    two("a token bucket for each of 1,000 keys, alone", "keyed", "ns/take"),
    two("  8 tasks", "keyed8", "ns/take"),
    two("mutex alone", "mutex", "ns/pair", 6),
    two("mutex, 8 tasks", "mutex8", "ns/pair", 15),
    two("a parked task, with a stack", "parked.bytes", "bytes", 4480),
    two("a parked task, without", "records.bytes", "bytes", 160, "parked.bytes"),
    two("1M parked tasks: create", "parked.create", "ms"),
    Ratio(
        "  by a loop that touches a page each",
        two("", "parked.create", "ms"),
        one("", "pages", "ms"),
        1.4,
    ),
    two("1M parked tasks: wake all", "parked.wake", "ms", 300),
    two("  without stacks: create", "records.create", "ms", 150, "parked.create"),
    two("  without stacks: wake all", "records.wake", "ms", 100, "parked.wake"),
    two("1M timers 1-1,000 ms: last late by", "timers.late", "ms", 300),
    two("  CPU", "timers.cpu", "s", 0.8),
    two("1M sleeping tasks: last late by", "sleepers.late", "ms", 1500),
    two("  CPU", "sleepers.cpu", "s", 2.5),
    two("start a program, wait for it", "process", "ns"),
    Ratio(
        "  by a loop of posix_spawn",
        two("", "process", "ns"),
        one("", "posix-spawn", "ns"),
        1.05,
    ),
    Ratio(
        "a task that never blocks, by plain C",
        one("", "compute", "ms"),
        one("", "plain", "ms"),
        1.05,
    ),
)
