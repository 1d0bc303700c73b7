/*
 * A token bucket: ten calls a second, and five at once for who has been quiet.  Who must not
 * wait tries; who may waits for its turn; who wants to know when reserves, and can change its mind.
 */
#include <stdio.h>
#include <leat/leat.h>

static int64_t began;

static int tenths(void)
{
	return (int)((leat_now() - began) / (100 * LEAT_MS));
}

LEAT_MAIN()
{
	leat_reservation later;
	leat_bucket bucket;
	int at_once = 0;

	if (leat_bucket_init(&bucket, 10, 5) < 0)
		return 1;
	began = leat_now();
	while (leat_bucket_try_take(&bucket, 1) == 0)
		at_once++;
	printf("at once: %d, then %s\n", at_once, leat_strerror(leat_bucket_try_take(&bucket, 1)));

	for (int call = 1; call <= 3; call++)
		if (leat_bucket_take(&bucket, 1) == 0)
			printf("call %d: %s\n", call, tenths() < call ? "too early" : "in time");

	if (leat_bucket_take_until(&bucket, 5, leat_in(100 * LEAT_MS)) == -ETIMEDOUT)
		printf("five in a tenth of a second: not there by then, so not waited for\n");
	if (leat_bucket_reserve(&bucket, 5, LEAT_FOREVER, &later) == 0) {
		leat_sleep_until(later.when);
		printf("five reserved: %s\n", tenths() >= 8 ? "in half a second" : "too early");
	}
	return 0;
}
