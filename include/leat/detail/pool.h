/*
 * Typed handles of pools.  Not for direct use.  As leat_chan(T): see detail/typed.h.
 */
#ifndef LEAT_DETAIL_POOL_H
#define LEAT_DETAIL_POOL_H

struct leat__pool_tag;

#define LEAT__POOL_RAW(pool) ((leat_pool_raw *)(pool))
#ifndef __cplusplus

#define LEAT__POOL(J) __typeof__(__typeof__(J) *(**)(struct leat__pool_tag *))

/* The untyped handle's address, if p points at a pool's handle. */
#define LEAT__POOL_RET(p) \
	((leat_pool_raw **)_Generic((p), LEAT__POOL(LEAT__ELEM(*(p))) *: (p)))

/* What s points at; the comma takes a const away. */
#define LEAT__STATE(s) __typeof__(((void)0, *(s)))

/* A function of other types does not compile. */
#define LEAT__POOL_FN(type, fn) ((leat_pool_fn *)_Generic((fn), type: (fn)))
#define LEAT__POOL_WORK(p, fn) LEAT__POOL_FN(int (*)(LEAT__ELEM(*(p)) *), fn)
#define LEAT__POOL_WORK_TO(p, c, fn) \
	LEAT__POOL_FN(int (*)(LEAT__ELEM(*(p)) *, LEAT__ELEM(c) *), fn)
#define LEAT__POOL_WITH(p, s, fn) \
	LEAT__POOL_FN(int (*)(LEAT__STATE(s) *, LEAT__ELEM(*(p)) *), fn)
#define LEAT__POOL_WITH_TO(p, s, c, fn) \
	LEAT__POOL_FN(int (*)(LEAT__STATE(s) *, LEAT__ELEM(*(p)) *, LEAT__ELEM(c) *), fn)
#define LEAT__POOL_INIT(s, fn) \
	((int (*)(void *, int))LEAT__POOL_FN(int (*)(LEAT__STATE(s) *, int), fn))
#define LEAT__POOL_FINI(s, fn) \
	((void (*)(void *))LEAT__POOL_FN(void (*)(LEAT__STATE(s) *), fn))
#define LEAT__POOL_KEY(J, fn) \
	((uint64_t (*)(const void *))LEAT__POOL_FN(uint64_t (*)(const __typeof__(J) *), fn))
#define LEAT__POOL_FAILED(J, fn) ((void (*)(void *, int))LEAT__POOL_FN(void (*)(J *, int), fn))

#else

extern "C++" {
template <class J> using leat__pool = J *(**)(struct leat__pool_tag *);
template <class J> J leat__elem_of(J *(**)(struct leat__pool_tag *));
/* fn, if it has the type F. */
template <class F> leat_pool_fn *leat__pool_fn(typename leat__same<F>::type fn)
{
	return (leat_pool_fn *)fn;
}
template <class S> S leat__state_of(const S *);
template <class J> leat_pool_raw **leat__pool_ret(leat__pool<J> *p)
{
	return (leat_pool_raw **)p;
}
}

#define LEAT__POOL(J) leat__pool<J>
#define LEAT__POOL_RET(p) leat__pool_ret(p)
#define LEAT__STATE(s) decltype(leat__state_of(s))
#define LEAT__POOL_WORK(p, fn) leat__pool_fn<int (*)(LEAT__ELEM(*(p)) *)>(fn)
#define LEAT__POOL_WORK_TO(p, c, fn) \
	leat__pool_fn<int (*)(LEAT__ELEM(*(p)) *, LEAT__ELEM(c) *)>(fn)
#define LEAT__POOL_WITH(p, s, fn) \
	leat__pool_fn<int (*)(LEAT__STATE(s) *, LEAT__ELEM(*(p)) *)>(fn)
#define LEAT__POOL_WITH_TO(p, s, c, fn) \
	leat__pool_fn<int (*)(LEAT__STATE(s) *, LEAT__ELEM(*(p)) *, LEAT__ELEM(c) *)>(fn)
#define LEAT__POOL_INIT(s, fn) \
	((int (*)(void *, int))leat__pool_fn<int (*)(LEAT__STATE(s) *, int)>(fn))
#define LEAT__POOL_FINI(s, fn) \
	((void (*)(void *))leat__pool_fn<void (*)(LEAT__STATE(s) *)>(fn))
#define LEAT__POOL_KEY(J, fn) \
	((uint64_t (*)(const void *))leat__pool_fn<uint64_t (*)(const J *)>(fn))
#define LEAT__POOL_FAILED(J, fn) ((void (*)(void *, int))leat__pool_fn<void (*)(J *, int)>(fn))

#endif

#define LEAT__POOL_CREATE(p, ...) \
	leat_pool_create(LEAT__POOL_RET(p), LEAT__OPTIONS(leat_pool_options, __VA_ARGS__))

/* In the order of the fields: C++ asks for it. */
#define LEAT__POOL_JOB(p) .job_size = sizeof(LEAT__ELEM(*(p)))
#define LEAT__POOL_TO(c) .result_size = sizeof(LEAT__ELEM(c)), .results = LEAT__TX(c)
#define LEAT__POOL_STATE(s, i, f)                                             \
	.state = (s), .state_size = sizeof(*(s)), .init = LEAT__POOL_INIT(s, i), \
	.fini = LEAT__POOL_FINI(s, f)

#define LEAT__POOL_MAKE(p, fn, ...) \
	LEAT__POOL_CREATE(p, LEAT__POOL_JOB(p), .work = LEAT__POOL_WORK(p, fn), __VA_ARGS__)
#define LEAT__POOL_MAKE_TO(p, c, fn, ...)                                     \
	LEAT__POOL_CREATE(p, LEAT__POOL_JOB(p), LEAT__POOL_TO(c),             \
			  .work = LEAT__POOL_WORK_TO(p, c, fn), __VA_ARGS__)
#define LEAT__POOL_MAKE_WITH(p, s, i, f, fn, ...)                             \
	LEAT__POOL_CREATE(p, LEAT__POOL_JOB(p), .work = LEAT__POOL_WITH(p, s, fn), \
			  LEAT__POOL_STATE(s, i, f), __VA_ARGS__)
#define LEAT__POOL_MAKE_WITH_TO(p, s, i, f, c, fn, ...)                       \
	LEAT__POOL_CREATE(p, LEAT__POOL_JOB(p), LEAT__POOL_TO(c),             \
			  .work = LEAT__POOL_WITH_TO(p, s, c, fn),            \
			  LEAT__POOL_STATE(s, i, f), __VA_ARGS__)

#endif
