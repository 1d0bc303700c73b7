/*
 * A pipeline: see leat/pipeline.h, and docs/design/patterns.md for why.
 *
 * L is leat_stage.lock; S: leat_pipeline.stop_lock; c: never changed after the start; o: of the
 * worker's task.
 *
 * Stages are joined by flows, which are channels of envelopes.  The list of all stages is in the
 * order in which they were added, so from sources to sinks: a flow is there before who takes it.
 *
 * An envelope has the item and its token.  Tokens are the items of a source, and each source has
 * its own: one is taken before the source makes an item, and is free when the last envelope that
 * has it has ended.  So the number of tokens bounds what is live, and what is in flight is what is
 * taken.  A batch, or what zip makes, has a token of its own, whose parents are those of its
 * items.  Copies share one.
 *
 * A stage's workers are tasks that receive from its channel.  As long as there are less than may
 * be, one of them waits there (W1 to W3), so no item waits for one that is being worked on:
 *	W1 wait: waiting + 1; receive; waiting - 1
 *	W2 with an item: if nobody waits, and less run than may: start another
 *	W3 the item
 * The last worker of a stage closes the next channel; so the end goes from source to sink.
 *
 * A flow can be cut: nobody wants what comes through it any more (pipeline_cut.c).  It is closed,
 * what is in it is dropped by who receives from it, and if its maker has no other it takes no more.
 *
 * A stop (halt): how, then the group is cancelled, then all channels are closed.  Who holds an
 * envelope then ends it; what is in channels and windows is ended by the wait, when no task is
 * left.  Who stops it may be a task of the user's, still at the stages when that wait returns: the
 * destroy waits until it has left them (stops).
 */
#ifndef LEAT_PATTERNS_PIPELINE_H
#define LEAT_PATTERNS_PIPELINE_H

#include <errno.h>
#include <stdatomic.h>

#include <leat/leat.h>
#include <leat/pipeline.h>

#include "patterns/fan.h"
#include "patterns/keys.h"
#include "patterns/stats.h"

/* How an item ends.  Of the ends of its parts the last in this order is its own. */
enum leat__end {
	LEAT__END_FILTERED,
	LEAT__END_OUT,
	LEAT__END_MERGED,
	LEAT__END_LATE,
	LEAT__END_UNWANTED,
	LEAT__END_CANCELLED,
	LEAT__END_FAILED,
	LEAT__ENDS,
};

struct leat__token {
	_Atomic uint32_t refs;	/* envelopes that have it; 0: free */
	_Atomic int end;	/* of its parts, so far */
	size_t nparents;	/* 0: an item of a source; else of a batch, or a pair */
	size_t bytes;		/* of the batch's memory */
	int64_t weight;		/* of the source's item */
	struct leat__source *source; /* (c) of the source's item */
	struct leat__token *next; /* when it is free */
	struct leat__token *parent[];
};

/* The token of an empty place: there is no item, but there would have been (pipeline_graph.c). */
extern struct leat__token leat__left_out;

struct leat__env {
	struct leat__token *token; /* NULL: what counts as no item */
	int64_t queued_at;	/* when it was handed on, if that is timed; else 0 */
	char item[] __attribute__((aligned(16)));
};

/* Of one with an item of so many bytes, and so the distance of several in a row. */
static inline size_t leat__env_size(size_t item_size)
{
	return (sizeof(struct leat__env) + item_size + 15) & ~(size_t)15;
}

static inline bool leat__is_left_out(const struct leat__env *env)
{
	return env->token == &leat__left_out;
}

/* One on the stack. */
#define LEAT__ENV(name)                                                       \
	char name##_bytes[sizeof(struct leat__env) + LEAT_ITEM_MAX] __attribute__((aligned(16))); \
	struct leat__env *name = (struct leat__env *)name##_bytes

/* Of who ends items: written by one task at a time. */
struct leat__ends {
	_Atomic uint64_t n[LEAT__ENDS];
};

