/* What the tests of processes share. */
#ifndef PROC_H
#define PROC_H

#include <dirent.h>

#include "io.h"

#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define SH(script) ARGV("/bin/sh", "-c", script)
/* Starts a child of its own, and says its number. */
#define FAMILY "sleep 1000 & echo $!; wait"
enum { SOON_S = 20, LIMIT = 1 << 20 };

static inline int64_t soon(void)
{
	return leat_in((test_slow() ? 10 : 1) * SOON_S * LEAT_S);
}

/* The state of a process as /proc has it; 0: there is none. */
static inline char state_of(int pid)
{
	char path[64], text[512] = "", *end;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	fclose(f);
	end = strrchr(text, ')');
	return end ? end[2] : 0;
}

static inline bool lives(int pid)
{
	char state = state_of(pid);

	return state != 0 && state != 'Z' && state != 'X';
}

static inline int parent_of(int pid)
{
	char path[64], text[512] = "", *end;
	int parent = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	fclose(f);
	end = strrchr(text, ')');
	return end && sscanf(end, ") %*c %d", &parent) == 1 ? parent : 0;
}

/* Waits for it to be gone, or a zombie of somebody else. */
static inline bool dies(int pid)
{
	for (int i = 0; i < 5000; i++) {
		if (!lives(pid))
			return true;
		usleep(1000);
	}
	return false;
}

/* How many children parent has, zombies among them. */
static inline int children_of(int parent)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;
	int n = 0;

	REQUIRE(proc != NULL);
	while ((d = readdir(proc)) != NULL) {
		int pid = atoi(d->d_name);

		n += pid > 0 && parent_of(pid) == parent;
	}
	closedir(proc);
	return n;
}

#endif
