#!/usr/bin/env python3
"""Wrong types do not compile, and the right ones do.

usage: type-errors.py --include DIR [--cpp] -- COMPILER...

Each case is a statement inside a function.  Every bad one stands beside a good
one that differs in nothing but the error, so that a case is rejected for its
type and not for something else.
"""
import argparse
import subprocess
import sys

PRELUDE = """
#include <leat/leat.h>
struct item { int n; };
struct other { int n; };
LEAT_TASK(task, (int, id), (leat_receiver(int), in), (struct item *, item))
{
	(void)id; (void)in; (void)item;
}
int job(int *job);
int item_job(struct item *job);
int job_to_long(int *job, long *result);
int pair_ints(int *a, int *b, int *result);
int with_item(struct item *state, int *job);
int begin(struct item *state, int worker);
void end(struct item *state);
void end_other(struct other *state);
int pair_up(int *a, long *b, long *out);
int add_ints(int *sum, int *n);
bool int_less(const int *a, const int *b);
void drop_item(struct item *item);
void drop_other(struct other *other);
void use(leat_chan(int) ints, leat_chan(struct item *) items, leat_sender(int) tx,
	 leat_receiver(int) rx, int *i, long *l, struct item *item, struct other *other);
void use(leat_chan(int) ints, leat_chan(struct item *) items, leat_sender(int) tx,
	 leat_receiver(int) rx, int *i, long *l, struct item *item, struct other *other)
{
	(void)ints; (void)items; (void)tx; (void)rx; (void)i; (void)l; (void)item; (void)other;
	%s;
}
"""

