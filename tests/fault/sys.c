/*
 * Every system call of the I/O layer made to fail, in several ways: no crash, no hang, no
 * descriptor, memory or child left, and the next run works again.
 *
 * The sites count themselves (port/sys.h), in a library that is linked as a whole; one
 * that no scenario passes fails the test.  What only the failure of another leads to is made to
 * fail together with that one.  Calls that are no site: close; those of a handler or a dump
 * (port/sigwatch.c, probe.c, symbol.c), which ignore errors; getaddrinfo, whose errors are
 * its own (tests/io/resolve.c); the poller's wait, which tries again.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../io/proc.h"
#include "port/sys.h"
#include "foreign.h"
#include "test.h"

#define SOON leat_in(LEAT_S)

static char path[64];
static char other_path[72];

static bool no_processes;	/* they cannot be had here: qemu-user has no pidfd */
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

/* 0 and counts are fine; an error ends the part of the scenario. */
#define TRY(call)                    \
	do {                         \
		int64_t r_ = (call); \
		if (r_ < 0)          \
			return (int)r_; \
	} while (0)

/* One byte through each kind of call. */
static int pass(leat_io from, leat_io to)
{
	struct iovec two[2] = { { (char *)"ab", 2 }, { (char *)"cd", 2 } };
	char a[2], b[2];
	struct iovec in[2] = { { a, 2 }, { b, 2 } };

	TRY(leat_write(from, "x", 1, SOON));
	TRY(leat_read(to, a, 1, SOON));
	TRY(leat_writev(from, two, 2, SOON));
	TRY(leat_readv(to, in, 2, SOON));
	return 0;
}

static int adopt_pair(int fd[2], unsigned flags)
{
	leat_io io[2] = { { 0 }, { 0 } };
	int r = leat_io_adopt(&io[0], fd[0], flags);

	if (r == 0)
		r = leat_io_adopt(&io[1], fd[1], flags);
	if (r == 0)
		r = pass(io[1], io[0]);
	for (int i = 0; i < 2; i++) {
		bool ours = !leat_io_is_none(io[i]);

		leat_io_close(io[i]);
		if (!ours || (flags & LEAT_IO_INHERITED))
			close(fd[i]);
	}
	return r;
}

static int pipes(void)
{
	int fd[2];

	REQUIRE(pipe2(fd, O_CLOEXEC) == 0);
	TRY(adopt_pair(fd, 0));
	REQUIRE(pipe2(fd, O_CLOEXEC) == 0);
	TRY(adopt_pair(fd, LEAT_IO_INHERITED));
	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0);
	return adopt_pair(fd, 0);
}

static int wait_raw(void)
{
	int fd[2], r;

	REQUIRE(pipe2(fd, O_CLOEXEC) == 0);
	r = leat_wait_fd(fd[0], LEAT_READABLE, leat_in(LEAT_MS / 10));
	close(fd[0]);
	close(fd[1]);
	return r == -ETIMEDOUT ? 0 : r;
}

static int use_connection(leat_io client, leat_io server)
{
	leat_addr addr;
	socklen_t size = sizeof(int);
	int value = 1;

	TRY(leat_local_addr(client, &addr));
	TRY(leat_peer_addr(client, &addr));
	TRY(leat_sockopt_set(client, SOL_SOCKET, SO_KEEPALIVE, &value, sizeof(value)));
	TRY(leat_sockopt_get(client, SOL_SOCKET, SO_KEEPALIVE, &value, &size));
	TRY(pass(client, server));
	return leat_shutdown(client, LEAT_WRITABLE);
}

static int connect_to(const char *text)
{
	const leat_socket_options *options =
		LEAT_SOCKET_OPTIONS(.reuse_port = text[0] != 'u', .no_delay = true,
				    .keep_alive = true, .replace_path = true);
	leat_io listener, client = { 0 }, server = { 0 };
	leat_addr addr;
	int r;

	TRY(leat_addr_parse(&addr, text));
	TRY(leat_listen(&listener, &addr, options));
	r = leat_local_addr(listener, &addr);
	if (r == 0)
		r = leat_connect(&client, &addr, options, SOON);
	if (r == 0)
		r = leat_accept(listener, &server, NULL, SOON);
	if (r == 0)
		r = use_connection(client, server);
	leat_io_close(client);
	leat_io_close(server);
	leat_io_close(listener);
	return r;
}

