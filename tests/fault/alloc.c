/*
 * Every allocation site of the library made to fail once: no crash, nothing
 * leaked, an error code where one is promised, and the next run works again.
 *
 * The sites count themselves (rt/fault.h), and the test counts them in the
 * source, so a site that the scenario does not pass fails the test.
 */
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <stdatomic.h>
#include <unistd.h>

#include <leat/extend.h>

#include "rt/fault.h"
#include "test.h"

static bool no_processes;	/* they cannot be had here */
static atomic_llong bytes_out;	/* allocated and not released */

static void *counted_alloc(void *ctx, size_t size, size_t align)
{
	void *p = NULL;

	(void)ctx;
	if (posix_memalign(&p, align < sizeof(void *) ? sizeof(void *) : align, size) != 0)
		return NULL;
	atomic_fetch_add(&bytes_out, (long long)size);
	return p;
}

static void counted_release(void *ctx, void *ptr, size_t size)
{
	(void)ctx;
	free(ptr);
	atomic_fetch_sub(&bytes_out, (long long)size);
}

struct big {
	char bytes[1000];
};

LEAT_TASK_ERR(with_result, (int, i))
{
	int *slot = leat_group_result_slot();

	if (!slot)
		return -ENOMEM;
	*slot = i;
	return 0;
}

/* The table of handles, and its slots. */
static int open_and_close(void)
{
	int fd[2], r;
	leat_io io;

	REQUIRE(pipe(fd) == 0);
	r = leat_io_adopt(&io, fd[0], 0);
	if (r < 0)
		close(fd[0]);
	else
		leat_io_close(io);
	close(fd[1]);
	return r;
}

/* A stream in memory, read by lines that outgrow the buffer, and written to. */
static int read_and_write(void)
{
	leat_reader *reader = NULL;
	leat_writer *writer = NULL;
	const char *line;
	leat_io io;
	size_t n;
	int r = leat_io_memory(&io, "more than four\n", 15, 0);

	if (r < 0)
		return r;
	r = leat_reader_create(&reader, io, LEAT_STREAM_OPTIONS(.buffer = 4));
	if (r == 0)
		r = leat_reader_line(reader, &line, &n, LEAT_FOREVER);
	if (r == 0)
		r = leat_writer_create(&writer, io, NULL);
	if (r == 0)
		r = leat_writer_write(writer, "x", 1, LEAT_FOREVER, NULL);
	if (r == 0)
		r = leat_writer_flush(writer, LEAT_FOREVER);
	leat_writer_free(writer);
	leat_reader_free(reader);
	leat_io_close(io);
	return r;
}

/* Receives that nobody wants, of an element too large for the stack. */
static int drop_large(void)
{
	leat_chan(struct big) c = leat_chan_make(struct big, 1);
	struct big big = { { 1 } };
	int r;

	if (!c)
		return -ENOMEM;
	leat_send(c, big);
	r = leat_channel_recv(LEAT__RAW(c), NULL, LEAT_FOREVER);
	if (r == 0) {
		leat_case sel = leat_recv_case(LEAT__RAW(c), NULL, NULL);

		leat_send(c, big);
		r = leat_select_cases(&sel, 1);
	}
	leat_chan_unref(c);
	return r < 0 ? r : 0;
}

enum { MANY = 20 };

/* In a fault build a default locks all channels; more than 16 need a list of them. */
static int many_with_default(void)
{
	leat_chan(int) c = leat_chan_make(int, 1);
	leat_case cases[MANY + 1];
	int r, v;

	if (!c)
		return -ENOMEM;
	for (int i = 0; i < MANY; i++)
		cases[i] = leat_recv_case(LEAT__RAW(c), &v, NULL);
	cases[MANY] = leat_case_default;
	r = leat_select_cases(cases, MANY + 1);
	leat_chan_unref(c);
	return r == LEAT_DEFAULT ? 0 : r;
}

