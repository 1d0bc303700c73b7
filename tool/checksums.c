#include "checksums.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <leat/signal.h>

#include "memory.h"
#include "message.h"
#include "screen.h"
#include "units.h"

static const char help[] =
	"usage: leat demo checksums [OPTION]... [DIR]\n"
	"\n"
	"Verifies the files of the packages that are installed in DIR (/) against\n"
	"dpkg's database there, as debsums does: 1 GB of them, chosen by a seed.\n"
	"It may be stopped by Ctrl-C; run again, it goes on with what is left.\n"
	"\n"
	"      --all            all files\n"
	"      --size SIZE      no more than so many bytes (1GB)\n"
	"      --seed N         another choice (1)\n"
	"  -j, --jobs N         so many workers; N%, +N: of, more than the cores (100%)\n"
	"      --journal FILE   what has matched, to go on later (a file of its own in\n"
	"                       $XDG_STATE_HOME/leat)\n"
	"      --list           name each file, not only some that differ or are missing\n"
	"  -h, --help           this text\n"
	"\n"
	"Files that dpkg was told not to install (path-exclude) are only counted when\n"
	"they are missing.  Exit status: the sum of 1, files could not be read, and 2,\n"
	"files differ or are missing; 255 it could not go on, as where there is no dpkg.\n";

void checksums_help(void)
{
	fputs(help, stdout);
}

#define REFUSE(...)                                                           \
	do {                                                                  \
		message("demo checksums: " __VA_ARGS__);                      \
		return -EINVAL;                                               \
	} while (0)

enum { ALL = 256, SIZE, SEED, JOURNAL, LIST };

static const struct option options[] = {
	{ "all", no_argument, NULL, ALL },
	{ "size", required_argument, NULL, SIZE },
	{ "seed", required_argument, NULL, SEED },
	{ "jobs", required_argument, NULL, 'j' },
	{ "journal", required_argument, NULL, JOURNAL },
	{ "list", no_argument, NULL, LIST },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static int take(struct checksums *s, int c, const char *arg, const char **why)
{
	struct jobs jobs;
	int64_t seed;
	int r = 0;

	switch (c) {
	case ALL:
		s->limit = UINT64_MAX;
		break;
	case SIZE:
		r = units_size(arg, &s->limit, why);
		break;
	case SEED:
		r = units_int(arg, 0, INT64_MAX, &seed, why);
		if (r == 0)
			s->seed = (uint64_t)seed;
		break;
	case 'j':
		r = units_jobs(arg, (int)sysconf(_SC_NPROCESSORS_ONLN), &jobs, why);
		if (r == 0)
			s->workers = jobs.n;
		break;
	case LIST:
		s->list = true;
		break;
	default:
		s->journal_path = arg;
	}
	return r;
}

/* 0; 1: --help; or -EINVAL, and the message is out. */
static int parse(struct checksums *s, int argc, char **argv)
{
	const char *why = "";
	int c;

	while ((c = getopt_long(argc, argv, ":j:h", options, NULL)) >= 0) {
		if (c == 'h')
			return 1;
		if (c == ':')
			REFUSE("%s lacks its argument", argv[optind - 1]);
		if (c == '?')
			REFUSE("%s is no option; try leat help demo", argv[optind - 1]);
		if (take(s, c, optarg, &why) < 0)
			REFUSE("%s: %s", optarg, why);
	}
	if (argc - optind > 1)
		REFUSE("one directory at a time");
	if (optind < argc)
		s->root = argv[optind];
	return 0;
}

struct worker {
	struct checksums *s;
	unsigned char *buffer;
};

static int begin(struct worker *w, int number)
{
	(void)number;
	w->buffer = malloc(CHECKSUMS_BUFFER);
	return w->buffer ? 0 : -ENOMEM;
}

static void end(struct worker *w)
{
	free(w->buffer);
}

static void could_not_go_on(struct checksums *s, int r)
{
	int none = 0;

	if (!atomic_compare_exchange_strong(&s->fatal, &none, r))
		return;
	message("%s: %s", s->journal_path ? s->journal_path : s->journal_own, leat_strerror(r));
	atomic_store(&s->stop, true);
	leat_pool_abort(s->pool, r);
}

/* 0: it matches. */
static int check(struct worker *w, struct checked **job)
{
	struct checksums *s = w->s;
	struct checked *c = *job;
	int r = 0;

	checksums_read(s, c, w->buffer);
	if (c->verdict == NOT_READ)
		return -ECANCELED;
	if (c->verdict == MATCHES && s->journal)
		r = journal_add(s->journal, &c->key, JOURNAL_DONE);
	if (r < 0)
		could_not_go_on(s, r);
	atomic_fetch_add_explicit(&s->done, 1, memory_order_relaxed);
	if (c->verdict != MATCHES)
		atomic_fetch_add_explicit(&s->failed, 1, memory_order_relaxed);
	return c->verdict == MATCHES ? 0 : -EIO;
}

/* Ctrl-C: what has begun is let go, what has matched is in the journal. */
LEAT_TASK(signals, (struct checksums *, s))
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT };
	leat_signals *all;
	int sig;

	if (leat_signals_open(&all, numbers, sizeof(numbers) / sizeof(numbers[0])) < 0)
		return; /* then they end the program, and the journal is as good */
	while (leat_channel_recv(leat_signals_channel(all), &sig, LEAT_FOREVER) == 0) {
		if (sig == SIGTSTP) {
			screen_hide();
			kill(getpid(), SIGSTOP);
		} else if (sig == SIGCONT) {
			screen_show();
		} else {
			atomic_store(&s->signal, sig);
			atomic_store(&s->stop, true);
			leat_pool_abort(s->pool, -ECANCELED);
		}
	}
	leat_signals_close(all);
}

