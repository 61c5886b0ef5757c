/*
 * slow_queries.c
 *	  The last slow executions, in shared memory.
 *
 * A fixed number of places.  The last fifth is reserved for critical executions,
 * which may have the others as well.
 * Backends write them without a lock: whoever makes a place's change count odd
 * by compare-and-swap has the place until he makes it even again.  Nothing
 * between the two can wait, fail or end the process.  Readers copy a place and
 * look whether its change count stood still.
 *
 * Who appends looks at all places: they are few, in one piece, and a slow
 * execution does it once.  So it is exact which execution falls out: the
 * query's own oldest if it has PP_PLACES_PER_QUERY, else the oldest of all.
 * Several that append for one query at the same time may use one place more,
 * and give it up right after.
 *
 * Ids are drawn while the place is claimed: a reader who finds all places at
 * rest has seen every id that was drawn before.
 */
#include "postgres.h"

#include "storage/shmem.h"

#include "guc.h"
#include "packed_text.h"
#include "slow_queries.h"

/* how often a place is tried for that others are writing to */
#define CLAIM_TRIES		10
#define READ_TRIES		100

/* the id of a place that is claimed, and has not drawn its id */
#define ID_TO_COME		PG_UINT64_MAX

/* What appending looks at; the rest of a place is in its slot. */
typedef struct PpSharedPlace
{
	pg_atomic_uint32 changes;	/* odd while somebody writes */
	pg_atomic_uint64 id;		/* 0: empty */
	PpStatKey	key;
} PpSharedPlace;

typedef struct PpSharedSlot
{
	PpSlowQuery query;
	char text[	PP_SLOW_QUERY_SIZE];
	char		parameters[PP_SLOW_PARAMETERS_SIZE];
	PpPackedText plan;
} PpSharedSlot;

typedef struct PpSharedSlowQueries
{
	pg_atomic_uint64 last_id;
	pg_atomic_uint64 evicted;
	pg_atomic_uint64 lost;
	PpSharedPlace places[FLEXIBLE_ARRAY_MEMBER];
	/* the slots follow */
} PpSharedSlowQueries;

/* A place as it was seen; -1 for none. */
typedef struct PpSeenPlace
{
	int			place;
	uint32		changes;
	uint64		id;
} PpSeenPlace;

/* What one look at all places finds. */
typedef struct PpPlaceScan
{
	int			own;			/* places that the query has */
	PpSeenPlace own_oldest;
	PpSeenPlace oldest;			/* of those before end; empty ones first, the
								 * last of them */
	int			end;
} PpPlaceScan;

static PpSharedSlowQueries *shared;
static PpSharedSlot *slots;

static int
critical_places(void)
{
	return pp_slow_query_history / 5;
}

static Size
places_size(void)
{
	return CACHELINEALIGN(offsetof(PpSharedSlowQueries, places) +
						  mul_size(pp_slow_query_history,
								   sizeof(PpSharedPlace)));
}

Size
pp_slow_queries_shmem_size(void)
{
	return add_size(places_size(),
					mul_size(pp_slow_query_history, sizeof(PpSharedSlot)));
}

void
pp_slow_queries_shmem_init(void)
{
	bool		found;

	shared = ShmemInitStruct("pool_perf slow queries",
							 pp_slow_queries_shmem_size(), &found);
	slots = (PpSharedSlot *) ((char *) shared + places_size());
	if (found)
		return;

	memset(shared, 0, pp_slow_queries_shmem_size());
	pg_atomic_init_u64(&shared->last_id, 0);
	pg_atomic_init_u64(&shared->evicted, 0);
	pg_atomic_init_u64(&shared->lost, 0);
	for (int i = 0; i < pp_slow_query_history; i++)
	{
		pg_atomic_init_u32(&shared->places[i].changes, 0);
		pg_atomic_init_u64(&shared->places[i].id, 0);
	}
}

/* ---- places ----------------------------------------------------------------- */

/* The place is the caller's if nobody has changed it since it was seen. */
static bool
claim(const PpSeenPlace *seen)
{
	uint32		expected = seen->changes;

	return seen->place >= 0 &&
		pg_atomic_compare_exchange_u32(&shared->places[seen->place].changes,
									   &expected, seen->changes + 1);
}

static void
release(const PpSeenPlace *claimed)
{
	pg_write_barrier();
	pg_atomic_write_u32(&shared->places[claimed->place].changes,
						claimed->changes + 2);
}

static void
take_older(PpSeenPlace *oldest, const PpSeenPlace *seen)
{
	if (oldest->place < 0 || seen->id < oldest->id)
		*oldest = *seen;
}

