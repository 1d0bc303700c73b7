#include <leat/ledger.h>

#include <inttypes.h>
#include <stdio.h>

static uint64_t dropped(const leat_ledger *l)
{
	uint64_t n = 0;

	for (int i = 0; i < LEAT_DROPPED_REASONS; i++)
		n += l->dropped[i];
	return n;
}

bool leat_ledger_balances(const leat_ledger *l)
{
	return l->in == l->out + l->failed + dropped(l) + l->cancelled + l->in_flight;
}

int leat_ledger_format(const leat_ledger *l, char *text, size_t size)
{
	return snprintf(text, size,
			"in %" PRIu64 " %s out %" PRIu64 " + failed %" PRIu64 " + dropped %" PRIu64
			" + cancelled %" PRIu64 " + in flight %" PRIu64,
			l->in, leat_ledger_balances(l) ? "=" : "!=", l->out, l->failed, dropped(l),
			l->cancelled, l->in_flight);
}