struct leat__stage_worker {
	struct leat_stage *stage; /* (c) */
	struct leat__stage_worker *next; /* (L) */
	bool is_watcher;	/* (c) of a window: it is none of the stage's workers */
	struct leat__meter meter;
	struct leat__sampler sampler; /* (o) */
	struct leat__ends ends;	/* of items of the sources */
	struct leat__ends did;	/* of the stage's own, OUT: handed on */
	_Atomic uint64_t held;	/* of them, received and not in did, the window or a key's list */
	_Atomic uint64_t put;	/* of them, into slots of the window, ever */
	uint32_t handed_on;	/* (o) for the sampling */
	uint64_t seq;		/* (o) the number of the item received last, in its flow */
	/* Of a stage of one: envelopes that it has received, and not begun. */
	size_t first, n, bytes;	/* (o) bytes: of all, (c) */
	char *hand;		/* (o) */
	uint64_t received;	/* (o) out of the hand, ever */
};

/* What one stage hands on to another. */
struct leat_flow_raw {
	struct leat_stage *from, *to; /* (c) */
	const struct leat_stage *maker; /* (c) whose drop function is that of its items */
	const struct leat_stage *origin; /* (c) the fan-out of whose copies it is; else NULL */
	bool keeps_place;	/* (c) an item that is left out has an empty place in it */
	bool waited_for;	/* while it is built, by a search (pipeline_graph.c) */
	size_t size;		/* (c) bytes of an item */
	leat_channel *chan;	/* (c) of envelopes */
	atomic_bool closed;
	atomic_bool cut;
	bool unwanted;		/* (cut_lock) it is cut, or about to be */
	atomic_bool slow;	/* the taker's last that was timed: so queueing is timed for each */
};

/* Bytes of a cache line: what one core writes does not disturb another that far away. */
enum { LEAT__APART = 64 };

/* What a source has of its own. */
struct leat__source {
	struct leat_pipeline *p; /* (c) */
	leat_group group;	/* below the pipeline's */
	leat_mutex lock;
	leat_cond freed;	/* a token is free */
	char *tokens;		/* (c) live of them, LEAT__APART bytes each */
	void *tokens_memory;	/* (c) */
	leat_sem bytes;		/* live_bytes */
	/* Apart: what the source writes for each item, what others do, and what all read. */
	char apart[LEAT__APART];
	struct leat__token *mine; /* of the source's task: free ones */
	_Atomic uint64_t in;
	char apart2[LEAT__APART];
	_Atomic(struct leat__token *) free; /* those that others have ended */
	atomic_bool token_wanted;
};

struct leat_stage {
	struct leat_pipeline *p; /* (c) */
	leat_stage_options o;	/* (c) */
	leat_retry_options retry; /* (c) */
	struct leat_flow_raw *in;	/* (c) the first of ins; NULL: a source */
	struct leat_flow_raw *out;	/* (c) nouts of them; NULL: a sink */
	struct leat_flow_raw **ins; /* (c) nins of them */
	size_t nins, nouts;	/* (c) */
	struct leat_stage *next, *prev; /* (c) in the list of all */
	size_t index;		/* (c) in it */
	size_t batched;		/* (c) items of a source that are in one of its own, at most */
	struct leat_flow_raw *dead; /* (c) its dead letters; else NULL */
	size_t error_at;	/* (c) in a dead letter */
	struct leat__source *source; /* (c) of a source; else NULL */
	struct leat_fan *fan;	/* (c) of fan-out and fan-in; else NULL */
	bool mixes;		/* (c) a zip of copies that are out of order, so not of one item */
	/* While it is built, by searches (pipeline_graph.c). */
	bool marked, letters_full, starved;
	size_t live_for_one;
	atomic_bool over;	/* a sink that has ended, or has enough */
	int workers;		/* (c) the most */
	_Atomic int running, alive, waiting; /* workers; and the watcher; in W1 */
	leat_mutex lock;
	struct leat__stage_worker *all; /* (L) */
	leat_mutex take_lock;	/* keyed: from the receive to the key's list; ordered: in W1 */
	struct leat__window *window; /* (c) ordered; else NULL */
	struct leat__keys *keys; /* (c) keyed; else NULL */
	struct leat__ends rest;	/* as a worker's did, of what no function has got */
	struct leat__times service, queue;
	struct leat__limits limits;
	_Atomic int64_t began, ended; /* ns; 0: not yet */
};