/* Looks at all places, for the query. */
static void
scan_places(int64 queryid, PpPlaceScan *scan)
{
	scan->own = 0;
	scan->own_oldest.place = -1;
	scan->oldest.place = -1;
	/* backwards: who may have a reserved place takes it before another one */
	for (int i = pp_slow_query_history - 1; i >= 0; i--)
	{
		PpSharedPlace *place = &shared->places[i];
		PpSeenPlace seen = {.place = i};
		bool		own;

		seen.changes = pg_atomic_read_u32(&place->changes);
		pg_read_barrier();
		seen.id = pg_atomic_read_u64(&place->id);
		own = seen.id != 0 && place->key.queryid == queryid;
		scan->own += own;
		if (seen.changes % 2 != 0)
			continue;
		if (own)
			take_older(&scan->own_oldest, &seen);
		if (i < scan->end)
			take_older(&scan->oldest, &seen);
	}
}

/* Makes the place empty.  False if somebody else has changed it. */
static bool
empty_place(const PpSeenPlace *seen)
{
	if (!claim(seen))
		return false;
	pg_atomic_write_u64(&shared->places[seen->place].id, 0);
	release(seen);
	return true;
}

/* The same, for want of room. */
static void
evict_place(const PpSeenPlace *seen)
{
	if (empty_place(seen))
		pg_atomic_fetch_add_u64(&shared->evicted, 1);
}

/* Claims the place for a new execution; false if others were always quicker. */
static bool
claim_place(const PpSlowQuery *query, PpPlaceScan *scan, PpSeenPlace *claimed)
{
	bool		critical = query->severity == PP_SEVERITY_CRITICAL;
	int			others = pp_slow_query_history - critical_places();

	scan->end = critical ? pp_slow_query_history : others;
	for (int i = 0; i < CLAIM_TRIES; i++)
	{
		scan_places(query->key.queryid, scan);
		*claimed = scan->oldest;
		if (scan->own >= PP_PLACES_PER_QUERY && scan->own_oldest.place >= 0)
		{
			/* one that others cannot push out is better than its own */
			bool		reserved = claimed->place >= others && claimed->id == 0;

			if (!reserved && scan->own_oldest.place < scan->end)
				*claimed = scan->own_oldest;
			else
				evict_place(&scan->own_oldest);
		}
		if (claim(claimed))
			return true;
	}
	return false;
}

/* Gives up what is over the query's share. */
static void
trim_query(int64 queryid, PpPlaceScan *scan)
{
	for (int i = 0; i < CLAIM_TRIES; i++)
	{
		scan_places(queryid, scan);
		if (scan->own <= PP_PLACES_PER_QUERY || scan->own_oldest.place < 0)
			return;
		evict_place(&scan->own_oldest);
	}
}

/*
 * Adds an execution, and gives it its id: 0 if it found no place.  The texts
 * have the lengths that the query says.  Never waits, never raises.
 */
uint64
pp_slow_queries_append(PpSlowQuery *query, const PpSlowTexts *texts)
{
	PpPlaceScan scan;
	PpSeenPlace claimed;
	PpSharedPlace *place;
	PpSharedSlot *slot;
	PpPackedText plan;

	pp_pack_text(&plan, texts->plan, query->plan_length);
	if (!claim_place(query, &scan, &claimed))
	{
		pg_atomic_fetch_add_u64(&shared->lost, 1);
		return query->id = 0;
	}
	if (claimed.id != 0)
		pg_atomic_fetch_add_u64(&shared->evicted, 1);

	place = &shared->places[claimed.place];
	slot = &slots[claimed.place];
	pg_atomic_write_u64(&place->id, ID_TO_COME);
	place->key = query->key;
	query->id = pg_atomic_add_fetch_u64(&shared->last_id, 1);
	pg_atomic_write_u64(&place->id, query->id);
	pg_write_barrier();
	slot->query = *query;
	memcpy(slot->text, texts->query, query->query_length);
	memcpy(slot->parameters, texts->parameters, query->parameters_length);
	slot->plan = plan;
	release(&claimed);

	if (scan.own >= PP_PLACES_PER_QUERY - 1)
		trim_query(query->key.queryid, &scan);
	return query->id;
}

/* Gives an execution its plan, if it is there still.  False if it is not. */
bool
pp_slow_queries_set_plan(uint64 id, const char *plan, int length)
{
	PpPackedText packed;

	pp_pack_text(&packed, plan, length);
	for (int i = 0; i < pp_slow_query_history; i++)
	{
		PpSharedPlace *place = &shared->places[i];
		PpSeenPlace seen = {.place = i};

		seen.changes = pg_atomic_read_u32(&place->changes);
		pg_read_barrier();
		seen.id = pg_atomic_read_u64(&place->id);
		if (seen.id != id)
			continue;
		if (seen.changes % 2 != 0 || !claim(&seen))
			return false;
		slots[i].plan = packed;
		release(&seen);
		return true;
	}
	return false;
}

