/*
 * Jobs of one key one after the other.
 *
 * Such a job has its place in the channel of its priority as any other has, from its submit to its
 * begin; but what is in the channel is a byte without a meaning, and the job itself is here, in the
 * list of its key.  So a job that waits for its key is in the queue: it counts against the bound,
 * may be the oldest that is dropped, and does not begin while the pool is paused.
 *
 * A key that has jobs and is not at work is ready: it is in the list of the priority of its most
 * urgent job.  Keys of one list take turns.
 *
 * A submit first has the place (S1), then puts the job (leat__pool_key_put); in between the pool is
 * not quiet.  Places are given up under the lock, one with each job, so there is one for each job.
 * A job that waits for others does none meanwhile: what it did might need, itself or by what it
 * waits for, the key that the job has, and the job could not go on before that is done.  It lends
 * its place instead (pool_lend.c).  If it submits and the queue is full, it may be what all wait
 * for, and does not wait: it gets a place beyond the channel, which the next job that begins gives
 * up.
 */
#include "patterns/pool.h"

#include <string.h>

#include <leat/extend.h>

#include "patterns/keys.h"

struct link {
	struct link *prev, *next;
};

struct waiting {
	struct link by_age;	/* first: see leat__pool_key_oldest */
	struct waiting *next;	/* of its key and priority; or free */
	struct key *key;
	char item[] __attribute__((aligned(16)));
};

struct key {
	struct link ready;	/* first: see most_urgent */
	struct key *next;	/* in its bucket; or free */
	uint64_t key;
	int level;		/* which list of ready it is in; -1: none */
	bool at_work;
	struct {
		struct waiting *first, *last;
	} jobs[];		/* of each priority */
};

struct leat__pool_keys {
	leat_mutex lock;
	struct link ready[LEAT_POOL_PRIORITIES]; /* (L) keys */
	struct link by_age[LEAT_POOL_PRIORITIES]; /* (L) all jobs that have not begun */
	uint64_t beyond[LEAT_POOL_PRIORITIES]; /* (L) places beyond the channel, which is full */
	struct waiting *free_jobs; /* (L) records to be used again; the most that there were */
	struct key *free_keys;	/* (L) the same */
	struct leat__meter meter; /* (L) runs while jobs wait and none is ready */
	size_t nbuckets;	/* (c) a power of two */
	struct key *bucket[];	/* (L) keys that have jobs or are at work */
};

static void append(struct link *list, struct link *link)
{
	link->prev = list->prev;
	link->next = list;
	list->prev->next = link;
	list->prev = link;
}

static void take_out(struct link *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
}

static size_t bytes_of(size_t nbuckets)
{
	return sizeof(struct leat__pool_keys) + nbuckets * sizeof(struct key *);
}

static size_t key_bytes(const struct leat_pool *pool)
{
	return sizeof(struct key) + (size_t)pool->nqueues * sizeof(((struct key *)0)->jobs[0]);
}

static size_t job_bytes(const struct leat_pool *pool)
{
	return sizeof(struct waiting) + pool->item_size;
}

int leat__pool_keys_create(struct leat_pool *pool)
{
	size_t n = leat__key_buckets(pool->o.queue);
	struct leat__pool_keys *k = leat_alloc(bytes_of(n));

	if (!k)
		return -ENOMEM;
	memset(k, 0, bytes_of(n));
	k->nbuckets = n;
	for (int i = 0; i < LEAT_POOL_PRIORITIES; i++) {
		k->ready[i].prev = k->ready[i].next = &k->ready[i];
		k->by_age[i].prev = k->by_age[i].next = &k->by_age[i];
	}
	pool->keys = k;
	return 0;
}

void leat__pool_keys_free(struct leat_pool *pool)
{
	struct leat__pool_keys *k = pool->keys;
	struct waiting *w;
	struct key *e;

	if (!k)
		return;
	while ((w = k->free_jobs) != NULL) {
		k->free_jobs = w->next;
		leat_free(w, job_bytes(pool));
	}
	while ((e = k->free_keys) != NULL) {
		k->free_keys = e->next;
		leat_free(e, key_bytes(pool));
	}
	leat_free(k, bytes_of(k->nbuckets));
}

