/*
 * Typed handles of pipelines.  Not for direct use.  As leat_chan(T): see detail/typed.h.
 */
#ifndef LEAT_DETAIL_PIPELINE_H
#define LEAT_DETAIL_PIPELINE_H

struct leat__flow_tag;
struct leat__emitter_tag;

enum leat__stage_kind {
	LEAT__SOURCE,
	LEAT__FROM,
	LEAT__MAP,
	LEAT__FLAT,
	LEAT__BATCH,
	LEAT__REDUCE,
	LEAT__CONFLATE,
	LEAT__FANS,		/* and one of enum leat__fan_kind */
	LEAT__SINK = LEAT__FANS + 32,
	LEAT__TO,
};

/* T: what a flow, or a variable of one, hands on. */
#define LEAT__FLOW_T(flow) LEAT__ELEM(flow)
#define LEAT__FLOW_RET_T(ret_flow) LEAT__ELEM(*(ret_flow))

#ifndef __cplusplus

#define LEAT__FLOW(T) __typeof__(__typeof__(T) *(**)(struct leat__flow_tag *))
#define LEAT__EMITTER(T) __typeof__(__typeof__(T) *(**)(struct leat__emitter_tag *))
#define LEAT__FLOW_IN(flow) \
	((leat_flow_raw *)_Generic((flow), LEAT__FLOW(LEAT__FLOW_T(flow)): (flow)))
#define LEAT__FLOW_RET(f) \
	((leat_flow_raw **)_Generic((f), LEAT__FLOW(LEAT__FLOW_RET_T(f)) *: (f)))
#define LEAT__FLOW_INS(flows) \
	((leat_flow_raw *const *)((void)sizeof(LEAT__FLOW_IN((flows)[0])), &(flows)[0]))
/* As an array, for the enclosing block. */
#define LEAT__FLOW_ONE(flow) ((leat_flow_raw *[]){ LEAT__FLOW_IN(flow) })
#define LEAT__STAGE_FN(type, fn) ((leat_stage_fn *)_Generic((fn), type: (fn)))
/* The struct of a batch of T: T *item first, then size_t n. */
#define LEAT__BATCH_OF(T, B)                                                  \
	(sizeof(B) + 0 * sizeof(char[_Generic(((B *)0)->item, T *: 1) &&      \
						     _Generic(((B *)0)->n, size_t: 1) && \
						     offsetof(B, item) == 0 &&  \
						     offsetof(B, n) == sizeof(void *) ? \
					     1 : -1]))
/* The struct of a dead letter of T: T item first, and an int error. */
#define LEAT__LETTER_OF(T, L)                                                 \
	(sizeof(L) + 0 * sizeof(char[_Generic(((L *)0)->item, T: 1) &&        \
						     _Generic(((L *)0)->error, int: 1) && \
						     offsetof(L, item) == 0 ?   \
					     1 : -1]))

#else

#include <cstddef>
#include <type_traits>

extern "C++" {
template <class T> using leat__flow = T *(**)(struct leat__flow_tag *);
template <class T> using leat__emitter = T *(**)(struct leat__emitter_tag *);
template <class T> T leat__elem_of(T *(**)(struct leat__flow_tag *));
template <class T> T leat__elem_of(T *(**)(struct leat__emitter_tag *));
template <class T> leat_flow_raw *leat__flow_in(leat__flow<T> flow)
{
	return (leat_flow_raw *)flow;
}
template <class T> leat_flow_raw **leat__flow_ret(leat__flow<T> *flow)
{
	return (leat_flow_raw **)flow;
}
template <class F> leat_stage_fn *leat__stage_fn(typename leat__same<F>::type fn)
{
	return (leat_stage_fn *)fn;
}
template <class T> leat_flow_raw *const *leat__flow_ins(const leat__flow<T> *flows)
{
	return (leat_flow_raw *const *)flows;
}
template <size_t N> struct leat__flows {
	leat_flow_raw *flow[N];
	operator leat_flow_raw *const *() const { return flow; }
};
template <class T, class B> constexpr size_t leat__batch_of()
{
	static_assert(std::is_same<decltype(B::item), T *>::value &&
			      std::is_same<decltype(B::n), size_t>::value &&
			      offsetof(B, item) == 0 && offsetof(B, n) == sizeof(void *),
		      "a batch is a struct that begins with T *item; size_t n;");
	return sizeof(B);
}
template <class T, class L> constexpr size_t leat__letter_of()
{
	static_assert(std::is_same<decltype(L::item), T>::value &&
			      std::is_same<decltype(L::error), int>::value &&
			      offsetof(L, item) == 0,
		      "a dead letter is a struct that begins with T item, and has an int error");
	return sizeof(L);
}
}

