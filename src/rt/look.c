#include "rt/look.h"

#include <stdarg.h>
#include <string.h>

#include "rt/park.h"
#include "rt/sim.h"

enum { MAX_LIST = 1 << 20, MAX_DEPTH = 64, MAX_FRAMES = 24, NAME_MAX_BYTES = 64, CHUNK = 4096 };

void leat__look_begin(struct leat__look *l, int fd, bool to_log)
{
	struct leat__sim *sim;

	memset(l, 0, sizeof(*l));
	l->fd = fd;
	l->to_log = to_log;
	l->error = leat__probe_open(&l->probe);
	/* Another thread may start or end the runtime now. */
	if (!leat__look_at(l, &l->rt, &leat__rt))
		l->rt = NULL;
	if (!l->rt || !leat__look_at(l, &sim, &l->rt->sim) || !sim ||
	    !leat__look_at(l, &l->now, leat__sim_clock(sim)))
		l->now = leat__clock();
	leat__code_range((uintptr_t)leat__look_begin, &l->code_start, &l->code_end);
}

static void flush(struct leat__look *l)
{
	int r = 0;

	l->text[l->length] = '\0';
	if (l->to_log)
		leat__log("%s", l->text);
	else if (l->error == 0)
		r = leat__write_all(l->fd, l->text, l->length);
	if (r < 0)
		l->error = r;
	l->length = 0;
}

int leat__look_end(struct leat__look *l)
{
	if (l->length > 0)
		flush(l);
	leat__probe_close(&l->probe);
	return l->error;
}

/* To a file in whole buffers, to the log line by line. */
static void say_char(struct leat__look *l, char c)
{
	if (c == '\n' && l->to_log) {
		flush(l);
		return;
	}
	if (l->length == sizeof(l->text) - 1)
		flush(l);
	l->text[l->length++] = c;
}

static void say_text(struct leat__look *l, const char *s)
{
	while (*s)
		say_char(l, *s++);
}

static void say_number(struct leat__look *l, uint64_t n, unsigned base)
{
	char digits[24];
	unsigned i = 0;

	do {
		digits[i++] = "0123456789abcdef"[n % base];
		n /= base;
	} while (n > 0);
	while (i > 0)
		say_char(l, digits[--i]);
}

static void say_signed(struct leat__look *l, int64_t n)
{
	if (n < 0)
		say_char(l, '-');
	say_number(l, n < 0 ? 0 - (uint64_t)n : (uint64_t)n, 10);
}

void leat__say(struct leat__look *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	for (; *fmt; fmt++) {
		bool is_long = false;

		if (*fmt != '%') {
			say_char(l, *fmt);
			continue;
		}
		for (fmt++; *fmt == 'l'; fmt++)
			is_long = true;
		if (*fmt == 's') {
			say_text(l, va_arg(ap, const char *));
		} else if (*fmt == 'c') {
			say_char(l, (char)va_arg(ap, int));
		} else if (*fmt == 'd') {
			say_signed(l, is_long ? va_arg(ap, long long) : va_arg(ap, int));
		} else if (*fmt == 'p') {
			say_text(l, "0x");
			say_number(l, (uintptr_t)va_arg(ap, void *), 16);
		} else {
			say_number(l, is_long ? va_arg(ap, unsigned long long)
					      : va_arg(ap, unsigned), *fmt == 'x' ? 16 : 10);
		}
	}
	va_end(ap);
}

void leat__say_time(struct leat__look *l, int64_t ns)
{
	int64_t us = ns / 1000;

	if (us < 0)
		us = 0;
	say_number(l, (uint64_t)us / 1000, 10);
	say_char(l, '.');
	for (int64_t part = us % 1000, unit = 100; unit > 0; part %= unit, unit /= 10)
		say_char(l, (char)('0' + part / unit));
	say_text(l, " ms");
}

void leat__say_name(struct leat__look *l, const char *name)
{
	char c = 0;

	if (!name)
		return;
	say_char(l, '\'');
	for (int i = 0; i < NAME_MAX_BYTES; i++) {
		if (!leat__look_at(l, &c, name + i)) {
			say_char(l, '?');
			break;
		}
		if (!c)
			break;
		say_char(l, c >= ' ' ? c : '?');
	}
	say_char(l, '\'');
}

