/*
 * Fan-in, fan-out on channels: the logs of three servers, each in the order of time, are merged
 * into one that is; what is merged goes to two readers, who both get everything.
 */
#include <stdio.h>
#include <leat/leat.h>

struct entry {
	int second, server, status;
};

enum { SERVERS = 3, ENTRIES = 20 };

LEAT_TASK(serve, (int, server), (leat_sender(struct entry), log))
{
	for (int i = 0; i < ENTRIES; i++) {
		struct entry entry = { i * (server + 2), server, i % 9 == server ? 500 : 200 };

		if (leat_send(log, entry) < 0)
			break;
	}
	leat_close(log);
}

static bool is_earlier(const struct entry *a, const struct entry *b)
{
	return a->second < b->second;
}

LEAT_TASK(print_errors, (leat_receiver(struct entry), log))
{
	leat_range(entry, log)
		if (entry.status >= 500)
			printf("%d s: server %d, %d\n", entry.second, entry.server, entry.status);
}

LEAT_TASK(count, (leat_receiver(struct entry), log), (int *, of_server))
{
	leat_range(entry, log)
		of_server[entry.server]++;
}

LEAT_MAIN()
{
	leat_chan(struct entry) logs[SERVERS], merged = leat_chan_make(struct entry, 8), copies[2];
	leat_fan *merge = NULL, *broadcast = NULL;
	int of_server[SERVERS] = { 0 }, r;
	leat_group group;

	leat_group_init(&group, NULL);
	for (int i = 0; i < SERVERS; i++) {
		logs[i] = leat_chan_make(struct entry, 4);
		leat_go_in(&group, serve, i, leat_to_sender(logs[i]));
	}
	for (int i = 0; i < 2; i++)
		copies[i] = leat_chan_make(struct entry, 4);
	leat_go_in(&group, print_errors, leat_to_receiver(copies[0]));
	leat_go_in(&group, count, leat_to_receiver(copies[1]), of_server);

	r = leat_merge_ordered(&merge, &group, logs, SERVERS, merged, is_earlier, .name = "merge");
	if (r == 0)
		r = leat_broadcast(&broadcast, &group, merged, copies, 2, .end = LEAT_FAN_ALL);
	if (r < 0)
		leat_group_cancel(&group, r);

	r = leat_group_wait(&group);
	leat_group_release(&group);
	printf("entries: %d, %d, %d\n", of_server[0], of_server[1], of_server[2]);
	leat_fan_destroy(merge, NULL);
	leat_fan_destroy(broadcast, NULL);
	for (int i = 0; i < SERVERS; i++)
		leat_chan_unref(logs[i]);
	leat_chan_unref(merged);
	leat_chan_unref(copies[0]);
	leat_chan_unref(copies[1]);
	return r < 0;
}