#define LEAT__FLOW(T) leat__flow<T>
#define LEAT__EMITTER(T) leat__emitter<T>
#define LEAT__FLOW_IN(flow) leat__flow_in(flow)
#define LEAT__FLOW_RET(f) leat__flow_ret(f)
#define LEAT__STAGE_FN(type, fn) leat__stage_fn<type>(fn)
#define LEAT__BATCH_OF(T, B) leat__batch_of<T, B>()
#define LEAT__LETTER_OF(T, L) leat__letter_of<T, L>()
#define LEAT__FLOW_INS(flows) leat__flow_ins(&(flows)[0])
#define LEAT__FLOW_ONE(flow) (leat__flows<1>{ { LEAT__FLOW_IN(flow) } })

#endif

#define LEAT__PIPELINE_MAKE(p, ...) \
	leat_pipeline_create((p), LEAT__OPTIONS(leat_pipeline_options, __VA_ARGS__))
#define LEAT__STAGE(...) LEAT__OPTIONS(leat_stage_options, __VA_ARGS__)

/* In the order of the fields: C++ asks for it. */
#define LEAT__STAGE_SIZES(i, o) .in_size = (i), .out_size = (o)
#define LEAT__STAGE_INOUT(f, rf) \
	LEAT__STAGE_SIZES(sizeof(LEAT__FLOW_T(f)), sizeof(LEAT__FLOW_RET_T(rf)))

#define LEAT__PIPELINE_SOURCE(p, rf, s, f, ...)                               \
	leat_pipeline_add((p), NULL, LEAT__FLOW_RET(rf),                      \
			  LEAT__STAGE(.kind = LEAT__SOURCE,                   \
				      LEAT__STAGE_SIZES(0, sizeof(LEAT__FLOW_RET_T(rf))), \
				      .fn = LEAT__STAGE_FN(int (*)(LEAT__STATE(s) *, \
								   LEAT__FLOW_RET_T(rf) *), f), \
				      .state = (s), __VA_ARGS__))
#define LEAT__PIPELINE_FROM(p, rf, c, ...)                                    \
	leat_pipeline_add((p), NULL, LEAT__FLOW_RET(rf),                     \
			   LEAT__STAGE(.kind = LEAT__FROM,                    \
				       LEAT__STAGE_SIZES(0, LEAT__SAME_SIZE(   \
								    LEAT__ELEM(c), \
								    LEAT__FLOW_RET_T(rf))), \
				       .chan = LEAT__RX(c), __VA_ARGS__))
#define LEAT__PIPELINE_MAP(p, f, rf, w, ...)                                  \
	leat_pipeline_add((p), LEAT__FLOW_IN(f), LEAT__FLOW_RET(rf),          \
			  LEAT__STAGE(.kind = LEAT__MAP, LEAT__STAGE_INOUT(f, rf), \
				      .fn = LEAT__STAGE_FN(int (*)(LEAT__FLOW_T(f) *, \
								   LEAT__FLOW_RET_T(rf) *), w), \
				      __VA_ARGS__))
#define LEAT__PIPELINE_MAP_WITH(p, f, rf, s, w, ...)                          \
	leat_pipeline_add((p), LEAT__FLOW_IN(f), LEAT__FLOW_RET(rf),          \
			  LEAT__STAGE(.kind = LEAT__MAP, LEAT__STAGE_INOUT(f, rf), \
				      .fn = LEAT__STAGE_FN(int (*)(LEAT__STATE(s) *, \
								   LEAT__FLOW_T(f) *, \
								   LEAT__FLOW_RET_T(rf) *), w), \
				      .state = (s), .n = 1, __VA_ARGS__))
#define LEAT__PIPELINE_FLAT(p, f, rf, w, ...)                                 \
	leat_pipeline_add((p), LEAT__FLOW_IN(f), LEAT__FLOW_RET(rf),          \
			  LEAT__STAGE(.kind = LEAT__FLAT, LEAT__STAGE_INOUT(f, rf), \
				      .fn = LEAT__STAGE_FN(                   \
					      int (*)(LEAT__FLOW_T(f) *,      \
						      LEAT__EMITTER(LEAT__FLOW_RET_T(rf))), w), \
				      __VA_ARGS__))
