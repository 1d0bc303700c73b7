/*
 * Token buckets by key: see leat/keyed.h.
 *
 * Slots are made at the creation.  A key's slot is in the list of its hash, and in a heap by the
 * time at which its bucket will be full.  Taking tokens puts that off and leaves the heap as it is:
 * due is never later than that time.  Who needs a slot looks at the top: if it has been put off, it
 * sinks to where it belongs, and the next one is the top; so a take costs no more than one
 * sinking, when somebody needs a slot, and nothing before.
 *
 * L is keyed.lock.  A bucket is changed under it.
 */
#include <leat/keyed.h>

#include <errno.h>
#include <string.h>

#include <leat/extend.h>
#include <leat/sim.h>
#include <leat/sync.h>
#include <leat/task.h>

#include "patterns/bucket.h"
#include "patterns/options.h"
#include "patterns/siphash.h"

#define NONE UINT32_MAX

enum { KEYS = 10000000, STRING = 1024, STRING_DEFAULT = 64 };

struct slot {
	leat_bucket bucket;	/* (L) */
	int64_t due;		/* (L) in the heap; at most bucket._full_at */
	uint64_t since;		/* (L) the key's number among all that there have been */
	uint64_t number;	/* (L) the key, unless it is a string */
	uint32_t next;		/* (L) in its list */
	uint32_t list;		/* (L) its hash */
	uint32_t place;		/* (L) in the heap */
	bool is_string;		/* (L) */
	char string[];		/* (L) key_size + 1 */
};

struct leat_keyed {
	leat_keyed_options o;	/* (c) */
	leat_mutex lock;
	uint64_t secret[2];	/* (c) */
	leat_bucket full;	/* (c) what each begins with */
	size_t stride, bytes;	/* (c) of a slot, of all this */
	uint32_t nlists;	/* (c) a power of two */
	uint32_t used;		/* (L) slots, from the first on; all are in the heap */
	uint64_t keys_so_far;	/* (L) */
	uint32_t *list, *heap;	/* (L) */
	char *slots;
};

#define BAD(ok, ...) OPTION("leat_keyed_create", ok, __VA_ARGS__)

static int check_options(const leat_keyed_options *o)
{
	BAD(o->keys >= 1 && o->keys <= KEYS, "keys is %zu; it must be 1 to %d", o->keys, KEYS);
	BAD(o->full == LEAT_KEYED_REFUSE || o->full == LEAT_KEYED_FORGET,
	    "full is %d; give LEAT_KEYED_REFUSE or LEAT_KEYED_FORGET", (int)o->full);
	BAD(o->key_size <= STRING, "key_size is %zu; it must be %d at most", o->key_size, STRING);
	return 0;
}

static size_t aligned(size_t n)
{
	return (n + 15) & ~(size_t)15;
}

int leat_keyed_create(leat_keyed **ret_keyed, const leat_keyed_options *options)
{
	leat_keyed_options o;
	leat_bucket full = { 0 };
	struct leat_keyed *k;
	size_t stride, lists, heap, bytes;
	uint32_t nlists = 1;
	int r;

	if (!options || options->size != sizeof(*options))
		leat_misuse(__func__, options, "the size is not set; use LEAT_KEYED_OPTIONS(...)");
	o = *options;
	r = check_options(&o);
	if (r == 0)
		r = leat__bucket_set(__func__, &full, o.rate, o.burst);
	if (r < 0)
		return r;
	o.key_size = o.key_size > 0 ? o.key_size : STRING_DEFAULT;
	while (nlists < o.keys)
		nlists *= 2;
	stride = aligned(sizeof(struct slot) + o.key_size + 1);
	lists = aligned(nlists * sizeof(k->list[0]));
	heap = aligned(o.keys * sizeof(k->heap[0]));
	bytes = aligned(sizeof(*k)) + lists + heap + o.keys * stride;
	k = leat_alloc(bytes);
	if (!k)
		return -ENOMEM;
	*k = (struct leat_keyed){ .o = o, .lock = LEAT_MUTEX_INIT, .full = full, .stride = stride,
				  .bytes = bytes, .nlists = nlists };
	k->secret[0] = leat_random(UINT64_MAX);
	k->secret[1] = leat_random(UINT64_MAX);
	k->list = (void *)((char *)k + aligned(sizeof(*k)));
	k->heap = (void *)((char *)k->list + lists);
	k->slots = (char *)k->heap + heap;
	memset(k->list, 0xff, lists); /* NONE; slots are touched as they are needed */
	*ret_keyed = k;
	return 0;
}

