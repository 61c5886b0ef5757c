/*
 * errors.c
 *	  The shared table of errors by database, user, query and SQLSTATE.
 *
 * One lock protects all of it; whoever takes it holds no other, and does
 * nothing under it that can wait, fail or allocate.  The memory is fixed at
 * server start: pool_perf.max_errors entries, and an `other` entry for each of
 * MAX_OTHER databases and one that the rest share.  When no entry is free, the
 * clock evicts one that was not used since its hand passed; the victim's
 * numbers go to the `other` entry of its database, so sums stay exact.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "port/pg_bitutils.h"
#include "portability/instr_time.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

#include "compat.h"
#include "errors.h"
#include "guc.h"

#define MAX_OTHER		64

/* the `other` entry of databases beyond those */
#define SHARED_OTHER	MAX_OTHER

#define NO_ENTRY		(-1)

typedef struct PpSharedError
{
	PpErrorRow	row;
	int32		next;			/* of the bucket, or of the free list */
	bool		in_use;
	bool		referenced;		/* since the hand passed */
} PpSharedError;

typedef struct PpSharedErrors
{
	int32		first_free;
	int32		hand;
	PpErrorCounters counters;
	PpErrorRow	others[MAX_OTHER + 1];	/* without errors: not in use */
	PpSharedError entries[FLEXIBLE_ARRAY_MEMBER];
	/* the buckets follow */
} PpSharedErrors;

static PpSharedErrors *shared;
static int32 *buckets;
static uint32 bucket_mask;
static LWLock *lock;

static Size
entries_size(void)
{
	return MAXALIGN(add_size(offsetof(PpSharedErrors, entries),
							 mul_size(pp_max_errors, sizeof(PpSharedError))));
}

Size
pp_errors_shmem_size(void)
{
	bucket_mask = pg_nextpower2_32((uint32) pp_max_errors) - 1;
	return add_size(entries_size(), mul_size(bucket_mask + 1, sizeof(int32)));
}

void
pp_errors_shmem_init(void)
{
	Size		size = pp_errors_shmem_size();
	bool		found;

	lock = &GetNamedLWLockTranche("pool_perf")[PP_PARTITIONS + 1].lock;
	shared = ShmemInitStruct("pool_perf errors", size, &found);
	buckets = (int32 *) ((char *) shared + entries_size());
	if (found)
		return;

	memset(shared, 0, size);
	for (uint32 b = 0; b <= bucket_mask; b++)
		buckets[b] = NO_ENTRY;
	for (int e = 0; e < pp_max_errors; e++)
		shared->entries[e].next = e + 1 < pp_max_errors ? e + 1 : NO_ENTRY;
}

/* Waits for the lock, and counts that when it had to. */
static void
lock_exclusively(void)
{
	PpErrorCounters *counters = &shared->counters;
	instr_time	start,
				waited;

	if (LWLockConditionalAcquire(lock, LW_EXCLUSIVE))
		return;
	INSTR_TIME_SET_CURRENT(start);
	LWLockAcquire(lock, LW_EXCLUSIVE);
	INSTR_TIME_SET_CURRENT(waited);
	INSTR_TIME_SUBTRACT(waited, start);
	counters->lock_waits++;
	counters->max_lock_wait = Max(counters->max_lock_wait,
								  INSTR_TIME_GET_NANOSEC(waited));
}

/* ---- entries; all of this expects the lock to be held ----------------------- */

static inline int32 *
bucket_of(const PpErrorKey *key)
{
	return &buckets[hash_bytes((const unsigned char *) key, sizeof(*key)) &
					bucket_mask];
}

static int32
find_entry(const PpErrorKey *key)
{
	int32		e = *bucket_of(key);

	while (e != NO_ENTRY &&
		   memcmp(&shared->entries[e].row.key, key, sizeof(*key)) != 0)
		e = shared->entries[e].next;
	return e;
}

static void
unlink_entry(int32 e)
{
	int32	   *link = bucket_of(&shared->entries[e].row.key);

	while (*link != e)
		link = &shared->entries[*link].next;
	*link = shared->entries[e].next;
	shared->entries[e].in_use = false;
	shared->counters.entries--;
}

static void
add_totals(PpErrorTotals *totals, const PpErrorTotals *more)
{
	if (totals->errors == 0 || more->first_seen < totals->first_seen)
		totals->first_seen = more->first_seen;
	if (totals->errors == 0 || more->last_seen > totals->last_seen)
		totals->last_seen = more->last_seen;
	totals->errors += more->errors;
	totals->total_time += more->total_time;
	totals->max_time = Max(totals->max_time, more->max_time);
}

