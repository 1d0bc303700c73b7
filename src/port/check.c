/*
 * port.h for the checking build, and the explorer; check.h says what for.
 *
 * Virtual threads are coroutines with stacks of their own.  They change over only at
 * choice points, so what lies between two of them happens at once.  The library
 * itself switches stacks (port/ctx); a virtual thread's context is wherever it stood
 * at its last choice point, on whatever stack.
 *
 * Which thread goes on.  By the seed, a run is one of two kinds:
 *   - a random walk: after a random number of steps, of a mean that the seed chooses,
 *     any thread that can run;
 *   - priorities: the thread of the highest priority runs; at a few random steps
 *     the running one falls behind all others (Burckhardt, Kothari, Musuvathi
 *     and Nagarakatte, "A randomized scheduler with probabilistic guarantees of finding
 *     bugs", ASPLOS 2010).
 * A thread that spins (leat__cpu_pause) lets the others go first.  Time
 * advances a little with each step, at a rate that the seed chooses, and jumps when
 * nobody can run.
 *
 * Memory.  x86's: a store goes into a FIFO buffer of its thread and reaches memory at
 * some later choice point; a load sees the newest store of its own thread; RMWs, full
 * fences and system calls empty the buffer.  Loads are not reordered, and stores
 * not with each other, so a bug that only aarch64 can show is not found.
 *
 * Plain accesses are not buffered.  They must not overtake the thread's own buffered
 * stores to the same place: a load would miss them, a store be overwritten by
 * them.  So the library is compiled with the instrumentation of TSan, whose
 * calls (__tsan_read8 and the like) end here and not in TSan: before such an
 * access, the buffered stores up to one that overlaps it go to memory.  (clang -O3
 * leaves out some accesses to local variables: what is on a stack and has an atomic
 * store should be read atomically everywhere.)
 */
#include "port/check.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/checking.h"
#include "base/random.h"
#include "port/ctx/ctx.h"
#include "port/port.h"
#include "port/self.h"

enum {
	THREADS_MAX = 6,
	STACK_BYTES = 256 * 1024,
	LOCAL_BYTES = 2048,
	BUFFER_MAX = 40,	/* a Skylake has 56 */
	TRACE_MAX = 8192,
	TRACE_SHOWN = 100,
	TRACE_LOOP = 6,		/* so far back an event may be found again */
	PAUSE_NS = 3000,	/* at most so long do all spin at once */
	SPURIOUS_ONE_IN = 32,	/* futex waits that return without cause */
};

enum state {
	UNUSED = 0,
	RUNNABLE,
	SLEEPING,		/* in futex until woken or deadline */
	JOINING,
	ENDED,
};

struct store {
	volatile void *p;
	uint64_t v;
	unsigned size;
};

struct vthread {
	enum state state;
	bool paused;		/* it spins: others first */
	bool spurious;		/* it wakes without cause */
	uint32_t priority;	/* of the second kind of run */
	void *sp;		/* where it goes on */
	void *(*fn)(void *arg);
	void *arg;
	struct leat__worker *self;
	void *value;
	void (*value_end)(void *value);
	uint32_t *futex;
	int64_t deadline;
	struct vthread *joins;
	unsigned nstores;
	struct store stores[BUFFER_MAX]; /* oldest first */
	char local[LOCAL_BYTES];
};

/* What was done, for the report. */
struct event {
	uint64_t step;
	uint64_t times;		/* done so often, with little in between: a loop that waits */
	const char *what, *at;
	const volatile void *p;
	uint64_t v;
	int thread;
};

