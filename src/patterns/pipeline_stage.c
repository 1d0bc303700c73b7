/* What the workers of a stage do; the steps are in pipeline.h. */
#include "patterns/pipeline.h"

#include <string.h>

#include <leat/extend.h>

struct leat_emitter_raw {
	struct leat__stage_worker *worker;
	struct leat__token *token;
	uint64_t seq;		/* ordered: of the item */
};

/* What a user's function is called with. */
struct call {
	struct leat__stage_worker *worker;
	struct leat__env *in, *out;
	uint64_t seq;		/* ordered: of the item */
	bool ends;		/* what it has returned is LEAT_ECLOSED, and no error */
};

enum leat__end leat__stopped_end(struct leat_pipeline *p)
{
	return leat__pipeline_how(p) == LEAT__ENOUGH ? LEAT__END_UNWANTED : LEAT__END_CANCELLED;
}

enum leat__end leat__unsent_end(struct leat_pipeline *p, int r)
{
	/* A stop says so first, and closes then; else the flow has been cut. */
	return r == LEAT_ECLOSED && leat__pipeline_how(p) < LEAT__ENOUGH ? LEAT__END_UNWANTED
									 : leat__stopped_end(p);
}

bool leat__flow_is_cut(const struct leat_flow_raw *flow)
{
	return atomic_load_explicit(&flow->cut, memory_order_relaxed);
}

void leat__flow_close(struct leat_flow_raw *flow)
{
	if (!atomic_exchange(&flow->closed, true))
		leat_channel_close(flow->chan);
}

/* The array of a batch is its token's, the items in it are their own. */
static void drop_batch(const struct leat_stage *batch, const char *out)
{
	struct {
		char *item;
		size_t n;
	} b;

	memcpy(&b, out, sizeof(b));
	for (size_t i = 0; i < b.n; i++)
		leat__flow_drop_item(batch->in, b.item + i * batch->in->size);
}

void leat__flow_drop_item(const struct leat_flow_raw *flow, void *item)
{
	const struct leat_stage *maker = flow->maker;

	if (maker->o.drop)
		maker->o.drop(item);
	else if (maker->o.kind == LEAT__BATCH)
		drop_batch(maker, item);
}

void leat__flow_drop(struct leat_flow_raw *flow, struct leat__ends *ends, struct leat__env *env,
		     enum leat__end end)
{
	if (leat__is_left_out(env))
		return;
	leat__flow_drop_item(flow, env->item);
	leat__token_end(ends, env->token, end);
}

/* The next of those that are in the hand. */
static int take_from_hand(struct leat__stage_worker *w, struct leat__env **ret_env)
{
	*ret_env = (struct leat__env *)(w->hand + w->first++ * leat__env_size(w->stage->in->size));
	w->n--;
	w->seq = w->received++;
	return 0;
}

/* One, or as many as go into the hand; 0, or an error.  *env as of leat__stage_recv. */
static int recv_some(struct leat__stage_worker *w, struct leat__env **env, int64_t deadline)
{
	struct leat_stage *s = w->stage;
	int64_t n;

	if (!w->hand) {
		n = s->window ? leat_channel_recv_numbered(s->in->chan, *env, &w->seq, deadline)
			      : leat_channel_recv(s->in->chan, *env, deadline);
		if (n == 0 && !s->keys)
			leat__count(&w->held);
		return (int)n;
	}
	n = leat_channel_recv_n(s->in->chan, w->hand, w->bytes / leat__env_size(s->in->size),
				deadline);
	if (n < 0)
		return (int)n;
	w->first = 0;
	w->n = (size_t)n;
	if (!s->keys)
		leat__add(&w->held, w->n);
	return take_from_hand(w, env);
}

