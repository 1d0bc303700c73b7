/*
 * Rewritten from Go's test/chan/powser1.go, after Doug McIlroy's "Squinting at
 * Power Series": a power series is a task that computes one rational
 * coefficient at each request.
 *
 * A series is two unbuffered channels: a request comes in on req, then the
 * coefficient goes out on dat.  A coefficient with denominator 0 is the end of
 * the series.  A series has one reader; split() makes two of it.
 *
 * All series are made in one group.  Most are endless: they end when the group
 * is cancelled, so every task returns at the first error.  Their memory is in
 * one list and is freed after that.
 */
#include "go_chan.h"

struct rat {
	int64_t num, den;
};

struct series {
	leat_chan(int) req;
	leat_chan(struct rat) dat;
	struct series *next;
};

struct pair {
	struct series *of[2];
	struct pair *next;
};

static const struct rat zero = { 0, 1 };
static const struct rat one = { 1, 1 };
static const struct rat finis = { 1, 0 };

/* The program's: one at a time. */
static struct {
	leat_group group;
	leat_mutex lock;
	struct series *series;	/* under lock */
	struct pair *pairs;	/* under lock */
} world;

/* Rational numbers */

static int64_t gcd(int64_t a, int64_t b)
{
	while (b != 0) {
		int64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a < 0 ? -a : a;
}

static struct rat ratio(int64_t num, int64_t den)
{
	int64_t g = gcd(num, den);

	if (den < 0)
		g = -g;
	return (struct rat){ num / g, den / g };
}

static struct rat integer(int64_t n)
{
	return (struct rat){ n, 1 };
}

static bool is_end(struct rat a)
{
	return a.den == 0;
}

static struct rat add(struct rat a, struct rat b)
{
	int64_t g = gcd(a.den, b.den);

	return ratio(a.num * (b.den / g) + b.num * (a.den / g), a.den * (b.den / g));
}

static struct rat mul(struct rat a, struct rat b)
{
	struct rat x = ratio(a.num, b.den);
	struct rat y = ratio(b.num, a.den);

	return (struct rat){ x.num * y.num, x.den * y.den };
}

static struct rat neg(struct rat a)
{
	return (struct rat){ -a.num, a.den };
}

static struct rat inv(struct rat a)
{
	REQUIRE(a.num != 0);
	return ratio(a.den, a.num);
}

/* Series, as memory */

static struct series *make_series(void)
{
	struct series *s = calloc(1, sizeof(*s));

	REQUIRE(s != NULL);
	s->req = leat_chan_make(int, 0);
	s->dat = leat_chan_make(struct rat, 0);
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
	start(&world.group);
}

static void end(void)
{
	stop(&world.group);
	while (world.series) {
		struct series *s = world.series;

		world.series = s->next;
		leat_chan_unref(s->req);
		leat_chan_unref(s->dat);
		free(s);
	}
	while (world.pairs) {
		struct pair *pair = world.pairs;

		world.pairs = pair->next;
		free(pair);
	}
}

/* Starts a task of the program; it does not run any more when that ends. */
#define go(...) ((void)leat_go_in(&world.group, __VA_ARGS__))

/* Reading and writing.  All return 0, or the error that ends the task. */

static int get(struct series *in, struct rat *ret)
{
	int r = leat_send(in->req, 0);

	return r != 0 ? r : leat_recv(in->dat, ret);
}

static int wait_for_request(struct series *out)
{
	int ignored;

	return leat_recv(out->req, &ignored);
}

static int put(struct series *out, struct rat value)
{
	int r = wait_for_request(out);

	return r != 0 ? r : leat_send(out->dat, value);
}

/* One coefficient of each, asked for at the same time. */
static int get2(struct series *u, struct series *v, struct rat ret[2])
{
	struct series *in[2] = { u, v };
	leat_chan(int) req[2] = { u->req, v->req };
	leat_chan(struct rat) dat[2] = { NULL, NULL };

	for (int left = 4; left > 0; left--) {
		int i = leat_select(leat_case_send(req[0], 0), leat_case_send(req[1], 0),
				    leat_case_recv(dat[0], &ret[0]),
				    leat_case_recv(dat[1], &ret[1]));

		if (i < 0)
			return i;
		if (i < 2) {
			req[i] = NULL;
			dat[i] = in[i]->dat;
		} else {
			dat[i - 2] = NULL;
		}
	}
	return 0;
}

static int copy(struct series *in, struct series *out)
{
	struct rat value;
	int r;

	do {
		r = wait_for_request(out);
		if (r == 0)
			r = get(in, &value);
		if (r == 0)
			r = leat_send(out->dat, value);
	} while (r == 0);
	return r;
}

/*
 * Splitting.  Each coefficient is served by a task of its own, a generation,
 * which starts the next one when it has asked for its coefficient.  The newest
 * generation serves the reader that is ahead, on out->of[0]; the oldest serves
 * the other, on out->of[1]; those between hold what the second reader has yet
 * to see.  A generation learns from released that it is the oldest; before, it
 * does not know which reader is ahead, and so swaps them if it has to.
 */

struct generation {
	struct series *in;
	struct pair *out;
	leat_chan(int) released;	/* the generation's own reference */
};

static void split_next(struct generation gen);

static int split_wait(const struct generation *gen, bool *ret_oldest)
{
	struct pair *out = gen->out;
	struct series *ahead;
	int ignored;
	int i;

	i = leat_select(leat_case_recv(out->of[0]->req, &ignored),
			leat_case_recv(gen->released, &ignored));
	*ret_oldest = i == 1;
	if (i != 1)
		return i;
	i = leat_select(leat_case_recv(out->of[0]->req, &ignored),
			leat_case_recv(out->of[1]->req, &ignored));
	if (i == 1) {
		ahead = out->of[1];
		out->of[1] = out->of[0];
		out->of[0] = ahead;
	}
	return i < 0 ? i : 0;
}

static int split_serve(const struct generation *gen, leat_chan(int) release)
{
	struct pair *out = gen->out;
	struct rat value;
	bool oldest;
	int ignored;
	int r;

	r = split_wait(gen, &oldest);
	if (r == 0)
		r = leat_send(gen->in->req, 0);
	if (r != 0)
		return r;
	split_next((struct generation){ gen->in, out, release });
	r = leat_recv(gen->in->dat, &value);
	if (r == 0)
		r = leat_send(out->of[0]->dat, value);
	if (r == 0 && !oldest)
		r = leat_recv(gen->released, &ignored);
	if (r == 0)
		r = put(out->of[1], value);
	return r != 0 ? r : leat_send(release, 0);
}

LEAT_TASK(split_generation, (struct generation, gen))
{
	leat_chan(int) release = leat_chan_make(int, 0);

	(void)split_serve(&gen, release);
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

/* Series that are made of others: a task fn_task, and fn, which starts it. */

LEAT_TASK(repeat_task, (struct rat, c), (struct series *, z))
{
	while (put(z, c) == 0)
		;
}

static struct series *repeat(struct rat c)
{
	struct series *z = make_series();

	go(repeat_task, c, z);
	return z;
}

LEAT_TASK(add_task, (struct series *, u), (struct series *, v), (struct series *, z))
{
	struct rat uv[2];

	for (;;) {
		if (wait_for_request(z) != 0 || get2(u, v, uv) != 0)
			return;
		if (is_end(uv[0])) {
			if (leat_send(z->dat, uv[1]) == 0)
				copy(v, z);
			return;
		}
		if (is_end(uv[1])) {
			if (leat_send(z->dat, uv[0]) == 0)
				copy(u, z);
			return;
		}
		if (leat_send(z->dat, add(uv[0], uv[1])) != 0)
			return;
	}
}

static struct series *add_series(struct series *u, struct series *v)
{
	struct series *z = make_series();

	go(add_task, u, v, z);
	return z;
}

/* c times u */
LEAT_TASK(scale_task, (struct rat, c), (struct series *, u), (struct series *, z))
{
	struct rat value;

	while (wait_for_request(z) == 0 && get(u, &value) == 0) {
		if (leat_send(z->dat, is_end(value) ? finis : mul(c, value)) != 0)
			return;
		if (is_end(value))
			return;
	}
}

static struct series *scale(struct rat c, struct series *u)
{
	struct series *z = make_series();

	go(scale_task, c, u, z);
	return z;
}

static struct series *sub_series(struct series *u, struct series *v)
{
	return add_series(u, scale(neg(one), v));
}

/* c + x u */
LEAT_TASK(shift_task, (struct rat, c), (struct series *, u), (struct series *, z))
{
	if (put(z, c) == 0)
		copy(u, z);
}

static struct series *shift(struct rat c, struct series *u, struct series *z)
{
	go(shift_task, c, u, z);
	return z;
}

/* With u = u0 + x U and v = v0 + x V: u v = u0 v0 + x (u0 V + v0 U) + x x U V. */
static struct series *mul_series(struct series *u, struct series *v);

LEAT_TASK(mul_task, (struct series *, u), (struct series *, v), (struct series *, z))
{
	struct rat uv[2];
	struct pair *uu;
	struct pair *vv;
	struct series *w;

	if (wait_for_request(z) != 0 || get2(u, v, uv) != 0)
		return;
	if (is_end(uv[0]) || is_end(uv[1])) {
		leat_send(z->dat, finis);
		return;
	}
	if (leat_send(z->dat, mul(uv[0], uv[1])) != 0)
		return;
	uu = split_pair(u);
	vv = split_pair(v);
	w = add_series(scale(uv[0], vv->of[0]), scale(uv[1], uu->of[0]));
	if (wait_for_request(z) != 0 || get(w, &uv[0]) != 0 || leat_send(z->dat, uv[0]) != 0)
		return;
	copy(add_series(w, mul_series(uu->of[1], vv->of[1])), z);
}

static struct series *mul_series(struct series *u, struct series *v)
{
	struct series *z = make_series();

	go(mul_task, u, v, z);
	return z;
}

LEAT_TASK(differentiate_task, (struct series *, u), (struct series *, z))
{
	struct rat value;

	if (wait_for_request(z) != 0 || get(u, &value) != 0)
		return;
	for (int64_t i = 1; !is_end(value); i++) {
		if (get(u, &value) != 0)
			return;
		if (is_end(value))
			break;
		if (leat_send(z->dat, mul(integer(i), value)) != 0 || wait_for_request(z) != 0)
			return;
	}
	leat_send(z->dat, finis);
}

static struct series *differentiate(struct series *u)
{
	struct series *z = make_series();

	go(differentiate_task, u, z);
	return z;
}

LEAT_TASK(integrate_task, (struct rat, c), (struct series *, u), (struct series *, z))
{
	struct rat value;

	if (put(z, c) != 0)
		return;
	for (int64_t i = 1;; i++) {
		if (wait_for_request(z) != 0 || get(u, &value) != 0)
			return;
		if (leat_send(z->dat, is_end(value) ? finis : mul(ratio(1, i), value)) != 0 ||
		    is_end(value))
			return;
	}
}

static struct series *integrate(struct rat c, struct series *u)
{
	struct series *z = make_series();

	go(integrate_task, c, u, z);
	return z;
}

/* (1 + x)^c, with its last term, which powser1.go's leaves out */
LEAT_TASK(binomial_task, (struct rat, c), (struct series *, z))
{
	struct rat t = one;

	for (int64_t n = 1; t.num != 0; n++) {
		if (put(z, t) != 0)
			return;
		t = mul(mul(t, c), ratio(1, n));
		c = add(c, neg(one));
	}
	put(z, finis);
}

static struct series *binomial(struct rat c)
{
	struct series *z = make_series();

	go(binomial_task, c, z);
	return z;
}

/* With u = u0 + x U and 1/u = z0 + x Z: z0 = 1 / u0, Z = -z0 U (z0 + x Z). */
LEAT_TASK(reciprocal_task, (struct series *, u), (struct series *, z))
{
	struct pair *zz = make_pair();
	struct rat z0;

	if (wait_for_request(z) != 0 || get(u, &z0) != 0)
		return;
	z0 = inv(z0);
	if (leat_send(z->dat, z0) != 0)
		return;
	split(mul_series(scale(neg(z0), u), shift(z0, zz->of[0], make_series())), zz);
	copy(zz->of[1], z);
}

static struct series *reciprocal(struct series *u)
{
	struct series *z = make_series();

	go(reciprocal_task, u, z);
	return z;
}

/* exp(u), whose derivative is u' exp(u), so its own integral; u's constant is taken as 0. */
static struct series *exponential(struct series *u)
{
	struct pair *zz = make_pair();
	struct series *z = zz->of[1];

	split(integrate(one, mul_series(zz->of[0], differentiate(u))), zz);
	return z;
}

/* u(c x^n): u's i-th coefficient times c^i, and n - 1 zeros after each. */
LEAT_TASK(substitute_task, (struct series *, u), (struct rat, c), (int, n), (struct series *, z))
{
	struct rat power = one;
	struct rat value;

	for (;;) {
		if (wait_for_request(z) != 0 || get(u, &value) != 0)
			return;
		if (leat_send(z->dat, is_end(value) ? finis : mul(value, power)) != 0 ||
		    is_end(value))
			return;
		power = mul(power, c);
		for (int i = 1; i < n; i++)
			if (put(z, zero) != 0)
				return;
	}
}

static struct series *substitute(struct series *u, struct rat c, int n)
{
	struct series *z = make_series();

	go(substitute_task, u, c, n, z);
	return z;
}

/* Checks */

enum { TERMS = 10 };

static void check_terms(const char *name, struct series *u, const struct rat *expected, int n)
{
	for (int i = 0; i < n; i++) {
		struct rat got = { 0, 0 };

		CHECK_EQ(get(u, &got), 0);
		if (got.num != expected[i].num || got.den != expected[i].den)
			test_fail(__FILE__, __LINE__, "%s: term %d is %lld/%lld, not %lld/%lld",
				  name, i, (long long)got.num, (long long)got.den,
				  (long long)expected[i].num, (long long)expected[i].den);
	}
}

static void check_constant(const char *name, struct series *u, struct rat c)
{
	struct rat expected[TERMS];

	for (int i = 0; i < TERMS; i++)
		expected[i] = c;
	check_terms(name, u, expected, TERMS);
}

static struct series *ones(void)
{
	return repeat(one);
}

static struct series *twos(void)
{
	return repeat(integer(2));
}

/* Go test/chan/powser1.go, "Ones", "Add", "Sub", "CMul": sums of geometric series. */
TEST_BOTH(go_powser1_linear, 20)
{
	struct series *u;

	begin();
	u = ones();
	check_constant("ones", ones(), one);
	check_constant("u + u, both from one series", add_series(u, u), integer(2));
	check_constant("ones + twos", add_series(ones(), twos()), integer(3));
	check_constant("ones - twos", sub_series(ones(), twos()), integer(-1));
	check_constant("-1 twos", scale(neg(one), twos()), integer(-2));
	end();
}

/* Go test/chan/powser1.go, "Diff" and "Integ". */
TEST_BOTH(go_powser1_calculus, 20)
{
	struct rat expected[TERMS];

	begin();
	for (int i = 0; i < TERMS; i++)
		expected[i] = integer(i + 1);
	check_terms("ones'", differentiate(ones()), expected, TERMS);
	expected[0] = zero;
	for (int i = 1; i < TERMS; i++)
		expected[i] = ratio(1, i);
	check_terms("integral of ones", integrate(zero, ones()), expected, TERMS);
	end();
}

/* Go test/chan/powser1.go, "Mul". */
TEST_BOTH(go_powser1_mul, 20)
{
	struct rat expected[TERMS];

	begin();
	for (int i = 0; i < TERMS; i++)
		expected[i] = integer(i + 1);
	check_terms("ones * ones", mul_series(ones(), ones()), expected, TERMS);
	end();
}

/* Go test/chan/powser1.go, "Exp": a series that feeds itself through a split. */
TEST_BOTH(go_powser1_exp, 10)
{
	static const struct rat expected[TERMS] = {
		{ 1, 1 }, { 1, 1 }, { 3, 2 }, { 13, 6 }, { 73, 24 }, { 167, 40 },
		{ 4051, 720 }, { 37633, 5040 }, { 43817, 4480 }, { 4596553, 362880 },
	};

	begin();
	check_terms("exp(x + x^2 + ...)", exponential(ones()), expected, TERMS);
	end();
}

/* Go test/chan/powser1.go, "ATan": the integral of 1 / (1 + x^2). */
TEST_BOTH(go_powser1_atan, 20)
{
	struct rat expected[TERMS];

	begin();
	for (int i = 0; i < TERMS; i++)
		expected[i] = i % 2 == 0 ? zero : ratio(i % 4 == 1 ? 1 : -1, i);
	check_terms("atan", integrate(zero, substitute(ones(), neg(one), 2)), expected, TERMS);
	end();
}

/*
 * Finite series, which powser1.go has the code for and does not run: (1 + x)^3
 * ends after four terms, a sum goes on with the longer part.
 */
TEST_BOTH(go_powser1_finite, 20)
{
	static const struct rat cube[] = { { 1, 1 }, { 3, 1 }, { 3, 1 }, { 1, 1 }, { 1, 0 } };
	static const struct rat sum[] = {
		{ 2, 1 }, { 5, 1 }, { 4, 1 }, { 1, 1 }, { 1, 0 },
	};
	static const struct rat derived[] = { { 3, 1 }, { 6, 1 }, { 3, 1 }, { 1, 0 } };
	static const struct rat plus_ones[] = {
		{ 2, 1 }, { 4, 1 }, { 4, 1 }, { 2, 1 }, { 1, 1 }, { 1, 1 },
	};

	begin();
	check_terms("cube", binomial(integer(3)), cube, 5);
	check_terms("cube + square", add_series(binomial(integer(3)), binomial(integer(2))),
		    sum, 5);
	check_terms("cube'", differentiate(binomial(integer(3))), derived, 4);
	check_terms("cube + ones", add_series(binomial(integer(3)), ones()), plus_ones, 6);
	end();
}

/* Reciprocals, which powser1.go has the code for and does not run: of 1/(1-x). */
TEST_BOTH(go_powser1_reciprocal, 10)
{
	static const struct rat expected[] = {
		{ 1, 1 }, { -1, 1 }, { 0, 1 }, { 0, 1 }, { 0, 1 }, { 0, 1 },
	};

	begin();
	check_terms("1 / ones", reciprocal(ones()), expected, 6);
	end();
}
