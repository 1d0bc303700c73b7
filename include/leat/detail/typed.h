/*
 * Typed channel handles.  Not for direct use.
 *
 * A handle is a pointer type that carries the element type T and the
 * direction, and never points at what it says: T *(**)(struct tag *).  It is
 * structural, so leat_chan(int) in two files is one type, and unlike any
 * type that a program has for another purpose.
 */
#ifndef LEAT_DETAIL_TYPED_H
#define LEAT_DETAIL_TYPED_H

#include <leat/detail/macros.h>

struct leat__both;
struct leat__send_only;
struct leat__recv_only;

#ifndef __cplusplus

#define LEAT__CHAN(T) __typeof__(__typeof__(T) *(**)(struct leat__both *))
#define LEAT__SENDER(T) __typeof__(__typeof__(T) *(**)(struct leat__send_only *))
#define LEAT__RECEIVER(T) __typeof__(__typeof__(T) *(**)(struct leat__recv_only *))

/* The element type of any of the three; never evaluated. */
#define LEAT__ELEM(c) __typeof__(*(*(c))((void *)0))

#define LEAT__RAW(c) ((leat_channel *)(c))
#define LEAT__TX(c)                                                           \
	((leat_channel *)_Generic((c), LEAT__CHAN(LEAT__ELEM(c)): (c),        \
				  LEAT__SENDER(LEAT__ELEM(c)): (c)))
#define LEAT__RX(c)                                                           \
	((leat_channel *)_Generic((c), LEAT__CHAN(LEAT__ELEM(c)): (c),        \
				  LEAT__RECEIVER(LEAT__ELEM(c)): (c)))
#define LEAT__TO_SENDER(c) ((LEAT__SENDER(LEAT__ELEM(c)))LEAT__TX(c))
#define LEAT__TO_RECEIVER(c) ((LEAT__RECEIVER(LEAT__ELEM(c)))LEAT__RX(c))

/* Numbers convert to numbers as in an assignment; anything else must match. */
#define LEAT__IS_NUMBER(v)                                                    \
	_Generic((v), _Bool: 1, char: 1, signed char: 1, unsigned char: 1,    \
		 short: 1, unsigned short: 1, int: 1, unsigned: 1, long: 1,   \
		 unsigned long: 1, long long: 1, unsigned long long: 1,       \
		 float: 1, double: 1, long double: 1, default: 0)
#define LEAT__FITS(T, v)                                                      \
	(LEAT__IS_NUMBER(v) == LEAT__IS_NUMBER(*(T *)0) &&                    \
	 (LEAT__IS_NUMBER(v) || _Generic(1 ? (v) : *(T *)0, T: 1, default: 0)))

/* The address of a copy of value, for the duration of the enclosing block. */
#define LEAT__VALUE(c, value)                                                 \
	((void)sizeof(char[LEAT__FITS(LEAT__ELEM(c), value) ? 1 : -1]),       \
	 (const void *)(LEAT__ELEM(c)[1]){ value })
#define LEAT__PTR(c, ptr) ((void *)_Generic((ptr), LEAT__ELEM(c) *: (ptr)))
#define LEAT__CPTR(c, ptr)                                                    \
	((const void *)_Generic((ptr), LEAT__ELEM(c) *: (ptr), const LEAT__ELEM(c) *: (ptr)))
#define LEAT__DROP(T, drop) ((void (*)(void *))_Generic((drop), void (*)(T *): (drop)))
/* The size of T, if U is the same type. */
#define LEAT__SAME_SIZE(T, U) (sizeof(T) + 0 * sizeof(_Generic((T *)0, U *: 1)))

#else

extern "C++" {
template <class T> using leat__chan = T *(**)(struct leat__both *);
template <class T> using leat__sender = T *(**)(struct leat__send_only *);
template <class T> using leat__receiver = T *(**)(struct leat__recv_only *);
template <class T> struct leat__same { using type = T; };
template <class T> T leat__elem_of(T *(**)(struct leat__both *));
template <class T> T leat__elem_of(T *(**)(struct leat__send_only *));
template <class T> T leat__elem_of(T *(**)(struct leat__recv_only *));
template <class T> leat_channel *leat__tx(leat__chan<T> c) { return (leat_channel *)c; }
template <class T> leat_channel *leat__tx(leat__sender<T> c) { return (leat_channel *)c; }
template <class T> leat_channel *leat__rx(leat__chan<T> c) { return (leat_channel *)c; }
template <class T> leat_channel *leat__rx(leat__receiver<T> c) { return (leat_channel *)c; }
template <class T> struct leat__value {
	T value;
	operator const void *() const { return &value; }
};
template <class T> void *leat__ptr(typename leat__same<T>::type *p) { return p; }
template <class T> const void *leat__cptr(typename leat__same<T>::type const *p) { return p; }
template <class T> constexpr size_t leat__same_size(T *, T *) { return sizeof(T); }
template <class T> void (*leat__drop(void (*drop)(T *)))(void *)
{
	return (void (*)(void *))drop;
}
}

#define LEAT__CHAN(T) leat__chan<T>
#define LEAT__SENDER(T) leat__sender<T>
#define LEAT__RECEIVER(T) leat__receiver<T>
#define LEAT__ELEM(c) decltype(leat__elem_of(c))
#define LEAT__RAW(c) ((leat_channel *)(c))
#define LEAT__TX(c) leat__tx(c)
#define LEAT__RX(c) leat__rx(c)
#define LEAT__TO_SENDER(c) ((LEAT__SENDER(LEAT__ELEM(c)))leat__tx(c))
#define LEAT__TO_RECEIVER(c) ((LEAT__RECEIVER(LEAT__ELEM(c)))leat__rx(c))
#define LEAT__VALUE(c, value) (leat__value<LEAT__ELEM(c)>{ value })
#define LEAT__PTR(c, ptr) (leat__ptr<LEAT__ELEM(c)>(ptr))
#define LEAT__CPTR(c, ptr) (leat__cptr<LEAT__ELEM(c)>(ptr))
#define LEAT__DROP(T, drop) (leat__drop<T>(drop))
#define LEAT__SAME_SIZE(T, U) leat__same_size((T *)nullptr, (U *)nullptr)

#endif
#endif