static const char *name_of(struct leat__look *l, const struct leat__task *t)
{
	leat_task_type type;
	const char *name;

	if ((t->flags & LEAT__T_EXT) && leat__look_at(l, &name, &t->ext->name) && name)
		return name;
	return t->type && leat__look_at(l, &type, t->type) ? type.name : "?";
}

void leat__say_task(struct leat__look *l, const struct leat__task *t)
{
	if (t->flags & LEAT__T_FOREIGN)
		leat__say(l, "thread ");
	else if (t->flags & LEAT__T_FORK)
		leat__say(l, "forked task ");
	else
		leat__say(l, "task %llu ", (unsigned long long)t->id);
	leat__say_name(l, name_of(l, t));
}

bool leat__say_task_at(struct leat__look *l, const struct leat__task *at)
{
	struct leat__task t;

	if (!at || !leat__look_at(l, &t, at) || t.state == LEAT__FREE || t.state > LEAT__WAITING) {
		leat__say(l, "a task that has ended");
		return false;
	}
	leat__say_task(l, &t);
	return true;
}

void leat__look_name(const struct leat__probe *probe, const struct leat__task *at, char *name,
		     size_t size)
{
	const char *from = "?";
	struct leat__look l = { .probe = *probe };
	struct leat__task t;
	size_t i = 0;

	if (at && leat__look_at(&l, &t, at) && t.state != LEAT__FREE && t.state <= LEAT__WAITING)
		from = name_of(&l, &t);
	while (i < size - 1 && leat__look_at(&l, &name[i], from + i) && name[i])
		i++;
	name[i] = '\0';
}

static bool is_canceled(struct leat__look *l, const struct leat__scope *at)
{
	struct leat__scope s;

	for (int depth = 0; at && depth < MAX_DEPTH && leat__look_at(l, &s, at); depth++) {
		if (s.flags & LEAT__S_CANCELED)
			return true;
		if (s.flags & LEAT__S_DETACHED)
			return false;
		at = s.parent;
	}
	return false;
}

void leat__say_group(struct leat__look *l, const struct leat__scope *at)
{
	struct leat__scope s;

	leat__say(l, "group ");
	if (leat__look_at(l, &s, at) && s.name) {
		leat__say_name(l, s.name);
		leat__say(l, " ");
	}
	leat__say(l, "%p%s", (const void *)at, is_canceled(l, at) ? " (cancelled)" : "");
}

static const struct leat__symbol *symbol_of(struct leat__look *l, uintptr_t pc)
{
	unsigned i = (unsigned)(pc * UINT64_C(0x9e3779b97f4a7c15) >> 59) % LEAT__LOOK_SYMBOLS;

	if (l->cache[i].pc != pc) {
		leat__symbol_find(pc, &l->cache[i].symbol);
		l->cache[i].pc = pc;
	}
	return &l->cache[i].symbol;
}

/*
 * The return address of the first frame that is not the library's.  The library
 * is built with frame pointers, the user's code need not be: so the frames are followed up to
 * the user's and no further.  Where both are one file (libleat.a), they cannot be told apart:
 * 0.
 */
static uintptr_t find_site(struct leat__look *l, const struct leat__task *t)
{
	uintptr_t sp = (uintptr_t)t->sp, high = (uintptr_t)t->stack, frame[2];

	if (!sp || sp >= high || (t->flags & LEAT__T_FOREIGN) ||
	    !leat__look_at(l, &frame, (uintptr_t *)sp))
		return 0;
	sp = frame[1];
	for (int i = 0; i < MAX_FRAMES; i++) {
		if (sp <= (uintptr_t)t->sp || sp >= high || sp % sizeof(sp) != 0 ||
		    !leat__look_at(l, &frame, (uintptr_t *)sp) || !frame[1])
			return 0;
		if (frame[1] < l->code_start || frame[1] >= l->code_end)
			return frame[1];
		if (frame[0] <= sp)
			return 0;
		sp = frame[0];
	}
	return 0;
}

void leat__say_site(struct leat__look *l, const struct leat__task *t)
{
	uintptr_t pc = find_site(l, t);
	const struct leat__symbol *s;

	if (!pc)
		return;
	s = symbol_of(l, pc);
	leat__say(l, "; in %s+0x%llx", s->name[0] ? s->name : s->module[0] ? s->module : "?",
		  (unsigned long long)(s->module[0] ? s->offset : pc));
	if (s->name[0])
		leat__say(l, " (%s)", s->module);
}

