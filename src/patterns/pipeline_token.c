/*
 * Tokens: what is live in a pipeline.
 *
 * Each source has its own, so that a source whose items wait for those of another one does not keep
 * that from making them.  Free tokens are in two lists: the source's own, and one to which others
 * push.  Only the source takes, and takes the whole of the second, so there is no ABA.  It waits:
 *	F1 source: token_wanted; look; wait for freed
 *	F2 others: push; look at token_wanted; signal
 * both in sequential consistency: one of them sees the other.
 */
#include "patterns/pipeline.h"

#include <assert.h>
#include <string.h>

#include <leat/extend.h>

static_assert(sizeof(struct leat__token) <= LEAT__APART, "a token is in one cache line");

struct leat__token leat__left_out;

static struct leat__token *token_at(const struct leat__source *s, size_t i)
{
	return (struct leat__token *)(s->tokens + i * LEAT__APART);
}

static size_t bytes_of(const struct leat_pipeline *p)
{
	return (p->o.live + 1) * LEAT__APART;
}

static int create_tokens(struct leat__source *s)
{
	size_t bytes = bytes_of(s->p);

	s->tokens_memory = leat_alloc(bytes);
	if (!s->tokens_memory)
		return -ENOMEM;
	memset(s->tokens_memory, 0, bytes);
	s->tokens = s->tokens_memory;
	s->tokens += -(uintptr_t)s->tokens & (LEAT__APART - 1);
	for (size_t i = s->p->o.live; i-- > 0;) {
		token_at(s, i)->source = s;
		token_at(s, i)->next = s->mine;
		s->mine = token_at(s, i);
	}
	return 0;
}

int leat__source_create(struct leat_pipeline *p, struct leat__source **ret_source)
{
	struct leat__source *s = leat_alloc(sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	memset(s, 0, sizeof(*s));
	s->p = p;
	leat_sem_init(&s->bytes, p->o.live_bytes, 0);
	r = create_tokens(s);
	if (r == 0)
		r = leat_group_init(&s->group,
				    LEAT_GROUP_OPTIONS(.join = LEAT_JOIN_ALL_DONE, .shared = true,
						       .parent = &p->group, .name = p->o.name));
	if (r < 0) {
		leat_free(s->tokens_memory, bytes_of(p));
		leat_free(s, sizeof(*s));
		return r;
	}
	*ret_source = s;
	return 0;
}

void leat__source_free(struct leat__source *s)
{
	if (!s)
		return;
	leat_group_release(&s->group);
	leat_free(s->tokens_memory, bytes_of(s->p));
	leat_free(s, sizeof(*s));
}

/* F1 */
static int wait_for_free(struct leat__stage_worker *w)
{
	struct leat__source *s = w->stage->source;
	int r = 0;

	leat__meter_enter(&w->meter, leat__limited(LEAT_LIMIT_LIVE));
	leat_mutex_lock(&s->lock);
	atomic_store(&s->token_wanted, true);
	while (r == 0 && !(s->mine = atomic_exchange(&s->free, NULL)))
		r = leat_cond_wait(&s->freed, &s->lock);
	atomic_store(&s->token_wanted, false);
	leat_mutex_unlock(&s->lock);
	leat__meter_enter(&w->meter, LEAT_STAGE_BUSY);
	return s->mine ? 0 : r;
}

struct leat__token *leat__token_take(struct leat__stage_worker *w)
{
	struct leat__source *s = w->stage->source;
	struct leat__token *token;

	/* Acquire: pairs with the release of leat__token_untake. */
	if (!s->mine)
		s->mine = atomic_exchange_explicit(&s->free, NULL, memory_order_acquire);
	if (!s->mine && wait_for_free(w) < 0)
		return NULL;
	token = s->mine;
	s->mine = token->next;
	atomic_store_explicit(&token->end, LEAT__END_FILTERED, memory_order_relaxed);
	token->weight = 0;
	return token;
}

/* Release: who sees it in flight sees the count of items with it. */
void leat__token_begin(struct leat__token *token)
{
	atomic_store_explicit(&token->refs, 1, memory_order_release);
}

/* F2 */
void leat__token_untake(struct leat__token *token)
{
	struct leat__source *s = token->source;
	struct leat__token *first = atomic_load_explicit(&s->free, memory_order_relaxed);

	do
		token->next = first;
	while (!atomic_compare_exchange_weak(&s->free, &first, token));
	if (atomic_load(&s->token_wanted)) {
		leat_mutex_lock(&s->lock);
		leat_cond_signal(&s->freed);
		leat_mutex_unlock(&s->lock);
	}
}

struct leat__token *leat__token_create(size_t nparents, size_t bytes)
{
	size_t head = sizeof(struct leat__token) + nparents * sizeof(struct leat__token *);
	struct leat__token *token;

	head = (head + 15) & ~(size_t)15;
	token = leat_alloc(head + bytes);
	if (!token)
		return NULL;
	memset(token, 0, head);
	token->bytes = head + bytes;
	atomic_init(&token->refs, 1);
	return token;
}

void leat__token_ref(struct leat__token *token)
{
	if (token)
		atomic_fetch_add_explicit(&token->refs, 1, memory_order_relaxed);
}

static void end_of_item(struct leat__ends *ends, struct leat__token *token)
{
	struct leat__source *s = token->source;
	int end = atomic_load_explicit(&token->end, memory_order_relaxed);
	int64_t weight = token->weight;

	/* Not in flight before it has ended: a ledger may miss it, and does not count it twice. */
	atomic_store_explicit(&token->refs, 0, memory_order_release);
	leat__count(&ends->n[end]);
	leat__token_untake(token);
	if (weight > 0)
		leat_sem_release(&s->bytes, weight);
}

/* The end of a batch is that of each of its items. */
static void end_of_batch(struct leat__ends *ends, struct leat__token *token)
{
	enum leat__end end = (enum leat__end)atomic_load_explicit(&token->end,
								  memory_order_relaxed);

	for (size_t i = 0; i < token->nparents; i++)
		leat__token_end(ends, token->parent[i], end);
	leat_free(token, token->bytes);
}

/* last: the caller has the only one. */
static void note(struct leat__token *token, int end, bool last)
{
	int worst = atomic_load_explicit(&token->end, memory_order_relaxed);

	if (last && end > worst)
		atomic_store_explicit(&token->end, end, memory_order_relaxed);
	while (!last && end > worst &&
	       !atomic_compare_exchange_weak_explicit(&token->end, &worst, end,
						      memory_order_relaxed, memory_order_relaxed))
		;
}

void leat__token_note(struct leat__token *token, enum leat__end end)
{
	if (token)
		note(token, (int)end, false);
}

void leat__token_end(struct leat__ends *ends, struct leat__token *token, enum leat__end end)
{
	bool last;

	if (!token)
		return;
	/* Acquire: what those have done that had it before.  Release: for the last one. */
	last = atomic_load_explicit(&token->refs, memory_order_acquire) == 1;
	note(token, (int)end, last);
	if (!last && atomic_fetch_sub_explicit(&token->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (token->source)
		end_of_item(ends, token);
	else
		end_of_batch(ends, token);
}

uint64_t leat__tokens_in_flight(struct leat__source *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->p->o.live; i++)
		n += atomic_load_explicit(&token_at(s, i)->refs, memory_order_acquire) != 0;
	return n;
}