/* The `other` row of the database, or the one that databases share. */
static PpErrorRow *
other_row(Oid dbid)
{
	PpErrorRow *others = shared->others;

	if (!OidIsValid(dbid))
		return &others[SHARED_OTHER];
	for (int i = 0; i < MAX_OTHER; i++)
		if (others[i].totals.errors > 0 && others[i].key.dbid == dbid)
			return &others[i];
	for (int i = 0; i < MAX_OTHER; i++)
		if (others[i].totals.errors == 0)
		{
			others[i].key.dbid = dbid;
			return &others[i];
		}
	return &others[SHARED_OTHER];
}

static void
add_other(Oid dbid, const PpErrorTotals *totals)
{
	PpErrorRow *other = other_row(dbid);

	other->key.flags = PP_ERROR_OTHER;
	add_totals(&other->totals, totals);
}

/* A place that nothing is linked to. */
static int32
free_entry(void)
{
	int32		e = shared->first_free;

	if (e != NO_ENTRY)
	{
		shared->first_free = shared->entries[e].next;
		return e;
	}
	for (;;)
	{
		e = shared->hand;
		shared->hand = (shared->hand + 1) % pp_max_errors;
		if (!shared->entries[e].referenced)
			break;
		shared->entries[e].referenced = false;
	}
	add_other(shared->entries[e].row.key.dbid, &shared->entries[e].row.totals);
	shared->counters.evictions++;
	unlink_entry(e);
	return e;
}

static void
add_row(const PpErrorRow *row)
{
	int32		e = find_entry(&row->key);
	PpSharedError *entry;

	if (e == NO_ENTRY)
	{
		int32	   *bucket = bucket_of(&row->key);

		e = free_entry();
		entry = &shared->entries[e];
		memset(entry, 0, sizeof(*entry));
		entry->row.key = row->key;
		entry->in_use = true;
		entry->next = *bucket;
		*bucket = e;
		shared->counters.entries++;
	}
	entry = &shared->entries[e];
	entry->referenced = true;
	add_totals(&entry->row.totals, &row->totals);
	if (row->message[0] != '\0')
		memcpy(entry->row.message, row->message, PP_ERROR_MESSAGE);
}

/* ---- what others call --------------------------------------------------------- */

/* Counts errors.  Waits for the lock: no other may be held. */
void
pp_errors_add(const PpErrorRow *row)
{
	lock_exclusively();
	add_row(row);
	shared->counters.changes++;
	LWLockRelease(lock);
}

/* Adds a saved row, which may be an `other` row; at server start. */
void
pp_errors_load(const PpErrorRow *row)
{
	lock_exclusively();
	if (row->key.flags & PP_ERROR_OTHER)
		add_other(row->key.dbid, &row->totals);
	else
		add_row(row);
	LWLockRelease(lock);
}

static bool
is_forgotten(const PpStatFilter *filter, const PpErrorKey *key)
{
	PpStatKey	stat_key;

	pp_stat_key_init(&stat_key, key->dbid, key->userid, key->queryid,
					 key->flags & PP_ERROR_OTHER ? PP_KEY_OTHER : 0);
	return pp_stat_filter_match(filter, &stat_key);
}

/* Forgets the rows that the filter matches. */
void
pp_errors_forget(const PpStatFilter *filter)
{
	lock_exclusively();
	for (int e = 0; e < pp_max_errors; e++)
	{
		PpSharedError *entry = &shared->entries[e];

		if (!entry->in_use || !is_forgotten(filter, &entry->row.key))
			continue;
		unlink_entry(e);
		entry->next = shared->first_free;
		shared->first_free = e;
	}
	for (int i = 0; i <= MAX_OTHER; i++)
		if (is_forgotten(filter, &shared->others[i].key))
			memset(&shared->others[i], 0, sizeof(shared->others[i]));
	shared->counters.changes++;
	LWLockRelease(lock);
}

/* As many rows as pp_errors_copy() needs room for. */
int
pp_errors_max_rows(void)
{
	return pp_max_errors + MAX_OTHER + 1;
}

/* Copies all rows, `other` rows last; how many there are. */
int
pp_errors_copy(PpErrorRow *rows)
{
	int			n = 0;

	LWLockAcquire(lock, LW_SHARED);
	for (int e = 0; e < pp_max_errors; e++)
		if (shared->entries[e].in_use)
			rows[n++] = shared->entries[e].row;
	for (int i = 0; i <= MAX_OTHER; i++)
		if (shared->others[i].totals.errors > 0)
			rows[n++] = shared->others[i];
	LWLockRelease(lock);
	return n;
}

void
pp_errors_counters(PpErrorCounters *counters)
{
	LWLockAcquire(lock, LW_SHARED);
	*counters = shared->counters;
	LWLockRelease(lock);
}
