/*
 * error_rates.c
 *	  How many calls of each database failed of late.
 *
 * Every 10 s the worker adds up the calls of clients per database and keeps
 * what was added since, for the last 15 minutes and up to MAX_DATABASES
 * databases.  The worker alone writes the samples, each between two increments
 * of a change count; readers try again until the count stood still.  The two
 * words of a place that sessions write are atomic.  There is no lock, and
 * nobody waits.
 *
 * A place belongs to the first who asks for it, and is free again when its
 * database had no call for as long as samples go back, and has no statistics.
 */
#include "postgres.h"

#include "port/atomics.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "error_rates.h"
#include "queries.h"

#define MAX_DATABASES	64
#define SAMPLES			90

/* how often a reader tries to catch a place that is not being written */
#define READ_TRIES		100

typedef struct PpSharedRates
{
	pg_atomic_uint32 dbid;		/* 0: free */
	pg_atomic_uint64 normal;	/* since the place was taken */
	uint32		changes;		/* odd while the worker writes the rest */
	uint32		idle;			/* samples in a row without a call */
	PpErrorRate total;			/* as of the latest sample */
	int32		next;			/* sample to write */
	TimestampTz at[SAMPLES];	/* when it was taken; 0: not yet */
	PpErrorRate samples[SAMPLES];
} PpSharedRates;

typedef struct PpSharedErrorRates
{
	bool		looked;			/* once since server start */
	PpSharedRates databases[MAX_DATABASES];
} PpSharedErrorRates;

/* Sums of one look, by place. */
typedef struct Sums
{
	PpErrorRate of[MAX_DATABASES];
	bool		found[MAX_DATABASES];
} Sums;

static PpSharedErrorRates *shared;

Size
pp_error_rates_shmem_size(void)
{
	return sizeof(PpSharedErrorRates);
}

void
pp_error_rates_shmem_init(void)
{
	bool		found;

	shared = ShmemInitStruct("pool_perf error rates",
							 pp_error_rates_shmem_size(), &found);
	if (found)
		return;
	memset(shared, 0, pp_error_rates_shmem_size());
	for (int i = 0; i < MAX_DATABASES; i++)
	{
		pg_atomic_init_u32(&shared->databases[i].dbid, InvalidOid);
		pg_atomic_init_u64(&shared->databases[i].normal, 0);
	}
}

/* ---- places ------------------------------------------------------------------ */

static int
find_place(Oid dbid)
{
	for (int i = 0; i < MAX_DATABASES; i++)
		if (pg_atomic_read_u32(&shared->databases[i].dbid) == dbid)
			return i;
	return -1;
}

/* The database's place, taken if it has none; -1 if none is free. */
static int
take_place(Oid dbid)
{
	int			place = find_place(dbid);

	for (int i = 0; i < MAX_DATABASES && place < 0; i++)
	{
		uint32		expected = InvalidOid;

		if (pg_atomic_compare_exchange_u32(&shared->databases[i].dbid, &expected, dbid) ||
			expected == dbid)
			place = i;
	}
	return place;
}

/*
 * Counts a failure that applications expect.  At the very moment when a place
 * is given up, it may be one too many for the next database there.
 */
void
pp_error_rates_add_normal(Oid dbid)
{
	int			place = OidIsValid(dbid) ? take_place(dbid) : -1;

	if (place >= 0)
		pg_atomic_fetch_add_u64(&shared->databases[place].normal, 1);
}

/* ---- the worker's side ---------------------------------------------------------- */

static void
add_calls(const PpStatKey *key, int64 calls, int64 failed_calls, void *arg)
{
	Sums	   *sums = arg;
	int			place;

	if ((key->flags & PP_KEY_TOPLEVEL) == 0 || !OidIsValid(key->dbid))
		return;
	place = take_place(key->dbid);
	if (place < 0)
		return;
	sums->found[place] = true;
	sums->of[place].calls += calls;
	sums->of[place].failed += failed_calls;
}

/*
 * Keeps what was added since the last look.  A total that went down has been
 * reset: what it is now has come since.  What the first look sees is older.
 */
static void
write_sample(PpSharedRates *rates, const PpErrorRate *total, TimestampTz now)
{
	PpErrorRate *sample = &rates->samples[rates->next];

	memset(sample, 0, sizeof(*sample));
	if (shared->looked)
	{
#define SINCE(name) \
	sample->name = total->name >= rates->total.name ? \
		total->name - rates->total.name : total->name

		SINCE(calls);
		SINCE(failed);
		SINCE(normal);
#undef SINCE
	}
	rates->at[rates->next] = now;
	rates->next = (rates->next + 1) % SAMPLES;
	rates->total = *total;
	rates->idle = sample->calls > 0 ? 0 : rates->idle + 1;
}

static void
free_place(PpSharedRates *rates)
{
	rates->idle = 0;
	rates->next = 0;
	memset(&rates->total, 0, sizeof(rates->total));
	memset(rates->at, 0, sizeof(rates->at));
	pg_atomic_write_u64(&rates->normal, 0);
}

/* Takes a sample of all databases; the worker alone calls this. */
void
pp_error_rates_sample(TimestampTz now)
{
	Sums		sums = {0};

	pp_queries_sum(add_calls, &sums);
	for (int i = 0; i < MAX_DATABASES; i++)
	{
		PpSharedRates *rates = &shared->databases[i];
		bool		leave;

		if (pg_atomic_read_u32(&rates->dbid) == InvalidOid)
			continue;
		sums.of[i].normal = pg_atomic_read_u64(&rates->normal);

		/* a worker may have ended while it wrote */
		rates->changes += rates->changes % 2;
		rates->changes++;
		pg_write_barrier();
		write_sample(rates, &sums.of[i], now);
		leave = rates->idle >= SAMPLES && !sums.found[i];
		if (leave)
			free_place(rates);
		pg_write_barrier();
		rates->changes++;
		if (leave)
			pg_atomic_write_u32(&rates->dbid, InvalidOid);
	}
	shared->looked = true;
}

/* ---- the readers' side ------------------------------------------------------------ */

/* The databases that have samples; how many. */
int
pp_error_rates_databases(Oid *dbids, int max)
{
	int			n = 0;

	for (int i = 0; i < MAX_DATABASES && n < max; i++)
	{
		dbids[n] = pg_atomic_read_u32(&shared->databases[i].dbid);
		n += OidIsValid(dbids[n]);
	}
	return n;
}

/*
 * Calls of clients in the database that ended in the last seconds, up to 900.
 * False if nothing is known of it.
 */
bool
pp_error_rate(Oid dbid, int seconds, PpErrorRate *rate)
{
	int			place = OidIsValid(dbid) ? find_place(dbid) : -1;
	TimestampTz since = GetCurrentTimestamp() - seconds * USECS_PER_SEC;
	volatile PpSharedRates *rates;

	if (place < 0)
		return false;
	rates = &shared->databases[place];
	for (int tries = 0; tries < READ_TRIES; tries++)
	{
		uint32		before = rates->changes;

		memset(rate, 0, sizeof(*rate));
		pg_read_barrier();
		for (int i = 0; i < SAMPLES; i++)
		{
			if (rates->at[i] <= since)
				continue;
			rate->calls += rates->samples[i].calls;
			rate->failed += rates->samples[i].failed;
			rate->normal += rates->samples[i].normal;
		}
		pg_read_barrier();
		if (before % 2 == 0 && rates->changes == before)
		{
			/* the two are counted one after the other */
			rate->failed = Min(rate->failed, rate->calls);
			rate->normal = Min(rate->normal, rate->failed);
			return true;
		}
	}
	return false;
}
