/*
 * libcurl, which is loaded when the first client is made: what is called of it, by its names
 * without curl_.
 */
#ifndef CONNECTORS_HTTP_CURL_H
#define CONNECTORS_HTTP_CURL_H

#include <curl/curl.h>

/* 7.87: its TLS does not raise SIGPIPE, and a search for a name can be left behind (QUICK_EXIT). */
#define HTTP_CURL_MIN 0x075700

#define HTTP_CURL_FUNCTIONS(F)                                                \
	F(global_init) F(version_info)                                        \
	F(easy_init) F(easy_cleanup) F(easy_setopt) F(easy_getinfo)           \
	F(easy_strerror) F(easy_header)                                       \
	F(multi_init) F(multi_cleanup) F(multi_setopt) F(multi_assign)        \
	F(multi_add_handle) F(multi_remove_handle) F(multi_socket_action)     \
	F(multi_info_read) F(multi_strerror)                                  \
	F(slist_append) F(slist_free_all)                                     \
	F(url) F(url_set) F(url_get) F(url_cleanup) F(url_strerror) F(free)

struct http_curl {
#define HTTP_CURL_FIELD(name) __typeof__(curl_##name) *name;
	HTTP_CURL_FUNCTIONS(HTTP_CURL_FIELD)
#undef HTTP_CURL_FIELD
};

/* All NULL until http_curl_load has returned 0. */
extern struct http_curl http_curl;

/*
 * 0, also if it has been loaded before; -ENOENT, after a line in the log: not there, or too old;
 * -ENOMEM; -EAGAIN: no thread.  Task only; blocks.
 */
int http_curl_load(void);

#endif