static int streams(void)
{
	leat_io pair[2];
	char text[80];
	int r;

	TRY(leat_socketpair(pair, SOCK_STREAM));
	r = pass(pair[0], pair[1]);
	leat_io_close(pair[0]);
	leat_io_close(pair[1]);
	TRY(r);
	TRY(connect_to("127.0.0.1:0"));
	/* Twice: the second finds the socket of the first there, and nobody listens. */
	snprintf(text, sizeof(text), "unix:%s", path);
	r = connect_to(text);
	if (r == 0)
		r = connect_to(text);
	unlink(path);
	return r;
}

static int datagrams(void)
{
	leat_io to = { 0 }, from = { 0 };
	leat_addr addr, peer;
	char buf[8];
	int r;

	TRY(leat_addr_parse(&addr, "127.0.0.1:0"));
	TRY(leat_datagram_open(&to, &addr, NULL, NULL));
	r = leat_local_addr(to, &addr);
	if (r == 0)
		r = leat_datagram_open(&from, NULL, &addr, NULL);
	if (r == 0)
		r = (int)leat_send_to(from, "x", 1, NULL, SOON);
	if (r >= 0)
		r = (int)leat_recv_from(to, buf, sizeof(buf), &peer, SOON);
	leat_io_close(to);
	leat_io_close(from);
	return r < 0 ? r : 0;
}

static int use_file(leat_io file)
{
	char buf[8];

	TRY(leat_write(file, "abc", 3, SOON));
	TRY(leat_pwrite(file, "d", 1, 3, SOON));
	TRY(leat_pread(file, buf, 4, 0, SOON));
	TRY(leat_read(file, buf, 1, SOON));
	return leat_fsync(file, SOON);
}

static int files(void)
{
	leat_dir_entry entry;
	leat_dir *dir;
	leat_io file;
	int r;

	TRY(leat_open(&file, path, O_RDWR | O_CREAT, 0600, SOON));
	r = use_file(file);
	leat_io_close(file);
	if (r == 0)
		r = leat_rename(path, other_path, SOON);
	if (r == 0)
		r = leat_unlink(other_path, SOON);
	unlink(path);
	unlink(other_path);
	TRY(r);
	TRY(leat_dir_open(&dir, "/", SOON));
	r = leat_dir_next(dir, &entry, SOON);
	leat_dir_close(dir);
	return r < 0 ? r : 0;
}

/* A kill that is not made leaves the program a little time to live: it ends by itself. */
static const char *const sleeps[] = { "/bin/sleep", "0.02", NULL };

static int run_program(const leat_process_options *options, int (*kill_it)(leat_process *, int))
{
	leat_process_result result;
	leat_process *p;
	int r, k;

	TRY(leat_process_start(&p, options));
	r = kill_it ? kill_it(p, SIGKILL) : 0;
	k = leat_process_wait(p, &result, leat_in(20 * LEAT_S));
	if (r == 0 && k == 0)
		CHECK_EQ(kill_it ? result.signal : result.code, kill_it ? SIGKILL : 0);
	leat_process_release(p);
	return r < 0 ? r : k;
}

/* Its failure is told apart from that of what comes before. */
static int start_what_is_not(void)
{
	leat_process *p;
	int r = leat_process_start(&p, LEAT_PROCESS_OPTIONS(.argv = ARGV("/nonexistent/leat")));

	if (r == 0)
		leat_process_release(p);
	CHECK(r < 0);
	return r == -ENOENT ? 0 : r;
}

static void start_outside(void *arg)
{
	int *r = arg;

	*r = run_program(LEAT_PROCESS_OPTIONS(.argv = ARGV("/bin/true")), NULL);
}

/* By a thread that is no worker. */
static int outside(void)
{
	struct foreign foreign;
	int r = -EIO;

	foreign_start(&foreign, start_outside, &r);
	foreign_join(&foreign);
	return r;
}