static struct {
	struct vthread thread[THREADS_MAX];
	char *stack[THREADS_MAX];	/* kept from run to run */
	struct vthread *cur;		/* NULL: the explorer itself */
	void *root_sp, *scratch_sp;
	uint64_t seed, random, hash;
	uint64_t steps, max_steps, switched_at;
	int64_t now;
	uint32_t step_ns;
	bool by_priority;
	bool preempt;			/* a thread of higher priority has been woken */
	uint32_t mean;			/* steps between choices, of a random walk */
	uint32_t changes, length;	/* change points left, and over how many steps */
	uint32_t lowest, in_a_row;	/* after so many steps even the highest priority falls */
	uint32_t until_switch, until_drain, drain_mean;
	int failed;			/* an error: the run is over */
	int (*fn)(void *arg);
	void *arg;
	int result;
	struct event trace[TRACE_MAX];
	uint64_t events;
} x;

bool leat__asymmetric = true;

static uint32_t below(uint32_t n)
{
	return leat__random_below(&x.random, n);
}

uint64_t leat__check_seed(void)
{
	return x.seed;
}

uint32_t leat__check_choose(uint32_t n)
{
	return below(n);
}

/* The report. */

static const char *const state_name[] = { "unused", "runnable", "sleeps", "joins", "ended" };

static void show(int fd)
{
	const char *env = getenv("LEAT_CHECK_TRACE");
	uint64_t shown = env ? strtoull(env, NULL, 10) : TRACE_SHOWN;
	uint64_t from;

	shown = shown > TRACE_MAX ? TRACE_MAX : shown;
	from = x.events > shown ? x.events - shown : 0;
	for (uint64_t i = from; i < x.events; i++) {
		const struct event *e = &x.trace[i % TRACE_MAX];

		dprintf(fd, "  %6llu thread %d %-8s %p %#llx  %s", (unsigned long long)e->step,
			e->thread, e->what, (const void *)(uintptr_t)e->p,
			(unsigned long long)e->v, e->at);
		dprintf(fd, e->times > 1 ? ", %llu times\n" : "\n", (unsigned long long)e->times);
	}
	for (int i = 0; i < THREADS_MAX; i++) {
		const struct vthread *t = &x.thread[i];

		if (t->state != UNUSED)
			dprintf(fd, "  thread %d %s%s%s, %u stores buffered, deadline %lld\n", i,
				state_name[t->state], t->paused ? ", spins" : "",
				t == x.cur ? ", current" : "", t->nstores,
				t->state == SLEEPING && t->deadline != INT64_MAX
					? (long long)(t->deadline - x.now) : -1LL);
	}
}

static void report(const char *why)
{
	dprintf(STDERR_FILENO, "checking: seed %llu: %s, after %llu steps\n",
		(unsigned long long)x.seed, why, (unsigned long long)x.steps);
	show(STDERR_FILENO);
	dprintf(STDERR_FILENO, "checking: LEAT_TEST_SEED=%llu replays it\n",
		(unsigned long long)x.seed);
}

/* Ends the run; the virtual threads stay as they are. */
static void fail(int error, const char *why)
{
	report(why);
	x.failed = error;
	x.cur = NULL;
	leat__ctx_jump(&x.scratch_sp, x.root_sp);
}

static void note(const char *what, const char *at, const volatile void *p, uint64_t v)
{
	int thread = (int)(x.cur - x.thread);
	struct event *e;

	for (uint64_t back = 1; back <= TRACE_LOOP && back <= x.events; back++) {
		e = &x.trace[(x.events - back) % TRACE_MAX];
		if (e->thread == thread && e->at == at && e->what == what && e->p == p &&
		    e->v == v) {
			e->times++;
			return;
		}
	}
	e = &x.trace[x.events++ % TRACE_MAX];
	*e = (struct event){ .step = x.steps, .times = 1, .what = what, .at = at, .p = p,
			     .v = v, .thread = thread };
}

/* Memory. */

static uint64_t get(const volatile void *p, unsigned size)
{
	switch (size) {
	case 1:
		return *(const volatile uint8_t *)p;
	case 2:
		return *(const volatile uint16_t *)p;
	case 4:
		return *(const volatile uint32_t *)p;
	default:
		return *(const volatile uint64_t *)p;
	}
}

