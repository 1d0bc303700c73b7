/*
 * Limits as in production: a client that asks a server no more than 100 times a second, with 4
 * calls at once; tries again what fails, within a budget.
 */
#include <stdio.h>
#include <leat/leat.h>

struct client {
	leat_bucket rate;
	leat_sem at_once;
	leat_retry_budget budget;
	leat_mutex lock;
	int calls, answers, failed;
};

struct request {
	struct client *client;
	int id;
};

static int call_server(struct request *request)
{
	struct client *client = request->client;
	int call;

	if (leat_bucket_take(&client->rate, 1) < 0)
		return -ECANCELED;
	leat_mutex_lock(&client->lock);
	call = ++client->calls;
	leat_mutex_unlock(&client->lock);
	leat_sleep(5 * LEAT_MS); // Simulate the network
	return call % 10 == 0 ? -EAGAIN : 0; // and a server that is busy now and then
}

LEAT_TASK(ask, (struct client *, client), (int, id))
{
	struct request request = { client, id };
	int r;

	if (leat_sem_acquire(&client->at_once, 1) < 0)
		return;
	r = leat_retry(LEAT_RETRY_OPTIONS(.attempts = 3, .backoff = 10 * LEAT_MS,
					  .budget = &client->budget),
		       call_server, &request);
	leat_sem_release(&client->at_once, 1);
	leat_mutex_lock(&client->lock);
	if (r == 0)
		client->answers++;
	else
		client->failed++;
	leat_mutex_unlock(&client->lock);
}

LEAT_MAIN()
{
	struct client client = { .lock = LEAT_MUTEX_INIT };
	int64_t began = leat_now();
	leat_group group;
	int r;

	r = leat_bucket_init(&client.rate, 100, 1);
	if (r == 0)
		r = leat_retry_budget_init(&client.budget, 0.2, 10);
	leat_sem_init(&client.at_once, 4, 0);
	leat_group_init(&group, NULL);
	for (int id = 0; id < 45 && r == 0; id++)
		r = leat_go_in(&group, ask, &client, id);
	leat_group_wait(&group);
	leat_group_release(&group);
	printf("%d calls, %d answers, %d failed\n", client.calls, client.answers, client.failed);
	printf("not faster than 100 a second: %s\n",
	       leat_now() - began >= (client.calls - 1) * 10 * LEAT_MS ? "yes" : "no");
	return r < 0;
}