# (what, good, bad)
CASES = [
    ("recv into another type", "leat_recv(ints, i)", "leat_recv(ints, l)"),
    ("recv_n into another type", "(void)!leat_recv_n(ints, i, 2, 0)",
     "(void)!leat_recv_n(ints, l, 2, 0)"),
    ("try_recv into another type", "(void)!leat_try_recv(ints, i)",
     "(void)!leat_try_recv(ints, l)"),
    ("send a pointer for a number", "leat_send(ints, *i)", "leat_send(ints, i)"),
    ("send another pointer", "leat_send(items, item)", "leat_send(items, other)"),
    ("send a number for a pointer", "leat_send(items, item)", "leat_send(items, 5)"),
    ("send_n of another type", "(void)!leat_send_n(ints, i, 2, 0)",
     "(void)!leat_send_n(ints, l, 2, 0)"),
    ("send on a receiver", "leat_send(tx, 1)", "leat_send(rx, 1)"),
    ("recv on a sender", "leat_recv(rx, i)", "leat_recv(tx, i)"),
    ("close a receiver", "leat_close(tx)", "leat_close(rx)"),
    ("abandon a sender", "leat_abandon(rx)", "leat_abandon(tx)"),
    ("a sender of a receiver", "(void)leat_to_sender(tx)", "(void)leat_to_sender(rx)"),
    ("a channel that is none", "leat_send(ints, 1)", "leat_send(i, 1)"),
    ("a channel of another type", "leat_chan(int) c = ints; (void)c",
     "leat_chan(long) c = ints; (void)c"),
    ("a drop function of another type",
     "(void)leat_chan_make_drop(struct item, 1, drop_item)",
     "(void)leat_chan_make_drop(struct item, 1, drop_other)"),
    ("a stage of another type",
     "leat_flow(int) a = 0; leat_flow(long) b; "
     "(void)leat_pipeline_map((leat_pipeline *)0, a, &b, job_to_long, .name = \"n\")",
     "leat_flow(long) a = 0; leat_flow(long) b; "
     "(void)leat_pipeline_map((leat_pipeline *)0, a, &b, job_to_long, .name = \"n\")"),
    ("fan-out to flows of another type",
     "leat_flow(int) a = 0, b[2]; "
     "(void)leat_pipeline_balance((leat_pipeline *)0, a, b, 2, .name = \"n\")",
     "leat_flow(int) a = 0; leat_flow(long) b[2]; "
     "(void)leat_pipeline_balance((leat_pipeline *)0, a, b, 2, .name = \"n\")"),
    ("a tee to a flow of another type",
     "leat_flow(int) a = 0, b, c; "
     "(void)leat_pipeline_tee((leat_pipeline *)0, a, &b, &c, .name = \"n\")",
     "leat_flow(int) a = 0, b; leat_flow(long) c; "
     "(void)leat_pipeline_tee((leat_pipeline *)0, a, &b, &c, .name = \"n\")"),
    ("fan-in to a flow of another type",
     "leat_flow(int) a[2] = { 0 }, b; "
     "(void)leat_pipeline_concat((leat_pipeline *)0, a, 2, &b, .name = \"n\")",
     "leat_flow(long) a[2] = { 0 }; leat_flow(int) b; "
     "(void)leat_pipeline_concat((leat_pipeline *)0, a, 2, &b, .name = \"n\")"),
    ("a zip by a function of another type",
     "leat_flow(int) a = 0, b = 0, c; "
     "(void)leat_pipeline_zip((leat_pipeline *)0, a, b, &c, pair_ints, .name = \"n\")",
     "leat_flow(int) a = 0; leat_flow(long) b = 0; leat_flow(int) c; "
     "(void)leat_pipeline_zip((leat_pipeline *)0, a, b, &c, pair_ints, .name = \"n\")"),
    ("dead letters of another type",
     "struct letter { int item; int error; }; leat_flow(int) a = 0; leat_flow(struct letter) b; "
     "(void)leat_pipeline_dead_letters((leat_pipeline *)0, a, &b)",
     "struct letter { int item; int error; }; leat_flow(long) a = 0; leat_flow(struct letter) b; "
     "(void)leat_pipeline_dead_letters((leat_pipeline *)0, a, &b)"),
    ("a flow to a channel of another type",
     "leat_flow(int) a = 0; (void)leat_pipeline_to((leat_pipeline *)0, a, ints, .name = \"n\")",
     "leat_flow(long) a = 0; (void)leat_pipeline_to((leat_pipeline *)0, a, ints, .name = \"n\")"),
    ("a flow from a channel of another type",
     "leat_flow(int) a; (void)leat_pipeline_from((leat_pipeline *)0, &a, ints, .name = \"n\")",
     "leat_flow(long) a; (void)leat_pipeline_from((leat_pipeline *)0, &a, ints, .name = \"n\")"),
    ("a merge into another type",
     "leat_fan *f; leat_chan(int) in[2] = { ints, ints }, out = 0; "
     "(void)!leat_merge(&f, (leat_group *)0, in, 2, out, .name = \"n\")",
     "leat_fan *f; leat_chan(int) in[2] = { ints, ints }; leat_chan(long) out = 0; "
     "(void)!leat_merge(&f, (leat_group *)0, in, 2, out, .name = \"n\")"),
    ("a pair of other types",
     "leat_fan *f; leat_chan(long) b = 0, out = 0; "
     "(void)!leat_zip(&f, (leat_group *)0, ints, b, out, pair_up, .name = \"n\")",
     "leat_fan *f; leat_chan(long) b = 0, out = 0; "
     "(void)!leat_zip(&f, (leat_group *)0, b, b, out, pair_up, .name = \"n\")"),
    ("a tee into another type",
     "leat_fan *f; leat_chan(int) a = 0, b = 0; "
     "(void)!leat_tee(&f, (leat_group *)0, ints, a, b, .name = \"n\")",
     "leat_fan *f; leat_chan(int) a = 0; leat_chan(long) b = 0; "
     "(void)!leat_tee(&f, (leat_group *)0, ints, a, b, .name = \"n\")"),
    ("or-done into another type",
     "leat_fan *f; leat_chan(int) out = 0; leat_chan(long) done = 0; "
     "(void)!leat_or_done(&f, (leat_group *)0, ints, out, done, .name = \"n\")",
     "leat_fan *f; leat_chan(long) out = 0, done = 0; "
     "(void)!leat_or_done(&f, (leat_group *)0, ints, out, done, .name = \"n\")"),
    ("done that is no channel",
     "leat_fan *f; leat_chan(int) out = 0; "
     "(void)!leat_or_done(&f, (leat_group *)0, ints, out, rx, .name = \"n\")",
     "leat_fan *f; leat_chan(int) out = 0; "
     "(void)!leat_or_done(&f, (leat_group *)0, ints, out, tx, .name = \"n\")"),
    ("a bridge of another type",
     "leat_fan *f; leat_chan(leat_chan(int)) in = 0; "
     "(void)!leat_bridge(&f, (leat_group *)0, in, ints, .name = \"n\")",
     "leat_fan *f; leat_chan(leat_chan(long)) in = 0; "
     "(void)!leat_bridge(&f, (leat_group *)0, in, ints, .name = \"n\")"),
    ("a bridge of no channels",
     "leat_fan *f; leat_chan(leat_receiver(int)) in = 0; "
     "(void)!leat_bridge(&f, (leat_group *)0, in, ints, .name = \"n\")",
     "leat_fan *f; "
     "(void)!leat_bridge(&f, (leat_group *)0, ints, ints, .name = \"n\")"),
    ("a function to conflate of another type",
     "leat_fan *f; leat_chan(int) out = 0; "
     "(void)!leat_conflate(&f, (leat_group *)0, ints, out, add_ints, .name = \"n\")",
     "leat_fan *f; leat_chan(long) a = 0, out = 0; "
     "(void)!leat_conflate(&f, (leat_group *)0, a, out, add_ints, .name = \"n\")"),
    ("a timeout of another function", "(void)leat_timeout(job, i, 1)",
     "(void)leat_timeout(item_job, i, 1)"),
    ("a breaker's call of another function",
     "(void)leat_breaker_call((leat_breaker *)0, job, i)",
     "(void)leat_breaker_call((leat_breaker *)0, item_job, i)"),
    ("a job of another type", "leat_pool(int) p = 0; (void)!leat_pool_submit(p, 1)",
     "leat_pool(int) p = 0; (void)!leat_pool_submit(p, i)"),
    ("a pool of another type", "leat_pool(int) p = 0; (void)p",
     "leat_pool(int) p = 0; leat_pool(long) q = p; (void)q"),
    ("a work function of another type",
     "leat_pool(int) p; (void)!leat_pool_make(&p, job, .workers = 1)",
     "leat_pool(int) p; (void)!leat_pool_make(&p, item_job, .workers = 1)"),
    ("results of another type",
     "leat_pool(int) p; leat_chan(long) c = 0; "
     "(void)!leat_pool_make_to(&p, c, job_to_long, .workers = 1)",
     "leat_pool(int) p; leat_chan(int) c = 0; "
     "(void)!leat_pool_make_to(&p, c, job_to_long, .workers = 1)"),
    ("a state of another type",
     "leat_pool(int) p; (void)!leat_pool_make_with(&p, item, begin, end, with_item, .workers = 1)",
     "leat_pool(int) p; (void)!leat_pool_make_with(&p, other, begin, end, with_item, .workers = 1)"),
    ("the end of another state",
     "leat_pool(int) p; (void)!leat_pool_make_with(&p, item, begin, end, with_item, .workers = 1)",
     "leat_pool(int) p; "
     "(void)!leat_pool_make_with(&p, item, begin, end_other, with_item, .workers = 1)"),
    ("a blocking call with another argument", "leat_blocking_call(job, i)",
     "leat_blocking_call(job, l)"),
    ("select: recv into another type", "leat_select(leat_case_recv(ints, i))",
     "leat_select(leat_case_recv(ints, l))"),
    ("select: send on a receiver", "leat_select(leat_case_send(tx, 1))",
     "leat_select(leat_case_send(rx, 1))"),
    ("a task's argument of another type", "leat_go(task, 1, rx, item)",
     "leat_go(task, 1, rx, other)"),
    ("a task's channel of another direction", "leat_go(task, 1, rx, item)",
     "leat_go(task, 1, tx, item)"),
    ("too few arguments of a task", "leat_go(task, 1, rx, item)", "leat_go(task, 1, rx)"),
    ("fork with an argument of another type",
     "leat_forked f; leat_fork(&f, task, 1, rx, item)",
     "leat_forked f; leat_fork(&f, task, 1, rx, other)"),
    ("use without a task's name", "leat_go(task, 1, rx, item)", "leat_go(drop_item, item)"),
]
# Arguments that are too large are refused where the task is defined.
LARGE = "struct args { char bytes[%d]; }; LEAT_TASK(large, (struct args, a)) { (void)a; }"