/* The thread that starts it, the child, what it writes. */
static int run_program(void)
{
	const char *const argv[] = { "/bin/echo", "text", NULL };
	leat_output out;
	int r = leat_process_output(&out, LEAT_PROCESS_OPTIONS(.argv = argv), NULL, 0, 100,
				    LEAT_FOREVER);

	leat_output_release(&out);
	no_processes |= r == -ENOSYS; /* qemu has no pidfd */
	return r == -ENOSYS ? 0 : r;
}

static int open_signals(void)
{
	const int number = SIGUSR1;
	leat_signals *s;
	int r = leat_signals_open(&s, &number, 1);

	if (r == 0)
		leat_signals_close(s);
	return r;
}

/* For libraries on top. */
static int alloc_for_user(void)
{
	void *p = leat_alloc(10);

	leat_free(p, 10);
	return p ? 0 : -ENOMEM;
}

static void *attach(void *ret_result)
{
	*(int *)ret_result = leat_thread_attach();
	return NULL;
}

/* A thread that is no worker gets its stand-in. */
static int attach_thread(void)
{
	pthread_t thread;
	int r = 0;

	REQUIRE(pthread_create(&thread, NULL, attach, &r) == 0);
	pthread_join(thread, NULL);
	return r;
}

static int user_main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

/* Both ends of a connection; simulated, all in memory. */
static int simulated_sockets(void)
{
	leat_io listener, client = { 0 }, server = { 0 };
	leat_addr addr;
	char c;
	int r;

	REQUIRE(leat_addr_parse(&addr, "127.0.0.1:80") == 0);
	r = leat_listen(&listener, &addr, NULL);
	if (r < 0)
		return r;
	r = leat_connect(&client, &addr, NULL, LEAT_FOREVER);
	if (r == 0)
		r = leat_accept(listener, &server, NULL, LEAT_FOREVER);
	if (r == 0)
		r = leat_write_all(client, "x", 1, LEAT_FOREVER, NULL);
	if (r == 0)
		r = leat_read_full(server, &c, 1, LEAT_FOREVER, NULL);
	leat_io_close(client);
	leat_io_close(server);
	leat_io_close(listener);
	return r;
}

/* A socket, its name, what is sent; pairs of both kinds. */
static int simulated_messages(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };
	leat_addr addr;
	leat_io io, pair[2];
	int r;

	REQUIRE(leat_addr_parse(&addr, "127.0.0.1:80") == 0);
	r = leat_datagram_open(&io, &addr, NULL, NULL);
	if (r < 0)
		return r;
	r = leat_send_to(io, "x", 1, &addr, LEAT_FOREVER);
	leat_io_close(io);
	for (int i = 0; i < 2 && r == 0; i++) {
		r = leat_socketpair(pair, types[i]);
		if (r == 0)
			CHECK_EQ(leat_io_close(pair[0]) + leat_io_close(pair[1]), 0);
	}
	return r;
}

/* The disk, a directory, a file, a handle, bytes, a list. */
static int simulated_files(void)
{
	leat_dir *dir;
	leat_io io;
	int r = leat_open(&io, "/a/b", O_RDWR | O_CREAT, 0600, LEAT_FOREVER);

	if (r < 0)
		return r;
	r = leat_write_all(io, "x", 1, LEAT_FOREVER, NULL);
	if (r == 0)
		r = leat_dir_open(&dir, "/a", LEAT_FOREVER);
	if (r == 0)
		leat_dir_close(dir);
	leat_io_close(io);
	return r;
}

