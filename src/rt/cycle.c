/*
 * The circle of a deadlock: tasks each of which waits for something that the
 * next one has, or is.
 *
 * A graph of the blocked tasks.  An edge leads from a task to who must act before it can
 * go on: the owner of a mutex, the runner of a once, a forked task, the live tasks
 * of a group.  Channels, semaphores and conditions have no owner and no edges.  A
 * depth-first search finds a circle, without recursion: chains may be long.
 */
#include <stdlib.h>

#include "rt/look.h"
#include "rt/park.h"

enum { MAX_HOPS = 64 };
enum { WHITE = 0, GREY, BLACK };

struct node {
	const struct leat__task *task; /* where it is; its copy is not kept */
	const struct leat__scope *scope;
	const void *object;	/* what it waits for */
	const struct leat__task *owner;
	uint8_t why;
	uint8_t colour;
	uint32_t parent;
	uint32_t next;		/* the edge to follow next */
};

/* In pages of its own: a report must not depend on the user's allocator. */
struct graph {
	struct node *node;	/* in the order of task */
	uint32_t *by_scope;	/* indices in the order of scope */
	uint32_t n, cap;
};

static bool is_stuck(const struct leat__task *t)
{
	return t->state == LEAT__PARKED || t->state == LEAT__INLINE;
}

static void add(struct leat__look *l, const struct leat__task *t, const struct leat__task *at,
		 void *ctx)
{
	const struct leat__kind *kind = leat__kind_of(t->why);
	struct graph *g = ctx;
	struct node *node;

	if (!is_stuck(t) || g->n == g->cap)
		return;
	node = &g->node[g->n++];
	*node = (struct node){ .task = at, .scope = t->scope, .why = t->why,
			       .object = leat__look_object(l, t, at) };
	if (t->state == LEAT__INLINE) {
		node->why = LEAT__WHY_JOIN;
		node->owner = leat__look_top(l, t, at);
		return;
	}
	if (t->flags & LEAT__T_FOREIGN)
		node->scope = NULL;	/* is in no group */
	if (kind && kind->owner && node->object)
		node->owner = kind->owner(l, node->object);
}

static int by_task(const void *a, const void *b)
{
	const struct node *x = a, *y = b;

	return (x->task > y->task) - (x->task < y->task);
}

static int by_scope(const void *a, const void *b, void *ctx)
{
	const struct node *node = ctx;
	const struct leat__scope *x = node[*(const uint32_t *)a].scope;
	const struct leat__scope *y = node[*(const uint32_t *)b].scope;

	return (x > y) - (x < y);
}

