/*
 * A test of your own code: what if it is cancelled where it waits, or gets no memory where it asks
 * for some?  leat_test_everywhere tries each of these places, in simulation.  The code here sends
 * parcels and receives them; whatever happens, none is lost.
 */
#include <stdio.h>
#include <leat/extend.h>
#include <leat/leat.h>
#include <leat/testing.h>

struct parcel {
	struct fixture *of;
};

struct fixture {
	int made, ended;
};

static void throw_away(struct parcel **parcel)
{
	(*parcel)->of->ended++;
	leat_free(*parcel, sizeof(**parcel));
}

LEAT_TASK_ERR(send_parcels, (struct fixture *, f), (leat_chan(struct parcel *), to))
{
	int r = 0;

	for (int i = 0; i < 3 && r == 0; i++) {
		struct parcel *parcel = leat_alloc(sizeof(*parcel));

		if (!parcel) {
			r = -ENOMEM;
			break;
		}
		parcel->of = f;
		f->made++;
		r = leat_send(to, parcel);
		if (r < 0)
			throw_away(&parcel); // leave this out, and the test says where it is missed
	}
	leat_close(to);
	return r;
}

static int scenario(struct fixture *f)
{
	leat_chan(struct parcel *) parcels = leat_chan_make_drop(struct parcel *, 1, throw_away);
	leat_group group;
	int r;

	if (!parcels)
		return -ENOMEM;
	leat_group_init(&group, NULL);
	leat_go_in(&group, send_parcels, f, parcels);
	leat_range(parcel, parcels)
		throw_away(&parcel);
	r = leat_group_wait(&group);
	leat_group_release(&group);
	leat_chan_unref(parcels);
	return r;
}

static int check(struct fixture *f, int result)
{
	return f->made == f->ended ? 0 : -EIO;
}

int main(void)
{
	struct fixture fixture = { 0 };
	leat_test_report report;
	int r = leat_test_everywhere(NULL, scenario, check, &fixture, &report);

	if (r == 0)
		printf("cancelled at %d waits, refused %d allocations: no parcel was lost\n",
		       (int)report.cancelled, (int)report.refused);
	return r < 0;
}
