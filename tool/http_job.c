#include "http_job.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <leat/leat.h>

#include "http/http.h"
#include "http_output.h"
#include "memory.h"
#include "message.h"

struct http_jobs {
	const struct map_options *o;
	http_client *client;
	struct template *url, *body; /* body NULL: none */
	struct template **headers; /* o->nheaders of them */
};

/* What of a job is the same in each attempt, and what the last response said. */
struct http_job {
	char *url, *body;
	size_t body_size;
	char **headers;		/* ends with NULL */
	int64_t not_before;	/* when the next attempt may begin */
	bool may_retry;
};

static bool has_body_by_itself(const char *method)
{
	return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
	       strcmp(method, "PATCH") == 0;
}

static int make_template(struct template **ret, const char *const *text, const char *what)
{
	const char *why;
	int r = template_create(ret, text, 1, false, false, &why);

	if (r == -ENOMEM)
		die("out of memory");
	if (r < 0)
		message("map: %s: %s", what, why);
	return r;
}

static int make_templates(struct http_jobs *jobs)
{
	static const char *const record = "{}";
	const struct map_options *o = jobs->o;
	int r = make_template(&jobs->url, o->command, "the URL");

	if (r == 0 && o->body)
		r = make_template(&jobs->body, &o->body, "--body");
	else if (r == 0 && has_body_by_itself(o->http))
		r = make_template(&jobs->body, &record, "--body");
	jobs->headers = need((o->nheaders + 1) * sizeof(struct template *));
	for (size_t i = 0; i < o->nheaders && r == 0; i++)
		r = make_template(&jobs->headers[i], &o->headers[i], "--header");
	return r;
}

/* What can be seen before there is a record. */
static int check(const struct http_jobs *jobs)
{
	const struct map_options *o = jobs->o;
	struct http_request request = { .method = o->http, .url = o->command[0],
					.headers = (const char *const *)o->headers,
					.body_size = o->body && o->body[0] };
	const char *problem = http_request_problem(&request);
	bool differs = template_has_places(jobs->url) ||
		       (jobs->body && template_has_places(jobs->body));

	for (size_t i = 0; i < o->nheaders && !differs; i++)
		differs = template_has_places(jobs->headers[i]);
	if (!problem && !differs)
		problem = "the same request for all records; put {} into the URL, the body or a header";
	if (!problem && o->per_job > 1 && template_has_records(jobs->url))
		problem = "-n is more than 1, so the URL can have no place of a record; a body can";
	if (problem)
		message("map: --http %s: %s", o->http, problem);
	return problem ? -EINVAL : 0;
}

int http_jobs_open(struct http_jobs **ret, const struct map_options *o)
{
	struct http_jobs *jobs = need(sizeof(*jobs));
	int r;

	*ret = jobs;
	jobs->o = o;
	r = make_templates(jobs);
	if (r == 0)
		r = check(jobs);
	if (r < 0 || o->dry_run)
		return r;
	r = http_client_create(&jobs->client, HTTP_CLIENT_OPTIONS(
		.per_host = o->per_host, .connections = o->jobs.n, .insecure = o->insecure,
		.ca_file = o->ca_file, .follow = o->follow));
	/* Of these it has spoken itself. */
	if (r < 0 && r != -EINVAL && r != -ENOENT)
		message("--http: %s", leat_strerror(r));
	return r;
}

void http_jobs_close(struct http_jobs *jobs)
{
	if (!jobs)
		return;
	http_client_destroy(jobs->client);
	for (size_t i = 0; i < jobs->o->nheaders && jobs->headers; i++)
		template_free(jobs->headers[i]);
	free(jobs->headers);
	template_free(jobs->body);
	template_free(jobs->url);
	free(jobs);
}