/* The first place in the order of scope that is not before scope. */
static uint32_t first_of(const struct graph *g, const void *scope)
{
	uint32_t low = 0, high = g->n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if ((const void *)g->node[g->by_scope[middle]].scope < scope)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void sort(struct graph *g)
{
	qsort(g->node, g->n, sizeof(*g->node), by_task);
	for (uint32_t i = 0; i < g->n; i++)
		g->by_scope[i] = i;
	qsort_r(g->by_scope, g->n, sizeof(*g->by_scope), by_scope, g->node);
	for (uint32_t i = 0; i < g->n; i++)
		if (g->node[i].why == LEAT__WHY_GROUP || g->node[i].why == LEAT__WHY_LIMIT)
			g->node[i].next = first_of(g, g->node[i].object);
}

/* The next edge of node i, or n: none is left. */
static uint32_t follow(struct graph *g, uint32_t i)
{
	struct node *node = &g->node[i], *to, key = { .task = node->owner };

	if (node->why == LEAT__WHY_GROUP || node->why == LEAT__WHY_LIMIT) {
		while (node->next < g->n) {
			uint32_t member = g->by_scope[node->next];

			if ((const void *)g->node[member].scope != node->object)
				break;
			node->next++;
			/* Main waits for its own group, the root, but not for itself. */
			if (member != i || node->why == LEAT__WHY_LIMIT)
				return member;
		}
		return g->n;
	}
	if (!node->owner || node->next++ > 0)
		return g->n;
	to = bsearch(&key, g->node, g->n, sizeof(key), by_task);
	return to ? (uint32_t)(to - g->node) : g->n;
}

/* Where a circle was closed: an edge leads from the result to *ret_first; or n. */
static uint32_t search(struct graph *g, uint32_t *ret_first)
{
	for (uint32_t root = 0; root < g->n; root++) {
		uint32_t at = root;

		if (g->node[root].colour != WHITE)
			continue;
		g->node[root].parent = g->n;
		g->node[root].colour = GREY;
		while (at < g->n) {
			uint32_t to = follow(g, at);

			if (to == g->n) {
				g->node[at].colour = BLACK;
				at = g->node[at].parent;
			} else if (g->node[to].colour == GREY) {
				*ret_first = to;
				return at;
			} else if (g->node[to].colour == WHITE) {
				g->node[to].parent = at;
				g->node[to].colour = GREY;
				at = to;
			}
		}
	}
	return g->n;
}

/* waits for mutex 0x.. held by task 4 'b' */
static void say_hop(struct leat__look *l, const struct node *node, const struct node *next)
{
	const struct leat__kind *kind = leat__kind_of(node->why);

	if (node->why == LEAT__WHY_GROUP || node->why == LEAT__WHY_LIMIT) {
		leat__say(l, " waits for %s", node->why == LEAT__WHY_LIMIT ? "a place in " : "");
		leat__say_group(l, node->object);
		leat__say(l, node->why == LEAT__WHY_LIMIT ? " taken by " : " with live ");
	} else if (node->why == LEAT__WHY_JOIN) {
		leat__say(l, " waits for the end of ");
	} else {
		leat__say(l, " waits for %s %p %s ", leat__why_name[node->why], node->object,
			  kind->held);
	}
	leat__say_task_at(l, next->task);
}

static void say_circle(struct leat__look *l, struct graph *g, uint32_t first, uint32_t last)
{
	uint32_t hops = 1, next = first;

	/* Turn the parents round, so that they lead from first to last. */
	for (uint32_t at = last; at != first; hops++) {
		uint32_t parent = g->node[at].parent;

		g->node[at].next = next;
		next = at;
		at = parent;
	}
	g->node[first].next = next;
	leat__say(l, "cycle of %u: ", hops);
	leat__say_task_at(l, g->node[first].task);
	for (uint32_t i = 0, at = first; i < hops; i++) {
		if (i == MAX_HOPS) {
			leat__say(l, ", and so on");
			break;
		}
		if (i > 0)
			leat__say(l, ", which");
		say_hop(l, &g->node[at], &g->node[g->node[at].next]);
		at = g->node[at].next;
	}
	leat__say(l, "\n");
}

static void count(struct leat__look *l, const struct leat__task *t, const struct leat__task *at,
		   void *ctx)
{
	(void)l;
	(void)at;
	*(uint32_t *)ctx += is_stuck(t);
}

void leat__say_cycle(struct leat__look *l)
{
	struct graph g = { 0 };
	uint32_t first = 0, last;
	size_t bytes;

	leat__look_tasks(l, count, &g.cap);
	bytes = (g.cap + 1) * (sizeof(*g.node) + sizeof(*g.by_scope));
	g.node = leat__map_reserve(bytes, leat__page_size());
	if (!g.node) {
		leat__say(l, "no memory to look for a cycle\n");
		return;
	}
	g.by_scope = (uint32_t *)(g.node + g.cap + 1);
	leat__look_tasks(l, add, &g);
	sort(&g);
	last = search(&g, &first);
	if (last < g.n)
		say_circle(l, &g, first, last);
	else
		leat__say(l, "no cycle: what the tasks wait for has no owner among them\n");
	leat__map_release(g.node, bytes);
}