#define LEAT__PIPELINE_FLAT_WITH(p, f, rf, s, w, ...)                         \
	leat_pipeline_add((p), LEAT__FLOW_IN(f), LEAT__FLOW_RET(rf),          \
			  LEAT__STAGE(.kind = LEAT__FLAT, LEAT__STAGE_INOUT(f, rf), \
				      .fn = LEAT__STAGE_FN(                   \
					      int (*)(LEAT__STATE(s) *, LEAT__FLOW_T(f) *, \
						      LEAT__EMITTER(LEAT__FLOW_RET_T(rf))), w), \
				      .state = (s), .n = 1, __VA_ARGS__))
#define LEAT__PIPELINE_BATCH(p, f, rf, ...)                                   \
	leat_pipeline_add((p), LEAT__FLOW_IN(f), LEAT__FLOW_RET(rf),          \
			  LEAT__STAGE(.kind = LEAT__BATCH,                    \
				      LEAT__STAGE_SIZES(sizeof(LEAT__FLOW_T(f)),       \
						LEAT__BATCH_OF(LEAT__FLOW_T(f), \
							       LEAT__FLOW_RET_T(rf))), \
				      __VA_ARGS__))
#define LEAT__PIPELINE_REDUCE(p, f, rf, a, w, ...)                            \
	leat_pipeline_add((p), LEAT__FLOW_IN(f), LEAT__FLOW_RET(rf),          \
			  LEAT__STAGE(.kind = LEAT__REDUCE, LEAT__STAGE_INOUT(f, rf), \
				      .fn = LEAT__STAGE_FN(int (*)(LEAT__FLOW_RET_T(rf) *, \
								   LEAT__FLOW_T(f) *), w), \
				      .state = LEAT__CPTR(*(rf), a), __VA_ARGS__))
#define LEAT__PIPELINE_CONFLATE(p, f, rf, w, ...)                             \
	leat_pipeline_add((p), LEAT__FLOW_IN(f), LEAT__FLOW_RET(rf),          \
			  LEAT__STAGE(.kind = LEAT__CONFLATE, LEAT__STAGE_INOUT(f, rf), \
				      .fn = LEAT__STAGE_FN(int (*)(LEAT__FLOW_RET_T(rf) *, \
								   LEAT__FLOW_T(f) *), w), \
				      __VA_ARGS__))
#define LEAT__PIPELINE_LETTERS(p, f, rf)                                      \
	leat_pipeline_add_letters((p), LEAT__FLOW_IN(f), LEAT__FLOW_RET(rf),   \
				  LEAT__LETTER_OF(LEAT__FLOW_T(f), LEAT__FLOW_RET_T(rf)), \
				  offsetof(LEAT__FLOW_RET_T(rf), error))
#define LEAT__PIPELINE_SINK(p, f, w, ...)                                     \
	leat_pipeline_add((p), LEAT__FLOW_IN(f), NULL,                        \
			  LEAT__STAGE(.kind = LEAT__SINK,                     \
				      LEAT__STAGE_SIZES(sizeof(LEAT__FLOW_T(f)), 0),   \
				      .fn = LEAT__STAGE_FN(int (*)(LEAT__FLOW_T(f) *), w), \
				      __VA_ARGS__))
#define LEAT__PIPELINE_SINK_WITH(p, f, s, w, ...)                             \
	leat_pipeline_add((p), LEAT__FLOW_IN(f), NULL,                        \
			  LEAT__STAGE(.kind = LEAT__SINK,                     \
				      LEAT__STAGE_SIZES(sizeof(LEAT__FLOW_T(f)), 0),   \
				      .fn = LEAT__STAGE_FN(int (*)(LEAT__STATE(s) *, \
								   LEAT__FLOW_T(f) *), w), \
				      .state = (s), .n = 1, __VA_ARGS__))
#define LEAT__PIPELINE_TO(p, f, c, ...)                                       \
	leat_pipeline_add((p), LEAT__FLOW_IN(f), NULL,                       \
			   LEAT__STAGE(.kind = LEAT__TO,                      \
				       LEAT__STAGE_SIZES(LEAT__SAME_SIZE(LEAT__FLOW_T(f), \
									 LEAT__ELEM(c)), 0), \
				       .chan = LEAT__TX(c), __VA_ARGS__))

/* Fan-out and fan-in. */
/* The type of both, if it is one. */
#define LEAT__FLOW_SAME(f, rf)                                                \
	LEAT__STAGE_SIZES(LEAT__SAME_SIZE(LEAT__FLOW_T(f), LEAT__FLOW_RET_T(rf)), \
			  sizeof(LEAT__FLOW_RET_T(rf)))
