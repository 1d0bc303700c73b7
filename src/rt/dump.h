#ifndef LEAT_RT_DUMP_H
#define LEAT_RT_DUMP_H

struct leat__look;

/* A line for each task and each foreign thread. */
void leat__dump_tasks(struct leat__look *l);

#endif
