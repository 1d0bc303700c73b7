/* In the test build only, see crash.h. */
#include "crash.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Appended at once: a list is whole also when the process is killed by somebody else. */
static void list(const char *file, unsigned long number, const char *what)
{
	int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || dprintf(fd, "%lu %s\n", number, what) < 0) {
		perror(file);
		abort();
	}
	close(fd);
}

void crash_point(const char *what)
{
	static atomic_ulong reached;
	unsigned long number = atomic_fetch_add(&reached, 1) + 1;
	const char *at = getenv("LEAT_CRASH_AT"), *file = getenv("LEAT_CRASH_LIST");

	if (file)
		list(file, number, what);
	if (!at || number != strtoul(at, NULL, 10))
		return;
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}
