/*
 * A hash of the pipeline that is being built: the options of its stages, and how they are joined;
 * by functions that stand in for those that the macros of leat/pipeline.h call.  And how many
 * different ones there were.
 */
#ifndef TEST_STRUCTURE_H
#define TEST_STRUCTURE_H

#include <string.h>
#include <leat/pipeline.h>

enum { STRUCTURE_FLOWS = 2000, STRUCTURES = 1 << 16 };

static struct structure {
	uint64_t hash;
	const leat_flow_raw *flow[STRUCTURE_FLOWS]; /* in the order in which they were made */
	size_t nflows;
	uint64_t seen[STRUCTURES]; /* hashes; 0: none */
	int nseen;
} structure;

static void structure_mix(uint64_t v)
{
	uint64_t h = (structure.hash ^ v) * UINT64_C(0x9e3779b97f4a7c15);

	structure.hash = (h ^ h >> 32) * UINT64_C(0xff51afd7ed558ccd);
	structure.hash ^= structure.hash >> 29;
}

/* Typed handles are pointers of other types. */
static const leat_flow_raw *structure_flow(const void *flows, size_t i)
{
	const leat_flow_raw *flow;

	memcpy(&flow, (const char *)flows + i * sizeof(flow), sizeof(flow));
	return flow;
}

static void structure_takes(const void *flows, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		size_t i = 0;

		while (i < structure.nflows && structure.flow[i] != structure_flow(flows, k))
			i++;
		structure_mix(i);
	}
}

static void structure_makes(const void *flows, size_t n)
{
	for (size_t i = 0; i < n && structure.nflows < STRUCTURE_FLOWS; i++)
		structure.flow[structure.nflows++] = structure_flow(flows, i);
}

/* What differs by the seed in any case (functions, names, times) is in it only as given or not. */
static void structure_has(const leat_stage_options *o)
{
	const uint64_t parts[] = {
		(uint64_t)o->kind, o->in_size, o->out_size, o->n, (uint64_t)o->mode,
		(uint64_t)o->workers, o->buffer, (uint64_t)o->on_error, o->retry != NULL,
		o->rate != NULL, o->window, o->ahead, o->gap_after > 0, o->key != NULL, o->items,
		o->wait == LEAT_FOREVER, o->weight, o->weigh != NULL, (uint64_t)o->end,
		o->clone != NULL, o->failed != NULL, o->drop != NULL,
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		structure_mix(parts[i]);
}

/* Counts it, unless there was the same before. */
static void structure_done(void)
{
	uint64_t hash = structure.hash | 1;
	size_t i = hash % STRUCTURES;

	while (structure.seen[i] != 0 && structure.seen[i] != hash)
		i = (i + 1) % STRUCTURES;
	structure.nseen += structure.seen[i] == 0;
	structure.seen[i] = hash;
}

static int structure_create(leat_pipeline **ret_pipeline, const leat_pipeline_options *o)
{
	structure.hash = 0;
	structure.nflows = 0;
	structure_mix(o->live);
	structure_mix((uint64_t)o->live_bytes);
	return leat_pipeline_create(ret_pipeline, o);
}

static int structure_add_fan(leat_pipeline *p, leat_flow_raw *const *ins, size_t nins,
			     leat_flow_raw **ret_outs, size_t nouts, const leat_stage_options *o)
{
	int r = leat_pipeline_add_fan(p, ins, nins, ret_outs, nouts, o);

	structure_has(o);
	structure_takes(ins, nins);
	structure_mix(nouts);
	structure_makes(ret_outs, nouts);
	return r;
}

static int structure_add(leat_pipeline *p, leat_flow_raw *in, leat_flow_raw **ret_out,
			 const leat_stage_options *o)
{
	int r = leat_pipeline_add(p, in, ret_out, o);

	structure_has(o);
	structure_takes(&in, in != NULL);
	structure_makes(ret_out, ret_out != NULL);
	return r;
}

static int structure_add_tee(leat_pipeline *p, leat_flow_raw *in, leat_flow_raw **ret_out,
			     leat_flow_raw **ret_side, const leat_stage_options *o)
{
	leat_flow_raw *outs[2];
	int r = structure_add_fan(p, &in, 1, outs, 2, o);

	*ret_out = outs[0];
	*ret_side = outs[1];
	return r;
}

static int structure_add_zip(leat_pipeline *p, leat_flow_raw *first, leat_flow_raw *second,
			     leat_flow_raw **ret_out, const leat_stage_options *o)
{
	leat_flow_raw *ins[2] = { first, second };

	return structure_add_fan(p, ins, 2, ret_out, 1, o);
}

static int structure_add_letters(leat_pipeline *p, leat_flow_raw *in, leat_flow_raw **ret_out,
				 size_t size, size_t error_at)
{
	int r = leat_pipeline_add_letters(p, in, ret_out, size, error_at);

	structure_takes(&in, 1);
	structure_makes(ret_out, 1);
	return r;
}

#define leat_pipeline_create structure_create
#define leat_pipeline_add structure_add
#define leat_pipeline_add_fan structure_add_fan
#define leat_pipeline_add_tee structure_add_tee
#define leat_pipeline_add_zip structure_add_zip
#define leat_pipeline_add_letters structure_add_letters

#endif