/* So many envelopes are received at once by a serial stage, if it has a buffer for them. */
enum { LEAT__HAND = 16 };

enum leat__halt { LEAT__RUNS, LEAT__SHUT, LEAT__ENOUGH, LEAT__ABORTED };

struct leat_pipeline {
	leat_pipeline_options o; /* (c) */
	struct leat_stage *first, *last; /* (c) */
	size_t nstages, nsources; /* (c) */
	_Atomic int sinks;	/* those that are not over */
	leat_mutex cut_lock;
	int broken;		/* (c) the first error of the building */
	bool started, waited;	/* of the task that builds it */
	leat_group group;
	_Atomic int how;	/* enum leat__halt */
	_Atomic int error;	/* why it was aborted; 0: it was not */
	struct leat__ends rest;	/* ended by nobody's worker */
	leat_mutex stop_lock;
	leat_cond stopped;	/* stops is 0 */
	int stops;		/* (S) calls that stop it, and are not through with the stages */
	_Atomic int refs;	/* on the memory alone: of the owner, and of those calls */
};

/* pipeline_token.c */
int leat__source_create(struct leat_pipeline *p, struct leat__source **ret_source);
void leat__source_free(struct leat__source *source);
/* Waits for one; NULL: cancelled. */
struct leat__token *leat__token_take(struct leat__stage_worker *w);
/* From now on it is in flight; the item has been counted. */
void leat__token_begin(struct leat__token *token);
/* One that is not in flight. */
void leat__token_untake(struct leat__token *token);
/* For so many parents, and so many bytes behind the header; NULL: no memory. */
struct leat__token *leat__token_create(size_t nparents, size_t bytes);
void leat__token_ref(struct leat__token *token);
/* An envelope that has it will have ended so, or worse.  NULL: nothing. */
void leat__token_note(struct leat__token *token, enum leat__end end);
/* An envelope that had it has ended so.  NULL: nothing. */
void leat__token_end(struct leat__ends *ends, struct leat__token *token, enum leat__end end);
uint64_t leat__tokens_in_flight(struct leat__source *source);

/* pipeline_stage.c */
int leat__stage_start(struct leat_stage *s);
/* A task with a worker's record; in the source's group, or the pipeline's. */
int leat__stage_spawn(struct leat_stage *s, const leat_task_type *type);
/* A worker, or the watcher, is gone; the last one closes what comes behind. */
void leat__stage_leave(struct leat_stage *s);
void leat__flow_close(struct leat_flow_raw *flow);
/*
 * Receives, with the meter starved meanwhile: into *env, or lets that point into w's hand, where it
 * is the caller's till the next call.  As leat_channel_recv.
 */
int leat__stage_recv(struct leat__stage_worker *w, struct leat__env **env, int64_t deadline);
/* Hands env on to the first of its flows (LEAT__END_OUT), or ends it so. */
enum leat__end leat__stage_send(struct leat__stage_worker *w, struct leat__env *env);
/* The same, and the item stays the caller's on an error, which is returned. */
int leat__stage_try_hand_on(struct leat__stage_worker *w, struct leat__env *env);
/* Ends an envelope of those that come through the flow. */
void leat__flow_drop(struct leat_flow_raw *flow, struct leat__ends *ends, struct leat__env *env,
		     enum leat__end end);
