/*
 * Child processes: started with the semantics of vfork, waited for by descriptor.
 * Functions that can fail return 0 or a negative errno.
 */
#ifndef LEAT_PORT_SPAWN_H
#define LEAT_PORT_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum leat__spawn_flag {
	LEAT__SPAWN_GROUP = 1,	/* leads a process group of its own */
	LEAT__SPAWN_SESSION = 2, /* leads a session of its own, blocks all signals, has fds only */
	LEAT__SPAWN_BOUND = 4,	/* dies with the thread that starts it */
};

/* `from` of the caller is `to` in the child. */
struct leat__spawn_fd {
	int to, from;
};

struct leat__spawn_limit {
	int resource;
	uint64_t soft, hard;
};

struct leat__spawn {
	uint32_t flags;		/* enum leat__spawn_flag */
	int image;		/* >= 0: the program, as a descriptor; else file */
	const char *file;
	const char *path;	/* not NULL: directories to search for file, if it has no slash */
	const char *const *argv;
	const char *const *env;
	const char *cwd;	/* NULL: the caller's */
	struct leat__spawn_fd *fds; /* `from` is overwritten; all others but 0 to 2 are closed */
	size_t nfds;
	const struct leat__spawn_limit *limits;
	size_t nlimits;
	int64_t timer_slack;	/* ns, of the child; 0: the calling thread's */
	int32_t *enter;		/* (a) the child stores its target there before it can be seen */
	/* What follows is filled in. */
	int parent;
	volatile int error;
	int pid;
	int pidfd;
};

/* -ENOSYS: the kernel is too old (before Linux 5.4). */
int leat__spawn_supported(void);

/*
 * Starts the program and returns when it runs: pid and pidfd are filled in.  Blocks the thread
 * for as long as the exec takes.  The child's stack is the size bytes at stack.
 */
int leat__spawn(struct leat__spawn *s, void *stack, size_t size);

struct leat__exit {
	int code;		/* -1: ended by a signal */
	int signal;		/* 0: ended by itself */
	bool core;		/* left a core file */
	int64_t user_ns, system_ns;
	int64_t memory_max;	/* bytes */
};

/*
 * Reaps the child of pidfd, and no other; -EAGAIN: it has not ended (unless block).
 * -ECHILD: somebody else has reaped it.
 */
int leat__reap(int pidfd, bool block, struct leat__exit *ret_exit);

/* What leat__spawn_fd.to and ->enter name: a process, or the group -target. */
int leat__kill(int target, int sig);
int leat__kill_child(int pidfd, int sig);

#endif