static bool is_secret(const char *header)
{
	static const char *const names[] = { "authorization:", "cookie:", "proxy-authorization:" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncasecmp(header, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

const char **http_jobs_command(const struct map_options *o, size_t *ret_n)
{
	const char **texts = need((5 + o->nheaders) * sizeof(*texts));
	size_t n = 0;

	texts[n++] = "--http";
	texts[n++] = o->http;
	texts[n++] = o->command[0];
	if (o->body) {
		texts[n++] = "--body";
		texts[n++] = o->body;
	}
	for (size_t i = 0; i < o->nheaders; i++)
		if (!is_secret(o->headers[i]))
			texts[n++] = o->headers[i];
	*ret_n = n;
	return texts;
}

/* One block: the addresses, METHOD, and the URL without user:password@. */
static char **args_for_log(const char *method, const char *url)
{
	const char *name = strstr(url, "://"), *at = NULL;
	size_t m = strlen(method) + 1, n = strlen(url) + 1, before;
	char **args = need(3 * sizeof(char *) + m + n), *to = (char *)(args + 3);

	name = name ? name + 3 : url;
	for (const char *s = name; *s && !strchr("/?#", *s); s++)
		if (*s == '@')
			at = s + 1;
	before = (size_t)(name - url);
	args[0] = memcpy(to, method, m);
	args[1] = to + m;
	memcpy(args[1], url, before);
	memcpy(args[1] + before, at ? at : name, n - (size_t)((at ? at : name) - url));
	return args;
}

static int expand_headers(struct http_jobs *jobs, const struct template_values *values,
			  struct job *job)
{
	struct http_job *request = job->request;
	size_t n;
	int r = 0;

	request->headers = need((jobs->o->nheaders + 1) * sizeof(char *));
	for (size_t i = 0; i < jobs->o->nheaders && r == 0; i++) {
		r = template_expand_bytes(jobs->headers[i], values, ' ', &request->headers[i], &n,
					  job->why, sizeof(job->why));
		if (r == 0 && strlen(request->headers[i]) < n) {
			snprintf(job->why, sizeof(job->why), "a header would have a 0 byte");
			r = -EINVAL;
		}
	}
	return r;
}

int http_job_expand(struct http_jobs *jobs, const struct template_values *values, struct job *job)
{
	struct http_job *request = need(sizeof(*request));
	int r;

	job->request = request;
	r = template_expand_url(jobs->url, values, &request->url, job->why, sizeof(job->why));
	if (r == 0 && jobs->body)
		r = template_expand_bytes(jobs->body, values, '\n', &request->body,
					  &request->body_size, job->why, sizeof(job->why));
	if (r == 0)
		r = expand_headers(jobs, values, job);
	if (r == -ENOMEM)
		die("out of memory");
	if (r == 0)
		job->args = args_for_log(jobs->o->http, request->url);
	return r;
}

static int write_output(struct job *job, const struct http_response *response)
{
	bool none = response->status == 0;
	struct http_output output = {
		.seq = job->seq, .status = response->status, .time = job->took,
		.attempts = job->attempts,
		.body = none ? response->error : response->body ? response->body : "",
		.body_size = none ? strlen(response->error) : response->body_size,
	};
	struct text text = { 0 };
	size_t n;
	char *line;

	http_output_add(&text, &output);
	n = text.n;
	line = text_take(&text);
	if (!line)
		die("out of memory");
	return capture_take(&job->out, line, n);
}

static void note_response(struct http_jobs *jobs, struct job *job,
			  const struct http_response *response)
{
	struct http_job *request = job->request;
	int status = response->status;

	job->code = status >= 400 ? status : 0;
	request->may_retry = status == 408 || status == 425 || status == 429 || status >= 500;
	if (!request->may_retry || response->retry_after < 0)
		return;
	request->not_before = leat_in(response->retry_after);
	if (response->retry_after <= jobs->o->retry_after_max)
		return;
	request->may_retry = false;
	snprintf(job->why, sizeof(job->why),
		 "status %d, to be tried again after %lld s; --retry-after-max is less", status,
		 (long long)(response->retry_after / LEAT_S));
}

static void note_error(struct http_jobs *jobs, struct job *job, int r,
		       const struct http_response *response)
{
	job->code = 1;
	job->timed_out = r == -ETIMEDOUT && jobs->o->timeout > 0;
	/* The others will be the same the next time. */
	job->request->may_retry = r != -EINVAL && r != -EMSGSIZE && r != -EPROTO && r != -ELOOP;
	snprintf(job->why, sizeof(job->why), "no response: %.240s", response->error);
}

int http_job_wait(struct job *job)
{
	int64_t until = job->request->not_before;

	job->request->not_before = 0;
	return until > 0 ? leat_sleep_until(until) : 0;
}

int http_job_run(struct http_jobs *jobs, struct job *job)
{
	const struct map_options *o = jobs->o;
	struct http_job *request = job->request;
	struct http_response response;
	int64_t began = leat_now();
	bool sent;
	int r;

	job->timed_out = false;
	r = http_request(jobs->client,
			 &(struct http_request){ .method = o->http, .url = request->url,
						 .headers = (const char *const *)request->headers,
						 .body = request->body,
						 .body_size = request->body_size,
						 .response_max = o->max_response },
			 &response, o->timeout > 0 ? leat_in(o->timeout) : LEAT_FOREVER);
	job->took = leat_now() - began;
	job->sent += response.sent;
	job->signal = 0;
	sent = r != -ECANCELED && r != -EMFILE && r != -ENFILE && r != -ENOMEM;
	if (r == 0)
		note_response(jobs, job, &response);
	else if (sent)
		note_error(jobs, job, r, &response);
	if (sent)
		r = write_output(job, &response);
	http_response_release(&response);
	return r;
}

bool http_job_may_retry(const struct job *job)
{
	return job->request->may_retry;
}

void http_job_free(struct http_job *request)
{
	if (!request)
		return;
	for (size_t i = 0; request->headers && request->headers[i]; i++)
		free(request->headers[i]);
	free(request->headers);
	free(request->body);
	free(request->url);
	free(request);
}
