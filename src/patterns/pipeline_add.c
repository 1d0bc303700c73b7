/* How a pipeline is built, stage by stage; each joint is checked. */
#include "patterns/pipeline.h"

#include <string.h>

#include <leat/extend.h>

#include "patterns/options.h"

#define STAGE(ok, fmt, ...) OPTION("leat_pipeline", ok, "stage %s: " fmt, o->name, __VA_ARGS__)

/* What a stage is joined to. */
struct joints {
	leat_flow_raw **ins;
	size_t nins, nouts;
};

static int check_flow(const leat_pipeline *p, const leat_flow_raw *in, const leat_stage_options *o)
{
	STAGE(in, "its flow is NULL%s; it is set by the stage that makes it", "");
	STAGE(in->from->p == p, "its flow, from %s, is another pipeline's", in->from->o.name);
	STAGE(!in->to, "the flow of %s is taken by %s already", in->from->o.name, in->to->o.name);
	STAGE(o->kind != LEAT__BATCH || o->items <= p->o.live / in->from->batched,
	      "items is %zu, and one of them %zu items of the source; more than live, %zu", o->items,
	      in->from->batched, p->o.live);
	return 0;
}

static bool is_fan(const leat_stage_options *o)
{
	return o->kind >= LEAT__FANS && o->kind < LEAT__SINK;
}

/* Hands on what it takes. */
static bool passes_on(const leat_stage_options *o)
{
	return is_fan(o) && o->kind != LEAT__FANS + LEAT__FAN_ZIP;
}

/* The function that drops what maker hands on, or what is in it; NULL: there is none. */
static void (*drop_of(const struct leat_stage *maker))(void *)
{
	while (maker->o.kind == LEAT__BATCH && !maker->o.drop)
		maker = maker->in->maker;
	return maker->o.drop;
}

/* Fan-out and fan-in hand on what they take, which is dropped as before. */
static int check_drop(const struct joints *j, const leat_stage_options *o)
{
	void (*drop)(void *) = drop_of(j->ins[0]->maker);

	for (size_t i = 0; i < j->nins && !o->drop; i++)
		STAGE(drop_of(j->ins[i]->maker) == drop,
		      "the flows of %s and %s have different drop functions; give drop",
		      j->ins[0]->from->o.name, j->ins[i]->from->o.name);
	if (o->drop)
		drop = o->drop;
	STAGE(!drop || o->clone || o->kind != LEAT__FANS + LEAT__FAN_BROADCAST,
	      "the items of %s are dropped, but clone is not given; copies of the bytes would be "
	      "dropped twice", j->ins[0]->from->o.name);
	return 0;
}

/* Where it stands among the others. */
static int check_joints(const leat_pipeline *p, const struct joints *j,
			const leat_stage_options *o)
{
	STAGE(!p->started, "the pipeline has been started%s", "");
	for (size_t i = 0; i < j->nins; i++) {
		if (check_flow(p, j->ins[i], o) < 0)
			return -EINVAL;
		for (size_t k = 0; k < i; k++)
			STAGE(j->ins[k] != j->ins[i], "it takes the flow of %s twice",
			      j->ins[i]->from->o.name);
	}
	if (passes_on(o) && check_drop(j, o) < 0)
		return -EINVAL;
	return o->chan ? leat__graph_check_channel(p, j->nins > 0 ? j->ins[0] : NULL, o) : 0;
}

static size_t most_batched(const struct joints *j)
{
	size_t most = 1;

	for (size_t i = 0; i < j->nins; i++)
		if (j->ins[i]->from->batched > most)
			most = j->ins[i]->from->batched;
	return most;
}

static struct leat_stage *new_stage(struct leat_pipeline *p, const struct joints *j,
				    const leat_stage_options *o)
{
	struct leat_stage *s = leat_alloc(sizeof(*s));

	if (!s)
		return NULL;
	memset(s, 0, sizeof(*s));
	s->p = p;
	s->o = *o;
	s->workers = o->mode > LEAT_STAGE_SERIAL ? o->workers : 1;
	s->batched = most_batched(j) * (o->kind == LEAT__BATCH ? o->items : 1);
	if (o->retry) {
		s->retry = *o->retry;
		s->o.retry = &s->retry;
	}
	if (o->kind == LEAT__BATCH)
		s->o.on_error = LEAT_ERROR_STOP; /* for want of memory */
	if (o->kind == LEAT__REDUCE)
		s->o.state = NULL; /* till there is a copy */
	if (o->chan)
		leat_channel_ref(o->chan);
	return s;
}

