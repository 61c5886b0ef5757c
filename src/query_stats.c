/*
 * query_stats.c
 *	  The shared table of statistics per query, in partitions.
 *
 * The hash of a key gives its partition.  A partition's lock protects its
 * entries, its texts, its counters and the clock's hand; also which key a
 * pending line of this partition stands for, and the emptying of such lines
 * (pending.c).  So whoever holds it, shared or exclusively, finds every
 * execution of the partition's queries exactly once: in an entry or in a line.
 * Nobody ever holds two of these locks, and nothing that is done under one can
 * wait, fail or allocate.
 *
 * The memory is fixed at server start.  When a partition is full, its clock
 * evicts one entry: one that was not used since the hand passed it last.  Its
 * numbers go to the `other` entry of its database, which is made from the
 * first victim of that database.  There are at most MAX_OTHER of them in a
 * partition, and a quarter of its places; databases beyond share one.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "portability/instr_time.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include <math.h>

#include "compat.h"
#include "guc.h"
#include "query_stats.h"
#include "query_text.h"

/* 64 databases, with statements at top level and nested ones apart */
#define MAX_OTHER		128

/* the shared `other` entries: top level and nested */
#define SHARED_OTHER	2

#define NO_ENTRY		(-1)

/* a query that runs for the first time keeps its text for so many rounds */
#define SPARED_ROUNDS	8

typedef struct PpSharedEntry
{
	PpStatKey	key;
	uint64		fingerprint;
	int32		next;			/* of the bucket, or of the free list */
	int32 text;					/* first chunk, or PP_NO_TEXT */
	int32		text_length;
	int16		encoding;
	bool		in_use;
	bool		referenced;		/* since the hand passed */
	uint8		spared;			/* rounds it has survived without a call */
	bool		text_cut;
	PpTotals	totals;
} PpSharedEntry;

typedef struct PpSharedPartition
{
	int32		first_free;
	int32		hand;
	int32		other_entries;
	PpQueryCounters counters;
	int32		buckets[FLEXIBLE_ARRAY_MEMBER];
	/* the entries follow */
} PpSharedPartition;

static char *partitions;
static LWLockPadded *locks;

/* ---- geometry ----------------------------------------------------------- */

static int	places;				/* of one partition */
static uint32 bucket_mask;
static Size head_size;
static Size partition_size;

/*
 * Keys spread unevenly over partitions: two standard deviations more than the
 * mean let nearly each of them take its share of max_queries.
 */
static void
set_geometry(void)
{
	double		mean = (double) pp_max_queries / PP_PARTITIONS;
	uint32		buckets;

	places = (int) ceil(mean + 2 * sqrt(mean)) + 4;
	buckets = pg_nextpower2_32((uint32) places);
	bucket_mask = buckets - 1;
	head_size = MAXALIGN(offsetof(PpSharedPartition, buckets) +
						 buckets * sizeof(int32));
	partition_size = CACHELINEALIGN(head_size +
									(places + SHARED_OTHER) * sizeof(PpSharedEntry));
}

/* Places for entries, all partitions together. */
int64
pp_query_stats_places(void)
{
	return (int64) PP_PARTITIONS * places;
}

/* Places and the shared `other` entries: as many rows a reader can get. */
int
pp_query_stats_partition_entries(void)
{
	return places + SHARED_OTHER;
}

static inline PpSharedPartition *
partition_at(int partition)
{
	return (PpSharedPartition *) (partitions + partition * partition_size);
}

static inline PpSharedEntry *
entries_of(PpSharedPartition *p)
{
	return (PpSharedEntry *) ((char *) p + head_size);
}

Size
pp_query_stats_shmem_size(void)
{
	set_geometry();
	return mul_size(PP_PARTITIONS, partition_size);
}

