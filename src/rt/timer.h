#ifndef LEAT_RT_TIMER_H
#define LEAT_RT_TIMER_H

#include "rt/rt.h"

void leat__wheel_init(struct leat__wheel *wheel, int64_t now, unsigned tick_bits);

/* timer->deadline and fire are set by the caller; fires at or after deadline, never before. */
void leat__timer_set(struct leat__wheel *wheel, struct leat__timer *timer);

/* The same for a wait without a stack: arms t; true: cancelled, see leat__wait_arm. */
bool leat__timer_set_wait(struct leat__wheel *wheel, struct leat__timer *timer,
			  struct leat__task *t);

/* After it the timer is not set and its fire is not running. False: it had fired. */
bool leat__timer_unset(struct leat__timer *timer);

/* Fires what is due at now; returns how many. Any worker may do it for any wheel. */
unsigned leat__wheel_fire(struct leat__wheel *wheel, int64_t now);

/* The clock that timers go by: real, or virtual. */
int64_t leat__time_now(void);

#endif