/* Under the lock, as all up to remove_first: where the key is, or would be. */
static struct key **find(struct leat__pool_keys *k, uint64_t key)
{
	struct key **link = &k->bucket[leat__key_hash(key) & (k->nbuckets - 1)];

	while (*link && (*link)->key != key)
		link = &(*link)->next;
	return link;
}

static struct key *find_or_make(struct leat_pool *pool, uint64_t key)
{
	struct leat__pool_keys *k = pool->keys;
	struct key **link = find(k, key), *e = *link;

	if (e)
		return e;
	e = k->free_keys;
	if (e)
		k->free_keys = e->next;
	else
		e = leat_alloc(key_bytes(pool));
	if (!e)
		return NULL;
	memset(e, 0, key_bytes(pool));
	e->key = key;
	e->level = -1;
	*link = e;
	return e;
}

static struct key *most_urgent(struct leat_pool *pool)
{
	for (int i = 0; i < pool->nqueues; i++)
		if (pool->keys->ready[i].next != &pool->keys->ready[i])
			return (struct key *)(void *)pool->keys->ready[i].next;
	return NULL;
}

/* What has changed about the key: is it ready, and where, or is it to be forgotten? */
static void settle(struct leat_pool *pool, struct key *e)
{
	struct leat__pool_keys *k = pool->keys;
	int level = 0;

	while (level < pool->nqueues && !e->jobs[level].first)
		level++;
	if (level == pool->nqueues && !e->at_work) {
		if (e->level >= 0)
			take_out(&e->ready);
		*find(k, e->key) = e->next;
		e->next = k->free_keys;
		k->free_keys = e;
		return;
	}
	if (level == pool->nqueues || e->at_work)
		level = -1;
	if (level == e->level)
		return;
	if (e->level >= 0)
		take_out(&e->ready);
	if (level >= 0)
		append(&k->ready[level], &e->ready);
	e->level = level;
}

static bool has_jobs(const struct leat_pool *pool)
{
	for (int i = 0; i < pool->nqueues; i++)
		if (pool->keys->by_age[i].next != &pool->keys->by_age[i])
			return true;
	return false;
}

/* After an add and a take; not after the leave between two jobs of a key. */
static void meter_wait(struct leat_pool *pool)
{
	if (has_jobs(pool) && !most_urgent(pool))
		leat__meter_is_in(&pool->keys->meter, LEAT_STAGE_BLOCKED);
	else
		leat__meter_stop(&pool->keys->meter);
}

static struct waiting *make_job(struct leat__pool_keys *k, size_t bytes)
{
	struct waiting *w = k->free_jobs;

	if (!w)
		return leat_alloc(bytes);
	k->free_jobs = w->next;
	return w;
}

static void free_job(struct leat__pool_keys *k, struct waiting *w)
{
	w->next = k->free_jobs;
	k->free_jobs = w;
}

static bool add(struct leat_pool *pool, uint64_t key, int priority, const char *item)
{
	struct leat__pool_keys *k = pool->keys;
	struct waiting *w = make_job(k, job_bytes(pool));
	struct key *e = w ? find_or_make(pool, key) : NULL;

	if (w && !e)
		free_job(k, w);
	if (!e)
		return false;
	w->next = NULL;
	w->key = e;
	memcpy(w->item, item, pool->item_size);
	append(&k->by_age[priority], &w->by_age);
	if (e->jobs[priority].first)
		e->jobs[priority].last->next = w;
	else
		e->jobs[priority].first = w;
	e->jobs[priority].last = w;
	settle(pool, e);
	meter_wait(pool);
	return true;
}

/* The first job of a key. */
static void remove_first(struct leat_pool *pool, struct key *e, int priority, char *item)
{
	struct waiting *w = e->jobs[priority].first;

	e->jobs[priority].first = w->next;
	take_out(&w->by_age);
	memcpy(item, w->item, pool->item_size);
	free_job(pool->keys, w);
	settle(pool, e);
	meter_wait(pool);
}

