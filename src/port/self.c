#include "port/self.h"

__thread struct leat__worker *leat__self_tls;

#if !defined(__x86_64__) || defined(LEAT__TSAN)
__attribute__((noinline)) struct leat__worker *leat__self(void)
{
	struct leat__worker *w = leat__self_tls;

	__asm__ volatile("" : "+r"(w) : : "memory");
	return w;
}
#endif

__attribute__((noinline)) void leat__self_set(struct leat__worker *w)
{
	leat__self_tls = w;
	__asm__ volatile("" : : : "memory");
}
