/*
 * What a searcher takes from other workers, and when.
 *
 * Tasks that talk are cheapest on one worker: a message there costs less than a
 * single cache line that has to come from another core.  So a searcher takes only
 * what has been waiting for a while:
 *   - half of a run queue whose oldest task has waited for confirm_ns;
 *   - the task in the LIFO slot, if the worker has pushed nothing for CONFIRM_NS,
 *     that is, if it computes.
 *
 * A queue also lasts when many tasks share one channel, or in a long chain of
 * channels, and then a second worker gains nothing: both wait for locks and for
 * each other's cache lines.  The thief finds that out by what sharing cost it from the
 * steal until it has run out of work (cost()).  Was that more than a third of
 * the time, then its confirm_ns doubles, up to CONFIRM_MAX_NS, and meanwhile
 * the tasks gather where they were; was it less, confirm_ns is halved.
 */
#include "rt/steal.h"

#include "rt/park.h"

#define CONFIRM_NS INT64_C(5000)
#define CONFIRM_MAX_NS INT64_C(160000)
/*
 * What it costs to take the lock of an object that another core had last, with the lines
 * that it guards; to take its bias away, which is an interrupt on the other core,
 * measured on a virtual machine; and a turn of the loop in which a lock is waited for.
 */
enum { MOVE_NS = 250, REVOKE_NS = 9000, PAUSE_NS = 20 };

/* What a searcher saw of another worker, and when it saw it first. */
struct leat__seen {
	int64_t deque_at, lifo_at;
	uint32_t bottom, pushes;
	bool deque, in_lifo;
	struct leat__task *lifo;
};

size_t leat__seen_size(int nworkers)
{
	return sizeof(struct leat__seen) * (size_t)nworkers;
}

void leat__steal_init(struct leat__worker *w)
{
	w->confirm_ns = CONFIRM_NS;
	w->stole_at = 0;
}

static void note_steal(struct leat__worker *w, int64_t now)
{
	leat__count(&w->counters.steals, 1);
	if (w->stole_at != 0)
		return;
	w->stole_at = now;
	w->stole_slot = *w->slot;
}

/* Of sharing objects with other workers, since the steal, in ns. */
static int64_t cost(const struct leat__worker *w)
{
	const struct leat__bias_slot *now = w->slot, *then = &w->stole_slot;

	return (int64_t)(now->moved - then->moved) * MOVE_NS +
	       (int64_t)(now->revoked - then->revoked) * REVOKE_NS +
	       (int64_t)(now->paused - then->paused) * PAUSE_NS;
}

void leat__steal_judge(struct leat__worker *w, int64_t now)
{
	if (w->stole_at == 0)
		return;
	if (cost(w) * 3 > now - w->stole_at) {
		if (w->confirm_ns < CONFIRM_MAX_NS)
			w->confirm_ns *= 2;
	} else if (w->confirm_ns > CONFIRM_NS) {
		w->confirm_ns /= 2;
	}
	w->stole_at = 0;
}

/* Half of v's deque, into ours; returns the first. */
static struct leat__task *steal_half(struct leat__worker *w, struct leat__worker *v, int64_t now)
{
	uint32_t n = (leat__deque_len(&v->deque) + 1) / 2;
	struct leat__task *first = NULL;
	bool lost = false;

	for (uint32_t i = 0; i < n; i++) {
		struct leat__task *t = leat__deque_steal(&v->deque, &lost);

		if (!t)
			break;
		note_steal(w, now);
		if (!first)
			first = t;
		else if (!leat__deque_push(&w->deque, t))
			leat__push_overflow(w, t);
	}
	return first;
}

static struct leat__task *from_deque(struct leat__worker *w, struct leat__worker *v, int64_t now)
{
	struct leat__seen *seen = &w->seen[v->index];
	uint32_t top = leat__load_acquire(&v->deque.top);
	uint32_t bottom = leat__load_acquire(&v->deque.bottom);

	if ((int32_t)(bottom - top) <= 0) {
		seen->deque = false;
	} else if (!seen->deque || (int32_t)(seen->bottom - top) <= 0) {
		seen->deque = true;
		seen->bottom = bottom;
		seen->deque_at = now;
	} else if (now - seen->deque_at >= w->confirm_ns) {
		seen->deque = false;
		return steal_half(w, v, now);
	}
	return NULL;
}

static struct leat__task *from_lifo(struct leat__worker *w, struct leat__worker *v, int64_t now)
{
	struct leat__seen *seen = &w->seen[v->index];
	uint32_t pushes = leat__load_relaxed(&v->pushes);
	struct leat__task *lifo = leat__load_relaxed(&v->lifo);

	if (!lifo) {
		seen->in_lifo = false;
	} else if (!seen->in_lifo || seen->lifo != lifo || seen->pushes != pushes) {
		seen->in_lifo = true;
		seen->lifo = lifo;
		seen->pushes = pushes;
		seen->lifo_at = now;
	} else if (now - seen->lifo_at >= CONFIRM_NS) {
		seen->in_lifo = false;
		/* The slot may hold another task by now that looks the same: just as good. */
		if (leat__cas(&v->lifo, lifo, NULL)) {
			note_steal(w, now);
			return lifo;
		}
	}
	return NULL;
}

struct leat__task *leat__steal_from(struct leat__worker *w, struct leat__worker *v, int64_t now)
{
	struct leat__task *t = from_deque(w, v, now);

	return t ? t : from_lifo(w, v, now);
}

bool leat__steal_pending(const struct leat__worker *w, const struct leat__worker *v)
{
	const struct leat__seen *seen = &w->seen[v->index];

	return seen->in_lifo || seen->deque;
}