static int processes(void)
{
	const leat_process_fd fds[] = { { .to = 5, .from = 2 } };
	const leat_process_limit limits[] = { { .resource = RLIMIT_CORE, .soft = 0, .hard = 0 } };
	leat_output out;
	int r;

	r = run_program(LEAT_PROCESS_OPTIONS(
		.argv = ARGV("true"), .search = true, .cwd = "/", .in = { LEAT_STDIO_NULL, 0 },
		.out = { LEAT_STDIO_PIPE, 0 }, .err = { LEAT_STDIO_STDOUT, 0 }, .fds = fds,
		.nfds = 1, .limits = limits, .nlimits = 1), NULL);
	if (r == -ENOSYS && no_processes)
		return 0;
	TRY(r);
	TRY(run_program(LEAT_PROCESS_OPTIONS(.argv = sleeps), leat_process_kill));
	TRY(run_program(LEAT_PROCESS_OPTIONS(.argv = sleeps), leat_process_kill_group));
	TRY(start_what_is_not());
	TRY(outside());
	r = leat_process_output(&out, LEAT_PROCESS_OPTIONS(.argv = ARGV("/bin/cat")), "x", 1, 10,
				leat_in(20 * LEAT_S));
	if (r == 0)
		CHECK(out.out_cut || strcmp(out.out, "x") == 0 || out.out_size == 0);
	leat_output_release(&out);
	return r;
}

static int watch_signals(void)
{
	const int numbers[] = { SIGUSR1, SIGUSR2 };
	leat_signals *signals;

	TRY(leat_signals_open(&signals, numbers, 2));
	leat_signals_close(signals);
	return 0;
}

static int everything(void *arg)
{
	(void)arg;
	TRY(pipes());
	TRY(wait_raw());
	TRY(streams());
	TRY(datagrams());
	TRY(files());
	TRY(watch_signals());
	return processes();
}

LEAT_TASK(set, (bool *, flag))
{
	__atomic_store_n(flag, true, __ATOMIC_RELEASE);
}

/* On the only worker: until a spare has run the other task. */
static int hold_worker(void *arg)
{
	bool flag = false;

	(void)arg;
	TRY(leat_go(set, &flag));
	while (!__atomic_load_n(&flag, __ATOMIC_ACQUIRE))
		sched_yield();
	return 0;
}

/* Of the simulated disk: a path that begins where the program is. */
static int simulated_file(void *arg)
{
	leat_io io;

	(void)arg;
	TRY(leat_open(&io, "file", O_WRONLY | O_CREAT, 0600, LEAT_FOREVER));
	return leat_io_close(io);
}

static const struct scenario {
	int (*main_task)(void *arg);
	int workers;
	uint64_t sim_seed;
} scenarios[] = { { everything, 2, 0 }, { hold_worker, 1, 0 }, { simulated_file, 1, 7 } };

enum { SCENARIOS = sizeof(scenarios) / sizeof(scenarios[0]) };

static int run(const struct scenario *scenario)
{
	return leat_run(LEAT_OPTIONS(.workers = scenario->workers, .sim_seed = scenario->sim_seed,
				     .allocator = { counted_alloc, counted_release, NULL }),
			scenario->main_task, NULL);
}

/* How a site was first passed. */
struct way {
	const struct scenario *scenario;
	struct leat__sys_site *leader; /* that had to fail; NULL: none */
	int error;		/* of the leader */
};

enum { MAX_SITES = 256 };
static struct way ways[MAX_SITES];
static struct leat__sys_site *sites;
static uint32_t nsites;

/* A child is left if it could not be waited for: nothing else can be done about it. */
static void check_children(const struct leat__sys_site *site)
{
	if (strstr(site->where, "SYS_waitid"))
		while (waitpid(-1, NULL, 0) > 0)
			;
	if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD)
		test_fail(__FILE__, __LINE__, "%s leaves a child", site->where);
}

static void note_ways(struct way way)
{
	for (uint32_t i = 0; i < nsites; i++)
		if (sites[i].calls > 0 && !ways[i].scenario)
			ways[i] = way;
}

