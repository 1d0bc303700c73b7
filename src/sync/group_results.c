/*
 * Results of a group's tasks; struct leat__results in group.h.
 */
#include <string.h>

#include "sync/group.h"

static unsigned chunk_of(uint32_t i)
{
	return 31 - (unsigned)__builtin_clz(i / LEAT__RESULTS_FIRST + 1);
}

static uint32_t chunk_slots(unsigned c)
{
	return (uint32_t)LEAT__RESULTS_FIRST << c;
}

/* Of slot i in its chunk c. */
static uint32_t offset_of(uint32_t i, unsigned c)
{
	return i - LEAT__RESULTS_FIRST * ((UINT32_C(1) << c) - 1);
}

static char *slot(const struct leat__results *results, uint32_t i)
{
	unsigned c = chunk_of(i);

	return results->chunk[c] + offset_of(i, c) * results->stride;
}

static uint32_t *mark(const struct leat__results *results, uint32_t i)
{
	unsigned c = chunk_of(i);
	char *end = results->chunk[c] + chunk_slots(c) * results->stride;
	uint32_t *marks = (uint32_t *)(void *)end;

	return &marks[offset_of(i, c)];
}

/* 0: too many bytes. */
static size_t chunk_bytes(const struct leat__results *results, unsigned c)
{
	size_t bytes;

	if (__builtin_mul_overflow((size_t)chunk_slots(c), results->stride + sizeof(uint32_t),
				   &bytes))
		return 0;
	return bytes;
}

/* Makes chunk c, unless somebody else does.  Not under the lock: it allocates. */
static int make_chunk(struct leat__scope *s, struct leat__results *results, unsigned c)
{
	size_t bytes = chunk_bytes(results, c);
	char *chunk = bytes > 0 ? leat__alloc(bytes) : NULL;
	bool is_first;

	if (!chunk)
		return -ENOMEM;
	leat__lock_acquire(&s->lock, LEAT__RANK_SCOPE);
	is_first = !results->chunk[c];
	if (is_first)
		results->chunk[c] = chunk;
	leat__lock_release(&s->lock);
	if (!is_first)
		leat__free(chunk, bytes);
	return 0;
}

int leat__results_reserve(struct leat__scope *s, uint32_t *ret_index)
{
	struct leat__results *results = &s->ext->results;
	bool found = false;
	uint32_t i;

	while (!found) {
		unsigned c;

		leat__lock_acquire(&s->lock, LEAT__RANK_SCOPE);
		i = results->reserved;
		c = chunk_of(i);
		found = c < LEAT__RESULT_CHUNKS - 1 && results->chunk[c];
		if (found) {
			results->reserved++;
			*mark(results, i) = 0;
		}
		leat__lock_release(&s->lock);
		if (!found && (c >= LEAT__RESULT_CHUNKS - 1 || make_chunk(s, results, c) < 0))
			return -ENOMEM;
	}
	memset(slot(results, i), 0, results->stride);
	*ret_index = i;
	return 0;
}

void leat__results_store(struct leat__results *results, uint32_t index)
{
	if (results->as_completed)
		*mark(results, results->stored) = index;
	else
		*mark(results, index) = 1;
	results->stored++;
}

void leat__results_fini(struct leat__results *results)
{
	for (unsigned c = 0; c < LEAT__RESULT_CHUNKS && results->chunk[c]; c++)
		leat__free(results->chunk[c], chunk_bytes(results, c));
}

void *leat_group_result_slot(void)
{
	struct leat__worker *w = leat__self();
	struct leat__group_ext *ext;

	if (!w || !w->cur)
		leat__misuse(NULL, "called outside a task; call it in a task of a group with result_size");
	ext = w->cur->scope->ext;
	if (!ext || ext->results.size == 0)
		leat__misuse(w->cur->scope, "the group of task '%s' has no results; set .result_size in its options",
			     leat__task_name_of(w->cur));
	return slot(&ext->results, w->cur->result_index);
}

/* Copies the next result, if there is one. */
static bool take_next(struct leat__results *results, void *to)
{
	while (results->next < (results->as_completed ? results->stored : results->reserved)) {
		uint32_t n = results->next++, m = *mark(results, n);

		if (results->as_completed || m != 0) {
			memcpy(to, slot(results, results->as_completed ? m : n), results->size);
			return true;
		}
	}
	/* All taken: the slots may be used again. */
	results->reserved = results->stored = results->next = 0;
	return false;
}

size_t leat_group_results(leat_group *group, void *results, size_t elem_size, size_t max)
{
	struct leat__scope *s = leat__group_check(__func__, group);
	size_t size = s->ext ? s->ext->results.size : 0;
	size_t n = 0;
	bool waited;

	if (elem_size != size || size == 0)
		leat__misuse(group, "the results have %zu bytes each, the group's result_size is %zu; they must be the same and not 0",
			     elem_size, size);
	leat__lock_acquire(&s->lock, LEAT__RANK_SCOPE);
	waited = leat__scope_is_waited(s);
	leat__lock_release(&s->lock);
	if (!waited)
		leat__misuse(group, "tasks of the group may still write results; call leat_group_wait first");
	while (n < max && take_next(&s->ext->results, (char *)results + n * size))
		n++;
	return n;
}
