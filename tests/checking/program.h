/* What the scenarios that run a whole runtime share. */
#ifndef LEAT_TEST_PROGRAM_H
#define LEAT_TEST_PROGRAM_H

#include "checking.h"

static inline int run_with(int workers, int (*fn)(void *arg), void *arg)
{
	return leat_run(LEAT_OPTIONS(.workers = workers), fn, arg);
}

/* PROGRAM(name, seeds, workers) { ... }: a scenario whose body is a main task. */
#define PROGRAM(name_, seeds_, workers_)                                      \
	static void program_##name_(void);                                    \
	static int main_##name_(void *arg)                                    \
	{                                                                     \
		(void)arg;                                                    \
		program_##name_();                                            \
		return 0;                                                     \
	}                                                                     \
	SCENARIO(name_, seeds_)                                               \
	{                                                                     \
		return run_with((workers_), main_##name_, NULL);              \
	}                                                                     \
	static void program_##name_(void)

/* Computes for a while: long enough for others to spin, to doze or to sleep. */
static inline void compute(void)
{
	static const uint32_t most[] = { 1, 5000, 100000, 3000000 };

	leat__check_compute(leat__check_choose(most[leat__check_choose(4)]));
}

/* A few steps, of atomic operations that matter to nobody. */
static inline void stall(uint32_t most)
{
	uint32_t word = 0;

	for (uint32_t i = leat__check_choose(most + 1); i > 0; i--)
		(void)leat__load_relaxed(&word);
}

/* Computes, calling nothing of leat, until others have counted *word up to n. */
static inline void compute_until(uint32_t *word, uint32_t n)
{
	while (leat__load_acquire(word) < n)
		leat__cpu_pause();
}

/* Calls of leat at which others may be run, or not. */
static inline void dawdle(unsigned most)
{
	for (uint32_t i = leat__check_choose(most + 1); i > 0; i--)
		leat_yield();
}

static inline void make(leat_group *group)
{
	REQUIRE(leat_group_init(group, NULL) == 0);
}

/* Waits for the group's tasks and ends it; its error. */
static inline int finish(leat_group *group)
{
	int r = leat_group_wait(group);

	leat_group_release(group);
	return r;
}

#endif