static int recv_metered(struct leat__stage_worker *w, struct leat__env **env, int64_t deadline)
{
	int r;

	if (w->n > 0)
		return take_from_hand(w, env);
	/* No try at first: this one looks for a cancel, and yields now and then. */
	r = recv_some(w, env, INT64_MIN);
	if (r == -ETIMEDOUT && deadline > INT64_MIN) {
		leat__meter_enter(&w->meter, LEAT_STAGE_STARVED);
		r = recv_some(w, env, deadline);
		leat__meter_enter(&w->meter, LEAT_STAGE_BUSY);
	}
	return r;
}

/* One that w holds. */
static void drop_held(struct leat__stage_worker *w, struct leat__env *env, enum leat__end end)
{
	leat__flow_drop(w->stage->in, &w->ends, env, end);
	leat__did(w, end, 1);
}

int leat__stage_recv(struct leat__stage_worker *w, struct leat__env **env, int64_t deadline)
{
	struct leat_stage *s = w->stage;
	int r;

	while ((r = recv_metered(w, env, deadline)) == 0 && leat__flow_is_cut(s->in)) {
		if (s->keys)
			leat__count(&w->held);
		drop_held(w, *env, leat__unsent_end(s->p, LEAT_ECLOSED));
		if (s->window)
			leat__window_put(w, w->seq, NULL);
	}
	if (r == 0 && (*env)->queued_at != 0)
		leat__times_add(&s->queue, leat_now() - (*env)->queued_at, 1);
	return r;
}

/*
 * Shielded, if it is of a source: what that has made goes on also when it is told to stop, which
 * cancels its group.  An abort, or a cut, closes the channel.
 */
static int wait_to_send(struct leat__stage_worker *w, leat_channel *to, const void *elem)
{
	bool is_source = w->stage->source != NULL;
	int r;

	leat__meter_enter(&w->meter, LEAT_STAGE_BLOCKED);
	if (is_source)
		leat_shield_begin();
	r = leat_channel_send(to, elem, LEAT_FOREVER);
	if (is_source)
		leat_shield_end();
	leat__meter_enter(&w->meter, LEAT_STAGE_BUSY);
	return r;
}

static inline int send_metered(struct leat__stage_worker *w, leat_channel *to, const void *elem)
{
	int r = leat_channel_send(to, elem, INT64_MIN);

	return r == -ETIMEDOUT || r == -ECANCELED ? wait_to_send(w, to, elem) : r;
}

static inline int hand_on(struct leat__stage_worker *w, struct leat_flow_raw *out,
			  struct leat__env *env)
{
	bool timed = w->handed_on++ % LEAT__SAMPLE_ONE_IN == 0 || leat__is_slow(&w->sampler) ||
		     atomic_load_explicit(&out->slow, memory_order_relaxed);

	env->queued_at = timed ? leat_now() : 0;
	return send_metered(w, out->chan, env);
}

int leat__stage_try_hand_on(struct leat__stage_worker *w, struct leat__env *env)
{
	return hand_on(w, w->stage->out, env);
}

enum leat__end leat__stage_send(struct leat__stage_worker *w, struct leat__env *env)
{
	int r = leat__stage_try_hand_on(w, env);
	enum leat__end end = r < 0 ? leat__unsent_end(w->stage->p, r) : LEAT__END_OUT;

	if (r < 0)
		leat__flow_drop(w->stage->out, &w->ends, env, end);
	return end;
}

int leat_emit_item(leat_emitter_raw *emitter, const void *item)
{
	struct leat_stage *s;
	int r;
	LEAT__ENV(out);

	if (!emitter)
		leat_misuse(__func__, emitter, "the emitter is NULL; call it in a flat function");
	s = emitter->worker->stage;
	out->token = emitter->token;
	memcpy(out->item, item, s->o.out_size);
	leat__token_ref(out->token);
	r = s->window ? leat__window_emit(emitter->worker, emitter->seq, out)
		      : leat__stage_try_hand_on(emitter->worker, out);
	/* The function has the token, too, so this is not its end. */
	if (r < 0)
		leat__token_end(&emitter->worker->ends, out->token, leat__unsent_end(s->p, r));
	return r;
}

