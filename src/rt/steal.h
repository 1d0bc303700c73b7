/*
 * Stealing: what a searcher takes from other workers, and when.  See steal.c.
 */
#ifndef LEAT_RT_STEAL_H
#define LEAT_RT_STEAL_H

#include "rt/rt.h"

/* Bytes of a worker's notes about the others. */
size_t leat__seen_size(int nworkers);
void leat__steal_init(struct leat__worker *w);

/*
 * Takes from v what has been waiting long enough; else notes what is there.
 * now: leat__clock().
 */
struct leat__task *leat__steal_from(struct leat__worker *w, struct leat__worker *v, int64_t now);

/* Whether the last look at v saw something that may yet be taken. */
bool leat__steal_pending(const struct leat__worker *w, const struct leat__worker *v);

/* w has run out of work: was its last steal worth it? */
void leat__steal_judge(struct leat__worker *w, int64_t now);

#endif
