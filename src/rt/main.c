/*
 * LEAT_MAIN: what a program wants and a library must not do: signal handlers,
 * and the end of the process.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rt/rt.h"
#include "rt/stack.h"
#include "rt/task.h"

struct call {
	int (*user_main)(int argc, char **argv);
	int argc;
	char **argv;
};

static int call_main(void *arg)
{
	struct call *call = arg;

	return call->user_main(call->argc, call->argv);
}

static void on_quit(int sig)
{
	int saved = errno;

	(void)sig;
	leat_dump(STDERR_FILENO);
	errno = saved;
}

/* A fault in the guard page of the stack that the worker stands on is an overflow. */
static void on_fault(int sig, siginfo_t *info, void *context)
{
	struct leat__worker *w = leat__self();
	struct leat__task *t = w ? w->cur : NULL;
	char text[256];
	int n;

	(void)context;
	if (t && t->stack && leat__stack_is_guard(w->stack, info->si_addr)) {
		n = snprintf(text, sizeof(text),
			     "leat: stack overflow in task %llu '%s' at %p; give it a larger stack (leat_task_options.stack_size)\n",
			     (unsigned long long)t->id, leat__task_name_of(t), info->si_addr);
		if (write(STDERR_FILENO, text, (size_t)n) < 0)
			_exit(134);
	}
	signal(sig, SIG_DFL);
	raise(sig);
}

enum { SIGNAL_STACK = 64 * 1024 };

/* Handlers run here, never on a task's stack.  Kept while the thread is a worker. */
static __thread void *own_signal_stack;
static __thread stack_t signal_stack_before; /* the program's, or a sanitizer's */

static void signal_stack(void *ctx, int worker)
{
	stack_t stack = { .ss_size = SIGNAL_STACK };

	(void)ctx;
	(void)worker;
	own_signal_stack = stack.ss_sp = leat__process_alloc(SIGNAL_STACK);
	if (!stack.ss_sp)
		leat__log("no memory for a signal stack; a stack overflow will not be reported");
	else
		sigaltstack(&stack, &signal_stack_before);
}

static void signal_stack_free(void *ctx, int worker)
{
	(void)ctx;
	(void)worker;
	if (!own_signal_stack)
		return;
	sigaltstack(&signal_stack_before, NULL);
	leat__process_free(own_signal_stack);
	own_signal_stack = NULL;
}

static void handle(int sig, void (*handler)(int), void (*action)(int, siginfo_t *, void *))
{
	struct sigaction sa = { .sa_flags = SA_ONSTACK | SA_RESTART };

	if (action) {
		sa.sa_sigaction = action;
		sa.sa_flags |= SA_SIGINFO;
	} else {
		sa.sa_handler = handler;
	}
	sigemptyset(&sa.sa_mask);
	sigaction(sig, &sa, NULL);
}

int leat_main_run(int (*user_main)(int argc, char **argv), int argc, char **argv)
{
	struct call call = { user_main, argc, argv };
	leat_options options = { .size = sizeof(options),
				 .worker_start = signal_stack,
				 .worker_stop = signal_stack_free,
				 .abort_on_deadlock = true };
	int r;

	handle(SIGQUIT, on_quit, NULL);
#if !defined(LEAT__ASAN) && !defined(LEAT__TSAN)
	handle(SIGSEGV, NULL, on_fault);
	handle(SIGBUS, NULL, on_fault);
#else
	(void)on_fault; /* the sanitizers report better */
#endif
	r = leat_run(&options, call_main, &call);
	if (r < 0) {
		leat__log("%s: %s", argc > 0 ? argv[0] : "main", leat_strerror(r));
		return 1;
	}
	return r;
}
