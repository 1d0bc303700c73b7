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
	LEAT__SINK,
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
#define LEAT__STAGE_FN(type, fn) ((leat_stage_fn *)_Generic((fn), type: (fn)))
#define LEAT__PIPELINE_MAKE(p, ...)                                           \
	leat_pipeline_create((p), &(const leat_pipeline_options){             \
					  .size = sizeof(leat_pipeline_options), __VA_ARGS__ })
#define LEAT__STAGE(...)                                                      \
	(&(const leat_stage_options){ .size = sizeof(leat_stage_options), __VA_ARGS__ })
/* The struct of a batch of T: T *item first, then size_t n. */
#define LEAT__BATCH_OF(T, B)                                                  \
	(sizeof(B) + 0 * sizeof(char[_Generic(((B *)0)->item, T *: 1) &&      \
						     _Generic(((B *)0)->n, size_t: 1) && \
						     offsetof(B, item) == 0 &&  \
						     offsetof(B, n) == sizeof(void *) ? \
					     1 : -1]))
#define LEAT__PIPELINE_ADD leat_pipeline_add

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
inline int leat__pipeline_create(leat_pipeline **p, const leat_pipeline_options &options)
{
	return leat_pipeline_create(p, &options);
}
inline int leat__pipeline_add(leat_pipeline *p, leat_flow_raw *in, leat_flow_raw **out,
			      const leat_stage_options &options)
{
	return leat_pipeline_add(p, in, out, &options);
}
template <class T, class B> constexpr size_t leat__batch_of()
{
	static_assert(std::is_same<decltype(B::item), T *>::value &&
			      std::is_same<decltype(B::n), size_t>::value &&
			      offsetof(B, item) == 0 && offsetof(B, n) == sizeof(void *),
		      "a batch is a struct that begins with T *item; size_t n;");
	return sizeof(B);
}
}

#define LEAT__FLOW(T) leat__flow<T>
#define LEAT__EMITTER(T) leat__emitter<T>
#define LEAT__FLOW_IN(flow) leat__flow_in(flow)
#define LEAT__FLOW_RET(f) leat__flow_ret(f)
#define LEAT__STAGE_FN(type, fn) leat__stage_fn<type>(fn)
#define LEAT__PIPELINE_MAKE(p, ...)                                           \
	leat__pipeline_create((p), leat_pipeline_options{                     \
					   .size = sizeof(leat_pipeline_options), __VA_ARGS__ })
#define LEAT__STAGE(...) leat_stage_options{ .size = sizeof(leat_stage_options), __VA_ARGS__ }
#define LEAT__BATCH_OF(T, B) leat__batch_of<T, B>()
#define LEAT__PIPELINE_ADD leat__pipeline_add

#endif

/* In the order of the fields: C++ asks for it. */
#define LEAT__STAGE_SIZES(i, o) .in_size = (i), .out_size = (o)
#define LEAT__STAGE_INOUT(f, rf) \
	LEAT__STAGE_SIZES(sizeof(LEAT__FLOW_T(f)), sizeof(LEAT__FLOW_RET_T(rf)))

#define LEAT__PIPELINE_SOURCE(p, rf, s, f, ...)                               \
	LEAT__PIPELINE_ADD((p), NULL, LEAT__FLOW_RET(rf),                      \
			  LEAT__STAGE(.kind = LEAT__SOURCE,                   \
				      LEAT__STAGE_SIZES(0, sizeof(LEAT__FLOW_RET_T(rf))), \
				      .fn = LEAT__STAGE_FN(int (*)(LEAT__STATE(s) *, \
								   LEAT__FLOW_RET_T(rf) *), f), \
				      .state = (s), __VA_ARGS__))
#define LEAT__PIPELINE_FROM(p, rf, c, ...)                                    \
	LEAT__PIPELINE_ADD((p), NULL, LEAT__FLOW_RET(rf),                     \
			   LEAT__STAGE(.kind = LEAT__FROM,                    \
				       LEAT__STAGE_SIZES(0, LEAT__SAME_SIZE(   \
								    LEAT__ELEM(c), \
								    LEAT__FLOW_RET_T(rf))), \
				       .chan = LEAT__RX(c), __VA_ARGS__))
#define LEAT__PIPELINE_MAP(p, f, rf, w, ...)                                  \
	LEAT__PIPELINE_ADD((p), LEAT__FLOW_IN(f), LEAT__FLOW_RET(rf),          \
			  LEAT__STAGE(.kind = LEAT__MAP, LEAT__STAGE_INOUT(f, rf), \
				      .fn = LEAT__STAGE_FN(int (*)(LEAT__FLOW_T(f) *, \
								   LEAT__FLOW_RET_T(rf) *), w), \
				      __VA_ARGS__))