static void put(volatile void *p, unsigned size, uint64_t v)
{
	switch (size) {
	case 1:
		*(volatile uint8_t *)p = (uint8_t)v;
		break;
	case 2:
		*(volatile uint16_t *)p = (uint16_t)v;
		break;
	case 4:
		*(volatile uint32_t *)p = (uint32_t)v;
		break;
	default:
		*(volatile uint64_t *)p = v;
	}
}

/* The n oldest stores of t reach memory. */
static void drain(struct vthread *t, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		put(t->stores[i].p, t->stores[i].size, t->stores[i].v);
	t->nstores -= n;
	memmove(&t->stores[0], &t->stores[n], t->nstores * sizeof(t->stores[0]));
}

static bool overlap(const struct store *s, const volatile void *p, size_t size)
{
	const volatile char *a = s->p, *b = p;

	return a < b + size && b < a + s->size;
}

/* Before a plain access of the running thread. */
static void drain_overlapping(const volatile void *p, size_t size)
{
	struct vthread *t = x.cur;

	for (unsigned i = t->nstores; i > 0; i--) {
		if (overlap(&t->stores[i - 1], p, size)) {
			drain(t, i);
			return;
		}
	}
}

static void drain_some(void)
{
	unsigned start = below(THREADS_MAX);

	for (unsigned i = 0; i < THREADS_MAX; i++) {
		struct vthread *t = &x.thread[(start + i) % THREADS_MAX];

		if (t->nstores > 0) {
			drain(t, 1 + below(t->nstores));
			return;
		}
	}
}

/* Who goes on. */

static void plan_switch(void)
{
	if (!x.by_priority) {
		x.until_switch = 1 + below(2 * x.mean);
	} else if (x.changes > 0) {
		x.changes--;
		x.until_switch = 1 + below(x.length);
	} else {
		x.until_switch = UINT32_MAX;
	}
}

static bool can_run(const struct vthread *t, bool even_paused)
{
	if (t->state == SLEEPING)
		return t->deadline <= x.now || t->spurious;
	return t->state == RUNNABLE && (even_paused || !t->paused);
}

static struct vthread *candidate(void)
{
	bool even_paused = !x.by_priority && below(4) == 0;
	struct vthread *best = NULL;
	unsigned n = 0;

	for (int i = 0; i < THREADS_MAX; i++) {
		struct vthread *t = &x.thread[i];

		if (!can_run(t, even_paused))
			continue;
		n++;
		if (!best || (x.by_priority ? t->priority > best->priority : below(n) == 0))
			best = t;
	}
	return best;
}

/* Nobody can run: something must happen by itself.  False: it cannot. */
static bool let_time_pass(void)
{
	int64_t first = INT64_MAX;
	bool spinning = false, buffered = false;

	for (int i = 0; i < THREADS_MAX; i++) {
		struct vthread *t = &x.thread[i];

		buffered |= t->nstores > 0;
		if (t->state == RUNNABLE)
			spinning = true;
		else if (t->state == SLEEPING && t->deadline < first)
			first = t->deadline;
		t->paused = false;
	}
	if (buffered)
		drain_some();
	else if (spinning)
		x.now += 1 + below(PAUSE_NS);
	else if (first != INT64_MAX)
		x.now = first > x.now ? first : x.now;
	else
		return false;
	return true;
}

static bool all_ended(void)
{
	for (int i = 0; i < THREADS_MAX; i++)
		if (x.thread[i].state != UNUSED && x.thread[i].state != ENDED)
			return false;
	return true;
}

/* The running thread gives way to one that can run, perhaps itself. */
static void choose(void)
{
	struct vthread *from = x.cur, *to;

	while ((to = candidate()) == NULL) {
		if (++x.steps > x.max_steps)
			fail(-ETIME, "no end");
		if (!let_time_pass())
			fail(-EDEADLK, "every thread sleeps");
	}
	if (!x.by_priority)
		plan_switch();
	x.preempt = false;
	to->paused = to->spurious = false;
	to->state = RUNNABLE;
	if (to == from)
		return;
	x.hash = (x.hash ^ (uint64_t)(to - x.thread) ^ x.steps << 8) * 0x100000001b3u;
	x.switched_at = x.steps;
	x.cur = to;
	leat__ctx_jump(&from->sp, to->sp);
}

