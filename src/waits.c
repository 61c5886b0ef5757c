/*
 * waits.c
 *	  What queries were seen waiting for: a shared table of samples.
 *
 * One entry for each query and wait event, and as many of them as the query
 * table is asked to hold.  The worker alone adds to it; a lock of its own
 * protects all of it, held for copies and arithmetic only.  When it is full, a
 * clock evicts what was not seen since its hand passed last; those samples are
 * kept in one sum.
 */
#include "postgres.h"

#include "port/pg_bitutils.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

#include "guc.h"
#include "waits.h"

#define NO_ENTRY	(-1)

typedef struct PpSharedWait
{
	PpQueryWait wait;
	int32		next;			/* of the bucket, or of the free list */
	bool		in_use;
	bool		referenced;		/* since the hand passed */
} PpSharedWait;

/* Followed by the buckets, and these by the entries. */
typedef struct PpSharedWaits
{
	PpWaitCounters counters;
	int32		first_free;
	int32		hand;
} PpSharedWaits;

static PpSharedWaits *shared;
static int32 *buckets;
static PpSharedWait *entries;
static LWLock *lock;

static uint32
bucket_count(void)
{
	return pg_nextpower2_32((uint32) pp_max_queries);
}

static Size
buckets_size(void)
{
	return MAXALIGN(bucket_count() * sizeof(int32));
}

/* Places for entries. */
int
pp_waits_places(void)
{
	return pp_max_queries;
}

Size
pp_waits_shmem_size(void)
{
	return add_size(MAXALIGN(sizeof(PpSharedWaits)) + buckets_size(),
					mul_size(pp_waits_places(), sizeof(PpSharedWait)));
}

void
pp_waits_shmem_init(void)
{
	bool		found;

	lock = &GetNamedLWLockTranche("pool_perf")[PP_PARTITIONS + 2].lock;
	shared = ShmemInitStruct("pool_perf waits", pp_waits_shmem_size(),
							 &found);
	buckets = (int32 *) ((char *) shared + MAXALIGN(sizeof(PpSharedWaits)));
	entries = (PpSharedWait *) ((char *) buckets + buckets_size());
	if (found)
		return;

	memset(shared, 0, pp_waits_shmem_size());
	memset(buckets, 0xFF, buckets_size());
	for (int i = 0; i < pp_waits_places(); i++)
		entries[i].next = i + 1 < pp_waits_places() ? i + 1 : NO_ENTRY;
}

/* ---- entries; all of this expects the lock to be held ----------------------- */

static int32 *
bucket_of(const PpQueryWait *wait)
{
	uint32		hash = (uint32) wait->queryid ^ wait->event * 0x9E3779B1 ^
	pp_stat_key_user_hash(wait->dbid, wait->userid);

	return &buckets[hash & (bucket_count() - 1)];
}

static bool
is_same(const PpQueryWait *a, const PpQueryWait *b)
{
	return a->queryid == b->queryid && a->event == b->event &&
		a->dbid == b->dbid && a->userid == b->userid;
}

static void
unlink_entry(int32 e)
{
	int32	   *link = bucket_of(&entries[e].wait);

	while (*link != e)
		link = &entries[*link].next;
	*link = entries[e].next;
	entries[e].next = shared->first_free;
	entries[e].in_use = false;
	shared->first_free = e;
	shared->counters.entries--;
}

/* Makes room for one; the table is full. */
static void
evict(void)
{
	for (;;)
	{
		int32		e = shared->hand;

		shared->hand = (shared->hand + 1) % pp_waits_places();
		if (entries[e].referenced)
		{
			entries[e].referenced = false;
			continue;
		}
		shared->counters.evictions++;
		shared->counters.evicted_samples += entries[e].wait.samples;
		unlink_entry(e);
		return;
	}
}

static void
add(const PpQueryWait *wait)
{
	int32	   *bucket = bucket_of(wait);
	int32		e = *bucket;

	while (e != NO_ENTRY && !is_same(&entries[e].wait, wait))
		e = entries[e].next;
	if (e == NO_ENTRY)
	{
		if (shared->first_free == NO_ENTRY)
			evict();
		e = shared->first_free;
		shared->first_free = entries[e].next;
		entries[e].wait = *wait;
		entries[e].wait.samples = 0;
		entries[e].in_use = true;
		entries[e].next = *bucket;
		*bucket = e;
		shared->counters.entries++;
	}
	entries[e].wait.samples += wait->samples;
	entries[e].referenced = true;
}

/* ---- what others call ---------------------------------------------------------- */

/* The worker alone calls this. */
void
pp_waits_add(const PpQueryWait *waits, int n)
{
	if (n == 0)
		return;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; i < n; i++)
		add(&waits[i]);
	LWLockRelease(lock);
}

/* Copies all entries, into room for pp_waits_places(); how many. */
int
pp_waits_copy(PpQueryWait *waits, PpWaitCounters *counters)
{
	int			n = 0;

	LWLockAcquire(lock, LW_SHARED);
	for (int i = 0; i < pp_waits_places(); i++)
		if (entries[i].in_use)
			waits[n++] = entries[i].wait;
	*counters = shared->counters;
	LWLockRelease(lock);
	return n;
}

void
pp_waits_counters(PpWaitCounters *counters)
{
	LWLockAcquire(lock, LW_SHARED);
	*counters = shared->counters;
	LWLockRelease(lock);
}

/* Forgets what the filter matches; evicted samples if it matches everything. */
void
pp_waits_forget(const PpStatFilter *filter)
{
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int32 e = 0; e < pp_waits_places(); e++)
	{
		const PpQueryWait *wait = &entries[e].wait;
		PpStatKey	key;

		if (!entries[e].in_use)
			continue;
		pp_stat_key_init(&key, wait->dbid, wait->userid, wait->queryid,
						 PP_KEY_TOPLEVEL);
		if (pp_stat_filter_match(filter, &key))
			unlink_entry(e);
	}
	if (filter->any_dbid && filter->any_userid && filter->any_queryid)
		shared->counters.evicted_samples = 0;
	LWLockRelease(lock);
}