/* No try to receive: a worker looks for a cancel at each job, and yields now and then. */
bool leat__pool_key_take(struct leat_pool *pool, char *item)
{
	struct leat__pool_keys *k = pool->keys;
	struct key *e;
	char byte;
	int i;

	leat_mutex_lock(&k->lock);
	e = most_urgent(pool);
	i = e ? e->level : 0;
	if (e && k->beyond[i] > 0)
		k->beyond[i]--;
	else if (e && leat_channel_recv(pool->queue[i], &byte, INT64_MIN) < 0)
		e = NULL;
	if (e) {
		e->at_work = true;
		remove_first(pool, e, i, item);
	}
	leat_mutex_unlock(&k->lock);
	return e != NULL;
}

void leat__pool_key_leave(struct leat_pool *pool, uint64_t key)
{
	struct leat__pool_keys *k = pool->keys;
	struct key *e;

	leat_mutex_lock(&k->lock);
	e = *find(k, key);
	e->at_work = false;
	settle(pool, e);
	leat_mutex_unlock(&k->lock);
}

bool leat__pool_key_is_ready(struct leat_pool *pool)
{
	bool is_ready;

	leat_mutex_lock(&pool->keys->lock);
	is_ready = most_urgent(pool) != NULL;
	leat_mutex_unlock(&pool->keys->lock);
	return is_ready;
}

static int priority_of(const struct leat_pool *pool, const leat_channel *queue)
{
	int i = 0;

	while (pool->queue[i] != queue)
		i++;
	return i;
}

/* Under the lock. */
static void give_up_place(struct leat_pool *pool, int priority)
{
	char byte;

	if (pool->keys->beyond[priority] > 0)
		pool->keys->beyond[priority]--;
	else
		(void)!leat_channel_try_recv(pool->queue[priority], &byte);
}

bool leat__pool_key_oldest(struct leat_pool *pool, const leat_channel *queue, char *item)
{
	struct leat__pool_keys *k = pool->keys;
	int i = priority_of(pool, queue);
	struct waiting *w = NULL;

	leat_mutex_lock(&k->lock);
	if (k->by_age[i].next != &k->by_age[i]) {
		w = (struct waiting *)(void *)k->by_age[i].next;
		give_up_place(pool, i);
		remove_first(pool, w->key, i, item);
	}
	leat_mutex_unlock(&k->lock);
	return w != NULL;
}

/* Nobody gives up a place meanwhile, so the channel is full as long as there are any beyond it. */
int leat__pool_key_beyond(struct leat_pool *pool, leat_channel *queue, const char *item)
{
	struct leat__pool_keys *k = pool->keys;
	int r;

	leat_mutex_lock(&k->lock);
	r = leat_channel_try_send(queue, item);
	if (r == -EAGAIN) {
		atomic_fetch_add(&pool->direct, 1);
		k->beyond[priority_of(pool, queue)]++;
		r = 0;
	}
	leat_mutex_unlock(&k->lock);
	return r;
}

uint64_t leat__pool_keys_beyond(struct leat_pool *pool)
{
	uint64_t n = 0;

	leat_mutex_lock(&pool->keys->lock);
	for (int i = 0; i < pool->nqueues; i++)
		n += pool->keys->beyond[i];
	leat_mutex_unlock(&pool->keys->lock);
	return n;
}

int64_t leat__pool_keys_waited(struct leat_pool *pool, int64_t now)
{
	return leat__meter_total(&pool->keys->meter, now);
}

int leat__pool_key_put(struct leat_pool *pool, const leat_channel *queue, const char *item)
{
	int priority = priority_of(pool, queue);
	uint64_t key = pool->o.key(item);
	bool is_in;

	leat_mutex_lock(&pool->keys->lock);
	is_in = add(pool, key, priority, item);
	if (!is_in)
		give_up_place(pool, priority);
	leat_mutex_unlock(&pool->keys->lock);
	if (!is_in) {
		/* It has not been accepted, after all. */
		atomic_fetch_sub(&pool->direct, 1);
		leat__pool_look_for_end(pool);
		return -ENOMEM;
	}
	/* Between its place and this, the pool may have been stopped. */
	if (leat__pool_error(pool) != 0)
		leat__pool_drop_queued(pool);
	return 0;
}