static void fall_behind(struct vthread *t)
{
	t->priority = --x.lowest;
}

/* Before each operation. */
static void point(void)
{
	if (++x.steps > x.max_steps)
		fail(-ETIME, "no end");
	x.now += x.step_ns;
	if (--x.until_drain == 0) {
		x.until_drain = 1 + below(2 * x.drain_mean);
		drain_some();
	}
	if (--x.until_switch == 0) {
		plan_switch();
		if (x.by_priority)
			fall_behind(x.cur);
		choose();
	} else if (x.by_priority && x.steps - x.switched_at > x.in_a_row) {
		/* Whoever waits for it by spinning looks again. */
		for (int i = 0; i < THREADS_MAX; i++)
			x.thread[i].paused = false;
		fall_behind(x.cur);
		x.switched_at = x.steps;
		choose();
	} else if (x.preempt) {
		choose();
	}
}

/* t can run again; by its priority, at once. */
static void wake(struct vthread *t)
{
	t->state = RUNNABLE;
	t->paused = false;
	x.preempt = x.by_priority && t->priority > x.cur->priority;
}

/* base/checking.h */

uint64_t leat__check_load(const volatile void *p, unsigned size, const char *at)
{
	uint64_t v;

	if (!x.cur)
		return get(p, size);
	point();
	for (unsigned i = x.cur->nstores; i > 0; i--) {
		const struct store *s = &x.cur->stores[i - 1];

		if (s->p == p && s->size == size) {
			note("load own", at, p, s->v);
			return s->v;
		}
		if (overlap(s, p, size)) {
			drain(x.cur, i);
			break;
		}
	}
	v = get(p, size);
	note("load", at, p, v);
	return v;
}

void leat__check_store(volatile void *p, unsigned size, uint64_t v, const char *at)
{
	if (!x.cur) {
		put(p, size, v);
		return;
	}
	point();
	if (x.cur->nstores == BUFFER_MAX)
		drain(x.cur, 1);
	x.cur->stores[x.cur->nstores++] = (struct store){ .p = p, .v = v, .size = size };
	note("store", at, p, v);
}

uint64_t leat__check_rmw(volatile void *p, unsigned size, enum leat__check_op op, uint64_t v,
			 const char *at)
{
	uint64_t old;

	if (x.cur) {
		point();
		drain(x.cur, x.cur->nstores);
	}
	old = get(p, size);
	switch (op) {
	case LEAT__CHECK_EXCHANGE:
		break;
	case LEAT__CHECK_ADD:
		v = old + v;
		break;
	case LEAT__CHECK_SUB:
		v = old - v;
		break;
	case LEAT__CHECK_OR:
		v = old | v;
		break;
	case LEAT__CHECK_AND:
		v = old & v;
		break;
	}
	put(p, size, v);
	if (x.cur)
		note("rmw", at, p, v);
	return old;
}

bool leat__check_cas(volatile void *p, unsigned size, uint64_t expected, uint64_t v, const char *at)
{
	uint64_t mask = size == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * size) - 1;
	bool same;

	if (x.cur) {
		point();
		drain(x.cur, x.cur->nstores);
	}
	same = get(p, size) == (expected & mask);
	if (same)
		put(p, size, v);
	if (x.cur)
		note(same ? "cas" : "cas lost", at, p, v);
	return same;
}

void leat__check_fence_full(const char *at)
{
	if (!x.cur)
		return;
	point();
	drain(x.cur, x.cur->nstores);
	note("fence", at, NULL, 0);
}