void leat__stage_free(struct leat_stage *s)
{
	struct leat__stage_worker *w, *next;

	for (w = s->all; w; w = next) {
		next = w->next;
		leat_free(w->hand, w->bytes);
		leat_free(w, sizeof(*w));
	}
	leat__keys_free(s->keys);
	leat__window_free(s);
	leat__fan_stage_free(s);
	leat__source_free(s->source);
	for (size_t i = 0; i < s->nouts; i++)
		leat_channel_unref(s->out[i].chan);
	leat_free(s->out, s->nouts * sizeof(*s->out));
	if (s->dead)
		leat_channel_unref(s->dead->chan);
	leat_free(s->dead, sizeof(*s->dead));
	leat_free(s->ins, s->nins * sizeof(struct leat_flow_raw *));
	leat_channel_unref(s->o.chan);
	if (s->o.kind == LEAT__REDUCE)
		leat_free((void *)(uintptr_t)s->o.state, s->o.out_size);
	leat_free(s, sizeof(*s));
}

/* Its own flows; the others it takes when nothing can fail any more. */
static int make_flows(struct leat_stage *s, const struct joints *j)
{
	if (j->nouts > 0) {
		s->out = leat_alloc(j->nouts * sizeof(*s->out));
		if (!s->out)
			return -ENOMEM;
		memset(s->out, 0, j->nouts * sizeof(*s->out));
		s->nouts = j->nouts;
	}
	for (size_t i = 0; i < s->nouts; i++) {
		s->out[i].from = s;
		s->out[i].maker = passes_on(&s->o) && !s->o.drop ? j->ins[0]->maker : s;
		s->out[i].size = s->o.out_size;
	}
	if (j->nins == 0)
		return 0;
	s->ins = leat_alloc(j->nins * sizeof(struct leat_flow_raw *));
	if (!s->ins)
		return -ENOMEM;
	memcpy(s->ins, j->ins, j->nins * sizeof(struct leat_flow_raw *));
	s->nins = j->nins;
	s->in = s->ins[0];
	return 0;
}

static int make_channels(struct leat_stage *s)
{
	bool is_zip = s->o.kind == LEAT__FANS + LEAT__FAN_ZIP;
	/* With no place at all, a zip might wait for one flow and a fan-out for the other. */
	size_t cap = is_zip && s->o.buffer == 0 ? 1 : s->o.buffer;

	for (size_t i = 0; i < s->nins; i++) {
		struct leat_flow_raw *in = s->ins[i];

		/* Of one that was refused, if its second channel was. */
		if (!in->chan)
			in->chan = leat_channel_create(leat__env_size(in->size), cap, NULL,
						       s->o.name);
		if (!in->chan)
			return -ENOMEM;
	}
	return 0;
}

static int make_state(struct leat_stage *s, const leat_stage_options *o)
{
	void *init = leat_alloc(o->out_size);

	if (!init)
		return -ENOMEM;
	memcpy(init, o->state, o->out_size);
	s->o.state = init;
	return 0;
}

static int make_parts(struct leat_stage *s, const struct joints *j, const leat_stage_options *o)
{
	int r = make_flows(s, j);

	if (r == 0 && o->kind == LEAT__REDUCE)
		r = make_state(s, o);
	if (r == 0)
		r = make_channels(s);
	if (r < 0)
		return r;
	if (o->kind <= LEAT__FROM)
		return leat__source_create(s->p, &s->source);
	if (is_fan(o))
		return leat__fan_stage_create(s);
	if (o->mode == LEAT_STAGE_KEYED) {
		s->keys = leat__keys_create(leat__env_size(s->in->size),
					    (size_t)s->workers);
		return s->keys ? 0 : -ENOMEM;
	}
	return o->mode == LEAT_STAGE_ORDERED ? leat__window_create(s) : 0;
}

static int add(struct leat_pipeline *p, const struct joints *j, struct leat_stage **ret_stage,
	       const leat_stage_options *o)
{
	struct leat_stage *s;
	int r = leat__stage_check(p, o);

	if (r == 0)
		r = check_joints(p, j, o);
	if (r < 0)
		return r;
	s = new_stage(p, j, o);
	if (!s)
		return -ENOMEM;
	r = make_parts(s, j, o);
	if (r < 0) {
		leat__stage_free(s);
		return r;
	}
	for (size_t i = 0; i < s->nins; i++)
		s->ins[i]->to = s;
	if (s->nouts == 0)
		atomic_fetch_add(&p->sinks, 1);
	s->index = p->nstages++;
	s->prev = p->last;
	if (p->last)
		p->last->next = s;
	else
		p->first = s;
	p->last = s;
	*ret_stage = s;
	return 0;
}

/* s: NULL, or what has been added. */
static int try_add(struct leat_pipeline *p, const struct joints *j, struct leat_stage **ret_stage,
		   const leat_stage_options *o)
{
	int r;

	*ret_stage = NULL;
	if (!o || o->size != sizeof(*o))
		leat_misuse("leat_pipeline_add", o, "the size is not set; use leat_pipeline_map");
	if (!p)
		return -EINVAL; /* it could not be made, and that has been said */
	for (size_t i = 0; i < j->nins && p->broken < 0; i++)
		if (!j->ins[i])
			return p->broken; /* so could not its flow */
	r = add(p, j, ret_stage, o);
	if (p->broken == 0)
		p->broken = r;
	return r;
}