void leat_keyed_destroy(leat_keyed *k)
{
	if (k)
		leat_free(k, k->bytes);
}

static struct slot *slot_of(struct leat_keyed *k, uint32_t i)
{
	return (struct slot *)(void *)(k->slots + i * k->stride);
}

static struct slot *heap_slot(struct leat_keyed *k, uint32_t place)
{
	return slot_of(k, k->heap[place]);
}

static uint32_t list_of(struct leat_keyed *k, leat_key key, size_t length)
{
	uint64_t hash = key._string ? leat__siphash(k->secret, key._string, length)
				    : leat__siphash(k->secret, &key._number, sizeof(key._number));

	return (uint32_t)hash & (k->nlists - 1);
}

static bool is_key(const struct slot *s, leat_key key)
{
	return key._string ? s->is_string && strcmp(s->string, key._string) == 0
			   : !s->is_string && s->number == key._number;
}

/* Under the lock: the link to the key's slot, or to NONE. */
static uint32_t *find(struct leat_keyed *k, leat_key key, uint32_t list)
{
	uint32_t *link = &k->list[list];

	while (*link != NONE && !is_key(slot_of(k, *link), key))
		link = &slot_of(k, *link)->next;
	return link;
}

static void put(struct leat_keyed *k, uint32_t place, uint32_t i)
{
	k->heap[place] = i;
	slot_of(k, i)->place = place;
}

static void rise(struct leat_keyed *k, uint32_t place, uint32_t i)
{
	for (; place > 0 && slot_of(k, i)->due < heap_slot(k, (place - 1) / 2)->due;
	     place = (place - 1) / 2)
		put(k, place, k->heap[(place - 1) / 2]);
	put(k, place, i);
}

static void sink(struct leat_keyed *k, uint32_t place)
{
	uint32_t i = k->heap[place], child;

	while ((child = 2 * place + 1) < k->used) {
		if (child + 1 < k->used && heap_slot(k, child + 1)->due < heap_slot(k, child)->due)
			child++;
		if (heap_slot(k, child)->due >= slot_of(k, i)->due)
			break;
		put(k, place, k->heap[child]);
		place = child;
	}
	put(k, place, i);
}

/* Under the lock: makes the top the one that is full first. */
static void settle_top(struct leat_keyed *k)
{
	struct slot *top = heap_slot(k, 0);

	while (top->due < top->bucket._full_at) {
		top->due = top->bucket._full_at;
		sink(k, 0);
		top = heap_slot(k, 0);
	}
}

/* Under the lock: takes the top out of its list; NONE: the policy forbids it. */
static uint32_t forget(struct leat_keyed *k, int64_t now)
{
	struct slot *top;
	uint32_t *link;

	settle_top(k);
	top = heap_slot(k, 0);
	/* Full: it has what a new one has. */
	if (k->o.full == LEAT_KEYED_REFUSE && top->bucket._full_at > now * LEAT__BUCKET_TICKS)
		return NONE;
	link = &k->list[top->list];
	while (slot_of(k, *link) != top)
		link = &slot_of(k, *link)->next;
	*link = top->next;
	return k->heap[0];
}

/* Under the lock: a slot for a key that has none, or NONE. */
static uint32_t enter(struct leat_keyed *k, leat_key key, size_t length, uint32_t list, int64_t now)
{
	uint32_t i = k->used < k->o.keys ? k->used : forget(k, now);
	struct slot *s;

	if (i == NONE)
		return i;
	s = slot_of(k, i);
	s->bucket = k->full;
	s->since = ++k->keys_so_far;
	s->number = key._number;
	s->is_string = key._string != NULL;
	if (s->is_string)
		memcpy(s->string, key._string, length + 1);
	s->list = list;
	s->next = k->list[list];
	k->list[list] = i;
	s->due = 0;
	/* One that has been forgotten was the top, and is.  Before, all are due at 0. */
	if (i == k->used)
		put(k, k->used++, i);
	return i;
}