void leat__check_fence_light(const char *at)
{
	if (!x.cur)
		return;
	point();
	note("light", at, NULL, 0);
}

void leat__check_pause(const char *at)
{
	if (!x.cur)
		return;
	x.steps++;
	note("pause", at, NULL, 0);
	x.cur->paused = true;
	if (x.by_priority)
		fall_behind(x.cur);
	choose();
}

void leat__check_drain(void)
{
	if (x.cur)
		drain(x.cur, x.cur->nstores);
}

void *leat__check_local(unsigned size)
{
	static char outside[LOCAL_BYTES] __attribute__((aligned(16)));

	LEAT_CHECK(size <= LOCAL_BYTES);
	return x.cur ? x.cur->local : outside;
}

/* port/self.h */

struct leat__worker *leat__self(void)
{
	return x.cur ? x.cur->self : NULL;
}

void leat__self_set(struct leat__worker *w)
{
	x.cur->self = w;
}

/* port/port.h: threads. */

static void thread_main(void)
{
	struct vthread *t = x.cur;

	t->fn(t->arg);
	t = x.cur;
	if (t->value)
		t->value_end(t->value);
	drain(t, t->nstores);
	t->state = ENDED;
	for (int i = 0; i < THREADS_MAX; i++)
		if (x.thread[i].state == JOINING && x.thread[i].joins == t)
			x.thread[i].state = RUNNABLE;
	if (all_ended()) {
		x.cur = NULL;
		leat__ctx_jump(&x.scratch_sp, x.root_sp);
	}
	choose();
	abort();
}

static void *stack_of(int i)
{
	if (!x.stack[i]) {
		char *low = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (low == MAP_FAILED || mprotect(low, leat__page_size(), PROT_NONE) != 0)
			leat__fatal("no stack for a virtual thread");
		x.stack[i] = low;
	}
	return x.stack[i] + STACK_BYTES;
}

int leat__thread_start(struct leat__thread_handle *ret_thread, void *(*fn)(void *), void *arg)
{
	int i = 0;

	while (i < THREADS_MAX && x.thread[i].state != UNUSED)
		i++;
	if (i == THREADS_MAX)
		return -EAGAIN;
	leat__check_drain();
	memset(&x.thread[i], 0, sizeof(x.thread[i]));
	x.thread[i].state = RUNNABLE;
	x.thread[i].priority = UINT32_MAX / 2 + below(UINT32_MAX / 2);
	x.thread[i].fn = fn;
	x.thread[i].arg = arg;
	x.thread[i].sp = leat__ctx_make(stack_of(i), thread_main);
	ret_thread->id = (uint64_t)i;
	if (x.cur)
		wake(&x.thread[i]);
	return 0;
}

int leat__thread_start_stack(struct leat__thread_handle *ret_thread, void *(*fn)(void *), void *arg,
			     size_t stack_size)
{
	(void)stack_size;
	return leat__thread_start(ret_thread, fn, arg);
}

struct leat__thread_handle leat__thread_handle_self(void)
{
	return (struct leat__thread_handle){ (uint64_t)(x.cur - x.thread) };
}

void leat__thread_join(struct leat__thread_handle thread)
{
	struct vthread *t = &x.thread[thread.id];

	leat__check_drain();
	while (t->state != ENDED) {
		x.cur->joins = t;
		x.cur->state = JOINING;
		choose();
	}
	t->state = UNUSED;
}

void *leat__thread_value(void)
{
	return x.cur ? x.cur->value : NULL;
}

int leat__thread_value_set(void *value, void (*end)(void *value))
{
	x.cur->value = value;
	x.cur->value_end = end;
	return 0;
}

void leat__thread_set_name(const char *name)
{
	(void)name;
}

int leat__on_fork_child(void (*fn)(void))
{
	(void)fn;
	return 0;
}

int leat__thread_number(void)
{
	return 1;
}

