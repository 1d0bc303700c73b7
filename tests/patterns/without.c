/*
 * Takes the code of one option out: linked into a test program with -Wl,--wrap, it changes what the
 * program hands to the library as if nobody had written that option's code.
 *
 * LEAT_WITHOUT=key in the environment says which one; without.list has all of them, and the
 * test that must fail then.  What is put in its place is never refused: a test that fails for that
 * has not seen the option.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <leat/leat.h>
#include <leat/testing.h>

enum { MANY = 1000 };

static const char *key;		/* of LEAT_WITHOUT; NULL: none */

__attribute__((constructor)) static void read_key(void)
{
	key = getenv("LEAT_WITHOUT");
}

static bool is_out(const char *name)
{
	return key && strcmp(key, name) == 0;
}

#define WITHOUT(name, ...)                                                    \
	do {                                                                  \
		if (is_out(name)) {                                           \
			__VA_ARGS__;                                          \
		}                                                             \
	} while (0)

/* One value of a policy, without its code: as if it were another. */
#define INSTEAD(name, field, value, ...)                                      \
	do {                                                                  \
		if (is_out(name "=" #value) && (field) == (value)) {          \
			__VA_ARGS__;                                          \
		}                                                             \
	} while (0)

/* What the function said that got the changed options. */
static int said(int r)
{
	if (key && r == -EINVAL) {
		fprintf(stderr, "LEAT_WITHOUT=%s: what is put in its place is refused\n", key);
		_Exit(3);
	}
	return r;
}

static void ignore_item(void *item)
{
	(void)item;
}

static uint64_t one(const void *item)
{
	(void)item;
	return 1;
}

/* A key that no two of those items have that begin with different numbers. */
static uint64_t itself(const void *item)
{
	int n;

	memcpy(&n, item, sizeof(n));
	return (uint64_t)n;
}

static int ignore_init(void *state, int worker)
{
	(void)state;
	(void)worker;
	return 0;
}

static void pool_policies(leat_pool_options *o)
{
	INSTEAD("pool.overflow", o->overflow, LEAT_OVERFLOW_BLOCK,
		o->overflow = LEAT_OVERFLOW_DROP_NEWEST);
	INSTEAD("pool.overflow", o->overflow, LEAT_OVERFLOW_REJECT,
		o->overflow = LEAT_OVERFLOW_BLOCK);
	INSTEAD("pool.overflow", o->overflow, LEAT_OVERFLOW_CALLER_RUNS,
		o->overflow = LEAT_OVERFLOW_REJECT);
	INSTEAD("pool.overflow", o->overflow, LEAT_OVERFLOW_DROP_OLDEST,
		o->overflow = LEAT_OVERFLOW_DROP_NEWEST);
	INSTEAD("pool.overflow", o->overflow, LEAT_OVERFLOW_DROP_NEWEST,
		o->overflow = LEAT_OVERFLOW_DROP_OLDEST);
	INSTEAD("pool.on_error", o->on_error, LEAT_ERROR_STOP, o->on_error = LEAT_ERROR_COUNT);
	INSTEAD("pool.on_error", o->on_error, LEAT_ERROR_COUNT, o->on_error = LEAT_ERROR_STOP);
	INSTEAD("pool.order", o->order, LEAT_POOL_AS_COMPLETED,
		o->order = LEAT_POOL_AS_SUBMITTED, o->window = MANY, o->priorities = 1);
	INSTEAD("pool.order", o->order, LEAT_POOL_AS_SUBMITTED,
		o->order = LEAT_POOL_AS_COMPLETED, o->window = 0);
	INSTEAD("pool.order", o->order, LEAT_POOL_PER_KEY,
		o->order = LEAT_POOL_AS_COMPLETED, o->key = NULL);
}

int __real_leat_pool_create(leat_pool_raw **ret_pool, const leat_pool_options *options);
int __wrap_leat_pool_create(leat_pool_raw **ret_pool, const leat_pool_options *options);
int __wrap_leat_pool_create(leat_pool_raw **ret_pool, const leat_pool_options *options)
{
	leat_pool_options o = *options;

	WITHOUT("pool.init", o.init = o.state ? ignore_init : NULL);
	WITHOUT("pool.fini", o.fini = o.state ? ignore_item : NULL);
	WITHOUT("pool.workers", o.workers = MANY);
	WITHOUT("pool.workers, one", o.workers = 1);
	WITHOUT("pool.queue", o.queue = MANY);
	pool_policies(&o);
	WITHOUT("pool.window", o.window = o.window ? MANY : 0);
	WITHOUT("pool.key", o.key = o.key ? itself : NULL);
	WITHOUT("pool.key, all alike", o.key = o.key ? one : NULL);
	WITHOUT("pool.priorities", o.priorities = 1);
	WITHOUT("pool.prefetch", o.prefetch = 0);
	WITHOUT("pool.idle", o.idle = 0);
	WITHOUT("pool.drop", o.drop = NULL);
	WITHOUT("pool.drop_result", o.drop_result = NULL);
	WITHOUT("pool.failed", o.failed = NULL);
	WITHOUT("pool.name", o.name = NULL);
	return said(__real_leat_pool_create(ret_pool, &o));
}

/* With one priority there is no other. */
int __real_leat_pool_push(leat_pool_raw *pool, const void *job, int priority);
int __wrap_leat_pool_push(leat_pool_raw *pool, const void *job, int priority);
int __wrap_leat_pool_push(leat_pool_raw *pool, const void *job, int priority)
{
	return __real_leat_pool_push(pool, job, is_out("pool.priorities") ? 0 : priority);
}

int __real_leat_pipeline_create(leat_pipeline **ret_pipeline, const leat_pipeline_options *options);
int __wrap_leat_pipeline_create(leat_pipeline **ret_pipeline, const leat_pipeline_options *options);
int __wrap_leat_pipeline_create(leat_pipeline **ret_pipeline, const leat_pipeline_options *options)
{
	leat_pipeline_options o = *options;

	WITHOUT("pipeline.live", o.live = MANY);
	WITHOUT("pipeline.live_bytes", o.live_bytes = o.live_bytes ? INT64_MAX / 2 : 0);
	WITHOUT("pipeline.name", o.name = NULL);
	return said(__real_leat_pipeline_create(ret_pipeline, &o));
}

static void as_parallel(leat_stage_options *o)
{
	o->mode = LEAT_STAGE_PARALLEL;
	o->workers = 8;
	o->window = 0;
	o->gap_after = 0;
	o->gap = NULL;
	o->key = NULL;
}

static void stage_policies(leat_stage_options *o)
{
	INSTEAD("stage.mode", o->mode, LEAT_STAGE_SERIAL, as_parallel(o));
	INSTEAD("stage.mode", o->mode, LEAT_STAGE_PARALLEL,
		o->mode = LEAT_STAGE_SERIAL, o->workers = 0);
	INSTEAD("stage.mode", o->mode, LEAT_STAGE_ORDERED, as_parallel(o));
	INSTEAD("stage.mode", o->mode, LEAT_STAGE_KEYED, as_parallel(o));
	INSTEAD("stage.on_error", o->on_error, LEAT_ERROR_STOP, o->on_error = LEAT_ERROR_COUNT);
	INSTEAD("stage.on_error", o->on_error, LEAT_ERROR_COUNT, o->on_error = LEAT_ERROR_STOP);
}

int __real_leat_pipeline_add(leat_pipeline *pipeline, leat_flow_raw *in, leat_flow_raw **ret_out,
			     const leat_stage_options *options);
int __wrap_leat_pipeline_add(leat_pipeline *pipeline, leat_flow_raw *in, leat_flow_raw **ret_out,
			     const leat_stage_options *options);
int __wrap_leat_pipeline_add(leat_pipeline *pipeline, leat_flow_raw *in, leat_flow_raw **ret_out,
			     const leat_stage_options *options)
{
	leat_stage_options o = *options;

	WITHOUT("stage.name", o.name = "stage");
	stage_policies(&o);
	WITHOUT("stage.workers", o.workers = o.workers ? 100 : 0);
	WITHOUT("stage.workers, one", o.workers = o.workers ? 1 : 0);
	WITHOUT("stage.buffer", o.buffer = 0);
	WITHOUT("stage.retry", o.retry = NULL);
	WITHOUT("stage.rate", o.rate = NULL);
	WITHOUT("stage.window", o.window = o.window ? MANY : 0);
	WITHOUT("stage.ahead", o.ahead = o.ahead ? 100 : 0);
	WITHOUT("stage.gap_after", o.gap_after = 0, o.gap = NULL);
	WITHOUT("stage.gap", o.gap = o.gap ? ignore_item : NULL);
	WITHOUT("stage.key", o.key = o.key ? itself : NULL);
	WITHOUT("stage.key, all alike", o.key = o.key ? one : NULL);
	WITHOUT("stage.items", o.items = o.items ? 1 : 0);
	WITHOUT("stage.wait", o.wait = o.items ? LEAT_FOREVER : 0);
	WITHOUT("stage.weight", o.weight = o.weight ? UINT64_MAX : 0);
	WITHOUT("stage.weigh", o.weigh = o.weigh ? one : NULL);
	WITHOUT("stage.failed", o.failed = NULL);
	WITHOUT("stage.drop", o.drop = NULL);
	return said(__real_leat_pipeline_add(pipeline, in, ret_out, &o));
}

int __real_leat_pipeline_add_fan(leat_pipeline *pipeline, leat_flow_raw *const *ins, size_t nins,
				 leat_flow_raw **ret_outs, size_t nouts,
				 const leat_stage_options *options);
int __wrap_leat_pipeline_add_fan(leat_pipeline *pipeline, leat_flow_raw *const *ins, size_t nins,
				 leat_flow_raw **ret_outs, size_t nouts,
				 const leat_stage_options *options);
int __wrap_leat_pipeline_add_fan(leat_pipeline *pipeline, leat_flow_raw *const *ins, size_t nins,
				 leat_flow_raw **ret_outs, size_t nouts,
				 const leat_stage_options *options)
{
	leat_stage_options o = *options;

	INSTEAD("stage.end", o.end, LEAT_FAN_ALL, o.end = LEAT_FAN_ANY);
	INSTEAD("stage.end", o.end, LEAT_FAN_ANY, o.end = LEAT_FAN_ALL);
	WITHOUT("stage.clone", o.clone = NULL, o.on_error = 0);
	return said(__real_leat_pipeline_add_fan(pipeline, ins, nins, ret_outs, nouts, &o));
}

int __real_leat_fan_start(leat_fan **ret_fan, leat_group *group, const void *ins, size_t nins,
			  const void *outs, size_t nouts, const leat_fan_options *options);
int __wrap_leat_fan_start(leat_fan **ret_fan, leat_group *group, const void *ins, size_t nins,
			  const void *outs, size_t nouts, const leat_fan_options *options);
int __wrap_leat_fan_start(leat_fan **ret_fan, leat_group *group, const void *ins, size_t nins,
			  const void *outs, size_t nouts, const leat_fan_options *options)
{
	leat_fan_options o = *options;

	WITHOUT("fan.name", o.name = NULL);
	INSTEAD("fan.end", o.end, LEAT_FAN_ALL, o.end = LEAT_FAN_ANY);
	INSTEAD("fan.end", o.end, LEAT_FAN_ANY, o.end = LEAT_FAN_ALL);
	WITHOUT("fan.clone", o.drop = o.clone ? NULL : o.drop, o.clone = NULL);
	WITHOUT("fan.drop", o.drop = NULL);
	WITHOUT("fan.drop_second", o.drop_second = NULL);
	WITHOUT("fan.drop_out", o.drop_out = NULL);
	return said(__real_leat_fan_start(ret_fan, group, ins, nins, outs, nouts, &o));
}

int __real_leat_breaker_init(leat_breaker *breaker, const leat_breaker_options *options);
int __wrap_leat_breaker_init(leat_breaker *breaker, const leat_breaker_options *options);
int __wrap_leat_breaker_init(leat_breaker *breaker, const leat_breaker_options *options)
{
	leat_breaker_options o = *options;

	WITHOUT("breaker.failures", o.failures = MANY);
	WITHOUT("breaker.open_for", o.open_for = 1);
	WITHOUT("breaker.probes", o.probes = MANY);
	WITHOUT("breaker.successes", o.successes = 1);
	return said(__real_leat_breaker_init(breaker, &o));
}

int __real_leat_retry_run(const leat_retry_options *options, int (*fn)(void *arg), void *arg);
int __wrap_leat_retry_run(const leat_retry_options *options, int (*fn)(void *arg), void *arg);
int __wrap_leat_retry_run(const leat_retry_options *options, int (*fn)(void *arg), void *arg)
{
	leat_retry_options o = *options;

	WITHOUT("retry.attempts", o.attempts += o.attempts > 1);
	WITHOUT("retry.backoff", o.backoff = o.backoff ? 1 : 0);
	WITHOUT("retry.backoff_max", o.backoff_max = 0);
	WITHOUT("retry.factor", o.factor = 0);
	WITHOUT("retry.no_jitter", o.no_jitter = false);
	WITHOUT("retry.no_jitter, always", o.no_jitter = true);
	WITHOUT("retry.deadline", o.deadline = 0);
	WITHOUT("retry.budget", o.budget = NULL);
	WITHOUT("retry.retryable", o.retryable = NULL);
	return said(__real_leat_retry_run(&o, fn, arg));
}

int __real_leat_retry_budget_init(leat_retry_budget *budget, double ratio, double per_second);
int __wrap_leat_retry_budget_init(leat_retry_budget *budget, double ratio, double per_second);
int __wrap_leat_retry_budget_init(leat_retry_budget *budget, double ratio, double per_second)
{
	WITHOUT("retry_budget.ratio", ratio = 0);
	WITHOUT("retry_budget.per_second", per_second = 0);
	return said(__real_leat_retry_budget_init(budget, ratio, per_second));
}

static void as_aimd(leat_adaptive_options *o)
{
	o->algorithm = LEAT_AIMD;
	o->backoff = 0.9;
	o->slow = LEAT_FOREVER;
	o->alpha = o->beta = o->probe = 0;
	o->smoothing = 0;
}

int __real_leat_adaptive_init(leat_adaptive *adaptive, const leat_adaptive_options *options);
int __wrap_leat_adaptive_init(leat_adaptive *adaptive, const leat_adaptive_options *options);
int __wrap_leat_adaptive_init(leat_adaptive *adaptive, const leat_adaptive_options *options)
{
	leat_adaptive_options o = *options;
	bool aimd = o.algorithm == LEAT_AIMD;

	INSTEAD("adaptive.algorithm", o.algorithm, LEAT_VEGAS, as_aimd(&o));
	INSTEAD("adaptive.algorithm", o.algorithm, LEAT_AIMD, o.algorithm = LEAT_VEGAS, o.slow = 0);
	WITHOUT("adaptive.min", o.min = 1);
	WITHOUT("adaptive.initial", o.initial = o.min);
	WITHOUT("adaptive.max", o.max = 1000 * MANY);
	WITHOUT("adaptive.window", o.window = 0);
	WITHOUT("adaptive.backoff", o.backoff = aimd ? 0.99 : o.backoff);
	WITHOUT("adaptive.backoff, of Vegas", o.backoff = aimd ? o.backoff : 0);
	WITHOUT("adaptive.slow", o.slow = aimd ? LEAT_FOREVER : 0);
	WITHOUT("adaptive.alpha", o.alpha = o.beta);
	WITHOUT("adaptive.beta", o.beta = o.beta ? MANY : 0);
	WITHOUT("adaptive.smoothing", o.smoothing = 0);
	WITHOUT("adaptive.probe", o.probe = 0);
	return said(__real_leat_adaptive_init(adaptive, &o));
}

int __real_leat_bucket_init(leat_bucket *bucket, double rate, double burst);
int __wrap_leat_bucket_init(leat_bucket *bucket, double rate, double burst);
int __wrap_leat_bucket_init(leat_bucket *bucket, double rate, double burst)
{
	WITHOUT("bucket.rate", rate = 1e9);
	WITHOUT("bucket.burst", burst = MANY);
	return said(__real_leat_bucket_init(bucket, rate, burst));
}

int __real_leat_bucket_set(leat_bucket *bucket, double rate, double burst);
int __wrap_leat_bucket_set(leat_bucket *bucket, double rate, double burst);
int __wrap_leat_bucket_set(leat_bucket *bucket, double rate, double burst)
{
	WITHOUT("bucket.rate, set", rate = 1e9);
	WITHOUT("bucket.burst, set", burst = MANY);
	return said(__real_leat_bucket_set(bucket, rate, burst));
}

int __real_leat_keyed_create(leat_keyed **ret_keyed, const leat_keyed_options *options);
int __wrap_leat_keyed_create(leat_keyed **ret_keyed, const leat_keyed_options *options);
int __wrap_leat_keyed_create(leat_keyed **ret_keyed, const leat_keyed_options *options)
{
	leat_keyed_options o = *options;

	WITHOUT("keyed.rate", o.rate = 1e9);
	WITHOUT("keyed.burst", o.burst = MANY);
	WITHOUT("keyed.keys", o.keys = MANY);
	INSTEAD("keyed.full", o.full, LEAT_KEYED_REFUSE, o.full = LEAT_KEYED_FORGET);
	INSTEAD("keyed.full", o.full, LEAT_KEYED_FORGET, o.full = LEAT_KEYED_REFUSE);
	WITHOUT("keyed.key_size", o.key_size = 0);
	return said(__real_leat_keyed_create(ret_keyed, &o));
}

int __real_leat_flight_create(leat_flight_raw **ret_flight, const leat_flight_options *options);
int __wrap_leat_flight_create(leat_flight_raw **ret_flight, const leat_flight_options *options);
int __wrap_leat_flight_create(leat_flight_raw **ret_flight, const leat_flight_options *options)
{
	leat_flight_options o = *options;

	WITHOUT("flight.clone", o.clone = NULL, o.drop = NULL);
	WITHOUT("flight.drop", o.drop = o.drop ? ignore_item : NULL);
	WITHOUT("flight.name", o.name = NULL);
	return said(__real_leat_flight_create(ret_flight, &o));
}

int __real_leat_test_run(const leat_test_options *options, int (*scenario)(void *fixture),
			 int (*check)(void *fixture, int result), void *fixture,
			 size_t fixture_size, leat_test_report *ret_report);
int __wrap_leat_test_run(const leat_test_options *options, int (*scenario)(void *fixture),
			 int (*check)(void *fixture, int result), void *fixture,
			 size_t fixture_size, leat_test_report *ret_report);
int __wrap_leat_test_run(const leat_test_options *options, int (*scenario)(void *fixture),
			 int (*check)(void *fixture, int result), void *fixture,
			 size_t fixture_size, leat_test_report *ret_report)
{
	leat_test_options o = options ? *options : *LEAT_TEST_OPTIONS();

	WITHOUT("test.seed", o.seed = 0);
	WITHOUT("test.seeds", o.seeds = 0);
	WITHOUT("test.max_points", o.max_points = 0);
	WITHOUT("test.log", o.log = NULL);
	return __real_leat_test_run(&o, scenario, check, fixture, fixture_size, ret_report);
}