void
pp_query_stats_shmem_init(void)
{
	bool		found;

	locks = GetNamedLWLockTranche("pool_perf");
	partitions = ShmemInitStruct("pool_perf queries",
								 pp_query_stats_shmem_size(), &found);
	if (found)
		return;

	memset(partitions, 0, pp_query_stats_shmem_size());
	for (int i = 0; i < PP_PARTITIONS; i++)
	{
		PpSharedPartition *p = partition_at(i);
		PpSharedEntry *entries = entries_of(p);

		for (uint32 b = 0; b <= bucket_mask; b++)
			p->buckets[b] = NO_ENTRY;
		for (int e = 0; e < places + SHARED_OTHER; e++)
		{
			entries[e].text = PP_NO_TEXT;
			entries[e].next = e + 1 < places ? e + 1 : NO_ENTRY;
		}
		for (int e = places; e < places + SHARED_OTHER; e++)
		{
			pp_stat_key_init(&entries[e].key, InvalidOid, InvalidOid, 0,
							 PP_KEY_OTHER |
							 (e == places ? PP_KEY_TOPLEVEL : 0));
			entries[e].in_use = true;
		}
	}
}

/* ---- the lock ----------------------------------------------------------- */

/* Waits for the lock, and counts that when it had to. */
void
pp_query_stats_lock(int partition, LWLockMode mode)
{
	LWLock	   *lock = &locks[partition].lock;
	PpQueryCounters *counters = &partition_at(partition)->counters;
	instr_time	start,
				waited;

	if (mode == LW_SHARED)
	{
		LWLockAcquire(lock, mode);
		return;
	}
	if (LWLockConditionalAcquire(lock, mode))
		return;

	INSTR_TIME_SET_CURRENT(start);
	LWLockAcquire(lock, mode);
	INSTR_TIME_SET_CURRENT(waited);
	INSTR_TIME_SUBTRACT(waited, start);
	counters->lock_waits++;
	counters->max_lock_wait = Max(counters->max_lock_wait,
								  INSTR_TIME_GET_NANOSEC(waited));
}

/* Exclusively, if it can be had at once. */
bool
pp_query_stats_try_lock(int partition)
{
	return LWLockConditionalAcquire(&locks[partition].lock, LW_EXCLUSIVE);
}

void
pp_query_stats_unlock(int partition)
{
	LWLockRelease(&locks[partition].lock);
}

/* ---- entries; all of this expects the lock to be held -------------------- */

static inline int32 *
bucket_of(PpSharedPartition *p, const PpStatKey *key)
{
	return &p->buckets[key->hash / PP_PARTITIONS & bucket_mask];
}

static int32
find_entry(PpSharedPartition *p, const PpStatKey *key)
{
	PpSharedEntry *entries = entries_of(p);
	int32		e = *bucket_of(p, key);

	while (e != NO_ENTRY && !pp_stat_key_equal(&entries[e].key, key))
		e = entries[e].next;
	return e;
}

static void
link_entry(PpSharedPartition *p, int32 e)
{
	PpSharedEntry *entry = &entries_of(p)[e];
	int32	   *bucket = bucket_of(p, &entry->key);

	entry->next = *bucket;
	entry->in_use = true;
	*bucket = e;
	p->counters.entries++;
}

static void
drop_text(int partition, PpSharedEntry *entry)
{
	pp_query_text_free(partition, entry->text);
	entry->text = PP_NO_TEXT;
	entry->text_length = 0;
	entry->text_cut = false;
	entry->fingerprint = 0;
}

/* Takes the entry out of its bucket and empties its text. */
static void
unlink_entry(int partition, int32 e)
{
	PpSharedPartition *p = partition_at(partition);
	PpSharedEntry *entries = entries_of(p);
	int32	   *link = bucket_of(p, &entries[e].key);

	while (*link != e)
		link = &entries[*link].next;
	*link = entries[e].next;
	drop_text(partition, &entries[e]);
	entries[e].in_use = false;
	p->counters.entries--;
}

static inline int
other_limit(void)
{
	return Min(MAX_OTHER, places / 4);
}

/* The `other` entry that databases share for which there is no place. */
static inline int32
shared_other(const PpStatKey *other_key)
{
	return places + (other_key->flags & PP_KEY_TOPLEVEL ? 0 : 1);
}

/*
 * The `other` entry for what is evicted under the key, or NO_ENTRY when the
 * victim itself is to become it.
 */