static int main_task(void *arg)
{
	leat_local_key key;
	leat_ticker *ticker;
	leat_dir *dir;
	leat_addr addr;
	int results[4], r;
	leat_group g;

	r = arg ? attach_thread() : alloc_for_user();
	if (r == 0)
		r = drop_large();
	if (r == 0)
		r = many_with_default();
	if (r == 0)
		r = open_and_close();
	if (r == 0 && arg)
		r = run_program();
	if (r == 0 && arg)
		r = open_signals();
	if (r == 0 && !arg)
		r = simulated_sockets();
	if (r == 0 && !arg)
		r = simulated_messages();
	if (r == 0 && !arg)
		r = simulated_files();
	if (r == 0)
		r = leat_dir_open(&dir, "/", LEAT_FOREVER);
	if (r == 0)
		leat_dir_close(dir);
	if (r == 0 && leat_resolve("127.0.0.1", "80", &addr, 1, LEAT_FOREVER) < 0)
		r = -ENOMEM;
	if (r == 0)
		r = read_and_write();
	if (r == 0)
		r = leat_local_key_create(&key, NULL);
	if (r == 0)
		r = leat_local_set(key, &g);
	if (r == 0) {
		r = leat_ticker_create(&ticker, LEAT_MS);
		if (r == 0)
			leat_ticker_stop(ticker);
	}
	if (r < 0)
		return r;
	r = leat_group_init(&g, LEAT_GROUP_OPTIONS(.result_size = sizeof(int), .limit = 2));
	if (r < 0)
		return r;
	for (int i = 0; i < 4 && r == 0; i++)
		r = leat_go_in(&g, with_result, i);
	if (leat_group_wait(&g) < 0 && r == 0)
		r = leat_group_error(&g, NULL);
	if (r == 0)
		CHECK_EQ(leat_results(&g, results, 4), 4);
	leat_group_release(&g);
	return r;
}

/* A program that has a signal stack of its own: neither freed nor lost. */
static void main_with_signal_stack(void)
{
	static char own[64 * 1024];
	stack_t stack = { .ss_sp = own, .ss_size = sizeof(own) }, before, after;

	REQUIRE(sigaltstack(&stack, &before) == 0);
	/* Without its signal stacks a program runs all the same, and says so. */
	CHECK_EQ(leat_main_run(user_main, 0, NULL), 0);
	REQUIRE(sigaltstack(&before, &after) == 0);
	CHECK(after.ss_sp == own);
}

static int scenario(void)
{
	leat_options o = { .size = sizeof(o),
			   .workers = 2,
			   .allocator = { counted_alloc, counted_release, NULL } };
	int r = leat_run(&o, main_task, &o);
	int r2 = leat_sim_run(&o, main_task, NULL, 7, 1, NULL);

	main_with_signal_stack();
	CHECK_EQ(atomic_load(&bytes_out), 0);
	return r < 0 ? r : r2;
}

/* Lines of the file that allocate; not those that define how. */
static size_t sites_in(const char *path)
{
	FILE *file = fopen(path, "r");
	char line[512];
	size_t n = 0;

	REQUIRE(file != NULL);
	while (fgets(line, sizeof(line), file))
		n += !strstr(line, "void *leat__") &&
		     (strstr(line, "leat__alloc(") || strstr(line, "leat__alloc_aligned(") ||
		      strstr(line, "leat__process_alloc("));
	fclose(file);
	return n;
}

static size_t sites_in_source(void)
{
	size_t n = 0;
	glob_t files;

	REQUIRE(glob(LEAT_SOURCES, 0, NULL, &files) == 0);
	for (size_t i = 0; i < files.gl_pathc; i++)
		n += sites_in(files.gl_pathv[i]);
	globfree(&files);
	return n;
}

TEST_PLAIN(every_site_fails_once)
{
	const struct leat__fault_site *site;
	size_t n;

	REQUIRE(scenario() == 0);
	site = leat__fault_sites(&n);
	CHECK_EQ(n, sites_in_source());
	for (size_t i = 0; i < n; i++) {
		bool must_run = strstr(site[i].site, "main.c:") != NULL ||
				(no_processes && strstr(site[i].site, "process_output.c:"));
		int r;

		leat__fault_arm(site[i].site);
		r = scenario();
		leat__fault_arm(NULL);
		if (site[i].failed != 1 || (r >= 0) != must_run)
			fprintf(stderr, "site %s: failed %llu times, the run returned %d\n",
				site[i].site, (unsigned long long)site[i].failed, r);
		CHECK_EQ(site[i].failed, 1);
		CHECK_EQ(r, must_run ? 0 : -ENOMEM);
	}
	CHECK_EQ(scenario(), 0);
}