static int call_map(const leat_stage_options *o, void *in, void *out)
{
	void *state = (void *)(uintptr_t)o->state;

	if (o->n > 0)
		return ((int (*)(void *, void *, void *))o->fn)(state, in, out);
	return ((int (*)(void *, void *))o->fn)(in, out);
}

static int call_sink(const leat_stage_options *o, void *in)
{
	void *state = (void *)(uintptr_t)o->state;

	return o->n > 0 ? ((int (*)(void *, void *))o->fn)(state, in)
			: ((int (*)(void *))o->fn)(in);
}

static int call_once(const struct call *c)
{
	struct leat__stage_worker *w = c->worker;
	const leat_stage_options *o = &w->stage->o;
	leat_emitter_raw emitter = { w, c->in->token, c->seq };

	switch (o->kind) {
	case LEAT__MAP:
		return call_map(o, c->in->item, c->out->item);
	case LEAT__FLAT:
		return call_map(o, c->in->item, &emitter);
	case LEAT__SINK:
		return call_sink(o, c->in->item);
	default:
		return send_metered(w, o->chan, c->in->item);
	}
}

/* What a flat function returns since its emits have: nobody wants any more. */
static bool is_told(const struct leat_stage *s, int r)
{
	return s->o.kind == LEAT__FLAT && r == LEAT_ECLOSED &&
	       (leat__flow_is_cut(s->out) || leat__pipeline_how(s->p) >= LEAT__ENOUGH);
}

static int call_again(void *arg)
{
	struct call *c = arg;
	const struct leat_stage *s = c->worker->stage;
	int r = call_once(c);

	c->ends = is_told(s, r) || (s->o.kind == LEAT__SINK && r == LEAT_ECLOSED);
	return c->ends ? 0 : r;
}

/* Apart, so that the call in do_item needs no struct in memory. */
static __attribute__((noinline)) int call_with_retry(struct call c)
{
	int r = leat_retry_run(&c.worker->stage->retry, call_again, &c);

	return c.ends ? LEAT_ECLOSED : r;
}

/* 0, or -ECANCELED. */
static int wait_for_rate(struct leat__stage_worker *w)
{
	leat_bucket *rate = w->stage->o.rate;
	int r;

	if (!rate || leat_bucket_try_take(rate, 1) == 0)
		return 0;
	leat__meter_enter(&w->meter, LEAT_STAGE_LIMITED);
	r = leat_bucket_take(rate, 1);
	leat__meter_enter(&w->meter, LEAT_STAGE_BUSY);
	return r;
}

/* The item goes on as a dead letter, with its token: it has failed, whatever becomes of that. */
static void send_letter(struct leat__stage_worker *w, struct leat__env *env, int error)
{
	struct leat_stage *s = w->stage;
	LEAT__ENV(letter);

	memset(letter->item, 0, s->dead->size);
	memcpy(letter->item, env->item, s->in->size);
	memcpy(letter->item + s->error_at, &error, sizeof(error));
	letter->token = env->token;
	leat__token_note(letter->token, LEAT__END_FAILED);
	if (hand_on(w, s->dead, letter) < 0)
		leat__flow_drop(s->dead, &w->ends, letter, LEAT__END_FAILED);
}

void leat__stage_fail(struct leat__stage_worker *w, struct leat__env *env, int error)
{
	struct leat_stage *s = w->stage;
	bool stopped = is_told(s, error) ||
		       (error == -ECANCELED && leat__pipeline_how(s->p) >= LEAT__ENOUGH);
	enum leat__end end = stopped ? leat__unsent_end(s->p, error) : LEAT__END_FAILED;

	if (!stopped && s->dead) {
		send_letter(w, env, error);
	} else if (!stopped && s->o.failed) {
		s->o.failed(env->item, error);
		leat__token_end(&w->ends, env->token, end);
	} else {
		leat__flow_drop(s->in, &w->ends, env, end);
	}
	leat__did(w, end, 1);
	if (!stopped && s->o.on_error == LEAT_ERROR_STOP)
		leat__pipeline_halt(s->p, LEAT__ABORTED, error);
}