#define LEAT__PIPELINE_OUT(p, f, rf, n_, kind_, ...)                          \
	leat_pipeline_add_fan((p), LEAT__FLOW_ONE(f), 1, LEAT__FLOW_RET(&(rf)[0]), (n_), \
			       LEAT__STAGE(.kind = (int)LEAT__FANS + (int)(kind_),      \
					   LEAT__FLOW_SAME(f, &(rf)[0]), __VA_ARGS__))
#define LEAT__PIPELINE_IN(p, f, n_, rf, kind_, ...)                           \
	leat_pipeline_add_fan((p), LEAT__FLOW_INS(f), (n_), LEAT__FLOW_RET(rf), 1, \
			       LEAT__STAGE(.kind = (int)LEAT__FANS + (int)(kind_),      \
					   LEAT__FLOW_SAME((f)[0], rf), __VA_ARGS__))
#define LEAT__PIPELINE_BALANCE(p, f, rf, n_, ...) \
	LEAT__PIPELINE_OUT(p, f, rf, n_, LEAT__FAN_BALANCE, __VA_ARGS__)
#define LEAT__PIPELINE_BROADCAST(p, f, rf, n_, ...) \
	LEAT__PIPELINE_OUT(p, f, rf, n_, LEAT__FAN_BROADCAST, __VA_ARGS__)
#define LEAT__PIPELINE_PARTITION(p, f, rf, n_, k, ...)                        \
	LEAT__PIPELINE_OUT(p, f, rf, n_, LEAT__FAN_PARTITION,                 \
			   .fn = LEAT__STAGE_FN(uint64_t (*)(const LEAT__FLOW_T(f) *), k), \
			   __VA_ARGS__)
#define LEAT__PIPELINE_TEE(p, f, rf, rs, ...)                                 \
	leat_pipeline_add_tee((p), LEAT__FLOW_IN(f), LEAT__FLOW_RET(rf), LEAT__FLOW_RET(rs), \
			       LEAT__STAGE(.kind = (int)LEAT__FANS + (int)LEAT__FAN_BROADCAST, \
					   .in_size = LEAT__SAME_SIZE(LEAT__FLOW_T(f), \
								      LEAT__FLOW_RET_T(rf)), \
					   .out_size = LEAT__SAME_SIZE(LEAT__FLOW_T(f), \
								       LEAT__FLOW_RET_T(rs)), \
					   __VA_ARGS__))
#define LEAT__PIPELINE_TAKE(p, f, rf, n_, ...)                                \
	leat_pipeline_add_fan((p), LEAT__FLOW_ONE(f), 1, LEAT__FLOW_RET(rf), 1, \
			       LEAT__STAGE(.kind = (int)LEAT__FANS + (int)LEAT__FAN_TAKE, \
					   LEAT__FLOW_SAME(f, rf), .n = (n_), __VA_ARGS__))
#define LEAT__PIPELINE_MERGE(p, f, n_, rf, ...) \
	LEAT__PIPELINE_IN(p, f, n_, rf, LEAT__FAN_MERGE, __VA_ARGS__)
#define LEAT__PIPELINE_MERGE_ORDERED(p, f, n_, rf, l, ...)                    \
	LEAT__PIPELINE_IN(p, f, n_, rf, LEAT__FAN_ORDERED,                    \
			  .fn = LEAT__STAGE_FN(bool (*)(const LEAT__FLOW_RET_T(rf) *, \
							const LEAT__FLOW_RET_T(rf) *), l), \
			  __VA_ARGS__)
#define LEAT__PIPELINE_CONCAT(p, f, n_, rf, ...) \
	LEAT__PIPELINE_IN(p, f, n_, rf, LEAT__FAN_CONCAT, __VA_ARGS__)
#define LEAT__PIPELINE_ZIP(p, a, b, rf, c, ...)                               \
	leat_pipeline_add_zip((p), LEAT__FLOW_IN(a), LEAT__FLOW_IN(b), LEAT__FLOW_RET(rf), \
			       LEAT__STAGE(.kind = (int)LEAT__FANS + (int)LEAT__FAN_ZIP, \
					   LEAT__STAGE_INOUT(a, rf),          \
					   .fn = LEAT__STAGE_FN(              \
						   int (*)(LEAT__FLOW_T(a) *, LEAT__FLOW_T(b) *, \
							   LEAT__FLOW_RET_T(rf) *), c), \
					   __VA_ARGS__))

#endif
