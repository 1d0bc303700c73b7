/*
 * All that differs by operating system, behind one header.  Functions that can
 * fail return 0 or a negative errno.  src/port/linux.c implements it;
 * src/port/check.c does for the checking build, with virtual threads.
 */
#ifndef LEAT_PORT_PORT_H
#define LEAT_PORT_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Threads. */
struct leat__thread_handle {
	uint64_t id;
};
int leat__thread_start(struct leat__thread_handle *ret_thread, void *(*fn)(void *), void *arg);
/* With a stack of so many bytes. */
int leat__thread_start_stack(struct leat__thread_handle *ret_thread, void *(*fn)(void *), void *arg,
			     size_t stack_size);
/* Of the calling thread, which was started by one of them. */
struct leat__thread_handle leat__thread_handle_self(void);
void leat__thread_join(struct leat__thread_handle thread);
/*
 * One value per thread, NULL at first; end(value) is called when a thread ends that
 * has set one.  All set it with the same end.
 */
void *leat__thread_value(void);
int leat__thread_value_set(void *value, void (*end)(void *value));

/*
 * Keeps SIGPIPE from the calling thread until leat__sigpipe_end, which is given what
 * leat__sigpipe_begin returned.  Not nested with each other on one thread.
 */
bool leat__sigpipe_begin(void);
void leat__sigpipe_end(bool was_blocked);

/* fn runs in the child of every fork(2) from now on.  0 or a negative errno. */
int leat__on_fork_child(void (*fn)(void));

/* The number of CPUs that this process may use: affinity and cgroup quota; >= 1. */
int leat__cpu_count(void);

/* Fine timers for the calling thread; returns the old slack for the second call. */
int64_t leat__timer_slack_fine(void);
void leat__timer_slack_restore(int64_t slack);

/*
 * Sleep while *word == expected, until woken or deadline (absolute
 * monotonic ns; INT64_MAX: none).  May wake spuriously.
 */
void leat__futex_wait(uint32_t *word, uint32_t expected, int64_t deadline);
/* Wakes up to n sleepers.  The word may be gone: at worst somebody else wakes spuriously. */
void leat__futex_wake(uint32_t *word, int n);

/* Monotonic nanoseconds of the real clock. */
int64_t leat__clock(void);

/* Makes leat__fence_heavy (base/atomic.h) work; once, before any thread. */
void leat__fence_heavy_init(void);

/*
 * Address space.  map_reserve: size bytes aligned to align, readable and writable,
 * no swap reservation, no huge pages; NULL on failure.
 */
void *leat__map_reserve(size_t size, size_t align);
void leat__map_release(void *ptr, size_t size);
/* Makes the page fault on touch, without a mapping of its own; -ENOTSUP where the kernel cannot. */
int leat__map_guard(void *page);
/* The same for one page by mprotect: costs a mapping. */
int leat__map_guard_one(void *page);
/* Gives the pages back; they read as zero afterwards. */
void leat__map_trim(void *ptr, size_t size);
size_t leat__page_size(void);

/* Bytes that may still be used: the smaller of available memory and cgroup headroom. */
uint64_t leat__memory_available(void);

/* Bits that nobody can guess. */
uint64_t leat__random_seed(void);

/* The name of the calling thread, as shown by ps and gdb; its number there. */
void leat__thread_set_name(const char *name);
int leat__thread_number(void);

/*
 * For dumps: safe in a signal handler, and errno stays as it was.
 */

/* Writes all n bytes; 0 or a negative errno. */
int leat__write_all(int fd, const void *bytes, size_t n);

/*
 * Reads memory that may be gone or be written meanwhile: the kernel copies it, so
 * there is no fault.  Nothing can be read when no pipe is to be had.
 */
struct leat__probe {
	int fd[2];		/* -1: none */
};
/* 0, or the negative errno of pipe2(2). */
int leat__probe_open(struct leat__probe *probe);
bool leat__probe_read(const struct leat__probe *probe, void *to, const void *from, size_t n);
void leat__probe_close(struct leat__probe *probe);

/* The function that contains pc, of any module that has a symbol table. */
struct leat__symbol {
	char module[40];	/* file name without directory; "" if pc is in no file */
	char name[56];		/* "": not known */
	uint64_t offset;	/* in the function; without a name, in the module */
};
void leat__symbol_find(uintptr_t pc, struct leat__symbol *ret_symbol);
/* The mapping of code that contains pc. */
bool leat__code_range(uintptr_t pc, uintptr_t *ret_start, uintptr_t *ret_end);

#endif
