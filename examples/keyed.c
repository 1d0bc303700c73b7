/*
 * Rate limits by key: each client of a server has a bucket of its own, for two requests at once and
 * one a second from then on.  Who asks too often is told when to come again; who is one client too
 * many, that the server is busy.  Memory for all of them is taken at the creation.
 */
#include <math.h>
#include <stdio.h>
#include <leat/leat.h>

enum { RATE = 1, BURST = 2, MOST = 3 };

static leat_keyed *clients;

// What a request costs: 1, or 2 for a search
static void handle(const char *client, int cost)
{
	leat_key key = leat_key_string(client);
	int r = leat_keyed_try_take(clients, key, cost);

	if (r == -ENOBUFS)
		printf("%s: 503, too many clients\n", client);
	else if (r == -EAGAIN)
		printf("%s: 429, come again in %.0f s\n", client,
		       ceil((cost - leat_keyed_tokens(clients, key)) / RATE));
	else
		printf("%s: %s\n", client, r == 0 ? "200" : "400");
}

LEAT_MAIN()
{
	if (leat_keyed_create(&clients, LEAT_KEYED_OPTIONS(.rate = RATE, .burst = BURST,
							   .keys = MOST,
							   .full = LEAT_KEYED_REFUSE)) < 0)
		return 1;
	for (int i = 0; i < 3; i++)
		handle("ann", 1);
	handle("bob", 1);
	handle("cat", 2);
	handle("cat", 2);
	handle("dan", 1); // The others are still using theirs

	leat_sleep(LEAT_S);
	handle("ann", 1);
	handle("dan", 1); // Bob's is full again, so it is not needed
	leat_keyed_destroy(clients);
	return 0;
}