/* Less often than for jobs that cannot be repeated: here a power cut only costs time. */
LEAT_TASK(sync_journal, (struct checksums *, s))
{
	int r = 0;

	while (r == 0 && leat_sleep(LEAT_S) == 0)
		r = journal_sync(s->journal);
	if (r < 0)
		could_not_go_on(s, r);
}

static void look(void *arg, struct progress_now *ret)
{
	struct checksums *s = arg;
	uint64_t skipped = atomic_load(&s->skipped), bytes = atomic_load(&s->bytes);

	*ret = (struct progress_now){
		.done = atomic_load(&s->done) + skipped, .all = s->nfiles, .skipped = skipped,
		.failed = atomic_load(&s->failed), .running = atomic_load(&s->running),
		.in_bytes = true, .worked = bytes,
		.left = s->to_read > bytes ? s->to_read - bytes : 0,
	};
}

static int submit_all(struct checksums *s)
{
	int r = 0;

	for (size_t i = 0; i < s->nfiles && r == 0; i++)
		if (!s->files[i].skipped)
			r = leat_pool_submit(s->pool, &s->files[i]);
	leat_pool_close(s->pool);
	return r == 0 ? leat_pool_drain(s->pool, LEAT_FOREVER) : r;
}

static int start_beside(struct checksums *s, leat_group *beside)
{
	int r = leat_go_in(beside, signals, s);

	if (r == 0 && s->journal)
		r = leat_go_in(beside, sync_journal, s);
	if (r == 0)
		r = progress_start(&s->progress, beside, look, s);
	return r;
}

static int verify(struct checksums *s)
{
	struct worker worker = { .s = s };
	int64_t began = leat_now();
	leat_group beside;
	int r = leat_pool_make_with(&s->pool, &worker, begin, end, check, .workers = s->workers,
				    .queue = 64, .overflow = LEAT_OVERFLOW_BLOCK,
				    .on_error = LEAT_ERROR_COUNT, .name = "checksums");

	if (r < 0)
		return r;
	leat_group_init(&beside, LEAT_GROUP_OPTIONS(.join = LEAT_JOIN_ALL_DONE));
	r = start_beside(s, &beside);
	if (r == 0)
		r = submit_all(s);
	s->took = leat_now() - began;
	leat_group_cancel(&beside, 0);
	leat_group_wait(&beside);
	leat_group_release(&beside);
	s->stats.size = sizeof(s->stats);
	leat_pool_stats(s->pool, &s->stats);
	s->ledger.size = sizeof(s->ledger);
	leat_pool_destroy(s->pool, &s->ledger);
	progress_end(&s->progress);
	return s->stop ? 0 : r;
}

static int plan(struct checksums *s)
{
	int r = dpkg_read(&s->db, s->root);

	if (r == 0)
		checksums_sample(s);
	return r;
}

static int checksums_task(void *arg)
{
	struct checksums *s = arg;
	int r = leat_blocking_call(plan, s);

	if (r == -ENOENT || r == -ENOTDIR)
		message("%s has no database of dpkg; try it on Debian, or a system like it",
			s->root);
	else if (r < 0)
		message("%s: the database of dpkg: %s", s->root, leat_strerror(r));
	if (r == 0)
		r = checksums_journal_open(s);
	if (r == 0) {
		r = verify(s);
		if (r < 0)
			message("%s", leat_strerror(r));
		checksums_journal_close(s, r == 0 && !s->stop);
	}
	if (r < 0)
		s->fatal = r;
	return 0;
}

static int end_of(struct checksums *s)
{
	int status = s->fatal < 0 ? 255 : checksums_report(s, stdout);
	int sig = atomic_load(&s->signal);

	fflush(stdout);
	if (sig != 0 && s->fatal == 0) {
		message("stopped; run again to go on");
		signal(sig, SIG_DFL);
		raise(sig);
	}
	free(s->files);
	dpkg_release(&s->db);
	return status;
}

int checksums_main(int argc, char **argv)
{
	struct checksums s = { .root = "/", .seed = 1, .limit = 1000000000, .db.root = -1,
			       .workers = (int)sysconf(_SC_NPROCESSORS_ONLN) };
	int r = parse(&s, argc, argv);

	if (r > 0)
		checksums_help();
	if (r != 0)
		return r > 0 ? 0 : 255;
	r = leat_run(LEAT_OPTIONS(.abort_on_deadlock = true), checksums_task, &s);
	if (r < 0)
		die("cannot start: %s", leat_strerror(r));
	return end_of(&s);
}
