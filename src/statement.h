/*
 * statement.h
 *	  The values that travel through pool_perf: which query, what one execution
 *	  of it cost, up to 32 executions together, and the sums of any number.
 *
 * Plain values without locks or pointers.  Times are nanoseconds (int64),
 * unless a name says otherwise; the sums of squares are of nanoseconds.
 */
#ifndef PP_STATEMENT_H
#define PP_STATEMENT_H

#include "datatype/timestamp.h"
#include "histogram.h"

/* PpStatKey.flags */
#define PP_KEY_TOPLEVEL	0x01	/* not run inside another statement */
#define PP_KEY_OTHER	0x02	/* what eviction took away, of one database */
#define PP_KEY_NONE		0x80	/* stands for no query */

/* Which row.  No padding: keys are compared and saved as bytes. */
typedef struct PpStatKey
{
	int64		queryid;		/* 0: no query id, or an `other` row */
	Oid			dbid;
	Oid			userid;			/* InvalidOid in an `other` row */
	uint32		flags;
	uint32		hash;			/* of all the rest; see pp_stat_key_init() */
} PpStatKey;

/*
 * What an execution did to the process-wide counters of buffers and WAL.  The
 * one that every execution changes is apart: PpStatement.shared_blks_hit.
 */
#define PP_USAGE_FIELDS(FIELD) \
	FIELD(shared_blks_read) \
	FIELD(shared_blks_dirtied) \
	FIELD(shared_blks_written) \
	FIELD(local_blks_hit) \
	FIELD(local_blks_read) \
	FIELD(local_blks_dirtied) \
	FIELD(local_blks_written) \
	FIELD(temp_blks_read) \
	FIELD(temp_blks_written) \
	FIELD(shared_blk_read_time) \
	FIELD(shared_blk_write_time) \
	FIELD(local_blk_read_time) \
	FIELD(local_blk_write_time) \
	FIELD(temp_blk_read_time) \
	FIELD(temp_blk_write_time) \
	FIELD(wal_records) \
	FIELD(wal_fpi) \
	FIELD(wal_bytes)

#define PP_JIT_FIELDS(FIELD) \
	FIELD(jit_functions) \
	FIELD(jit_generation_time) \
	FIELD(jit_inlining_count) \
	FIELD(jit_inlining_time) \
	FIELD(jit_optimization_count) \
	FIELD(jit_optimization_time) \
	FIELD(jit_emission_count) \
	FIELD(jit_emission_time) \
	FIELD(jit_deform_count) \
	FIELD(jit_deform_time)

#define PP_DECLARE(name) int64 name;
typedef struct PpUsage
{
	PP_USAGE_FIELDS(PP_DECLARE)
} PpUsage;

typedef struct PpJit
{
	PP_JIT_FIELDS(PP_DECLARE)
} PpJit;
#undef PP_DECLARE

/* What not every execution has: in PpStatement.parts and PpBatch.parts */
#define PP_PART_PLAN	0x01
#define PP_PART_FAILED	0x02
#define PP_PART_USAGE	0x04
#define PP_PART_JIT		0x08

/* One execution that ended. */
typedef struct PpStatement
{
	int64		before_time;	/* from the message's arrival to planning */
	int64		plan_time;
	int64		exec_time;
	int64		rows;
	int64		shared_blks_hit;
	int64		parts;			/* PP_PART_*: was planned, failed, ... */
	TimestampTz message_at;		/* when the message it works for arrived */
	const PpUsage *usage;		/* PP_PART_USAGE */
	const PpJit *jit;			/* PP_PART_JIT */
} PpStatement;

/* Sum, extremes and sum of squares of one kind of time. */
typedef struct PpTimes
{
	int64		total;
	int64		min;			/* undefined while nothing was added */
	int64		max;
	double		squares;
} PpTimes;

/* A batch holds this many executions. */
#define PP_BATCH_SIZE	32

/* PpBatch.samples: bucket of the total time, and its class of thresholds */
#define PP_SAMPLE(bucket, class)	((uint16) ((bucket) | (class) << 9))
#define PP_SAMPLE_BUCKET(sample)	((sample) & 0x1FF)
#define PP_SAMPLE_CLASS(sample)		((sample) >> 9)

/*
 * Up to PP_BATCH_SIZE executions of one query.  All zero is the empty batch.
 * The order of the fields is that of their use: what each execution changes
 * comes first, the parts last.
 */
typedef struct PpBatch
{
	uint16		calls;			/* also the number of samples */
	uint16		parts;
	uint32		failed_calls;	/* PP_PART_FAILED */
	int64		rows;
	PpTimes		exec;
	int64		total_before_time;
	int64		max_time;
	int64		shared_blks_hit;
	TimestampTz last_seen;
	int64		plans;			/* PP_PART_PLAN */
	uint16		samples[PP_BATCH_SIZE];
	TimestampTz first_seen;
	PpTimes		plan;			/* PP_PART_PLAN */
	/* PP_PART_FAILED */
	int64		total_failed_time;
	int64		max_failed_time;
	PpUsage		usage;			/* PP_PART_USAGE */
	PpJit		jit;			/* PP_PART_JIT */
} PpBatch;

