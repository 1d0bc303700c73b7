/* The algorithms, after Netflix's concurrency-limits (VegasLimit, AIMDLimit). */
#include "patterns/adaptive.h"

/* At least 1. */
static int log10_of(double limit)
{
	int n = 0;

	for (int64_t i = (int64_t)limit; i >= 10; i /= 10)
		n++;
	return n > 0 ? n : 1;
}

static double within(const leat_adaptive_options *o, double limit)
{
	return limit < o->min ? o->min : limit > o->max ? o->max : limit;
}

/* Of the limit's calls, how many wait in a queue: rounded up, without libm. */
static int queue_of(double limit, int64_t least, int64_t latency)
{
	double queue = limit * (1 - (double)least / (double)latency);

	return (int)queue + (queue > (int)queue);
}

static double vegas(const leat_adaptive *a, int64_t latency, int64_t out, bool dropped)
{
	const leat_adaptive_options *o = &a->_options;
	double limit = a->_estimate, next, part = o->smoothing > 0 ? o->smoothing : 1;
	int step, alpha, beta, queue;

	if (!dropped && (double)(2 * out) < limit)
		return limit;
	step = log10_of(limit);
	alpha = o->alpha > 0 ? o->alpha : 3 * step;
	beta = o->beta > 0 ? o->beta : 6 * step;
	queue = dropped ? INT32_MAX : queue_of(limit, a->_least, latency);
	if (queue <= step)
		next = limit + beta; /* there is none: fast */
	else if (queue < alpha)
		next = limit + step;
	else if (queue > beta)
		next = o->backoff > 0 ? limit * o->backoff : limit - step;
	else
		return limit;
	return within(o, (1 - part) * limit + part * within(o, next));
}

static double aimd(const leat_adaptive *a, int64_t out, bool dropped)
{
	const leat_adaptive_options *o = &a->_options;
	double limit = a->_estimate;

	if (dropped)
		limit = (double)(int64_t)(limit * o->backoff);
	else if ((double)(2 * out) >= limit)
		limit += 1;
	return within(o, limit);
}

double leat__adaptive_next(const leat_adaptive *a, int64_t latency, int64_t out, bool dropped)
{
	return a->_options.algorithm == LEAT_VEGAS ? vegas(a, latency, out, dropped)
						   : aimd(a, out, dropped);
}
