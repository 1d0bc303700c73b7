/*
 * Singleflight: callers that ask for the same at the same time share one call.
 *
 *	static int load(struct db *db, struct page *ret_page);
 *	...
 *	leat_flight(struct page) pages;
 *
 *	r = leat_flight_make(&pages, .name = "pages");
 *	r = leat_flight_do(pages, "index.html", load, &db, &page, LEAT_FOREVER);
 *
 * The first caller of a key starts the function, in a task of the flight's own; who comes while it
 * runs waits for the same result, and so does the first.  So nobody's cancel or deadline takes the
 * result from the others, and a run that has begun comes to its end (or is cancelled by the
 * destroy).  When it has ended, the key is free: the next call runs again.
 *
 * Semantics of golang.org/x/sync/singleflight, but for the task.
 */
#ifndef LEAT_FLIGHT_H
#define LEAT_FLIGHT_H

#include <leat/chan.h>
#include <leat/time.h>

/* The most bytes of an argument. */
enum { LEAT_FLIGHT_ARG_MAX = 256 };

typedef struct leat_flight leat_flight_raw;
typedef int leat_flight_fn(void *arg, void *ret_result);

typedef struct leat_flight_options {
	size_t size;		/* sizeof(leat_flight_options) */
	size_t result_size;	/* set by the macro */
	/* Makes a caller's *ret_copy of *result, 0 or an error; NULL: the bytes are copied. */
	int (*clone)(const void *result, void *ret_copy);
	void (*drop)(void *result); /* of the run's own result, at its end; must come with clone */
	const char *name;	/* in dumps; must outlive the flight; may be NULL */
} leat_flight_options;

/*
 * leat_flight(R): the handle.
 *
 * leat_flight_make(ret_flight, options...): 0; -EINVAL: an option is bad, or no runtime runs, and
 * the log says which; -ENOMEM.  Does not block.  The tasks are in a group below the caller's.
 *
 * leat_flight_do(flight, key, fn, arg, ret_result, deadline): fn is int (*)(A *arg, R *ret_result),
 * and gets a copy of *arg; key is a string, and is copied.  Blocks until the result is there.
 * 0; the error of fn; -ETIMEDOUT, -ECANCELED: of this caller, the run goes on; -ENOMEM.
 * fn itself must not ask for its key: it would wait for itself, and the program is stopped.
 * leat_flight_do_shared: the same; *ret_shared: whether others got it, too, or began it.
 */
#define leat_flight(R) LEAT__FLIGHT(R)
#define leat_flight_make(ret_flight, ...) LEAT__FLIGHT_MAKE(ret_flight, __VA_ARGS__)
#define leat_flight_do(flight, key, fn, arg, ret_result, deadline) \
	leat_flight_do_shared(flight, key, fn, arg, ret_result, deadline, NULL)
#define leat_flight_do_shared(flight, key, fn, arg, ret_result, deadline, ret_shared) \
	leat_flight_call((leat_flight_raw *)(flight), (key), LEAT__FLIGHT_FN(flight, fn, arg), \
			 (arg), sizeof(*(arg)), LEAT__PTR(flight, ret_result), (deadline),    \
			 (ret_shared))
/* For leat_flight_options. */
#define LEAT_FLIGHT_CLONE(R, fn) LEAT__FLIGHT_CLONE(R, fn)
#define LEAT_FLIGHT_DROP(R, fn) LEAT__DROP(R, fn)

/*
 * From now on a call of key runs again, also if one is running; those who wait for that get its
 * result.  Never blocks.
 */
#define leat_flight_forget(flight, key) leat_flight_forget_key((leat_flight_raw *)(flight), (key))

/*
 * Cancels what runs, waits for it, and frees the flight.  No other call may be running.  NULL is
 * ignored.
 */
#define leat_flight_destroy(flight) leat_flight_free((leat_flight_raw *)(flight))

LEAT_BEGIN_DECLS

LEAT_API LEAT_MUST_CHECK int leat_flight_create(leat_flight_raw **ret_flight,
						const leat_flight_options *options);
LEAT_API LEAT_MUST_CHECK int leat_flight_call(leat_flight_raw *flight, const char *key,
					      leat_flight_fn *fn, const void *arg, size_t arg_size,
					      void *ret_result, int64_t deadline,
					      bool *ret_shared);
LEAT_API void leat_flight_forget_key(leat_flight_raw *flight, const char *key);
LEAT_API void leat_flight_free(leat_flight_raw *flight);

LEAT_END_DECLS

struct leat__flight_tag;

#ifndef __cplusplus
#define LEAT__FLIGHT(R) __typeof__(__typeof__(R) *(**)(struct leat__flight_tag *))
#define LEAT__FLIGHT_T(p) __typeof__(((void)0, *(p)))
#define LEAT__FLIGHT_RET(p) \
	((leat_flight_raw **)_Generic((p), LEAT__FLIGHT(LEAT__ELEM(*(p))) *: (p)))
#define LEAT__FLIGHT_FN(p, fn, arg)                                           \
	((leat_flight_fn *)(void (*)(void))_Generic((fn),                     \
		int (*)(LEAT__FLIGHT_T(arg) *, LEAT__ELEM(p) *): (fn)))
#define LEAT__FLIGHT_CLONE(R, fn)                                             \
	((int (*)(const void *, void *))(void (*)(void))_Generic((fn),        \
		int (*)(const __typeof__(R) *, __typeof__(R) *): (fn)))
#else
extern "C++" {
template <class R> using leat__flight = R *(**)(struct leat__flight_tag *);
template <class R> R leat__elem_of(R *(**)(struct leat__flight_tag *));
template <class A> A leat__flight_arg(const A *);
template <class F> leat_flight_fn *leat__flight_fn(typename leat__same<F>::type fn)
{
	return (leat_flight_fn *)(void (*)(void))fn;
}
template <class R> leat_flight_raw **leat__flight_ret(leat__flight<R> *p)
{
	return (leat_flight_raw **)p;
}
template <class R> int (*leat__flight_clone(int (*fn)(const R *, R *)))(const void *, void *)
{
	return (int (*)(const void *, void *))(void (*)(void))fn;
}
}
#define LEAT__FLIGHT(R) leat__flight<R>
#define LEAT__FLIGHT_RET(p) leat__flight_ret(p)
#define LEAT__FLIGHT_FN(p, fn, arg)                                           \
	leat__flight_fn<int (*)(decltype(leat__flight_arg(arg)) *, LEAT__ELEM(p) *)>(fn)
#define LEAT__FLIGHT_CLONE(R, fn) leat__flight_clone<R>(fn)
#endif
#define LEAT__FLIGHT_MAKE(p, ...)                                             \
	leat_flight_create(LEAT__FLIGHT_RET(p),                               \
			   LEAT__OPTIONS(leat_flight_options,                 \
					 .result_size = sizeof(LEAT__ELEM(*(p))), __VA_ARGS__))

#endif
