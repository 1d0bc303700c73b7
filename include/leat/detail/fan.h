/*
 * Typed calls of fan-out and fan-in.  Not for direct use.
 */
#ifndef LEAT_DETAIL_FAN_H
#define LEAT_DETAIL_FAN_H

enum leat__fan_kind {
	LEAT__FAN_MERGE,
	LEAT__FAN_ORDERED,
	LEAT__FAN_CONCAT,
	LEAT__FAN_ZIP,
	LEAT__FAN_BALANCE,
	LEAT__FAN_BROADCAST,
	LEAT__FAN_PARTITION,
	LEAT__FAN_TAKE,
	LEAT__FAN_OR_DONE,
	LEAT__FAN_BRIDGE,
	LEAT__FAN_CONFLATE,
};

#ifndef __cplusplus

#define LEAT__FAN_FN(type, fn) ((leat_fan_fn *)_Generic((fn), type: (fn)))
#define LEAT__FAN_CLONE(T, fn)                                                \
	((int (*)(const void *, void *))LEAT__FAN_FN( \
		int (*)(const __typeof__(T) *, __typeof__(T) *), fn))
/* Two handles as an array, for the enclosing block. */
#define LEAT__FAN_PAIR(a, b) ((leat_channel *[]){ LEAT__RX(a), LEAT__RX(b) })
#define LEAT__FAN_TX_PAIR(a, b) ((leat_channel *[]){ LEAT__TX(a), LEAT__TX(b) })
#define LEAT__FAN_ONE(c) ((leat_channel *[]){ c })

#else

extern "C++" {
template <class F> leat_fan_fn *leat__fan_fn(typename leat__same<F>::type fn)
{
	return (leat_fan_fn *)fn;
}
template <size_t N> struct leat__fan_channels {
	leat_channel *channel[N];
	operator const void *() const { return channel; }
};
}

#define LEAT__FAN_FN(type, fn) leat__fan_fn<type>(fn)
#define LEAT__FAN_CLONE(T, fn)                                                \
	((int (*)(const void *, void *))leat__fan_fn<int (*)(const T *, T *)>(fn))
#define LEAT__FAN_PAIR(a, b) (leat__fan_channels<2>{ { LEAT__RX(a), LEAT__RX(b) } })
#define LEAT__FAN_TX_PAIR(a, b) (leat__fan_channels<2>{ { LEAT__TX(a), LEAT__TX(b) } })
#define LEAT__FAN_ONE(c) (leat__fan_channels<1>{ { c } })

#endif

#define LEAT__FAN_OPTIONS(...) LEAT__OPTIONS(leat_fan_options, __VA_ARGS__)

/* An array of handles of either end. */
#define LEAT__FAN_INS(a) ((void)sizeof(LEAT__RX((a)[0])), (const void *)(a))
#define LEAT__FAN_OUTS(a) ((void)sizeof(LEAT__TX((a)[0])), (const void *)(a))

/* In the order of the fields: C++ asks for it. */
#define LEAT__FAN_OF(kind_, in, out)                                          \
	.kind = (kind_), .item_size = LEAT__SAME_SIZE(LEAT__ELEM(in), LEAT__ELEM(out)), \
	.out_size = sizeof(LEAT__ELEM(out))

#define LEAT__MERGE(r, g, in, n_, out, ...)                                   \
	leat_fan_start((r), (g), LEAT__FAN_INS(in), (n_), LEAT__FAN_ONE(LEAT__TX(out)), 1, \
			LEAT__FAN_OPTIONS(LEAT__FAN_OF(LEAT__FAN_MERGE, (in)[0], out), \
					  __VA_ARGS__))
#define LEAT__MERGE_ORDERED(r, g, in, n_, out, less, ...)                     \
	leat_fan_start((r), (g), LEAT__FAN_INS(in), (n_), LEAT__FAN_ONE(LEAT__TX(out)), 1, \
			LEAT__FAN_OPTIONS(LEAT__FAN_OF(LEAT__FAN_ORDERED, (in)[0], out), \
					  .fn = LEAT__FAN_FN(bool (*)(const LEAT__ELEM(out) *, \
								      const LEAT__ELEM(out) *), \
							     less), __VA_ARGS__))
#define LEAT__CONCAT(r, g, in, n_, out, ...)                                  \
	leat_fan_start((r), (g), LEAT__FAN_INS(in), (n_), LEAT__FAN_ONE(LEAT__TX(out)), 1, \
			LEAT__FAN_OPTIONS(LEAT__FAN_OF(LEAT__FAN_CONCAT, (in)[0], out), \
					  __VA_ARGS__))