static int32
other_entry(PpSharedPartition *p, const PpStatKey *other_key)
{
	int32		e = find_entry(p, other_key);

	if (e != NO_ENTRY || p->other_entries < other_limit())
		return e;
	return shared_other(other_key);
}

/*
 * The next entry that was not used since the hand passed it last.  A partition
 * always has one, since at most a quarter of its places are `other` entries.
 */
static int32
next_victim(PpSharedPartition *p)
{
	PpSharedEntry *entries = entries_of(p);

	for (;;)
	{
		int32		e = p->hand;

		p->hand = (p->hand + 1) % places;
		if (!entries[e].in_use || entries[e].key.flags & PP_KEY_OTHER)
			continue;
		if (entries[e].referenced)
			entries[e].referenced = false;
		else if (entries[e].totals.calls == 0 &&
				 entries[e].spared < SPARED_ROUNDS)
			entries[e].spared++;
		else
			return e;
	}
}

/*
 * Moves a victim's numbers to the `other` entry of its database.  False when
 * it became that entry itself, so that no place is free.
 */
static bool
evict(int partition, int32 e)
{
	PpSharedPartition *p = partition_at(partition);
	PpSharedEntry *victim = &entries_of(p)[e];
	PpStatKey	other_key;
	int32		other;

	if (victim->totals.calls == 0)
	{
		/* it may have executions that are still pending */
		if (victim->text !=PP_NO_TEXT)
			p->counters.texts_dropped++;
		unlink_entry(partition, e);
		return true;
	}

	/*
	 * It takes the partition from its victim, whatever its own hash says: the
	 * numbers must not leave what the lock covers.
	 */
	pp_stat_key_init(&other_key, victim->key.dbid, InvalidOid, 0,
					 PP_KEY_OTHER | (victim->key.flags & PP_KEY_TOPLEVEL));
	p->counters.evictions++;
	other = other_entry(p, &other_key);
	unlink_entry(partition, e);
	if (other == NO_ENTRY)
	{
		victim->key = other_key;
		link_entry(p, e);
		p->other_entries++;
		return false;
	}
	pp_totals_add(&entries_of(p)[other].totals, &victim->totals);
	pp_totals_clear(&victim->totals);
	return true;
}

/* The key's entry, which is made if there is none. */
static PpSharedEntry *
get_entry(int partition, const PpStatKey *key)
{
	PpSharedPartition *p = partition_at(partition);
	PpSharedEntry *entries = entries_of(p);
	int32		e = find_entry(p, key);

	if (e == NO_ENTRY)
	{
		e = p->first_free;
		if (e != NO_ENTRY)
			p->first_free = entries[e].next;
		else
		{
			do
				e = next_victim(p);
			while (!evict(partition, e));
		}
		entries[e].key = *key;
		entries[e].spared = 0;
		link_entry(p, e);
	}
	entries[e].referenced = true;
	return &entries[e];
}

static inline bool
has_text(const PpSharedEntry *entry)
{
	return entry->text !=PP_NO_TEXT || entry->key.queryid == 0;
}

/*
 * Notes that the key is in use.  False if it has no entry, or one that lacks
 * its text.
 */
bool
pp_query_stats_touch(const PpStatKey *key)
{
	PpSharedPartition *p = partition_at(pp_partition(key));
	int32		e = find_entry(p, key);

	if (e == NO_ENTRY)
		return false;
	entries_of(p)[e].referenced = true;
	return has_text(&entries_of(p)[e]);
}

/* Adds executions to the key's entry.  False if the entry lacks its text. */
bool
pp_query_stats_add_batch(const PpStatKey *key, const PpBatch *batch)
{
	int			partition = pp_partition(key);
	PpSharedEntry *entry = get_entry(partition, key);

	pp_totals_add_batch(&entry->totals, batch);
	partition_at(partition)->counters.flushes++;
	return has_text(entry);
}

/* Takes texts away, as the clock goes round, until the new one fits. */
static void
make_room_for_text(int partition, int length)
{
	PpSharedPartition *p = partition_at(partition);
	PpSharedEntry *entries = entries_of(p);

	for (int i = 0; i < 2 * places; i++)
	{
		PpSharedEntry *entry = &entries[p->hand];

		if (pp_query_text_fits(partition, length))
			return;
		p->hand = (p->hand + 1) % places;
		if (entry->referenced)
			entry->referenced = false;
		else if (entry->text !=PP_NO_TEXT)
		{
			drop_text(partition, entry);
			p->counters.texts_dropped++;
		}
	}
}