#define LEAT__PIPELINE_MAP_WITH(p, f, rf, s, w, ...)                          \
	LEAT__PIPELINE_ADD((p), LEAT__FLOW_IN(f), LEAT__FLOW_RET(rf),          \
			  LEAT__STAGE(.kind = LEAT__MAP, LEAT__STAGE_INOUT(f, rf), \
				      .fn = LEAT__STAGE_FN(int (*)(LEAT__STATE(s) *, \
								   LEAT__FLOW_T(f) *, \
								   LEAT__FLOW_RET_T(rf) *), w), \
				      .state = (s), __VA_ARGS__))
#define LEAT__PIPELINE_FLAT(p, f, rf, w, ...)                                 \
	LEAT__PIPELINE_ADD((p), LEAT__FLOW_IN(f), LEAT__FLOW_RET(rf),          \
			  LEAT__STAGE(.kind = LEAT__FLAT, LEAT__STAGE_INOUT(f, rf), \
				      .fn = LEAT__STAGE_FN(                   \
					      int (*)(LEAT__FLOW_T(f) *,      \
						      LEAT__EMITTER(LEAT__FLOW_RET_T(rf))), w), \
				      __VA_ARGS__))
#define LEAT__PIPELINE_FLAT_WITH(p, f, rf, s, w, ...)                         \
	LEAT__PIPELINE_ADD((p), LEAT__FLOW_IN(f), LEAT__FLOW_RET(rf),          \
			  LEAT__STAGE(.kind = LEAT__FLAT, LEAT__STAGE_INOUT(f, rf), \
				      .fn = LEAT__STAGE_FN(                   \
					      int (*)(LEAT__STATE(s) *, LEAT__FLOW_T(f) *, \
						      LEAT__EMITTER(LEAT__FLOW_RET_T(rf))), w), \
				      .state = (s), __VA_ARGS__))
#define LEAT__PIPELINE_BATCH(p, f, rf, ...)                                   \
	LEAT__PIPELINE_ADD((p), LEAT__FLOW_IN(f), LEAT__FLOW_RET(rf),          \
			  LEAT__STAGE(.kind = LEAT__BATCH,                    \
				      LEAT__STAGE_SIZES(sizeof(LEAT__FLOW_T(f)),       \
						LEAT__BATCH_OF(LEAT__FLOW_T(f), \
							       LEAT__FLOW_RET_T(rf))), \
				      __VA_ARGS__))
#define LEAT__PIPELINE_REDUCE(p, f, rf, a, w, ...)                            \
	LEAT__PIPELINE_ADD((p), LEAT__FLOW_IN(f), LEAT__FLOW_RET(rf),          \
			  LEAT__STAGE(.kind = LEAT__REDUCE, LEAT__STAGE_INOUT(f, rf), \
				      .fn = LEAT__STAGE_FN(int (*)(LEAT__FLOW_RET_T(rf) *, \
								   LEAT__FLOW_T(f) *), w), \
				      .state = LEAT__CPTR(*(rf), a), __VA_ARGS__))
#define LEAT__PIPELINE_CONFLATE(p, f, rf, w, ...)                             \
	LEAT__PIPELINE_ADD((p), LEAT__FLOW_IN(f), LEAT__FLOW_RET(rf),          \
			  LEAT__STAGE(.kind = LEAT__CONFLATE, LEAT__STAGE_INOUT(f, rf), \
				      .fn = LEAT__STAGE_FN(int (*)(LEAT__FLOW_RET_T(rf) *, \
								   LEAT__FLOW_T(f) *), w), \
				      __VA_ARGS__))
#define LEAT__PIPELINE_SINK(p, f, w, ...)                                     \
	LEAT__PIPELINE_ADD((p), LEAT__FLOW_IN(f), NULL,                        \
			  LEAT__STAGE(.kind = LEAT__SINK,                     \
				      LEAT__STAGE_SIZES(sizeof(LEAT__FLOW_T(f)), 0),   \
				      .fn = LEAT__STAGE_FN(int (*)(LEAT__FLOW_T(f) *), w), \
				      __VA_ARGS__))
#define LEAT__PIPELINE_SINK_WITH(p, f, s, w, ...)                             \
	LEAT__PIPELINE_ADD((p), LEAT__FLOW_IN(f), NULL,                        \
			  LEAT__STAGE(.kind = LEAT__SINK,                     \
				      LEAT__STAGE_SIZES(sizeof(LEAT__FLOW_T(f)), 0),   \
				      .fn = LEAT__STAGE_FN(int (*)(LEAT__STATE(s) *, \
								   LEAT__FLOW_T(f) *), w), \
				      .state = (s), __VA_ARGS__))
#define LEAT__PIPELINE_TO(p, f, c, ...)                                       \
	LEAT__PIPELINE_ADD((p), LEAT__FLOW_IN(f), NULL,                       \
			   LEAT__STAGE(.kind = LEAT__TO,                      \
				       LEAT__STAGE_SIZES(LEAT__SAME_SIZE(LEAT__FLOW_T(f), \
									 LEAT__ELEM(c)), 0), \
				       .chan = LEAT__TX(c), __VA_ARGS__))

#endif