/* The item alone. */
void leat__flow_drop_item(const struct leat_flow_raw *flow, void *item);
/* The user's function has failed on it. */
void leat__stage_fail(struct leat__stage_worker *w, struct leat__env *env, int error);
/* What is left in a flow that has been closed; by who alone receives from it. */
void leat__flow_drain(struct leat_flow_raw *flow, struct leat__ends *ends);
/* How what the pipeline's stop has caught ends. */
enum leat__end leat__stopped_end(struct leat_pipeline *p);
/* And what could not be handed on: r is the send's. */
enum leat__end leat__unsent_end(struct leat_pipeline *p, int r);
/* Nobody takes its items any more. */
bool leat__flow_is_cut(const struct leat_flow_raw *flow);

/* pipeline_special.c: the loops of stages that have one worker. */
void leat__batch_run(struct leat__stage_worker *w);
void leat__reduce_run(struct leat__stage_worker *w);
void leat__conflate_run(struct leat__stage_worker *w);
void leat__source_run(struct leat__stage_worker *w);

/* pipeline_window.c */
int leat__window_create(struct leat_stage *s);
void leat__window_free(struct leat_stage *s);
/* Starts the watcher, if there is a deadline. */
int leat__window_start(struct leat_stage *s);
/* Item seq has become out; NULL: nothing.  Waits while the window is full, before another. */
void leat__window_put(struct leat__stage_worker *w, uint64_t seq, struct leat__env *out);
/* Item seq, which is being worked on, has become out as well.  As leat__stage_try_hand_on. */
int leat__window_emit(struct leat__stage_worker *w, uint64_t seq, struct leat__env *out);
/* Something has changed that the watcher or those who wait for room look at. */
void leat__window_wake(struct leat_stage *s);
void leat__window_drain(struct leat_stage *s);
/* Items in it. */
uint64_t leat__window_held(struct leat_stage *s);

/* pipeline_fan.c */
int leat__fan_stage_create(struct leat_stage *s);
void leat__fan_stage_free(struct leat_stage *s);
void leat__fan_stage_run(struct leat__stage_worker *w);

/* pipeline_options.c, pipeline_add.c */
int leat__stage_check(const leat_pipeline *p, const leat_stage_options *o);
/* Has a function of the user's whose error is an item's. */
bool leat__stage_may_fail(const leat_stage_options *o);
void leat__stage_free(struct leat_stage *s);

/* pipeline_graph.c: whether the shape can run to its end. */
/* Of a stage that receives from a channel of the user's, or (in: what it takes) sends to it. */
int leat__graph_check_channel(const struct leat_pipeline *p, const struct leat_flow_raw *in,
			      const leat_stage_options *o);
/* Before the start. */
int leat__graph_check(struct leat_pipeline *p);

/* pipeline_cut.c */
/* Nobody wants what comes through it any more. */
void leat__flow_cut(struct leat_flow_raw *flow);
/* A sink has ended, or has enough; the last that has enough ends the pipeline. */
void leat__sink_over(struct leat_stage *s, bool enough);

/* pipeline.c */
void leat__pipeline_halt(struct leat_pipeline *p, enum leat__halt how, int cause);

static inline enum leat__halt leat__pipeline_how(struct leat_pipeline *p)
{
	return (enum leat__halt)atomic_load_explicit(&p->how, memory_order_acquire);
}

/* One writer, unless ends is of many: then under a lock. */
static inline void leat__add(_Atomic uint64_t *n, uint64_t more)
{
	/* Release: pairs with the acquire in leat_pipeline_ledger. */
	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + more,
			      memory_order_release);
}

static inline void leat__count(_Atomic uint64_t *n)
{
	leat__add(n, 1);
}

/*
 * What has become of n items of w's stage.  An item goes from the flow to a hand, to the window or
 * from a key's list, to its end; each place is left before the next is entered, and a ledger looks
 * at them the other way round: so it may miss an item, and does not count it twice.
 */
static inline void leat__did(struct leat__stage_worker *w, enum leat__end end, uint64_t n)
{
	leat__add(&w->held, -n);
	leat__add(&w->did.n[end], n);
}

#endif