/*
 * Gives the key's entry, which is made if need be, its text.  A text that
 * does not fit is dropped and counted; the entry stays.
 */
void
pp_query_stats_set_text(const PpStatKey *key, const PpQueryText *text)
{
	int			partition = pp_partition(key);
	PpSharedEntry *entry = get_entry(partition, key);
	PpQueryCounters *counters = &partition_at(partition)->counters;

	if (has_text(entry) || text->text == NULL || text->length <= 0)
		return;
	if (text->length > pp_query_text_max_length())
	{
		/* saved when there was more room */
		counters->texts_dropped++;
		return;
	}

	make_room_for_text(partition, text->length);
	entry->referenced = true;
	entry->text = pp_query_text_store(partition, text->text, text->length);
	if (entry->text == PP_NO_TEXT)
	{
		counters->texts_dropped++;
		return;
	}
	entry->text_length = text->length;
	entry->text_cut = text->cut;
	entry->encoding = text->encoding;
	entry->fingerprint = text->fingerprint;

	if (text->cut)
		counters->texts_cut++;
}

/*
 * The partition that takes an `other` row without evicting anybody: one that
 * has such an entry already, or has places for it; else its hash's own, whose
 * shared entry takes it.  Nothing but the sums depends on where it stands.
 */
static int
partition_for_other(const PpStatKey *key)
{
	int			home = pp_partition(key);
	int			roomy = home;

	for (int i = PP_PARTITIONS - 1; i >= 0; i--)
	{
		int			partition = (home + i) % PP_PARTITIONS;
		PpSharedPartition *p = partition_at(partition);

		if (find_entry(p, key) != NO_ENTRY)
			return partition;
		if (p->first_free != NO_ENTRY && p->other_entries < other_limit())
			roomy = partition;
	}
	return roomy;
}

/* Adds a row that was saved.  At server start only. */
void
pp_query_stats_load(const PpQueryRow *row)
{
	PpSharedEntry *entry;

	if (row->key.flags & PP_KEY_OTHER)
	{
		int			partition = partition_for_other(&row->key);
		PpSharedPartition *p = partition_at(partition);
		int32		e = find_entry(p, &row->key);

		if (e == NO_ENTRY && p->first_free != NO_ENTRY)
			e = other_entry(p, &row->key);
		else if (e == NO_ENTRY)
			e = shared_other(&row->key);
		if (e == NO_ENTRY)
		{
			entry = get_entry(partition, &row->key);
			p->other_entries++;
		}
		else
			entry = &entries_of(p)[e];
	}
	else
	{
		entry = get_entry(pp_partition(&row->key), &row->key);
		pp_query_stats_set_text(&row->key, &row->text);
	}
	pp_totals_add(&entry->totals, &row->totals);
}

bool
pp_stat_filter_match(const PpStatFilter *filter, const PpStatKey *key)
{
	if (key->flags & PP_KEY_OTHER && !(filter->any_userid &&
									   filter->any_queryid))
		return false;
	return (filter->any_dbid || filter->dbid == key->dbid) &&
		(filter->any_userid || filter->userid == key->userid) &&
		(filter->any_queryid || filter->queryid == key->queryid);
}

/* Forgets the entries of a partition that the filter matches. */
void
pp_query_stats_forget(int partition, const PpStatFilter *filter)
{
	PpSharedPartition *p = partition_at(partition);
	PpSharedEntry *entries = entries_of(p);

	for (int32 e = 0; e < places + SHARED_OTHER; e++)
	{
		PpSharedEntry *entry = &entries[e];

		if (!entry->in_use || !pp_stat_filter_match(filter, &entry->key))
			continue;
		pp_totals_clear(&entry->totals);
		if (e >= places)
			continue;
		if (entry->key.flags & PP_KEY_OTHER)
			p->other_entries--;
		unlink_entry(partition, e);
		entry->next = p->first_free;
		p->first_free = e;
	}
}

