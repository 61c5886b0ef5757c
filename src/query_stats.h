/*
 * query_stats.h
 *	  The shared table of statistics per query; see query_stats.c.
 */
#ifndef PP_QUERY_STATS_H
#define PP_QUERY_STATS_H

#include "storage/lwlock.h"

#include "statement.h"

#define PP_PARTITIONS	32

/* Partition of a key: what its lock covers is told in query_stats.c. */
static inline int
pp_partition(const PpStatKey *key)
{
	return key->hash % PP_PARTITIONS;
}

/* A normalised text, in the encoding of the database that wrote it. */
typedef struct PpQueryText
{
	const char *text;			/* NULL: not recorded; not terminated */
	int			length;			/* bytes */
	int			encoding;
	bool		cut;
	bool		masked;			/* had literals; known when it is made only */
	uint64		fingerprint;	/* 0 without a text */
} PpQueryText;

/* Which entries to forget; a wildcard matches everything. */
typedef struct PpStatFilter
{
	bool		any_dbid;
	bool		any_userid;
	bool		any_queryid;
	Oid			dbid;
	Oid			userid;
	int64		queryid;
} PpStatFilter;

/* What a partition, or all of them, have done since server start. */
typedef struct PpQueryCounters
{
	int64		entries;		/* now in use, `other` rows included */
	int64		text_bytes;		/* now in use */
	int64		evictions;
	int64		flushes;
	int64		texts_dropped;
	int64		texts_cut;
	int64		lock_waits;
	int64		max_lock_wait;	/* ns */
} PpQueryCounters;

/*
 * A copy of an entry, with what is pending added by readers.  The text points
 * into the reader's memory.
 */
typedef struct PpQueryRow
{
	PpStatKey	key;
	PpQueryText text;
	PpTotals	totals;
} PpQueryRow;

/* Takes a part of a query's calls; under a lock, so it must be quick. */
typedef void (*pp_calls_callback) (const PpStatKey *key, int64 calls,
								   int64 failed_calls, void *arg);

extern Size pp_query_stats_shmem_size(void);
extern void pp_query_stats_shmem_init(void);

extern void pp_query_stats_lock(int partition, LWLockMode mode);
extern bool pp_query_stats_try_lock(int partition);
extern void pp_query_stats_unlock(int partition);

extern bool pp_query_stats_touch(const PpStatKey *key);
extern bool pp_query_stats_add_batch(const PpStatKey *key,
									 const PpBatch *batch);
extern void pp_query_stats_set_text(const PpStatKey *key,
									const PpQueryText *text);
extern void pp_query_stats_load(const PpQueryRow *row);
extern void pp_query_stats_forget(int partition, const PpStatFilter *filter);
extern bool pp_stat_filter_match(const PpStatFilter *filter,
								 const PpStatKey *key);

extern bool pp_query_stats_get_text(const PpStatKey *key, char *memory,
									int size, PpQueryText *text);
extern int64 pp_query_stats_places(void);
extern int	pp_query_stats_partition_entries(void);
extern int	pp_query_stats_copy(int partition, PpQueryRow *rows, char *texts);
extern void pp_query_stats_sum(int partition, pp_calls_callback callback,
							   void *arg);
extern void pp_query_stats_counters(PpQueryCounters *counters);

#endif							/* PP_QUERY_STATS_H */