/* The sizes: of the first input, and of the output; that of the second is its channel's. */
#define LEAT__ZIP(r, g, a, b, out, combine, ...)                              \
	leat_fan_start((r), (g), LEAT__FAN_PAIR(a, b), 2, LEAT__FAN_ONE(LEAT__TX(out)), 1, \
			LEAT__FAN_OPTIONS(.kind = LEAT__FAN_ZIP,              \
					  .item_size = sizeof(LEAT__ELEM(a)), \
					  .out_size = sizeof(LEAT__ELEM(out)), \
					  .fn = LEAT__FAN_FN(int (*)(LEAT__ELEM(a) *, \
								     LEAT__ELEM(b) *, \
								     LEAT__ELEM(out) *), \
							     combine),        \
					  .n = sizeof(LEAT__ELEM(b)), __VA_ARGS__))
#define LEAT__BALANCE(r, g, in, out, n_, ...)                                 \
	leat_fan_start((r), (g), LEAT__FAN_ONE(LEAT__RX(in)), 1, LEAT__FAN_OUTS(out), (n_), \
			LEAT__FAN_OPTIONS(LEAT__FAN_OF(LEAT__FAN_BALANCE, in, (out)[0]), \
					  __VA_ARGS__))
#define LEAT__BROADCAST(r, g, in, out, n_, ...)                               \
	leat_fan_start((r), (g), LEAT__FAN_ONE(LEAT__RX(in)), 1, LEAT__FAN_OUTS(out), (n_), \
			LEAT__FAN_OPTIONS(LEAT__FAN_OF(LEAT__FAN_BROADCAST, in, (out)[0]), \
					  __VA_ARGS__))
#define LEAT__PARTITION(r, g, in, out, n_, key, ...)                          \
	leat_fan_start((r), (g), LEAT__FAN_ONE(LEAT__RX(in)), 1, LEAT__FAN_OUTS(out), (n_), \
			LEAT__FAN_OPTIONS(LEAT__FAN_OF(LEAT__FAN_PARTITION, in, (out)[0]), \
					  .fn = LEAT__FAN_FN(uint64_t (*)(const LEAT__ELEM(in) *), \
							     key), __VA_ARGS__))
#define LEAT__TAKE(r, g, in, out, count, ...)                                 \
	leat_fan_start((r), (g), LEAT__FAN_ONE(LEAT__RX(in)), 1, LEAT__FAN_ONE(LEAT__TX(out)), 1, \
			LEAT__FAN_OPTIONS(LEAT__FAN_OF(LEAT__FAN_TAKE, in, out), \
					  .n = (count), __VA_ARGS__))

#define LEAT__TEE(r, g, in, a, b, ...)                                        \
	leat_fan_start((r), (g), LEAT__FAN_ONE(LEAT__RX(in)), 1, LEAT__FAN_TX_PAIR(a, b), 2, \
			LEAT__FAN_OPTIONS(.kind = LEAT__FAN_BROADCAST,        \
					  .item_size = LEAT__SAME_SIZE(LEAT__ELEM(in), \
								       LEAT__ELEM(a)), \
					  .out_size = LEAT__SAME_SIZE(LEAT__ELEM(in), \
								      LEAT__ELEM(b)), \
					  __VA_ARGS__))
#define LEAT__OR_DONE(r, g, in, out, done, ...)                               \
	leat_fan_start((r), (g), LEAT__FAN_PAIR(in, done), 2, LEAT__FAN_ONE(LEAT__TX(out)), 1, \
			LEAT__FAN_OPTIONS(LEAT__FAN_OF(LEAT__FAN_OR_DONE, in, out), \
					  __VA_ARGS__))
/* A channel that comes out of in; never evaluated. */
#define LEAT__FAN_INNER(in) (*(LEAT__ELEM(in) *)0)
#define LEAT__BRIDGE(r, g, in, out, ...)                                      \
	leat_fan_start((r), (g), LEAT__FAN_ONE(LEAT__RX(in)),                \
			1 + 0 * sizeof(LEAT__RX(LEAT__FAN_INNER(in))),        \
			LEAT__FAN_ONE(LEAT__TX(out)), 1,                      \
			LEAT__FAN_OPTIONS(LEAT__FAN_OF(LEAT__FAN_BRIDGE, LEAT__FAN_INNER(in), \
						       out), __VA_ARGS__))
#define LEAT__FAN_CONFLATED(r, g, in, out, merge, ...)                        \
	leat_fan_start((r), (g), LEAT__FAN_ONE(LEAT__RX(in)), 1, LEAT__FAN_ONE(LEAT__TX(out)), 1, \
			LEAT__FAN_OPTIONS(LEAT__FAN_OF(LEAT__FAN_CONFLATE, in, out), \
					  .fn = LEAT__FAN_FN(int (*)(LEAT__ELEM(in) *, \
								     LEAT__ELEM(in) *), \
							     merge), __VA_ARGS__))

#endif
