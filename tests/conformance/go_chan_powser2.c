/*
 * Rewritten from Go's test/chan/powser2.go: power series, as in powser1, on
 * channels of interface values.
 *
 * A coefficient here is a struct item on the heap behind a table of functions,
 * of three dynamic types.  An item has one owner: a channel while it is in one,
 * whose drop function releases what nobody receives.  A request carries a
 * channel for the one answer to it, so a series is a channel of channels; the
 * request owns a reference to the answer's channel, and the drop function of
 * the channel of requests releases the requests that nobody serves.  The tests
 * end with endless series cancelled at any point, and no item may be left.
 */
#include "go_chan.h"

/* Items */

struct item;

struct item_type {
	int64_t (*num)(const struct item *item);
	int64_t (*den)(const struct item *item);	/* 0: the end of a series */
	struct item *(*clone)(const struct item *item);
};

struct item {
	const struct item_type *type;
};

struct whole_item {
	struct item item;
	int64_t value;
};

struct ratio_item {
	struct item item;
	int64_t num, den;
};

static int64_t live_items;	/* atomic */

static void *item_alloc(const struct item_type *type, size_t size)
{
	struct item *item = calloc(1, size);

	REQUIRE(item != NULL);
	item->type = type;
	__atomic_fetch_add(&live_items, 1, __ATOMIC_RELAXED);
	return item;
}

static void item_release(struct item *item)
{
	if (!item)
		return;
	__atomic_fetch_sub(&live_items, 1, __ATOMIC_RELAXED);
	free(item);
}

static struct item *rational(int64_t num, int64_t den);

static int64_t num(const struct item *item)
{
	return item->type->num(item);
}

static int64_t den(const struct item *item)
{
	return item->type->den(item);
}

static struct item *duplicate(const struct item *item)
{
	return item->type->clone(item);
}

static bool is_end(const struct item *item)
{
	return den(item) == 0;
}

static struct item *clone_rational(const struct item *item)
{
	return rational(num(item), den(item));
}

static int64_t whole_num(const struct item *item)
{
	return ((const struct whole_item *)item)->value;
}

static int64_t whole_den(const struct item *item)
{
	return 1;
}

static const struct item_type whole_type = { whole_num, whole_den, clone_rational };

static int64_t ratio_num(const struct item *item)
{
	return ((const struct ratio_item *)item)->num;
}

static int64_t ratio_den(const struct item *item)
{
	return ((const struct ratio_item *)item)->den;
}

static const struct item_type ratio_type = { ratio_num, ratio_den, clone_rational };

static struct item *make_end(void);

static int64_t end_num(const struct item *item)
{
	return 1;
}

static int64_t end_den(const struct item *item)
{
	return 0;
}

static struct item *clone_end(const struct item *item)
{
	return make_end();
}

static const struct item_type end_type = { end_num, end_den, clone_end };

static struct item *make_end(void)
{
	return item_alloc(&end_type, sizeof(struct item));
}

