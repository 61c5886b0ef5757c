/*
 * plan_watch.c
 *	  Queries whose next executions are looked at closer, in shared memory.
 *
 * A query that was slow is watched: its next executions count the rows of each
 * plan node, so that the plan of one that is slow again shows them.  And where
 * an execution failed, which leaves no plan, the next one gives its own.
 *
 * A query has one place, by its id, so that all others see at a glance that
 * they are not meant; the last that was slow has it.  No lock: who wants to
 * look at a place or change it claims it by compare-and-swap, and does without
 * if somebody else has it.  What is lost is a plan, not a count.  A watch ends
 * with the first execution after WATCH_TIME.
 */
#include "postgres.h"

#include "storage/shmem.h"

#include "plan_watch.h"

/* executions that count rows, after a slow one */
#define WATCHED_EXECUTIONS	3

#define WATCH_TIME		(INT64CONST(10) * 60 * USECS_PER_SEC)

typedef struct PpSharedWatch
{
	pg_atomic_uint32 claimed;
	int			executions;		/* that are to count rows */
	PpStatKey	key;
	TimestampTz expires_at;
	int			nwaiting;
	uint64		waiting[PP_WAITING_PLANS];	/* slow_query_id, oldest first */
} PpSharedWatch;

typedef struct PpSharedPlanWatch
{
	/* changed by who has claimed the place of the same number */
	volatile int64 queryids[PP_WATCHES];
	PpSharedWatch watches[PP_WATCHES];
} PpSharedPlanWatch;

static PpSharedPlanWatch *shared;

volatile int64 *pp_plans_watched;

/* The place of a query. */
static inline int
place_of(int64 queryid)
{
	return queryid & (PP_WATCHES - 1);
}

/* A query id that never stands in that place: it is not in use. */
static inline int64
no_queryid(int place)
{
	return place == 0 ? 1 : 0;
}

Size
pp_plan_watch_shmem_size(void)
{
	return sizeof(PpSharedPlanWatch);
}

void
pp_plan_watch_shmem_init(void)
{
	bool		found;

	shared = ShmemInitStruct("pool_perf plan watch",
							 pp_plan_watch_shmem_size(), &found);
	pp_plans_watched = shared->queryids;
	if (found)
		return;
	memset(shared, 0, pp_plan_watch_shmem_size());
	for (int i = 0; i < PP_WATCHES; i++)
	{
		shared->queryids[i] = no_queryid(i);
		pg_atomic_init_u32(&shared->watches[i].claimed, 0);
	}
}

static PpSharedWatch *
claim(int64 queryid)
{
	PpSharedWatch *watch = &shared->watches[place_of(queryid)];
	uint32		expected = 0;

	return pg_atomic_compare_exchange_u32(&watch->claimed, &expected, 1) ?
		watch : NULL;
}

static void
release(PpSharedWatch *watch)
{
	pg_memory_barrier();
	pg_atomic_write_u32(&watch->claimed, 0);
}

/* The watch of that key, claimed, or NULL. */
static PpSharedWatch *
claim_watch(const PpStatKey *key)
{
	PpSharedWatch *watch = pp_plans_wanted(key->queryid) ?
	claim(key->queryid) : NULL;

	if (watch != NULL && !(pp_plans_wanted(key->queryid) &&
						   pp_stat_key_equal(&watch->key, key)))
	{
		release(watch);
		return NULL;
	}
	return watch;
}

/*
 * Watches the query, one of whose executions was slow; waiting is the id of
 * that one if it has no plan, else 0.
 */
void
pp_plan_watch_add(const PpStatKey *key, uint64 waiting, TimestampTz now)
{
	PpSharedWatch *watch = key->queryid == 0 ? NULL : claim(key->queryid);

	if (watch == NULL)
		return;
	if (!pp_stat_key_equal(&watch->key, key))
	{
		watch->key = *key;
		watch->nwaiting = 0;
	}
	watch->executions = WATCHED_EXECUTIONS;
	watch->expires_at = now + WATCH_TIME;
	if (waiting != 0)
	{
		if (watch->nwaiting == PP_WAITING_PLANS)
			memmove(&watch->waiting[0], &watch->waiting[1],
					--watch->nwaiting * sizeof(uint64));
		watch->waiting[watch->nwaiting++] = waiting;
	}
	shared->queryids[place_of(key->queryid)] = key->queryid;
	release(watch);
}

/* An execution begins.  Is it watched, and what is wanted of it? */
bool
pp_plan_watch_begin(const PpStatKey *key, TimestampTz now, PpPlanWish *wish)
{
	PpSharedWatch *watch = claim_watch(key);
	bool		ended;

	if (watch == NULL)
		return false;
	wish->rows = watch->executions > 0;
	wish->early = watch->nwaiting > 0;
	if (watch->executions > 0)
		watch->executions--;
	ended = watch->expires_at <= now || !(wish->rows || wish->early);
	if (ended)
	{
		int			place = place_of(key->queryid);

		watch->nwaiting = 0;
		shared->queryids[place] = no_queryid(place);
	}
	release(watch);
	return !ended;
}

/*
 * Copies the ids of the slow executions that wait for a plan: as many as are
 * returned, at most PP_WAITING_PLANS.  If done, they do not wait any more.
 */
int
pp_plan_watch_waiting(const PpStatKey *key, bool done, uint64 *slow_query_ids)
{
	PpSharedWatch *watch = claim_watch(key);
	int			n;

	if (watch == NULL)
		return 0;
	n = watch->nwaiting;
	memcpy(slow_query_ids, watch->waiting, n * sizeof(uint64));
	if (done)
		watch->nwaiting = 0;
	release(watch);
	return n;
}
