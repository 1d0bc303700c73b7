/*
 * Tokens: what is live in a pipeline.
 *
 * Free tokens are in two lists: the source's own, and one to which others push.  Only the source
 * takes, and takes the whole of the second, so there is no ABA.  It waits:
 *	F1 source: token_wanted; look; wait for freed
 *	F2 others: push; look at token_wanted; signal
 * both in sequential consistency: one of them sees the other.
 */
#include "patterns/pipeline.h"

#include <assert.h>
#include <string.h>

#include <leat/extend.h>

static_assert(sizeof(struct leat__token) <= LEAT__APART, "a token is in one cache line");

static struct leat__token *token_at(struct leat_pipeline *p, size_t i)
{
	return (struct leat__token *)(p->tokens + i * LEAT__APART);
}

static size_t bytes_of(const struct leat_pipeline *p)
{
	return (p->o.live + 1) * LEAT__APART;
}

int leat__tokens_create(struct leat_pipeline *p)
{
	p->tokens_memory = leat_alloc(bytes_of(p));
	if (!p->tokens_memory)
		return -ENOMEM;
	memset(p->tokens_memory, 0, bytes_of(p));
	p->tokens = p->tokens_memory;
	p->tokens += -(uintptr_t)p->tokens & (LEAT__APART - 1);
	for (size_t i = p->o.live; i-- > 0;) {
		token_at(p, i)->next = p->mine;
		p->mine = token_at(p, i);
	}
	return 0;
}

void leat__tokens_free(struct leat_pipeline *p)
{
	leat_free(p->tokens_memory, bytes_of(p));
}

/* F1 */
static int wait_for_free(struct leat__stage_worker *w)
{
	struct leat_pipeline *p = w->stage->p;
	int r = 0;

	leat__meter_enter(&w->meter, LEAT_STAGE_BLOCKED);
	leat_mutex_lock(&p->lock);
	atomic_store(&p->token_wanted, true);
	while (r == 0 && !(p->mine = atomic_exchange(&p->free, NULL)))
		r = leat_cond_wait(&p->freed, &p->lock);
	atomic_store(&p->token_wanted, false);
	leat_mutex_unlock(&p->lock);
	leat__meter_enter(&w->meter, LEAT_STAGE_BUSY);
	return p->mine ? 0 : r;
}

struct leat__token *leat__token_take(struct leat__stage_worker *w)
{
	struct leat_pipeline *p = w->stage->p;
	struct leat__token *token;

	/* Acquire: pairs with the release of leat__token_untake. */
	if (!p->mine)
		p->mine = atomic_exchange_explicit(&p->free, NULL, memory_order_acquire);
	if (!p->mine && wait_for_free(w) < 0)
		return NULL;
	token = p->mine;
	p->mine = token->next;
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
void leat__token_untake(struct leat_pipeline *p, struct leat__token *token)
{
	struct leat__token *first = atomic_load_explicit(&p->free, memory_order_relaxed);

	do
		token->next = first;
	while (!atomic_compare_exchange_weak(&p->free, &first, token));
	if (atomic_load(&p->token_wanted)) {
		leat_mutex_lock(&p->lock);
		leat_cond_signal(&p->freed);
		leat_mutex_unlock(&p->lock);
	}
}

void leat__token_ref(struct leat__token *token)
{
	if (token)
		atomic_fetch_add_explicit(&token->refs, 1, memory_order_relaxed);
}

static void end_of_item(struct leat_pipeline *p, struct leat__ends *ends, struct leat__token *token)
{
	int end = atomic_load_explicit(&token->end, memory_order_relaxed);
	int64_t weight = token->weight;

	/* Not in flight before it has ended: a ledger may miss it, and does not count it twice. */
	atomic_store_explicit(&token->refs, 0, memory_order_release);
	leat__count(&ends->n[end]);
	leat__token_untake(p, token);
	if (weight > 0)
		leat_sem_release(&p->bytes, weight);
}

/* The end of a batch is that of each of its items. */
static void end_of_batch(struct leat_pipeline *p, struct leat__ends *ends,
			 struct leat__token *token)
{
	enum leat__end end = (enum leat__end)atomic_load_explicit(&token->end,
								  memory_order_relaxed);

	for (size_t i = 0; i < token->nparents; i++)
		leat__token_end(p, ends, token->parent[i], end);
	leat_free(token, token->bytes);
}

void leat__token_end(struct leat_pipeline *p, struct leat__ends *ends, struct leat__token *token,
		     enum leat__end end)
{
	bool last;
	int worst;

	if (!token)
		return;
	/* Acquire: what those have done that had it before.  Release: for the last one. */
	last = atomic_load_explicit(&token->refs, memory_order_acquire) == 1;
	worst = atomic_load_explicit(&token->end, memory_order_relaxed);
	if (last && (int)end > worst)
		atomic_store_explicit(&token->end, (int)end, memory_order_relaxed);
	while (!last && (int)end > worst &&
	       !atomic_compare_exchange_weak_explicit(&token->end, &worst, (int)end,
						      memory_order_relaxed, memory_order_relaxed))
		;
	if (!last && atomic_fetch_sub_explicit(&token->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (token->nparents > 0)
		end_of_batch(p, ends, token);
	else
		end_of_item(p, ends, token);
}

uint64_t leat__tokens_in_flight(struct leat_pipeline *p)
{
	uint64_t n = 0;

	for (size_t i = 0; i < p->o.live; i++)
		n += atomic_load_explicit(&token_at(p, i)->refs, memory_order_acquire) != 0;
	return n;
}
