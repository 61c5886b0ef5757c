/*
 * statement.c
 *	  Adding executions to batches, batches to sums, and sums to sums.
 *
 * Pure arithmetic: nothing here allocates, locks, raises or reads a clock.
 */
#include "postgres.h"

#include "statement.h"

static inline void
times_merge(PpTimes *times, const PpTimes *more, bool first)
{
	times->total += more->total;
	times->squares += more->squares;
	if (first || more->min < times->min)
		times->min = more->min;
	if (first || more->max > times->max)
		times->max = more->max;
}

void
pp_usage_add(PpUsage *usage, const PpUsage *more)
{
#define PP_ADD(name) usage->name += more->name;
	PP_USAGE_FIELDS(PP_ADD)
#undef PP_ADD
}

static inline void
jit_add(PpJit *jit, const PpJit *more)
{
#define PP_ADD(name) jit->name += more->name;
	PP_JIT_FIELDS(PP_ADD)
#undef PP_ADD
}

/* Adds what not every execution has. */
void
pp_batch_add_parts(PpBatch *batch, const PpStatement *statement,
				   int64 total_time)
{
	batch->parts |= statement->parts;
	if (statement->parts & PP_PART_FAILED)
	{
		batch->failed_calls++;
		batch->total_failed_time += total_time;
		batch->max_failed_time = Max(batch->max_failed_time, total_time);
	}
	if (statement->parts & PP_PART_USAGE)
		pp_usage_add(&batch->usage, statement->usage);
	if (statement->parts & PP_PART_JIT)
		jit_add(&batch->jit, statement->jit);
}

/* Widens the range of buckets in use to contain one more bucket. */
static inline void
include_bucket(PpTotals *totals, int bucket, bool first)
{
	if (first || bucket < totals->first_bucket)
		totals->first_bucket = bucket;
	if (first || bucket > totals->last_bucket)
		totals->last_bucket = bucket;
}

static inline void
include_time(PpTotals *totals, TimestampTz at, bool first)
{
	if (first || at < totals->first_seen)
		totals->first_seen = at;
	if (first || at > totals->last_seen)
		totals->last_seen = at;
}

void
pp_totals_add_batch(PpTotals *totals, const PpBatch *batch)
{
	bool		first = totals->calls == 0;
	int			n = batch->calls;
	int64		within = 0;
	int			lowest = PP_HISTOGRAM_BUCKETS;
	int			highest = 0;
	uint32		classes = 0;	/* bits of all of them */

	if (n == 0)
		return;

	for (int i = 0; i < n; i++)
	{
		int			bucket = PP_SAMPLE_BUCKET(batch->samples[i]);

		totals->buckets[bucket]++;
		lowest = Min(lowest, bucket);
		highest = Max(highest, bucket);
		classes |= batch->samples[i];
	}
	include_bucket(totals, lowest, first);
	include_bucket(totals, highest, false);
	for (int class = 0; class < PP_WITHIN_THRESHOLDS; class++)
	{
		if (likely(PP_SAMPLE_CLASS(classes) == 0))
			within = n;
		else
			for (int i = 0; i < n; i++)
				within += PP_SAMPLE_CLASS(batch->samples[i]) == class;
		totals->within[class] += within;
	}

	totals->calls += batch->calls;
	totals->rows += batch->rows;
	times_merge(&totals->exec, &batch->exec, first);
	totals->total_before_time += batch->total_before_time;
	totals->max_time = Max(totals->max_time, batch->max_time);
	totals->shared_blks_hit += batch->shared_blks_hit;
	/* they came in the order of their ends, not of their messages */
	include_time(totals, batch->first_seen, first);
	include_time(totals, batch->last_seen, false);

	if (batch->parts & PP_PART_PLAN)
	{
		times_merge(&totals->plan, &batch->plan, totals->plans == 0);
		totals->plans += batch->plans;
	}
	if (batch->parts & PP_PART_FAILED)
	{
		totals->failed_calls += batch->failed_calls;
		totals->total_failed_time += batch->total_failed_time;
		totals->max_failed_time = Max(totals->max_failed_time,
									  batch->max_failed_time);
	}
	if (batch->parts & PP_PART_USAGE)
		pp_usage_add(&totals->usage, &batch->usage);
	if (batch->parts & PP_PART_JIT)
		jit_add(&totals->jit, &batch->jit);
}

void
pp_totals_add(PpTotals *totals, const PpTotals *more)
{
	bool		first = totals->calls == 0;

	if (more->calls == 0)
		return;

	for (int i = more->first_bucket; i <= more->last_bucket; i++)
		totals->buckets[i] += more->buckets[i];
	include_bucket(totals, more->first_bucket, first);
	include_bucket(totals, more->last_bucket, false);
	for (int i = 0; i < PP_WITHIN_THRESHOLDS; i++)
		totals->within[i] += more->within[i];

	if (more->plans > 0)
		times_merge(&totals->plan, &more->plan, totals->plans == 0);
	times_merge(&totals->exec, &more->exec, first);
	totals->calls += more->calls;
	totals->failed_calls += more->failed_calls;
	totals->rows += more->rows;
	totals->plans += more->plans;
	totals->total_before_time += more->total_before_time;
	totals->max_time = Max(totals->max_time, more->max_time);
	totals->total_failed_time += more->total_failed_time;
	totals->max_failed_time = Max(totals->max_failed_time,
								  more->max_failed_time);
	totals->shared_blks_hit += more->shared_blks_hit;
	pp_usage_add(&totals->usage, &more->usage);
	jit_add(&totals->jit, &more->jit);
	include_time(totals, more->first_seen, first);
	include_time(totals, more->last_seen, false);
}

/* Empties a sum; costs what was in it, not the whole histogram. */
void
pp_totals_clear(PpTotals *totals)
{
	if (totals->calls > 0)
		memset(&totals->buckets[totals->first_bucket], 0,
			   (totals->last_bucket - totals->first_bucket + 1) *
			   sizeof(totals->buckets[0]));
	memset(totals, 0, offsetof(PpTotals, buckets));
}