int leat_pipeline_add(leat_pipeline *p, leat_flow_raw *in, leat_flow_raw **ret_out,
		      const leat_stage_options *options)
{
	int kind = options ? options->kind : LEAT__MAP;
	struct joints j = { &in, kind > LEAT__FROM, kind < LEAT__SINK };
	struct leat_stage *s;
	int r = try_add(p, &j, &s, options);

	if (ret_out)
		*ret_out = s && s->nouts > 0 ? s->out : NULL;
	return r;
}

/* What is too many is said before a flow is looked at. */
static int check_number(const char *name, size_t n, const char *what)
{
	OPTION("leat_pipeline", n > 0 && n <= LEAT_FAN_MAX, "stage %s: %zu %s; it must be 1 to %d",
	       name ? name : "-", n, what, LEAT_FAN_MAX);
	return 0;
}

int leat_pipeline_add_fan(leat_pipeline *p, leat_flow_raw *const *ins, size_t nins,
			  leat_flow_raw **ret_outs, size_t nouts, const leat_stage_options *options)
{
	leat_flow_raw *flows[LEAT_FAN_MAX];
	struct joints j = { flows, nins, nouts };
	struct leat_stage *s = NULL;
	int r = check_number(options->name, nins, "flows to take");

	if (r == 0)
		r = check_number(options->name, nouts, "flows to hand on to");
	if (r == 0) {
		/* Typed handles are pointers of other types. */
		memcpy(flows, ins, nins * sizeof(flows[0]));
		r = try_add(p, &j, &s, options);
	} else if (p && p->broken == 0) {
		p->broken = r;
	}
	for (size_t i = 0; i < nouts; i++) {
		leat_flow_raw *out = s ? &s->out[i] : NULL;

		memcpy(&ret_outs[i], &out, sizeof(out));
	}
	return r;
}

#define LETTERS(ok, ...) OPTION("leat_pipeline_dead_letters", ok, __VA_ARGS__)

static int check_letters(const leat_pipeline *p, const leat_flow_raw *in, size_t size)
{
	const struct leat_stage *s;

	LETTERS(in && in->from->p == p, "the flow is %s; give one that a stage takes",
		in ? "another pipeline's" : "NULL");
	s = in->to;
	LETTERS(s, "no stage takes the flow of %s yet; add it first", in->from->o.name);
	LETTERS(!p->started, "stage %s: the pipeline has been started", s->o.name);
	LETTERS(leat__stage_may_fail(&s->o), "stage %s has no function that may fail", s->o.name);
	LETTERS(s->o.on_error == LEAT_ERROR_COUNT,
		"stage %s: on_error is %d; with dead letters it must be LEAT_ERROR_COUNT", s->o.name,
		(int)s->o.on_error);
	LETTERS(!s->o.failed, "stage %s: failed is given; its items can go to one of them",
		s->o.name);
	LETTERS(!s->dead, "stage %s has dead letters already", s->o.name);
	LETTERS(size <= LEAT_ITEM_MAX, "a letter has %zu bytes, more than %d; pass a pointer", size,
		LEAT_ITEM_MAX);
	return 0;
}

static int add_letters(leat_pipeline *p, leat_flow_raw *in, size_t size, size_t error_at)
{
	struct leat_flow_raw *dead;
	int r = check_letters(p, in, size);

	if (r < 0)
		return r;
	dead = leat_alloc(sizeof(*dead));
	if (!dead)
		return -ENOMEM;
	memset(dead, 0, sizeof(*dead));
	dead->from = in->to;
	dead->maker = in->maker;
	dead->size = size;
	in->to->dead = dead;
	in->to->error_at = error_at;
	return 0;
}

int leat_pipeline_add_letters(leat_pipeline *p, leat_flow_raw *in, leat_flow_raw **ret_out,
			      size_t size, size_t error_at)
{
	int r = p && p->broken < 0 ? p->broken : -EINVAL;

	*ret_out = NULL;
	if (!p || (!in && p->broken < 0))
		return r; /* it could not be made, or its flow, and that has been said */
	r = add_letters(p, in, size, error_at);
	if (p->broken == 0)
		p->broken = r;
	if (r == 0)
		*ret_out = in->to->dead;
	return r;
}

int leat_pipeline_add_tee(leat_pipeline *p, leat_flow_raw *in, leat_flow_raw **ret_out,
			  leat_flow_raw **ret_side, const leat_stage_options *options)
{
	leat_flow_raw *outs[2];
	int r = leat_pipeline_add_fan(p, &in, 1, outs, 2, options);

	*ret_out = outs[0];
	*ret_side = outs[1];
	return r;
}

int leat_pipeline_add_zip(leat_pipeline *p, leat_flow_raw *first, leat_flow_raw *second,
			  leat_flow_raw **ret_out, const leat_stage_options *options)
{
	leat_flow_raw *ins[2] = { first, second };

	return leat_pipeline_add_fan(p, ins, 2, ret_out, 1, options);
}