/* t runs on when it is woken, or at deadline. */
static void sleep_in(struct vthread *t, uint32_t *futex, int64_t deadline)
{
	t->state = SLEEPING;
	t->futex = futex;
	t->deadline = deadline;
	choose();
	t->futex = NULL;
}

void leat__check_compute(int64_t ns)
{
	point();
	note("compute", "test", NULL, (uint64_t)ns);
	sleep_in(x.cur, NULL, x.now + ns);
}

void leat__futex_wait(uint32_t *word, uint32_t expected, int64_t deadline)
{
	struct vthread *t = x.cur;

	point();
	drain(t, t->nstores);
	note("wait", "futex", word, expected);
	if (get(word, sizeof(*word)) != expected || deadline <= x.now)
		return;
	t->spurious = below(SPURIOUS_ONE_IN) == 0;
	sleep_in(t, word, deadline);
}

void leat__futex_wake(uint32_t *word, int n)
{
	unsigned start = below(THREADS_MAX);

	point();
	drain(x.cur, x.cur->nstores);
	note("wake", "futex", word, (uint64_t)n);
	for (unsigned i = 0; i < THREADS_MAX && n > 0; i++) {
		struct vthread *t = &x.thread[(start + i) % THREADS_MAX];

		if (t->state == SLEEPING && t->futex == word) {
			n--;
			wake(t);
		}
	}
}

int64_t leat__clock(void)
{
	if (x.cur) {
		point();
		note("clock", "now", NULL, 0);
	}
	return x.now;
}

void leat__fence_heavy_init(void)
{
}

/* membarrier(2): each other thread has had an empty buffer, not all at the same instant. */
void leat__fence_heavy(void)
{
	leat__check_fence_full("heavy");
	for (int i = 0; i < THREADS_MAX; i++) {
		point();
		note("heavy", "fence", NULL, (uint64_t)i);
		drain(&x.thread[i], x.thread[i].nstores);
	}
}

/* port/port.h: the rest needs no choice.  Mappings are kept for the next run. */

enum { KEPT_MAX = 64 };

static struct {
	void *ptr;
	size_t size;
} kept[KEPT_MAX];
static unsigned nkept;