const void *leat__look_object(struct leat__look *l, const struct leat__task *t,
			      const struct leat__task *at)
{
	const void *object;

	if (t->state == LEAT__WAITING)
		return at + 1;
	return t->stack && leat__look_at(l, &object, &t->stack->wait_object) ? object : NULL;
}

const struct leat__task *leat__look_top(struct leat__look *l, const struct leat__task *t,
					const struct leat__task *at)
{
	const struct leat__task *top;
	struct leat__task copy;

	if (!t->stack || !leat__look_at(l, &top, &t->stack->task) || !top || top == at ||
	    !leat__look_at(l, &copy, top) || copy.state != LEAT__PARKED || copy.stack != t->stack)
		return NULL;
	return top;
}

void leat__say_wait(struct leat__look *l, const struct leat__task *t, const struct leat__task *at)
{
	const struct leat__kind *kind = leat__kind_of(t->why);
	const void *object = leat__look_object(l, t, at);

	leat__say(l, "%s", t->why < LEAT__WHYS ? leat__why_name[t->why] : "?");
	if (!object)
		return;
	if (kind)
		kind->describe(l, object);
	else
		leat__say(l, " %p", object);
}

typedef void visit_fn(struct leat__look *l, const struct leat__task *t, const struct leat__task *at,
		      void *ctx);

static void look_slab(struct leat__look *l, const struct leat__slab *at,
		      const struct leat__slab *slab, visit_fn *fn, void *ctx)
{
	char chunk[CHUNK] __attribute__((aligned(16)));
	uint32_t at_once = slab->size >= sizeof(struct leat__task) ? CHUNK / slab->size : 0;
	uint32_t n;

	for (uint32_t i = 0; at_once > 0 && i < slab->carved; i += n) {
		const char *from = at->records + (size_t)i * slab->size;

		n = slab->carved - i < at_once ? slab->carved - i : at_once;
		if (!leat__probe_read(&l->probe, chunk, from, (size_t)n * slab->size))
			return;
		for (uint32_t k = 0; k < n; k++) {
			const struct leat__task *t = (void *)(chunk + (size_t)k * slab->size);

			if (t->state == LEAT__FREE || t->state > LEAT__WAITING)
				continue;
			l->tasks++;
			fn(l, t, (const void *)(from + (size_t)k * slab->size), ctx);
		}
	}
}

/* Forked tasks have no record; those that are blocked are found by their stack. */
static void look_forks(struct leat__look *l, visit_fn *fn, void *ctx)
{
	struct leat__list *head = &l->rt->all_stacks, *node;

	if (!leat__look_at(l, &node, &head->next))
		return;
	for (int i = 0; node != head && i < MAX_LIST * 4; i++) {
		struct leat__stack s, *at = leat__container_of(node, struct leat__stack, all);
		struct leat__task t;

		if (!leat__look_at(l, &s, at))
			return;
		if (s.task && leat__look_at(l, &t, s.task) && (t.flags & LEAT__T_FORK) &&
		    t.stack == at && t.state == LEAT__PARKED) {
			l->tasks++;
			fn(l, &t, s.task, ctx);
		}
		node = s.all.next;
	}
}

static void look_threads(struct leat__look *l, visit_fn *fn, void *ctx)
{
	struct leat__list *node;

	if (!leat__look_at(l, &node, &leat__threads.next))
		return;
	for (int i = 0; node != &leat__threads && i < MAX_LIST; i++) {
		struct leat__thread t, *at = leat__container_of(node, struct leat__thread, all);

		if (!leat__look_at(l, &t, at) || !(t.task.flags & LEAT__T_FOREIGN))
			return;
		fn(l, &t.task, &at->task, ctx);
		node = t.all.next;
	}
}

void leat__look_tasks(struct leat__look *l, visit_fn *fn, void *ctx)
{
	l->tasks = 0;
	for (unsigned c = 0; c < LEAT__SIZE_CLASSES; c++) {
		struct leat__slab slab, *at;

		if (!leat__look_at(l, &at, &l->rt->slabs[c]))
			return;
		for (int i = 0; at && i < MAX_LIST && leat__look_at(l, &slab, at); i++) {
			look_slab(l, at, &slab, fn, ctx);
			at = slab.next;
		}
	}
	look_forks(l, fn, ctx);
	look_threads(l, fn, ctx);
}
