/* libcurl's codes as errors, and the texts that may be shown. */
#include <errno.h>

#include "client.h"

/* Of a connection that could not be made. */
static int connect_error(const struct http_transfer *t)
{
	long error = 0;

	http_curl.easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &error);
	switch (error) {
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EHOSTDOWN:
	case EADDRNOTAVAIL:
		return -EHOSTUNREACH;
	case ETIMEDOUT:
	case ECONNRESET:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return -(int)error;
	default:
		return -ECONNREFUSED;
	}
}

static int error_of(const struct http_transfer *t, CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return -EHOSTUNREACH;
	case CURLE_COULDNT_CONNECT:
		return connect_error(t);
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_SEND_FAIL_REWIND:
	case CURLE_HTTP2_STREAM:
		return -ECONNRESET;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_HTTP2:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_PROXY:
		return -EPROTO;
	case CURLE_URL_MALFORMAT:
		return -EINVAL;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

/*
 * libcurl's own text says more than that of the code, but may repeat what it was given: a proxy's
 * URL with its password.  It is shown for these, where it has names of hosts and what TLS said.
 */
static bool is_text_shown(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_HTTP2_STREAM:
	case CURLE_HTTP2:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
		return true;
	default:
		return false;
	}
}

int http_error_of(const struct http_transfer *t, CURLcode code, const char **ret_why)
{
	if (t->failure < 0) {
		*ret_why = t->failure_text;
		return t->failure;
	}
	*ret_why = is_text_shown(code) && t->curl_error[0] ? t->curl_error
							   : http_curl.easy_strerror(code);
	return error_of(t, code);
}