void *leat__map_reserve(size_t size, size_t align)
{
	char *base;

	for (unsigned i = 0; i < nkept; i++) {
		if (kept[i].size == size && (uintptr_t)kept[i].ptr % align == 0) {
			base = kept[i].ptr;
			kept[i] = kept[--nkept];
			return base;
		}
	}
	base = mmap(NULL, size + align, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return NULL;
	return base + (align - (uintptr_t)base % align) % align;
}

void leat__map_release(void *ptr, size_t size)
{
	leat__check_drain();
	if (nkept < KEPT_MAX) {
		kept[nkept].ptr = ptr;
		kept[nkept++].size = size;
	} else {
		munmap(ptr, size);
	}
}

int leat__map_guard(void *page)
{
	(void)page;
	return 0;
}

int leat__map_guard_one(void *page)
{
	(void)page;
	return 0;
}

void leat__map_trim(void *ptr, size_t size)
{
	memset(ptr, 0, size);
}

size_t leat__page_size(void)
{
	return 4096;
}

int leat__cpu_count(void)
{
	return 2;
}

int64_t leat__timer_slack_fine(void)
{
	return 0;
}

void leat__timer_slack_restore(int64_t slack)
{
	(void)slack;
}

uint64_t leat__memory_available(void)
{
	return UINT64_C(1) << 40;
}

uint64_t leat__random_seed(void)
{
	return leat__random_next(&x.random);
}

/* The calls of the compiler's instrumentation. */

static inline void touch(const void *p, size_t size)
{
	if (x.cur && x.cur->nstores > 0)
		drain_overlapping(p, size);
}

#define TSAN_HOOK(name)                                                       \
	void __tsan_##name##1(void *p);                                       \
	void __tsan_##name##2(void *p);                                       \
	void __tsan_##name##4(void *p);                                       \
	void __tsan_##name##8(void *p);                                       \
	void __tsan_##name##16(void *p);                                      \
	void __tsan_##name##1(void *p) { touch(p, 1); }                       \
	void __tsan_##name##2(void *p) { touch(p, 2); }                       \
	void __tsan_##name##4(void *p) { touch(p, 4); }                       \
	void __tsan_##name##8(void *p) { touch(p, 8); }                       \
	void __tsan_##name##16(void *p) { touch(p, 16); }

TSAN_HOOK(read)
TSAN_HOOK(write)
TSAN_HOOK(unaligned_read)
TSAN_HOOK(unaligned_write)
TSAN_HOOK(read_write)
TSAN_HOOK(unaligned_read_write)

void __tsan_read_range(void *p, unsigned long size);
void __tsan_write_range(void *p, unsigned long size);
void __tsan_init(void);
void __tsan_func_entry(void *pc);
void __tsan_func_exit(void);

void __tsan_read_range(void *p, unsigned long size)
{
	touch(p, size);
}

void __tsan_write_range(void *p, unsigned long size)
{
	touch(p, size);
}

void __tsan_init(void)
{
}

void __tsan_func_entry(void *pc)
{
	(void)pc;
}

/*
 * The calling function's frame ends: the compiler may use it for what it does not
 * instrument (saved registers).  Its frame lies between ours and its frame pointer.
 */
void __tsan_func_exit(void)
{
	const char *low = __builtin_frame_address(0), *high = *(const char *const *)low;

	touch(low, (size_t)(high - low) + 2 * sizeof(void *));
}

/* And what it does not see: -Wl,--wrap. */
void __real_free(void *p);
void __wrap_free(void *p);
void *__real_memset(void *to, int c, size_t n);
void *__wrap_memset(void *to, int c, size_t n);
void *__real_memcpy(void *to, const void *from, size_t n);
void *__wrap_memcpy(void *to, const void *from, size_t n);
void *__real_memmove(void *to, const void *from, size_t n);
void *__wrap_memmove(void *to, const void *from, size_t n);

/* The allocator writes into what it gets back. */
void __wrap_free(void *p)
{
	leat__check_drain();
	__real_free(p);
}

void *__wrap_memset(void *to, int c, size_t n)
{
	touch(to, n);
	return __real_memset(to, c, n);
}

void *__wrap_memcpy(void *to, const void *from, size_t n)
{
	touch(from, n);
	touch(to, n);
	return __real_memcpy(to, from, n);
}

void *__wrap_memmove(void *to, const void *from, size_t n)
{
	touch(from, n);
	touch(to, n);
	return __real_memmove(to, from, n);
}

/* A test's own atomics are choice points like the library's. */
#define TSAN_ATOMICS(bits)                                                    \
	uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *p, int mo); \
	void __tsan_atomic##bits##_store(volatile uint##bits##_t *p, uint##bits##_t v, int mo); \
	uint##bits##_t __tsan_atomic##bits##_fetch_add(volatile uint##bits##_t *p, \
						       uint##bits##_t v, int mo); \
	uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *p, int mo) \
	{                                                                     \
		(void)mo;                                                     \
		return (uint##bits##_t)leat__check_load(p, bits / 8, "test"); \
	}                                                                     \
	void __tsan_atomic##bits##_store(volatile uint##bits##_t *p, uint##bits##_t v, int mo) \
	{                                                                     \
		(void)mo;                                                     \
		leat__check_store(p, bits / 8, v, "test");                    \
	}                                                                     \
	uint##bits##_t __tsan_atomic##bits##_fetch_add(volatile uint##bits##_t *p, \
						       uint##bits##_t v, int mo) \
	{                                                                     \
		(void)mo;                                                     \
		return (uint##bits##_t)leat__check_rmw(p, bits / 8, LEAT__CHECK_ADD, v, "test"); \
	}

TSAN_ATOMICS(8)
TSAN_ATOMICS(32)
TSAN_ATOMICS(64)

/* The explorer. */

static void on_crash(int sig)
{
	report(sig == SIGABRT ? "abort" : "crash");
	/* SA_RESETHAND: the second time it is the system's. */
	raise(sig);
}

static void catch_crashes(void)
{
	static const int sigs[] = { SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE };
	static char room[64 * 1024];
	stack_t stack = { .ss_sp = room, .ss_size = sizeof(room) };
	struct sigaction sa = { .sa_handler = on_crash,
				.sa_flags = (int)(SA_ONSTACK | SA_RESETHAND | SA_NODEFER) };

	sigaltstack(&stack, NULL);
	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		sigaction(sigs[i], &sa, NULL);
}

static void *thread_0(void *arg)
{
	(void)arg;
	x.result = x.fn(x.arg);
	return NULL;
}

/* The kind of run that the seed asks for. */
static void plan(uint64_t seed, uint64_t max_steps)
{
	static const uint32_t mean[] = { 1, 3, 10, 40 };
	static const uint32_t in_a_row[] = { 100, 500, 2000, 4000 };
	static const uint32_t drain_mean[] = { 2, 8, 32, 128 };
	static const uint32_t step_ns[] = { 5, 100, 500, 2000 };

	for (int i = 0; i < THREADS_MAX; i++)
		x.thread[i].state = UNUSED;
	x.seed = seed;
	x.random = seed;
	leat__random_next(&x.random);
	x.hash = 0;
	x.steps = x.events = 0;
	x.max_steps = max_steps;
	x.now = INT64_C(1000000000);
	x.failed = 0;
	x.by_priority = below(2) == 0;
	x.mean = mean[below(4)];
	x.changes = below(6);
	x.preempt = false;
	x.switched_at = 0;
	x.length = 16u << below(10);
	x.lowest = UINT32_MAX / 2;
	x.in_a_row = in_a_row[below(4)];
	x.drain_mean = drain_mean[below(4)];
	x.until_drain = 1 + below(2 * x.drain_mean);
	x.step_ns = step_ns[below(4)];
	plan_switch();
}

static int run_seed(uint64_t seed, uint64_t max_steps)
{
	struct leat__thread_handle first;

	plan(seed, max_steps);
	leat__thread_start(&first, thread_0, NULL);
	x.cur = &x.thread[0];
	leat__ctx_jump(&x.root_sp, x.cur->sp);
	if (x.failed == 0 && x.result != 0)
		report("the scenario failed");
	return x.failed ? x.failed : x.result;
}

/* How many of the n hashes differ; behind them is room for a table of 2n. */
static uint64_t distinct(const uint64_t *hashes, uint64_t *table, uint64_t n)
{
	uint64_t different = 0;

	for (uint64_t i = 0; i < n; i++) {
		uint64_t hash = hashes[i] | 1; /* 0 marks an empty slot */
		uint64_t at = hash % (2 * n);

		while (table[at] != 0 && table[at] != hash)
			at = (at + 1) % (2 * n);
		different += table[at] == 0;
		table[at] = hash;
	}
	return different;
}

int leat__check_run(int (*fn)(void *arg), void *arg, uint64_t first, uint64_t n,
		    uint64_t max_steps, struct leat__check_report *ret_report)
{
	struct leat__check_report out = { 0 };
	uint64_t *hashes = calloc(3 * n, sizeof(*hashes));
	int r = 0;

	if (!hashes)
		return -ENOMEM;
	catch_crashes();
	x.fn = fn;
	x.arg = arg;
	for (uint64_t seed = first; r == 0 && seed < first + n; seed++) {
		r = run_seed(seed, max_steps);
		hashes[out.runs++] = x.hash;
		out.steps += x.steps;
		if (r != 0)
			out.failed_seed = seed;
	}
	if (out.runs == n)
		out.distinct = distinct(hashes, hashes + n, n);
	free(hashes);
	*ret_report = out;
	return r;
}