/*
 * Copies the partition's entries.  There must be room for
 * pp_query_stats_partition_entries() rows, whose totals must be empty; texts
 * is NULL or has room for pp_query_text_partition_bytes().
 */
int
pp_query_stats_copy(int partition, PpQueryRow *rows, char *text_memory)
{
	PpSharedEntry *entries = entries_of(partition_at(partition));
	int			n = 0;

	for (int e = 0; e < pp_query_stats_partition_entries(); e++)
	{
		const PpSharedEntry *entry = &entries[e];
		const PpTotals *totals = &entry->totals;
		PpQueryRow *row = &rows[n];

		if (!entry->in_use)
			continue;
		n++;
		row->key = entry->key;
		memcpy(&row->totals, totals, offsetof(PpTotals, buckets));
		if (totals->calls > 0)
			memcpy(&row->totals.buckets[totals->first_bucket],
				   &totals->buckets[totals->first_bucket],
				   (totals->last_bucket - totals->first_bucket + 1) *
				   sizeof(totals->buckets[0]));
		row->text.text = NULL;
		row->text.length = entry->text_length;
		row->text.encoding = entry->encoding;
		row->text.cut = entry->text_cut;
		row->text.fingerprint = entry->fingerprint;
		if (text_memory != NULL && entry->text !=PP_NO_TEXT)
		{
			pp_query_text_copy(partition, entry->text, entry->text_length,
							   text_memory);
			row->text.text = text_memory;
			text_memory += entry->text_length;
		}
	}
	return n;
}

/*
 * Copies the key's text into memory of that size: what fits of it, which may
 * end inside a character.  False if there is none.  Takes the lock itself.
 */
bool
pp_query_stats_get_text(const PpStatKey *key, char *memory, int size,
						PpQueryText *text)
{
	int			partition = pp_partition(key);
	int32		e;

	memset(text, 0, sizeof(*text));
	pp_query_stats_lock(partition, LW_SHARED);
	e = find_entry(partition_at(partition), key);
	if (e != NO_ENTRY)
	{
		const PpSharedEntry *entry = &entries_of(partition_at(partition))[e];

		if (entry->text !=PP_NO_TEXT)
		{
			text	  ->length = Min(entry->text_length, size);

			pp_query_text_copy(partition, entry->text, text->length, memory);
			text	  ->text = memory;
			text	  ->encoding = entry->encoding;
			text	  ->cut = entry->text_cut || text->length < entry->text_length;
			text	  ->fingerprint = entry->fingerprint;
		}
	}
	pp_query_stats_unlock(partition);
	return text->text !=NULL;
}

/* Calls back for each entry of the partition. */
void
pp_query_stats_sum(int partition, pp_calls_callback callback, void *arg)
{
	PpSharedEntry *entries = entries_of(partition_at(partition));

	for (int e = 0; e < pp_query_stats_partition_entries(); e++)
		if (entries[e].in_use && entries[e].totals.calls > 0)
			callback(&entries[e].key, entries[e].totals.calls,
					 entries[e].totals.failed_calls, arg);
}

/* The sums over all partitions, one after the other. */
void
pp_query_stats_counters(PpQueryCounters *counters)
{
	memset(counters, 0, sizeof(*counters));
	for (int i = 0; i < PP_PARTITIONS; i++)
	{
		PpQueryCounters *more = &partition_at(i)->counters;
		int			chunks;

		LWLockAcquire(&locks[i].lock, LW_SHARED);
		chunks = pp_query_text_chunks_used(i);
		counters->entries += more->entries;
		counters->evictions += more->evictions;
		counters->flushes += more->flushes;
		counters->texts_dropped += more->texts_dropped;
		counters->texts_cut += more->texts_cut;
		counters->lock_waits += more->lock_waits;
		counters->max_lock_wait = Max(counters->max_lock_wait,
									  more->max_lock_wait);
		LWLockRelease(&locks[i].lock);
		counters->text_bytes += chunks *
			(pp_query_text_partition_bytes() / pp_query_text_chunks());
	}
}