/* Nothing is handed on of an item; where zip waits for its copy, an empty place is. */
static void leave_out(struct leat__stage_worker *w, uint64_t seq)
{
	struct leat_stage *s = w->stage;
	bool keeps_place = s->nouts > 0 && s->out->keeps_place;
	LEAT__ENV(place);

	place->token = &leat__left_out;
	if (s->window)
		leat__window_put(w, seq, keeps_place ? place : NULL);
	else if (keeps_place)
		(void)leat__stage_send(w, place);
}

/* What becomes of an item whose function returned r >= 0.  true: out is to be handed on. */
static bool has_out(struct leat__stage_worker *w, struct leat__env *in, struct leat__env *out,
		    int r)
{
	struct leat_stage *s = w->stage;
	bool is_map = s->o.kind == LEAT__MAP, is_flat = s->o.kind == LEAT__FLAT;

	if (is_map && r != LEAT_SKIP) {
		out->token = in->token;
		return true;
	}
	/* What a flat function emitted ends by itself. */
	leat__token_end(&w->ends, in->token,
			is_map || is_flat ? LEAT__END_FILTERED : LEAT__END_OUT);
	leat__did(w, is_map ? LEAT__END_FILTERED : LEAT__END_OUT, 1);
	return false;
}

static void do_item(struct leat__stage_worker *w, struct leat__env *in, uint64_t seq)
{
	struct leat_stage *s = w->stage;
	bool made = false;
	int64_t begin;
	int r;
	LEAT__ENV(out);

	r = wait_for_rate(w);
	if (r == 0) {
		struct call call = { w, in, out, seq, false };

		begin = leat__sample_begin(&w->sampler);
		r = s->o.retry ? call_with_retry(call) : call_once(&call);
		leat__sample_end(&w->sampler, &s->service, begin);
		if (begin != 0)
			atomic_store_explicit(&s->in->slow, leat__is_slow(&w->sampler),
					      memory_order_relaxed);
	}
	if (r == LEAT_ECLOSED && (s->o.kind == LEAT__SINK || s->o.kind == LEAT__TO)) {
		/* Of a channel, it has not been taken. */
		if (s->o.kind == LEAT__TO) {
			drop_held(w, in, LEAT__END_UNWANTED);
		} else {
			leat__token_end(&w->ends, in->token, LEAT__END_OUT);
			leat__did(w, LEAT__END_OUT, 1);
		}
		leat__sink_over(s, true);
	} else if (r < 0) {
		leat__stage_fail(w, in, r);
	} else {
		made = has_out(w, in, out, r);
	}
	if (!made)
		leave_out(w, seq);
	else if (s->window)
		leat__window_put(w, seq, out);
	else
		leat__did(w, leat__stage_send(w, out), 1);
}

/* An empty place, of which no function is told. */
static void pass_place_on(struct leat__stage_worker *w, uint64_t seq)
{
	if (w->stage->keys)
		leat__count(&w->held);
	leat__did(w, LEAT__END_FILTERED, 1);
	leave_out(w, seq);
}

static int run_worker(void *args);
static const leat_task_type worker_type = { "stage", run_worker,
					    sizeof(struct leat__stage_worker *) };