static size_t length_of(const char *function, struct leat_keyed *k, leat_key key)
{
	if (!k)
		leat_misuse(function, k, "the limiter is NULL; use leat_keyed_create");
	return key._string ? strnlen(key._string, k->o.key_size + 1) : 0;
}

/* As leat_keyed_reserve, but 1: there is a wait until then.  The clock is read before the lock. */
static int reserve(const char *function, struct leat_keyed *k, leat_key key, int64_t n,
		   int64_t latest, leat_keyed_reservation *ret)
{
	size_t length = length_of(function, k, key);
	uint32_t list, i;
	struct slot *s;
	int64_t now;
	int r = -ENOBUFS;

	if (n <= 0)
		leat_misuse(function, k, "n is %lld; it must be > 0", (long long)n);
	if (length > k->o.key_size)
		return -ENAMETOOLONG;
	if ((double)n > k->o.burst)
		return -ERANGE; /* before a key makes room for this one */
	list = list_of(k, key, length);
	now = leat_now();
	leat_mutex_lock(&k->lock);
	i = *find(k, key, list);
	if (i == NONE)
		i = enter(k, key, length, list, now);
	if (i != NONE) {
		s = slot_of(k, i);
		r = leat__bucket_plan(&s->bucket, s->bucket._full_at, now, n, latest,
				      &ret->reservation);
		if (r >= 0)
			s->bucket._full_at = ret->reservation._full_at;
		ret->_slot = i;
		ret->_since = s->since;
	}
	leat_mutex_unlock(&k->lock);
	return r;
}

int leat_keyed_reserve(leat_keyed *k, leat_key key, int64_t n, int64_t deadline,
		       leat_keyed_reservation *ret)
{
	leat_keyed_reservation reservation;
	int r = reserve(__func__, k, key, n, deadline, &reservation);

	if (r < 0)
		return r;
	*ret = reservation;
	return 0;
}

static void give_back(struct leat_keyed *k, leat_keyed_reservation *reservation,
		      void (*how)(leat_bucket *bucket, leat_reservation *reservation))
{
	struct slot *s;

	leat_mutex_lock(&k->lock);
	s = slot_of(k, reservation->_slot);
	if (s->since == reservation->_since) {
		how(&s->bucket, &reservation->reservation);
		if (s->due > s->bucket._full_at) {
			s->due = s->bucket._full_at;
			rise(k, s->place, reservation->_slot);
		}
	}
	leat_mutex_unlock(&k->lock);
}

void leat_keyed_give_back(leat_keyed *k, leat_keyed_reservation *reservation)
{
	(void)length_of(__func__, k, leat_key_number(0));
	give_back(k, reservation, leat_bucket_give_back);
}

int leat_keyed_try_take(leat_keyed *k, leat_key key, int64_t n)
{
	leat_keyed_reservation reservation;
	int r = reserve(__func__, k, key, n, LEAT__BUCKET_NOW, &reservation);

	return r == -ETIMEDOUT ? -EAGAIN : r;
}

int leat_keyed_take_until(leat_keyed *k, leat_key key, int64_t n, int64_t deadline)
{
	leat_keyed_reservation reservation;
	int r;

	if (leat_cancelled())
		return -ECANCELED;
	r = reserve(__func__, k, key, n, deadline, &reservation);
	if (r <= 0)
		return r;
	r = leat_sleep_until(reservation.reservation.when);
	if (r < 0)
		give_back(k, &reservation, leat__bucket_undo);
	return r;
}

int leat_keyed_take(leat_keyed *k, leat_key key, int64_t n)
{
	return leat_keyed_take_until(k, key, n, LEAT_FOREVER);
}

double leat_keyed_tokens(leat_keyed *k, leat_key key)
{
	size_t length = length_of(__func__, k, key);
	double tokens = leat_bucket_tokens(&k->full);
	uint32_t i;

	if (length > k->o.key_size)
		return tokens;
	leat_mutex_lock(&k->lock);
	i = *find(k, key, list_of(k, key, length));
	if (i != NONE)
		tokens = leat_bucket_tokens(&slot_of(k, i)->bucket);
	leat_mutex_unlock(&k->lock);
	return tokens;
}

size_t leat_keyed_count(leat_keyed *k)
{
	size_t n;

	(void)length_of(__func__, k, leat_key_number(0));
	leat_mutex_lock(&k->lock);
	n = k->used;
	leat_mutex_unlock(&k->lock);
	return n;
}
