/*
 * Signals of the terminal and of who manages the program.
 *
 *	INT, TERM, HUP	the first: no new job; the second: jobs are stopped, too; the third: the
 *			program ends at once (the guardian kills what runs)
 *	TSTP, CONT	the children are stopped, then the program itself; they go on with it
 *	USR1		the table of the stages, with the one to widen, to stderr
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <leat/signal.h>

#include "map.h"
#include "message.h"
#include "screen.h"

static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT, SIGUSR1 };
enum { NUMBERS = sizeof(numbers) / sizeof(numbers[0]) };

static void stop(struct map *m, int sig, int times)
{
	atomic_store(&m->signal, sig);
	if (times == 1) {
		message("no new jobs; %d run, again to stop them", atomic_load(&m->running));
		map_stop_soon(m);
	} else if (times == 2) {
		leat_pipeline_abort(m->pipeline, -ECANCELED);
	} else {
		screen_leave();
		signal(sig, SIG_DFL);
		kill(getpid(), sig);
		_exit(255);
	}
}

static void explain(struct map *m)
{
	char text[4096];

	leat_pipeline_explain(m->pipeline, text, sizeof(text));
	screen_message(text, strlen(text));
}

/* Those that are not ignored: nohup(1) and a shell's & mean it. */
static size_t not_ignored(int *ret)
{
	struct sigaction old;
	size_t n = 0;

	for (size_t i = 0; i < NUMBERS; i++)
		if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			ret[n++] = numbers[i];
	return n;
}

static int watch(struct map *m)
{
	leat_signals *signals;
	int open[NUMBERS], sig, times = 0, r;
	bool paused = false;

	r = leat_signals_open(&signals, open, not_ignored(open));
	if (r < 0) {
		message("signals: %s", leat_strerror(r));
		return r;
	}
	while (leat_channel_recv(leat_signals_channel(signals), &sig, LEAT_FOREVER) == 0)
		switch (sig) {
		case SIGTSTP:
			if (!paused)
				slots_pause(&m->slots);
			paused = true;
			screen_hide();
			kill(getpid(), SIGSTOP);
			break;
		case SIGCONT:
			if (paused)
				slots_continue(&m->slots);
			paused = false;
			screen_show();
			break;
		case SIGUSR1:
			explain(m);
			break;
		default:
			stop(m, sig, ++times);
		}
	if (paused)
		slots_continue(&m->slots);
	screen_show();
	leat_signals_close(signals);
	return 0;
}

LEAT_TASK(signals, (struct map *, m))
{
	(void)watch(m);
}

int map_signals_start(struct map *m, leat_group *group)
{
	return leat_go_in(group, signals, m);
}