/*
 * The sums of any number of executions.  All zero is the empty sum.  Only
 * buckets from first_bucket to last_bucket are looked at; there are none while
 * calls is 0.
 */
typedef struct PpTotals
{
	int64		calls;
	int64		failed_calls;
	int64		rows;
	int64		plans;
	PpTimes		plan;
	PpTimes		exec;
	int64		total_before_time;
	int64		max_time;
	int64		total_failed_time;
	int64		max_failed_time;
	int64		within[PP_WITHIN_THRESHOLDS];	/* cumulative */
	int64		shared_blks_hit;
	PpUsage		usage;
	PpJit		jit;
	TimestampTz first_seen;
	TimestampTz last_seen;
	int16		first_bucket;
	int16		last_bucket;
	uint64		buckets[PP_HISTOGRAM_BUCKETS];
} PpTotals;

extern void pp_usage_add(PpUsage *usage, const PpUsage *more);
extern void pp_batch_add_parts(PpBatch *batch, const PpStatement *statement,
							   int64 total_time);
extern void pp_totals_add_batch(PpTotals *totals, const PpBatch *batch);
extern void pp_totals_add(PpTotals *totals, const PpTotals *more);
extern void pp_totals_clear(PpTotals *totals);

/* What a database and a user add to the hash of a key. */
static inline uint32
pp_stat_key_user_hash(Oid dbid, Oid userid)
{
	return (uint32) ((((uint64) dbid << 32 | userid) *
					  UINT64CONST(0x9E3779B97F4A7C15)) >> 32);
}

/* Query ids are hashes already. */
static inline uint32
pp_stat_key_hash(int64 queryid, uint32 flags, uint32 user_hash)
{
	return ((uint32) queryid ^ user_hash) + flags;
}

static inline void
pp_stat_key_init(PpStatKey *key, Oid dbid, Oid userid, int64 queryid,
				 uint32 flags)
{
	key->queryid = queryid;
	key->dbid = dbid;
	key->userid = userid;
	key->flags = flags;
	key->hash = pp_stat_key_hash(queryid, flags,
								 pp_stat_key_user_hash(dbid, userid));
}

static inline bool
pp_stat_key_equal(const PpStatKey *a, const PpStatKey *b)
{
	return a->queryid == b->queryid && a->dbid == b->dbid &&
		a->userid == b->userid && a->flags == b->flags;
}

/* Planning, execution and what came before, in nanoseconds. */
static inline int64
pp_totals_total_time(const PpTotals *totals)
{
	return totals->plan.total + totals->exec.total + totals->total_before_time;
}

static inline void
pp_times_add(PpTimes *times, int64 t, bool first)
{
	times->total += t;
	times->squares += (double) t * (double) t;
	if (first || t < times->min)
		times->min = t;
	if (first || t > times->max)
		times->max = t;
}

/* Adds an execution to a batch that has room for it. */
static pg_attribute_always_inline void
pp_batch_add(PpBatch *batch, const PpStatement *statement)
{
	int64		exec_time = statement->exec_time;
	int64		before_time = statement->before_time;
	int64		total_time = before_time + statement->plan_time + exec_time;
	int			n = batch->calls;

	Assert(n < PP_BATCH_SIZE);

	batch->samples[n] = PP_SAMPLE(pp_histogram_bucket(total_time),
								  pp_within_class(total_time));
	batch->calls = n + 1;
	batch->rows += statement->rows;
	batch->exec.total += exec_time;
	batch->exec.squares += (double) exec_time * (double) exec_time;
	if (n == 0)
	{
		batch->exec.min = exec_time;
		batch->exec.max = exec_time;
		batch->first_seen = statement->message_at;
	}
	else if (exec_time < batch->exec.min)
		batch->exec.min = exec_time;
	else if (exec_time > batch->exec.max)
		batch->exec.max = exec_time;
	batch->total_before_time += before_time;
	batch->max_time = Max(batch->max_time, total_time);
	batch->shared_blks_hit += statement->shared_blks_hit;
	batch->last_seen = statement->message_at;

	if (statement->parts != 0)
	{
		if (statement->parts & PP_PART_PLAN)
		{
			pp_times_add(&batch->plan, statement->plan_time,
						 batch->plans == 0);
			batch->plans++;
			batch->parts |= PP_PART_PLAN;
		}
		if (unlikely(statement->parts & ~PP_PART_PLAN))
			pp_batch_add_parts(batch, statement, total_time);
	}
}

#endif							/* PP_STATEMENT_H */
