#include "curl.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>

#include <leat/blocking.h>
#include <leat/extend.h>
#include <leat/sync.h>
#include <leat/task.h>

#define NAME "libcurl.so.4"

struct http_curl http_curl;

static leat_mutex lock = LEAT_MUTEX_INIT;
static bool loaded;		/* (L: lock) */

/*
 * Runs on a thread with a large stack: what dlopen(3) and OpenSSL's initialization need is theirs
 * to say.  Never unloaded: OpenSSL has functions that run when a thread ends.
 */
static int load(void *arg)
{
	char *why = arg;
	const char *missing = NULL;
	void *library = dlopen(NAME, RTLD_NOW | RTLD_LOCAL);
	const curl_version_info_data *version;

	if (!library) {
		snprintf(why, 256, "%s", dlerror());
		return -ENOENT;
	}
#define FIND(name)                                                            \
	*(void **)&http_curl.name = dlsym(library, "curl_" #name);            \
	if (!http_curl.name && !missing)                                      \
		missing = "curl_" #name;
	HTTP_CURL_FUNCTIONS(FIND)
#undef FIND
	if (missing) {
		snprintf(why, 256, NAME " has no %s, it is too old", missing);
		return -ENOENT;
	}
	version = http_curl.version_info(CURLVERSION_NOW);
	if (version->version_num < HTTP_CURL_MIN) {
		snprintf(why, 256, NAME " is %s; 7.87 or later is needed", version->version);
		return -ENOENT;
	}
	return http_curl.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -ENOMEM;
}

int http_curl_load(void)
{
	char why[256] = "";
	int r = 0;

	leat_mutex_lock(&lock);
	if (!loaded)
		r = leat_blocking(load, why);
	loaded = r == 0;
	leat_mutex_unlock(&lock);
	if (r == -ENOENT)
		leat_log("http_client_create: HTTP needs libcurl (Debian: libcurl4): %s", why);
	return r;
}