def compiles(command, source):
    done = subprocess.run(command + ["-fsyntax-only", "-Werror", "-"], input=source,
                          capture_output=True, text=True, timeout=60)
    return done.returncode == 0, done.stderr


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--include", required=True)
    parser.add_argument("--cpp", action="store_true")
    parser.add_argument("compiler", nargs="+")
    args = parser.parse_args()
    command = args.compiler + ["-x", "c++" if args.cpp else "c", "-I", args.include]

    pairs = [(what, PRELUDE % good, PRELUDE % bad) for what, good, bad in CASES]
    pairs.append(("arguments over LEAT_ARGS_MAX", "#include <leat/leat.h>\n" + LARGE % 128 +
                  "\nint f(void);\nint f(void) { struct args a = { { 0 } }; "
                  "return leat_go(large, a); }",
                  "#include <leat/leat.h>\n" + LARGE % 129 +
                  "\nint f(void);\nint f(void) { struct args a = { { 0 } }; "
                  "return leat_go(large, a); }"))
    failed = 0
    for what, good, bad in pairs:
        ok, text = compiles(command, good)
        if not ok:
            print(f"FAIL {what}: the right one does not compile:\n{text}")
            failed += 1
        elif compiles(command, bad)[0]:
            print(f"FAIL {what}: the wrong one compiles")
            failed += 1
    print(f"{len(pairs) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