static void fail_at(uint32_t i, int error)
{
	struct leat__sys_site *site = &sites[i];
	struct way way = ways[i];
	int before = count_fds();

	if (way.leader)
		__atomic_store_n(&way.leader->error, way.error, __ATOMIC_RELAXED);
	__atomic_store_n(&site->error, error, __ATOMIC_RELAXED);
	(void)run(way.scenario);
	if (__atomic_exchange_n(&site->error, 0, __ATOMIC_RELAXED) != 0)
		test_fail(__FILE__, __LINE__, "%s is not passed again", site->where);
	if (count_fds() != before)
		test_fail(__FILE__, __LINE__, "%s leaks descriptors: %d, %d before", site->where,
			  count_fds(), before);
	if (atomic_load(&bytes_out) != 0)
		test_fail(__FILE__, __LINE__, "%s leaks %lld bytes", site->where,
			  atomic_exchange(&bytes_out, 0));
	check_children(site);
	if (!way.leader)
		note_ways((struct way){ way.scenario, site, error });
}

/* Those that mean something to some caller, and one that means nothing. */
static const int errors[] = { EIO, EINTR, EINVAL, ENOSYS, EACCES };

static void fail_each(void)
{
	for (size_t e = 0; e < sizeof(errors) / sizeof(errors[0]); e++)
		for (uint32_t i = 0; i < nsites; i++)
			if (ways[i].scenario && !ways[i].leader)
				fail_at(i, errors[e]);
	for (uint32_t i = 0; i < nsites; i++)
		if (ways[i].leader)
			fail_at(i, EIO);
}

static bool cannot_be_had(const struct leat__sys_site *site)
{
	return no_processes &&
	       (strstr(site->where, "port/spawn.c") || strstr(site->where, "port/guardian.c") ||
		strstr(site->where, "io/process.c") || strstr(site->where, "io/spawner.c"));
}

static int try_process(void *arg)
{
	int r;

	(void)arg;
	r = run_program(LEAT_PROCESS_OPTIONS(.argv = ARGV("/bin/true")), NULL);
	no_processes = r == -ENOSYS;
	return 0;
}

TEST_PLAIN(every_call_fails_once)
{
	struct rlimit limit;

	test_timeout(120);
	/* Without close_range(2), a child goes through them all. */
	REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = 256;
	REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	snprintf(path, sizeof(path), "/tmp/leat-fault-%d", (int)getpid());
	snprintf(other_path, sizeof(other_path), "%s.new", path);
	sites = leat__sys_sites(&nsites);
	CHECK(nsites > 70);
	REQUIRE(nsites <= MAX_SITES);
	REQUIRE(leat_run(NULL, try_process, NULL) == 0);
	for (uint32_t i = 0; i < nsites; i++)
		sites[i].calls = 0;
	for (int i = 0; i < SCENARIOS; i++) {
		REQUIRE(run(&scenarios[i]) == 0);
		note_ways((struct way){ &scenarios[i], NULL, 0 });
	}
	fail_each();
	for (int i = 0; i < SCENARIOS; i++)
		CHECK_EQ(run(&scenarios[i]), 0);
	for (uint32_t i = 0; i < nsites; i++)
		if (sites[i].calls == 0 && !cannot_be_had(&sites[i]))
			test_fail(__FILE__, __LINE__, "%s is never passed", sites[i].where);
}

static int processes_main(void *arg)
{
	(void)arg;
	return processes();
}

/* As with vm.memfd_noexec=2: processes start all the same. */
TEST_PLAIN(no_executable_memory)
{
	const struct scenario scenario = { processes_main, 2, 0 };
	struct leat__sys_site *found = NULL;

	REQUIRE(leat_run(NULL, try_process, NULL) == 0);
	if (no_processes)
		SKIP("no pidfd here");
	sites = leat__sys_sites(&nsites);
	for (uint32_t i = 0; i < nsites; i++)
		if (strstr(sites[i].where, "MFD_EXEC_"))
			found = &sites[i];
	REQUIRE(found != NULL);
	found->error = EACCES;
	CHECK_EQ(run(&scenario), 0);
	CHECK_EQ(found->error, 0);
	check_children(found);
}
