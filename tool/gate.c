#include "gate.h"

void gate_init(struct gate *gate, int max)
{
	*gate = (struct gate){ .lock = LEAT_MUTEX_INIT, .max = max, .limit = max };
}

int gate_enter(struct gate *gate)
{
	int r = 0;

	leat_mutex_lock(&gate->lock);
	while (r == 0 && gate->inside >= gate->limit)
		r = leat_cond_wait(&gate->room, &gate->lock);
	if (r == 0)
		gate->inside++;
	leat_mutex_unlock(&gate->lock);
	return r;
}

int gate_leave(struct gate *gate, bool short_of)
{
	int left;

	leat_mutex_lock(&gate->lock);
	left = --gate->inside;
	if (short_of) {
		if (gate->limit > left)
			gate->limit = left > 1 ? left : 1;
		gate->went_well = 0;
	} else if (gate->limit < gate->max && ++gate->went_well > 2 * gate->limit) {
		gate->limit++;
		gate->went_well = 0;
		leat_cond_signal(&gate->room);
	}
	if (gate->inside < gate->limit)
		leat_cond_signal(&gate->room);
	leat_mutex_unlock(&gate->lock);
	return left;
}
