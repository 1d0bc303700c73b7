/*
 * The guardian kills the children's process groups when the program dies, however
 * it dies.
 *
 *   start	G1 a table in shared memory, and a pipe of which we hold the writing end
 *		G2 a process that maps the table, closes all but the reading end, reads
 *   spawn	G3 the child, before its exec, enters its group (port/spawn.c)
 *   reap	G4 the entry is 0 before the pid can be used again
 *   end	G5 the pipe ends when the last holder of it is gone: the program, and
 *		   the child between its clone and its exec.  So the table is complete
 *		G6 kill all in the table; exit
 *   stop	G7 a byte: exit at once
 * A fork(2)ed copy of the program closes its end by itself; exec closes it, too.
 *
 * The guardian must not keep the program's memory, so it has to be another program;
 * and a library has no place for one.  Hence it is a function of ours that needs
 * nothing but its own code, written into a file in memory (or one without a name) with the
 * head of an executable in front.
 */
#include "port/guardian.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomic.h"
#include "port/port.h"
#include "port/spawn.h"
#include "port/sys.h"

/* table[0] is how many entries have ever been used. */
enum { ENTRIES = 1 << 18, TABLE_SIZE = ENTRIES * sizeof(int32_t), MFD_EXEC_ = 0x10 };
/* The guardian's descriptors when it starts. */
enum { PIPE_FD = 0, TABLE_FD = 1 };

#if defined(__clang__) && __has_attribute(disable_sanitizer_instrumentation)
#define BARE disable_sanitizer_instrumentation, no_sanitize("address", "thread", "undefined")
#elif defined(__clang__)
#define BARE no_sanitize("address", "thread", "undefined")
#else
#define BARE no_sanitize("address,thread,undefined")
#endif
#if __has_attribute(no_stack_protector)
#define ALONE __attribute__((section("leat_guardian"), noinline, BARE, no_stack_protector))
#else
#define ALONE __attribute__((section("leat_guardian"), noinline, BARE))
#endif

extern const char __start_leat_guardian[] __attribute__((visibility("hidden")));
extern const char __stop_leat_guardian[] __attribute__((visibility("hidden")));

#if defined(__x86_64__)
enum { MACHINE = EM_X86_64 };

ALONE static long sys6(long n, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}
#elif defined(__aarch64__)
enum { MACHINE = EM_AARCH64 };

ALONE static long sys6(long n, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = n;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}
#else
#error "system calls of this CPU"
#endif

/* Uses no data and no function outside of its section. */
ALONE __attribute__((noreturn)) static void guard(void)
{
	volatile int32_t *table = (volatile int32_t *)sys6(SYS_mmap, 0, TABLE_SIZE, PROT_READ,
							   MAP_SHARED, TABLE_FD, 0);
	char byte;
	long n;

	sys6(SYS_close, TABLE_FD, 0, 0, 0, 0, 0);
	do
		n = sys6(SYS_read, PIPE_FD, (long)&byte, 1, 0, 0, 0);
	while (n == -EINTR);
	if (n == 0 && (unsigned long)table < -4096ul)				/* G6 */
		for (int32_t i = 1; i <= table[0] && i < ENTRIES; i++)
			if (table[i] != 0)
				sys6(SYS_kill, table[i], SIGKILL, 0, 0, 0, 0);
	for (;;)
		sys6(SYS_exit_group, 0, 0, 0, 0, 0, 0);
}

/* The head of the executable; the code follows. */
struct image {
	Elf64_Ehdr head;
	Elf64_Phdr code, stack;
} __attribute__((aligned(64)));

enum { BASE = 0x400000, ALIGN = 0x10000 };

/*
 * For systems that do not execute memory files (vm.memfd_noexec=2): a file without a name.
 * Nothing of it is left when its last descriptor is closed.
 */
static int64_t open_nameless(void)
{
	static const char *const dirs[] = { "/dev/shm", "/tmp", "/var/tmp" };
	struct statvfs mount;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		int64_t fd = LEAT__SYS(open(dirs[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0700));

		if (fd == -EMFILE || fd == -ENFILE)
			return fd;
		if (fd < 0)
			continue;
		if (fstatvfs((int)fd, &mount) == 0 && !(mount.f_flag & ST_NOEXEC))
			return fd;
		close((int)fd);
	}
	return -EACCES;
}

/* What is open for writing is not executed, unless it is a memory file.  Closes fd. */
static int64_t read_only(int fd)
{
	char path[32];
	int64_t r;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = LEAT__SYS(open(path, O_RDONLY | O_CLOEXEC));
	close(fd);
	return r;
}

static int64_t write_image(int fd)
{
	size_t size = (size_t)(__stop_leat_guardian - __start_leat_guardian);
	struct image image = {
		.head = {
			.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				     EV_CURRENT },
			.e_type = ET_EXEC, .e_machine = MACHINE, .e_version = EV_CURRENT,
			.e_entry = BASE + sizeof(image) +
				   (uint64_t)((uintptr_t)guard - (uintptr_t)__start_leat_guardian),
			.e_phoff = offsetof(struct image, code),
			.e_ehsize = sizeof(Elf64_Ehdr), .e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 2,
		},
		.code = { .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = BASE,
			  .p_paddr = BASE, .p_filesz = sizeof(image) + size,
			  .p_memsz = sizeof(image) + size, .p_align = ALIGN },
		.stack = { .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W, .p_align = 16 },
	};
	int64_t r = LEAT__SYS(leat__write_all(fd, &image, sizeof(image)));

	if (r == 0)
		r = LEAT__SYS(leat__write_all(fd, __start_leat_guardian, size));
	return r;
}

