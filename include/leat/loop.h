/*
 * Parallel loops over ranges and arrays, on all workers.
 *
 *	static int scale(struct job *job, size_t from, size_t to);
 *	...
 *	r = leat_parallel_for(n, scale, &job);		// scale(&job, from, to), for parts of 0..n
 *	r = leat_parallel_each(images, n, shrink);	// shrink(&images[i])
 *	r = leat_parallel_map(names, n, sizes, stat_one); // stat_one(&names[i], &sizes[i])
 *	r = leat_parallel_reduce(n, add, join, &job, &sum);
 *
 * The range is halved until a part takes some 20 us, which the loop finds out from its first
 * elements; so short bodies cost nothing for each element, and long ones are shared out
 * one by one.  The parts are run by the caller and whoever is free, by fork and join; the
 * caller's group is theirs.
 *
 * All block until every part that has begun has ended.  Return 0; the first error (in time) of a
 * body, after which no part begins; or -ECANCELED.  In tasks only.
 */
#ifndef LEAT_LOOP_H
#define LEAT_LOOP_H

#include <leat/base.h>

/* The most bytes of what leat_parallel_reduce adds up. */
#define LEAT_REDUCE_MAX 256

/* body: int (*)(T *arg, size_t from, size_t to), for the indices from..to - 1.  T may be const. */
#define leat_parallel_for(n, body, arg)                                       \
	leat_loop_for((n),                                                    \
		      LEAT__LOOP_FN(int (*)(LEAT__LOOP_T(arg) *, size_t, size_t), \
				    int (*)(const LEAT__LOOP_T(arg) *, size_t, size_t), body), \
		      (arg))

/* fn: int (*)(T *element). */
#define leat_parallel_each(array, n, fn)                                      \
	leat_loop_each((array), sizeof((array)[0]), (n),                      \
		       LEAT__LOOP_FN(int (*)(LEAT__LOOP_T(array) *),          \
				     int (*)(const LEAT__LOOP_T(array) *), fn))

/* fn: int (*)(const T *in, U *out); out[i] is of in[i]. */
#define leat_parallel_map(in, n, out, fn)                                     \
	leat_loop_map((in), sizeof((in)[0]), (out), sizeof((out)[0]), (n),    \
		      LEAT__LOOP_FN(int (*)(LEAT__LOOP_T(in) *, LEAT__LOOP_T(out) *), \
				    int (*)(const LEAT__LOOP_T(in) *, LEAT__LOOP_T(out) *), fn))

/*
 * body: int (*)(T *arg, size_t from, size_t to, A *acc) adds a part to *acc; join:
 * void (*)(A *acc, A *next) adds to *acc what the part behind it has.  *acc is where each part
 * begins (0 of a sum), and at the end the whole.  Parts are joined in their order, but how the
 * range was cut differs from run to run: so does the rounding of a sum of floats.
 */
#define leat_parallel_reduce(n, body, join, arg, acc)                         \
	leat_loop_reduce((n),                                                 \
			 LEAT__LOOP_FN(int (*)(LEAT__LOOP_T(arg) *, size_t, size_t, \
					       LEAT__LOOP_T(acc) *),          \
				       int (*)(const LEAT__LOOP_T(arg) *, size_t, size_t, \
					       LEAT__LOOP_T(acc) *), body),   \
			 LEAT__LOOP_FN(void (*)(LEAT__LOOP_T(acc) *, LEAT__LOOP_T(acc) *), \
				       void (*)(LEAT__LOOP_T(acc) *, const LEAT__LOOP_T(acc) *), \
				       join),                                 \
			 (arg), (acc), sizeof(*(acc)))

typedef void leat_loop_fn(void);

/* A function that has neither of the two types does not compile. */
#ifndef __cplusplus
#define LEAT__LOOP_T(p) __typeof__(((void)0, *(p)))
#define LEAT__LOOP_FN(type, type2, fn) \
	((leat_loop_fn *)_Generic((fn), type: (fn), type2: (fn)))
#else
#include <type_traits>
extern "C++" {
template <class T> T leat__pointee(const T *);
template <class F1, class F2, class F> leat_loop_fn *leat__loop_fn(F *fn)
{
	static_assert(std::is_same<F *, F1>::value || std::is_same<F *, F2>::value,
		      "the function has other arguments than the loop gives it");
	return (leat_loop_fn *)fn;
}
}
#define LEAT__LOOP_T(p) decltype(leat__pointee(p))
#define LEAT__LOOP_FN(type, type2, fn) leat__loop_fn<type, type2>(fn)
#endif

LEAT_BEGIN_DECLS

LEAT_API int leat_loop_for(size_t n, leat_loop_fn *body, const void *arg);
LEAT_API int leat_loop_each(const void *array, size_t size, size_t n, leat_loop_fn *fn);
LEAT_API int leat_loop_map(const void *in, size_t in_size, void *out, size_t out_size, size_t n,
			   leat_loop_fn *fn);
LEAT_API int leat_loop_reduce(size_t n, leat_loop_fn *body, leat_loop_fn *join, const void *arg,
			      void *acc, size_t acc_size);

LEAT_END_DECLS

#endif