static int64_t gcd(int64_t a, int64_t b)
{
	while (b != 0) {
		int64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a < 0 ? -a : a;
}

/* num / den in lowest terms, as the type that has room for it. */
static struct item *rational(int64_t n, int64_t d)
{
	int64_t g = d < 0 ? -gcd(n, d) : gcd(n, d);
	struct whole_item *whole;
	struct ratio_item *ratio;

	if (d == g) {
		whole = item_alloc(&whole_type, sizeof(*whole));
		whole->value = n / g;
		return &whole->item;
	}
	ratio = item_alloc(&ratio_type, sizeof(*ratio));
	ratio->num = n / g;
	ratio->den = d / g;
	return &ratio->item;
}

static struct item *add(const struct item *a, const struct item *b)
{
	int64_t g = gcd(den(a), den(b));

	return rational(num(a) * (den(b) / g) + num(b) * (den(a) / g), den(a) * (den(b) / g));
}

static struct item *mul(const struct item *a, const struct item *b)
{
	int64_t g1 = gcd(num(a), den(b));
	int64_t g2 = gcd(num(b), den(a));

	return rational((num(a) / g1) * (num(b) / g2), (den(a) / g2) * (den(b) / g1));
}

/* Series */

typedef leat_sender(struct item *) answer;

struct series {
	leat_chan(answer) ask;
	struct series *next;
};

struct pair {
	struct series *of[2];
	struct pair *next;
};

static struct {
	leat_group group;
	leat_mutex lock;
	struct series *series;	/* under lock */
	struct pair *pairs;	/* under lock */
} world;

static void drop_item(struct item **item)
{
	item_release(*item);
}

static void drop_answer(answer *unserved)
{
	leat_chan_unref(*unserved);
}

static struct series *make_series(void)
{
	struct series *s = calloc(1, sizeof(*s));

	REQUIRE(s != NULL);
	s->ask = leat_chan_make_drop(answer, 1, drop_answer);
	leat_mutex_lock(&world.lock);
	s->next = world.series;
	world.series = s;
	leat_mutex_unlock(&world.lock);
	return s;
}

static struct pair *make_pair(void)
{
	struct pair *pair = calloc(1, sizeof(*pair));

	REQUIRE(pair != NULL);
	pair->of[0] = make_series();
	pair->of[1] = make_series();
	leat_mutex_lock(&world.lock);
	pair->next = world.pairs;
	world.pairs = pair;
	leat_mutex_unlock(&world.lock);
	return pair;
}

static void begin(void)
{
	memset(&world, 0, sizeof(world));
	world.lock = (leat_mutex)LEAT_MUTEX_INIT;
	live_items = 0;
	start(&world.group);
}

static void end(void)
{
	stop(&world.group);
	while (world.series) {
		struct series *s = world.series;

		world.series = s->next;
		leat_chan_unref(s->ask);
		free(s);
	}
	while (world.pairs) {
		struct pair *pair = world.pairs;

		world.pairs = pair->next;
		free(pair);
	}
	CHECK_EQ(__atomic_load_n(&live_items, __ATOMIC_RELAXED), 0);
}

/* Requests and answers.  Where a function returns an error, it has released what it got. */

static leat_chan(struct item *) make_answer(void)
{
	leat_chan(struct item *) chan = leat_chan_make_drop(struct item *, 1, drop_item);

	REQUIRE(chan != NULL);
	return chan;
}

/* Sends a request; on 0 *ret is the caller's end of it. */
static int request(struct series *in, leat_chan(struct item *) *ret)
{
	leat_chan(struct item *) chan = make_answer();
	int r = leat_send(in->ask, leat_to_sender(leat_chan_ref(chan)));

	if (r == 0) {
		*ret = chan;
		return 0;
	}
	leat_chan_unref(chan);
	leat_chan_unref(chan);
	return r;
}

static int await(leat_chan(struct item *) chan, struct item **ret)
{
	int r = leat_recv(chan, ret);

	leat_chan_unref(chan);
	return r;
}

static int get(struct series *in, struct item **ret)
{
	leat_chan(struct item *) chan;
	int r = request(in, &chan);

	return r != 0 ? r : await(chan, ret);
}

static int wait_for_request(struct series *out, answer *ret)
{
	return leat_recv(out->ask, ret);
}

/* Answers with value, which it owns from now on. */
static int give(answer to, struct item *value)
{
	int r = leat_send(to, value);

	if (r != 0)
		item_release(value);
	leat_chan_unref(to);
	return r;
}

static int put(struct series *out, struct item *value)
{
	answer to;
	int r = wait_for_request(out, &to);

	if (r != 0) {
		item_release(value);
		return r;
	}
	return give(to, value);
}

/* One coefficient of each, asked for at the same time; on error, neither. */
static int get2(struct series *u, struct series *v, struct item *ret[2])
{
	leat_chan(struct item *) chan[2] = { make_answer(), make_answer() };
	leat_chan(answer) ask[2] = { u->ask, v->ask };
	leat_chan(struct item *) dat[2] = { NULL, NULL };
	int i = 0;

	for (int k = 0; k < 2; k++) {
		leat_chan_ref(chan[k]);	/* the request's */
		ret[k] = NULL;
	}
	for (int left = 4; left > 0 && i >= 0; left--) {
		i = leat_select(leat_case_send(ask[0], leat_to_sender(chan[0])),
				leat_case_send(ask[1], leat_to_sender(chan[1])),
				leat_case_recv(dat[0], &ret[0]),
				leat_case_recv(dat[1], &ret[1]));
		if (i == 0 || i == 1) {
			ask[i] = NULL;
			dat[i] = chan[i];
		} else if (i > 1) {
			dat[i - 2] = NULL;
		}
	}
	for (int k = 0; k < 2; k++) {
		if (ask[k])	/* was not sent, so its reference is still here */
			leat_chan_unref(chan[k]);
		leat_chan_unref(chan[k]);
		if (i < 0)
			item_release(ret[k]);
	}
	return i < 0 ? i : 0;
}

static int copy_one(struct series *in, struct series *out)
{
	struct item *value;
	answer to;
	int r;

	r = wait_for_request(out, &to);
	if (r != 0)
		return r;
	r = get(in, &value);
	if (r == 0)
		return give(to, value);
	leat_chan_unref(to);
	return r;
}

static void copy(struct series *in, struct series *out)
{
	while (copy_one(in, out) == 0)
		;
}

/*
 * Splitting, as in powser1: a task for each coefficient; the newest serves the
 * reader that is ahead, out->of[0], the oldest the other.
 */

struct generation {
	struct series *in;
	struct pair *out;
	leat_chan(int) released;	/* the generation's own reference */
};

static void split_next(struct generation gen);

static int split_wait(const struct generation *gen, answer *ret, bool *ret_oldest)
{
	struct pair *out = gen->out;
	struct series *ahead;
	int ignored;
	int i;

	i = leat_select(leat_case_recv(out->of[0]->ask, ret),
			leat_case_recv(gen->released, &ignored));
	*ret_oldest = i == 1;
	if (i != 1)
		return i;
	i = leat_select(leat_case_recv(out->of[0]->ask, ret),
			leat_case_recv(out->of[1]->ask, ret));
	if (i == 1) {
		ahead = out->of[1];
		out->of[1] = out->of[0];
		out->of[0] = ahead;
	}
	return i < 0 ? i : 0;
}

/* Serves both readers; to is the answer to the one ahead. */
static int split_serve(const struct generation *gen, answer to, bool oldest,
		       leat_chan(int) release)
{
	leat_chan(struct item *) chan;
	struct item *value;
	int ignored;
	int r;

	r = request(gen->in, &chan);
	if (r != 0) {
		leat_chan_unref(to);
		return r;
	}
	split_next((struct generation){ gen->in, gen->out, release });
	r = await(chan, &value);
	if (r != 0) {
		leat_chan_unref(to);
		return r;
	}
	r = give(to, duplicate(value));
	if (r == 0 && !oldest)
		r = leat_recv(gen->released, &ignored);
	if (r != 0) {
		item_release(value);
		return r;
	}
	r = put(gen->out->of[1], value);
	return r != 0 ? r : leat_send(release, 0);
}

LEAT_TASK(split_generation, (struct generation, gen))
{
	leat_chan(int) release = leat_chan_make(int, 0);
	bool oldest;
	answer to;

	if (split_wait(&gen, &to, &oldest) == 0)
		(void)split_serve(&gen, to, oldest, release);
	leat_chan_unref(release);
	leat_chan_unref(gen.released);
}

static void split_next(struct generation gen)
{
	leat_chan_ref(gen.released);
	if (leat_go_in(&world.group, split_generation, gen) != 0)
		leat_chan_unref(gen.released);
}

static void split(struct series *in, struct pair *out)
{
	leat_chan(int) release = leat_chan_make(int, 0);

	split_next((struct generation){ in, out, release });
	leat_send(release, 0);
	leat_chan_unref(release);
}

static struct pair *split_pair(struct series *in)
{
	struct pair *pair = make_pair();

	split(in, pair);
	return pair;
}

/* Starts a task that makes a series of others; it does not run any more when the group ends. */
#define go(...) ((void)leat_go_in(&world.group, __VA_ARGS__))

/* One rational of each term of a series: the state that a task goes on with. */
struct fraction {
	int64_t num, den;
};

LEAT_TASK(repeat_task, (struct fraction, c), (struct series *, z))
{
	while (put(z, rational(c.num, c.den)) == 0)
		;
}

static struct series *repeat(int64_t n, int64_t d)
{
	struct series *z = make_series();

	go(repeat_task, (struct fraction){ n, d }, z);
	return z;
}

/* The sum of two terms; owns them both.  *ret_rest: what is left when one has ended. */
static struct item *add_terms(struct item *uv[2], struct series *u, struct series *v,
			      struct series **ret_rest)
{
	struct item *sum;
	int ended = is_end(uv[0]) ? 0 : 1;

	*ret_rest = NULL;
	if (is_end(uv[ended])) {
		*ret_rest = ended == 0 ? v : u;
		item_release(uv[ended]);
		return uv[1 - ended];
	}
	sum = add(uv[0], uv[1]);
	item_release(uv[0]);
	item_release(uv[1]);
	return sum;
}

LEAT_TASK(add_task, (struct series *, u), (struct series *, v), (struct series *, z))
{
	struct series *rest = NULL;
	struct item *uv[2];
	answer to;

	while (!rest) {
		if (wait_for_request(z, &to) != 0)
			return;
		if (get2(u, v, uv) != 0) {
			leat_chan_unref(to);
			return;
		}
		if (give(to, add_terms(uv, u, v, &rest)) != 0)
			return;
	}
	copy(rest, z);
}

static struct series *add_series(struct series *u, struct series *v)
{
	struct series *z = make_series();

	go(add_task, u, v, z);
	return z;
}

/* What is done to each term: fn owns the term, and gets the term's index and c. */
struct mapping {
	struct item *(*fn)(struct item *term, int64_t i, struct fraction c);
	struct fraction c;
};

/* Each term of u, mapped, until the end of u, which is passed on. */
LEAT_TASK(map_task, (struct mapping, m), (struct series *, u), (struct series *, z))
{
	struct item *value;
	bool ended = false;
	answer to;

	for (int64_t i = 0; !ended; i++) {
		if (wait_for_request(z, &to) != 0)
			return;
		if (get(u, &value) != 0) {
			leat_chan_unref(to);
			return;
		}
		ended = is_end(value);
		if (give(to, ended ? value : m.fn(value, i, m.c)) != 0)
			return;
	}
}

static struct item *scale_by(struct item *term, int64_t n, int64_t d)
{
	struct item *factor = rational(n, d);
	struct item *product = mul(factor, term);

	item_release(factor);
	item_release(term);
	return product;
}

static struct item *scale_term(struct item *term, int64_t i, struct fraction c)
{
	return scale_by(term, c.num, c.den);
}

static struct item *derive_term(struct item *term, int64_t i, struct fraction c)
{
	return scale_by(term, i + 1, 1);
}

static struct item *integrate_term(struct item *term, int64_t i, struct fraction c)
{
	return scale_by(term, 1, i + 1);
}

static struct series *map(struct mapping m, struct series *u)
{
	struct series *z = make_series();

	go(map_task, m, u, z);
	return z;
}

static struct series *scale(int64_t n, int64_t d, struct series *u)
{
	return map((struct mapping){ scale_term, { n, d } }, u);
}

static struct series *sub_series(struct series *u, struct series *v)
{
	return add_series(u, scale(-1, 1, v));
}

/* c, then u */
LEAT_TASK(shift_task, (struct fraction, c), (struct series *, u), (struct series *, z))
{
	if (put(z, rational(c.num, c.den)) == 0)
		copy(u, z);
}

static struct series *integrate(int64_t n, struct series *u)
{
	struct series *z = make_series();

	go(shift_task, (struct fraction){ n, 1 }, map((struct mapping){ integrate_term }, u), z);
	return z;
}

/* u without its first term */
LEAT_TASK(tail_task, (struct series *, u), (struct series *, z))
{
	struct item *value;

	if (get(u, &value) != 0)
		return;
	item_release(value);
	copy(u, z);
}

static struct series *differentiate(struct series *u)
{
	struct series *z = make_series();

	go(tail_task, u, z);
	return map((struct mapping){ derive_term }, z);
}

static struct series *mul_series(struct series *u, struct series *v);

/* The second term of a product and on, u and v being after their first terms; owns uv. */
static void mul_rest(struct series *u, struct series *v, struct item *uv[2], struct series *z)
{
	struct pair *uu = split_pair(u);
	struct pair *vv = split_pair(v);
	struct series *w = add_series(scale(num(uv[0]), den(uv[0]), vv->of[0]),
				      scale(num(uv[1]), den(uv[1]), uu->of[0]));

	item_release(uv[0]);
	item_release(uv[1]);
	if (copy_one(w, z) == 0)
		copy(add_series(w, mul_series(uu->of[1], vv->of[1])), z);
}

LEAT_TASK(mul_task, (struct series *, u), (struct series *, v), (struct series *, z))
{
	struct item *uv[2];
	bool ended;
	answer to;

	if (wait_for_request(z, &to) != 0)
		return;
	if (get2(u, v, uv) != 0) {
		leat_chan_unref(to);
		return;
	}
	ended = is_end(uv[0]) || is_end(uv[1]);
	if (give(to, ended ? make_end() : mul(uv[0], uv[1])) == 0 && !ended) {
		mul_rest(u, v, uv, z);
		return;
	}
	item_release(uv[0]);
	item_release(uv[1]);
}

static struct series *mul_series(struct series *u, struct series *v)
{
	struct series *z = make_series();

	go(mul_task, u, v, z);
	return z;
}

/* exp(u), whose derivative is u' exp(u), so its own integral; u's constant is taken as 0. */
static struct series *exponential(struct series *u)
{
	struct pair *zz = make_pair();
	struct series *z = zz->of[1];

	split(integrate(1, mul_series(zz->of[0], differentiate(u))), zz);
	return z;
}

/* u(c x^2): each term times the next power of c, then a zero. */
static struct item *next_power_term(struct item *term, int64_t i, struct fraction c)
{
	return scale_by(term, i % 2 == 0 ? 1 : c.num, 1);
}

LEAT_TASK(spread_task, (struct series *, u), (struct series *, z))
{
	while (copy_one(u, z) == 0 && put(z, rational(0, 1)) == 0)
		;
}

/* c is 1 or -1 */
static struct series *substitute_square(struct series *u, int64_t c)
{
	struct series *z = make_series();

	go(spread_task, map((struct mapping){ next_power_term, { c, 1 } }, u), z);
	return z;
}

/* Checks */

enum { TERMS = 10 };

static void check_terms(const char *name, struct series *u, const struct fraction *expected,
			int n)
{
	for (int i = 0; i < n; i++) {
		struct item *got = NULL;

		CHECK_EQ(get(u, &got), 0);
		REQUIRE(got != NULL);
		if (num(got) != expected[i].num || den(got) != expected[i].den)
			test_fail(__FILE__, __LINE__, "%s: term %d is %lld/%lld, not %lld/%lld",
				  name, i, (long long)num(got), (long long)den(got),
				  (long long)expected[i].num, (long long)expected[i].den);
		item_release(got);
	}
}

static void check_constant(const char *name, struct series *u, int64_t n)
{
	struct fraction expected[TERMS];

	for (int i = 0; i < TERMS; i++)
		expected[i] = (struct fraction){ n, 1 };
	check_terms(name, u, expected, TERMS);
}

static struct series *ones(void)
{
	return repeat(1, 1);
}

static struct series *twos(void)
{
	return repeat(2, 1);
}

/* Go test/chan/powser2.go, "Ones", "Add", "Sub", "CMul". */
TEST_BOTH(go_powser2_linear, 20)
{
	struct series *u;

	begin();
	u = ones();
	check_constant("ones", ones(), 1);
	check_constant("u + u, both from one series", add_series(u, u), 2);
	check_constant("ones + twos", add_series(ones(), twos()), 3);
	check_constant("ones - twos", sub_series(ones(), twos()), -1);
	check_constant("-1 twos", scale(-1, 1, twos()), -2);
	end();
}

/* Go test/chan/powser2.go, "Diff" and "Integ". */
TEST_BOTH(go_powser2_calculus, 20)
{
	struct fraction expected[TERMS];

	begin();
	for (int i = 0; i < TERMS; i++)
		expected[i] = (struct fraction){ i + 1, 1 };
	check_terms("ones'", differentiate(ones()), expected, TERMS);
	expected[0] = (struct fraction){ 0, 1 };
	for (int i = 1; i < TERMS; i++)
		expected[i] = (struct fraction){ 1, i };
	check_terms("integral of ones", integrate(0, ones()), expected, TERMS);
	end();
}

/* Go test/chan/powser2.go, "Mul". */
TEST_BOTH(go_powser2_mul, 20)
{
	struct fraction expected[TERMS];

	begin();
	for (int i = 0; i < TERMS; i++)
		expected[i] = (struct fraction){ i + 1, 1 };
	check_terms("ones * ones", mul_series(ones(), ones()), expected, TERMS);
	end();
}

/* Go test/chan/powser2.go, "Exp". */
TEST_BOTH(go_powser2_exp, 10)
{
	static const struct fraction expected[TERMS] = {
		{ 1, 1 }, { 1, 1 }, { 3, 2 }, { 13, 6 }, { 73, 24 }, { 167, 40 },
		{ 4051, 720 }, { 37633, 5040 }, { 43817, 4480 }, { 4596553, 362880 },
	};

	begin();
	check_terms("exp(x + x^2 + ...)", exponential(ones()), expected, TERMS);
	end();
}

/* Go test/chan/powser2.go, "ATan". */
TEST_BOTH(go_powser2_atan, 20)
{
	struct fraction expected[TERMS];

	begin();
	for (int i = 0; i < TERMS; i++)
		expected[i] = i % 2 == 0 ? (struct fraction){ 0, 1 } :
					   (struct fraction){ i % 4 == 1 ? 1 : -1, i };
	check_terms("atan", integrate(0, substitute_square(ones(), -1)), expected, TERMS);
	end();
}