/* An executable file in memory, or a negative errno. */
static int make_image(void)
{
	int64_t fd = LEAT__SYS(memfd_create("leat-guardian", MFD_CLOEXEC | MFD_EXEC_)), r;
	bool nameless;

	if (fd == -EINVAL) /* before Linux 6.3 */
		fd = LEAT__SYS(memfd_create("leat-guardian", MFD_CLOEXEC));
	nameless = fd == -EACCES;
	if (nameless)
		fd = open_nameless();
	if (fd < 0)
		return (int)fd;
	r = write_image((int)fd);
	if (r < 0) {
		close((int)fd);
		return (int)r;
	}
	return (int)(nameless ? read_only((int)fd) : fd);
}

static int exec_guard(struct leat__spawn *s, void *stack, size_t size)
{
	int r;

	s->image = make_image();
	if (s->image < 0)
		return s->image;
	r = leat__spawn(s, stack, size);
	close(s->image);
	return r;
}

static void close_if(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int pipe_of_parent = -1; /* (a) */

static void in_fork(void)
{
	int fd = leat__exchange(&pipe_of_parent, -1);

	if (fd >= 0)
		close(fd);
}

static int watch_forks(void)
{
	static bool watched;
	int r = watched ? 0 : leat__on_fork_child(in_fork);

	watched = r == 0;
	return r;
}

static int make_table(struct leat__guardian *g)
{
	int64_t r;

	if (g->table)
		return 0;
	r = LEAT__SYS(memfd_create("leat-children", MFD_CLOEXEC));
	if (r < 0)
		return (int)r;
	g->table_fd = (int)r;
	r = LEAT__SYS(ftruncate(g->table_fd, TABLE_SIZE));
	if (r == 0)
		r = LEAT__SYS(mmap(NULL, TABLE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
				   g->table_fd, 0));
	if (r < 0) {
		close_if(&g->table_fd);
		return (int)r;
	}
	g->table = (int32_t *)(intptr_t)r;
	return 0;
}

/* An error says nothing; and the one that lived would take its end for that of the program. */
static bool is_alive(const struct leat__guardian *g)
{
	struct pollfd p = { .fd = g->pidfd, .events = POLLIN };

	return g->pidfd >= 0 && LEAT__SYS(poll(&p, 1, 0)) <= 0;
}

/* What is left of one that runs no more, or is to end. */
static void put_away(struct leat__guardian *g)
{
	struct leat__exit ignored;

	leat__store_relaxed(&pipe_of_parent, -1);
	close_if(&g->pipe);
	if (g->pidfd >= 0)
		leat__reap(g->pidfd, true, &ignored);
	close_if(&g->pidfd);
}

int leat__guardian_start(struct leat__guardian *g, void *stack, size_t size)
{
	static const char *const argv[] = { "leat-guardian", NULL }, *const env[] = { NULL };
	struct leat__spawn_fd fds[] = { { .to = PIPE_FD }, { .to = TABLE_FD } };
	struct leat__spawn s = { .flags = LEAT__SPAWN_SESSION, .image = -1, .argv = argv,
				 .env = env, .cwd = "/", .fds = fds, .nfds = 2 };
	int64_t r;
	int pipes[2];

	if (is_alive(g))
		return 0;
	put_away(g);
	r = make_table(g);
	if (r == 0)
		r = watch_forks();
	if (r == 0)
		r = LEAT__SYS(pipe2(pipes, O_CLOEXEC));
	if (r < 0)
		return (int)r;
	fds[0].from = pipes[0];
	fds[1].from = g->table_fd;
	r = exec_guard(&s, stack, size);
	close(pipes[0]);
	if (r < 0) {
		close(pipes[1]);
		return (int)r;
	}
	g->pid = s.pid;
	g->pidfd = s.pidfd;
	g->pipe = pipes[1];
	leat__store_relaxed(&pipe_of_parent, g->pipe);
	return 0;
}

void leat__guardian_stop(struct leat__guardian *g)
{
	bool was_blocked = leat__sigpipe_begin(); /* somebody may have killed it */

	if (g->pidfd >= 0)
		(void)LEAT__SYS(leat__write_all(g->pipe, "", 1));		/* G7 */
	leat__sigpipe_end(was_blocked);
	put_away(g);
	close_if(&g->table_fd);
	if (g->table)
		munmap(g->table, TABLE_SIZE);
	g->table = NULL;
}

int32_t *leat__guardian_entry(struct leat__guardian *g)
{
	int32_t used = g->table[0], i = 1;

	while (i <= used && leat__load_acquire(&g->table[i]) != 0)
		i++;
	if (i >= ENTRIES)
		return NULL;
	if (i > used)
		leat__store_release(&g->table[0], i);
	return &g->table[i];
}
