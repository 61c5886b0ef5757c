/*
 * log_rate.c
 *	  How many lines about slow executions the log gets.
 *
 * A fixed table, by query id; queries whose ids fall on one place share its
 * limit.  No lock: a minute that begins with its first line, and the lines in
 * it, are one atomic number.
 */
#include "postgres.h"

#include "port/atomics.h"
#include "storage/shmem.h"

#include "guc.h"
#include "log_rate.h"

#define RATES			1024	/* a power of two */

#define RATE_SECONDS	60
#define PLAN_TIME		(INT64CONST(3600) * USECS_PER_SEC)

typedef struct PpSharedRate
{
	pg_atomic_uint64 minute;	/* second it began in << 32 | lines in it */
	pg_atomic_uint64 suppressed;	/* lines since the last one that passed */
	pg_atomic_uint64 since;		/* the first of them; 0: none */
	pg_atomic_uint64 plan_at;	/* the last plan */
} PpSharedRate;

typedef struct PpSharedRates
{
	pg_atomic_uint64 minute;	/* of all lines */
	pg_atomic_uint64 suppressed;	/* since server start */
	PpSharedRate rates[RATES];
} PpSharedRates;

static PpSharedRates *shared;

Size
pp_log_rate_shmem_size(void)
{
	return sizeof(PpSharedRates);
}

void
pp_log_rate_shmem_init(void)
{
	bool		found;

	shared = ShmemInitStruct("pool_perf log rates", pp_log_rate_shmem_size(),
							 &found);
	if (found)
		return;
	pg_atomic_init_u64(&shared->minute, 0);
	pg_atomic_init_u64(&shared->suppressed, 0);
	for (int i = 0; i < RATES; i++)
	{
		pg_atomic_init_u64(&shared->rates[i].minute, 0);
		pg_atomic_init_u64(&shared->rates[i].suppressed, 0);
		pg_atomic_init_u64(&shared->rates[i].since, 0);
		pg_atomic_init_u64(&shared->rates[i].plan_at, 0);
	}
}

static PpSharedRate *
rate_of(int64 queryid)
{
	return &shared->rates[(uint64) queryid % RATES];
}

/* Takes one of limit lines in a minute; -1: there is no limit. */
static bool
take_line(pg_atomic_uint64 *minute, int limit, TimestampTz now)
{
	uint64		second = (uint64) (now / USECS_PER_SEC) & PG_UINT32_MAX;
	uint64		seen = pg_atomic_read_u64(minute);

	if (limit < 0)
		return true;
	for (;;)
	{
		uint64		begun = seen >> 32;
		uint64		next = seen + 1;

		/* the clock may have been set back */
		if (second >= begun + RATE_SECONDS || second < begun)
			next = second << 32 | 1;
		if ((int64) (next & PG_UINT32_MAX) > limit)
			return false;
		if (pg_atomic_compare_exchange_u64(minute, &seen, next))
			return true;
	}
}

/*
 * May a line about the query go to the log?  If so, before tells what was held
 * back since the last that did; if not, it is counted.
 */
bool
pp_log_rate_pass(int64 queryid, TimestampTz now, PpSuppressed *before)
{
	PpSharedRate *rate = rate_of(queryid);

	if (take_line(&rate->minute, pp_log_rate, now) &&
		take_line(&shared->minute, pp_log_rate_total, now))
	{
		before->lines = pg_atomic_exchange_u64(&rate->suppressed, 0);
		before->since = pg_atomic_exchange_u64(&rate->since, 0);
		if (before->since == 0)
			before->since = now;
		return true;
	}

	if (pg_atomic_fetch_add_u64(&rate->suppressed, 1) == 0)
		pg_atomic_write_u64(&rate->since, (uint64) now);
	pg_atomic_fetch_add_u64(&shared->suppressed, 1);
	return false;
}

/*
 * May the query's plan go to the log?  It takes a line of all queries: many
 * slow queries that are new would double what the log gets.
 */
bool
pp_log_rate_pass_plan(int64 queryid, TimestampTz now)
{
	PpSharedRate *rate = rate_of(queryid);
	uint64		last = pg_atomic_read_u64(&rate->plan_at);

	if (last != 0 && now - (TimestampTz) last < PLAN_TIME)
		return false;
	if (!take_line(&shared->minute, pp_log_rate_total, now))
		return false;
	return pg_atomic_compare_exchange_u64(&rate->plan_at, &last, (uint64) now);
}

/* Lines that were held back since server start. */
uint64
pp_log_rate_suppressed(void)
{
	return pg_atomic_read_u64(&shared->suppressed);
}