/* ---- readers ------------------------------------------------------------------- */

/* Places there are: what pp_slow_queries_read() takes. */
int
pp_slow_queries_places(void)
{
	return pp_slow_query_history;
}

/*
 * Copies what the place holds; texts may be NULL.  False if it is empty, or
 * was being written at every try.
 */
bool
pp_slow_queries_read(int place, PpSlowQuery *query, PpSlowTexts *texts)
{
	PpSharedPlace *p = &shared->places[place];
	const PpSharedSlot *slot = &slots[place];
	PpPackedText plan;

	for (int i = 0; i < READ_TRIES; i++)
	{
		uint32		before = pg_atomic_read_u32(&p->changes);
		uint64		id;

		pg_read_barrier();
		id = pg_atomic_read_u64(&p->id);
		if (before % 2 != 0)
			continue;
		if (id == 0)
			return false;
		memcpy(query, &slot->query,
			   sizeof(*query));
		if (texts != NULL)
		{
			memcpy(texts->query, slot->text,
				   sizeof(texts->query));
			memcpy(texts->parameters, slot->parameters,
				   sizeof(texts->parameters));
			memcpy(&plan, &slot->plan,
				   sizeof(plan));
		}
		pg_read_barrier();
		if (pg_atomic_read_u32(&p->changes) != before)
			continue;
		if (texts != NULL)
			query->plan_length = pp_unpack_text(&plan, texts->plan);
		return true;
	}
	return false;
}

/* Puts an execution in its place among those that were found, by id. */
static int
insert_by_id(PpSlowQuery *out, int n, int max, const PpSlowQuery *query)
{
	int			at = n;

	while (at > 0 && out[at - 1].id > query->id)
		at--;
	if (at == max)
		return n;
	if (n == max)
		n--;
	memmove(&out[at + 1], &out[at], (n - at) * sizeof(*out));
	out[at] = *query;
	return n + 1;
}

/*
 * Copies the executions that were added after *last_id, oldest first and at
 * most max, and moves *last_id on.  How many; what is being added comes next
 * time.  What fell out of the ring before is not seen.
 */
int
pp_slow_queries_since(uint64 *last_id, PpSlowQuery *out, int max)
{
	uint64		upto = pg_atomic_read_u64(&shared->last_id);
	int			n = 0;

	if (upto == *last_id || max <= 0)
		return 0;
	pg_memory_barrier();
	for (int i = 0; i < pp_slow_query_history; i++)
	{
		PpSharedPlace *place = &shared->places[i];
		uint64		id = pg_atomic_read_u64(&place->id);
		PpSlowQuery query;

		/* who claimed a place and has not told so will draw a greater id */
		if (id != ID_TO_COME && (id <= *last_id || id > upto))
			continue;
		if (id == ID_TO_COME || !pp_slow_queries_read(i, &query, NULL))
			return 0;
		if (query.id > *last_id && query.id <= upto)
			n = insert_by_id(out, n, max, &query);
	}
	*last_id = n == max ? out[n - 1].id : upto;
	return n;
}

/* Empties the places that the filter matches. */
void
pp_slow_queries_forget(const PpStatFilter *filter)
{
	for (int i = 0; i < pp_slow_query_history; i++)
	{
		PpSharedPlace *place = &shared->places[i];

		for (int tries = 0; tries < READ_TRIES; tries++)
		{
			PpSeenPlace seen = {.place = i};

			seen.changes = pg_atomic_read_u32(&place->changes);
			pg_read_barrier();
			seen.id = pg_atomic_read_u64(&place->id);
			if (seen.changes % 2 == 0 &&
				(seen.id == 0 || !pp_stat_filter_match(filter, &place->key)))
				break;
			if (seen.changes % 2 == 0)
				empty_place(&seen);
		}
	}
}

void
pp_slow_queries_counters(PpSlowCounters *counters)
{
	memset(counters, 0, sizeof(*counters));
	counters->places = pp_slow_query_history;
	for (int i = 0; i < pp_slow_query_history; i++)
		counters->used += pg_atomic_read_u64(&shared->places[i].id) != 0;
	counters->evicted = pg_atomic_read_u64(&shared->evicted);
	counters->lost = pg_atomic_read_u64(&shared->lost);
}