/* Its record lives as long as the stage. */
int leat__stage_spawn(struct leat_stage *s, const leat_task_type *type)
{
	struct leat__stage_worker *w = leat_alloc(sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	memset(w, 0, sizeof(*w));
	w->stage = s;
	w->meter.limits = &s->limits;
	w->is_watcher = type != &worker_type;
	/*
	 * A conflate selects: what it had in its hand would come after what is in the channel.  And
	 * what is in a hand would seem to a watcher to have begun.
	 */
	if (!w->is_watcher && s->in && !s->fan && s->o.kind != LEAT__CONFLATE &&
	    s->o.gap_after == 0 && s->workers == 1 && s->o.buffer > 1) {
		w->bytes = leat__env_size(s->in->size) *
			   (s->o.buffer < LEAT__HAND ? s->o.buffer : LEAT__HAND);
		w->hand = leat_alloc(w->bytes); /* or one by one */
	}
	leat_mutex_lock(&s->lock);
	w->next = s->all;
	s->all = w;
	leat_mutex_unlock(&s->lock);
	atomic_fetch_add(&s->alive, 1);
	r = leat_spawn(s->source ? &s->source->group : &s->p->group, type, &w,
		       LEAT_TASK_OPTIONS(.name = s->o.name));
	if (r < 0)
		leat__stage_leave(s); /* not the last: who calls is there, too */
	return r;
}

static int start_worker(struct leat_stage *s)
{
	return leat__stage_spawn(s, &worker_type);
}

/* W2.  Without memory the others go on. */
static void start_another(struct leat_stage *s)
{
	int running = atomic_load_explicit(&s->running, memory_order_relaxed);

	if (running >= s->workers || atomic_load_explicit(&s->waiting, memory_order_relaxed) > 0)
		return;
	if (atomic_compare_exchange_strong(&s->running, &running, running + 1) &&
	    start_worker(s) < 0)
		atomic_fetch_sub(&s->running, 1);
}

int leat__stage_start(struct leat_stage *s)
{
	int r;

	atomic_store(&s->began, leat_now());
	atomic_store(&s->running, 1);
	atomic_store(&s->alive, 1); /* this call: nobody is the last before all have begun */
	r = s->window ? leat__window_start(s) : 0;
	if (r == 0)
		r = start_worker(s);
	leat__stage_leave(s);
	return r;
}

void leat__stage_leave(struct leat_stage *s)
{
	int left = atomic_fetch_sub(&s->alive, 1) - 1;

	if (left == 1 && s->window)
		leat__window_wake(s); /* the watcher may be the last */
	if (left > 0)
		return;
	atomic_store(&s->ended, leat_now());
	for (size_t i = 0; i < s->nouts; i++)
		leat__flow_close(&s->out[i]);
	if (s->dead)
		leat__flow_close(s->dead);
	if (s->nouts > 0)
		return;
	if (s->o.kind == LEAT__TO && atomic_load(&s->began) != 0)
		leat_channel_close(s->o.chan);
	leat__sink_over(s, false);
}

static void lock_take(struct leat__stage_worker *w)
{
	leat_mutex *lock = &w->stage->take_lock;

	if (leat_mutex_try_lock(lock) == 0)
		return;
	/* Who has the lock takes an item, or waits for one, as this one does. */
	leat__meter_enter(&w->meter, LEAT_STAGE_STARVED);
	leat_mutex_lock(lock);
	leat__meter_enter(&w->meter, LEAT_STAGE_BUSY);
}

/*
 * W1; *ret_seq: its number, or what has begun with its key.  Of several that wait for an item in
 * order, one does at the flow: it has what is handed to it before it runs, and if there were many
 * such, those that run would soon have to wait for them.
 */
static int take(struct leat__stage_worker *w, struct leat__env **env, uint64_t *ret_seq)
{
	struct leat_stage *s = w->stage;
	int r;

	if (s->keys)
		lock_take(w);
	r = leat__stage_recv(w, env, INT64_MIN);
	if (r == -ETIMEDOUT) {
		atomic_fetch_add(&s->waiting, 1);
		if (s->window)
			lock_take(w);
		r = leat__stage_recv(w, env, LEAT_FOREVER);
		if (s->window)
			leat_mutex_unlock(&s->take_lock);
		atomic_fetch_sub(&s->waiting, 1);
	}
	*ret_seq = w->seq;
	if (r == 0 && s->keys && !leat__is_left_out(*env))
		*ret_seq = leat__key_begin(s->keys, s->o.key((*env)->item), *env);
	if (s->keys)
		leat_mutex_unlock(&s->take_lock);
	if (r == 0 && s->o.gap_after > 0)
		leat__window_wake(s);
	return r;
}

static bool next_of_key(struct leat__stage_worker *w, uint64_t key, struct leat__env *env)
{
	bool is_one = leat__key_next(w->stage->keys, key, env);

	if (is_one)
		leat__count(&w->held);
	return is_one;
}

/* W3, of one key as long as there are any. */
static void do_key(struct leat__stage_worker *w, struct leat__env *env, enum leat__key_begun begun)
{
	struct leat_stage *s = w->stage;
	uint64_t key = s->o.key(env->item);

	if (begun == LEAT__KEY_WAITS)
		return;
	leat__count(&w->held);
	if (begun == LEAT__KEY_NO_MEMORY) {
		leat__stage_fail(w, env, -ENOMEM);
		leave_out(w, 0);
		return;
	}
	do
		if (leat__pipeline_how(s->p) >= LEAT__ENOUGH || leat__flow_is_cut(s->in))
			drop_held(w, env, leat__unsent_end(s->p, LEAT_ECLOSED));
		else
			do_item(w, env, 0);
	while (next_of_key(w, key, env));
}

static void run_items(struct leat__stage_worker *w)
{
	struct leat_stage *s = w->stage;
	uint64_t seq = 0;
	LEAT__ENV(env);

	while (take(w, &env, &seq) == 0) {
		/* What is in a key's list is ended by who has the key. */
		if (w->hand && !s->keys && leat__pipeline_how(s->p) >= LEAT__ENOUGH) {
			drop_held(w, env, leat__stopped_end(s->p));
			break;
		}
		start_another(s);
		if (leat__is_left_out(env))
			pass_place_on(w, seq);
		else if (s->keys)
			do_key(w, env, (enum leat__key_begun)seq);
		else
			do_item(w, env, seq);
	}
}

/* The pipeline has been stopped, or there is nothing here. */
static void drop_hand(struct leat__stage_worker *w)
{
	LEAT__ENV(env);

	while (w->n > 0 && take_from_hand(w, &env) == 0) {
		if (w->stage->keys)
			leat__count(&w->held);
		drop_held(w, env, leat__stopped_end(w->stage->p));
	}
}

/* From above.  A shutdown cancels the sources alone, and a cut those of which nothing is wanted. */
static bool cancelled_from_above(const struct leat_stage *s)
{
	enum leat__halt how = leat__pipeline_how(s->p);

	if (!leat_cancelled())
		return false;
	return s->source ? how == LEAT__RUNS && !leat__flow_is_cut(s->out) : how < LEAT__ENOUGH;
}

static int run_worker(void *args)
{
	struct leat__stage_worker *w = *(struct leat__stage_worker **)args;
	struct leat_stage *s = w->stage;

	leat__meter_enter(&w->meter, LEAT_STAGE_BUSY);
	switch (s->o.kind) {
	case LEAT__SOURCE:
	case LEAT__FROM:
		leat__source_run(w);
		break;
	case LEAT__BATCH:
		leat__batch_run(w);
		break;
	case LEAT__REDUCE:
		leat__reduce_run(w);
		break;
	case LEAT__CONFLATE:
		leat__conflate_run(w);
		break;
	default:
		if (s->fan)
			leat__fan_stage_run(w);
		else
			run_items(w);
	}
	if (cancelled_from_above(s))
		leat__pipeline_halt(s->p, LEAT__ABORTED, -ECANCELED);
	drop_hand(w);
	leat__meter_stop(&w->meter);
	leat__stage_leave(s);
	return 0;
}

void leat__flow_drain(struct leat_flow_raw *flow, struct leat__ends *ends)
{
	enum leat__end end = leat__unsent_end(flow->from->p, leat__flow_is_cut(flow) ?
							     LEAT_ECLOSED : -ECANCELED);
	LEAT__ENV(env);

	while (leat_channel_try_recv(flow->chan, env) == 0) {
		leat__flow_drop(flow, ends, env, end);
		leat__count(&flow->to->rest.n[end]);
	}
}
