/*
 * queries.c
 *	  Reading and forgetting the statistics per query, wherever they stand.
 *
 * An execution is in the query table or in a backend's pending line.  Both are
 * looked at under the lock of their partition, one partition after the other,
 * into memory allocated before; rows are handed out after the lock is let go.
 * So no execution is seen twice or missed, and a sum never goes down.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "port/atomics.h"
#include "port/pg_bitutils.h"
#include "storage/shmem.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "pending.h"
#include "queries.h"
#include "query_text.h"

/*
 * How often a partition is read anew, a millisecond apart, because a backend
 * was stopped while it wrote a line.
 */
#define READ_RETRIES	100

typedef struct PpSharedQueries
{
	pg_atomic_uint64 reset_at;	/* TimestampTz of the last reset of all */
	pg_atomic_uint64 resets;	/* of any kind */
	pg_atomic_uint64 torn_reads;
} PpSharedQueries;

static PpSharedQueries *shared;

/* The rows of one partition, found by their key. */
typedef struct RowSet
{
	PpQueryRow *rows;
	int			nrows;
	int			cleared;		/* rows from here on were never used */
	int32	   *heads;
	int32	   *next;
	uint32		mask;
	char	   *texts;
} RowSet;

/* The `other` rows of all partitions, one for each database and level. */
typedef struct OtherRows
{
	PpQueryRow *rows;
	int			nrows;
	int			capacity;
} OtherRows;

Size
pp_queries_shmem_size(void)
{
	return sizeof(PpSharedQueries);
}

void
pp_queries_shmem_init(void)
{
	bool		found;

	shared = ShmemInitStruct("pool_perf control", pp_queries_shmem_size(),
							 &found);
	if (found)
		return;
	pg_atomic_init_u64(&shared->reset_at, (uint64) GetCurrentTimestamp());
	pg_atomic_init_u64(&shared->resets, 0);
	pg_atomic_init_u64(&shared->torn_reads, 0);
}

TimestampTz
pp_queries_reset_at(void)
{
	return (TimestampTz) pg_atomic_read_u64(&shared->reset_at);
}

void
pp_queries_set_reset_at(TimestampTz reset_at)
{
	pg_atomic_write_u64(&shared->reset_at, (uint64) reset_at);
}

uint64
pp_queries_resets(void)
{
	return pg_atomic_read_u64(&shared->resets);
}

uint64
pp_queries_torn_reads(void)
{
	return pg_atomic_read_u64(&shared->torn_reads);
}

/* ---- rows of one partition ------------------------------------------------- */

static void
row_set_init(RowSet *set, bool with_texts)
{
	int			capacity = pp_query_stats_partition_entries() +
	pp_pending_partition_lines();
	uint32		nheads = pg_nextpower2_32(capacity);

	set->rows = MemoryContextAllocHuge(CurrentMemoryContext,
									   (Size) capacity * sizeof(PpQueryRow));
	set->next = palloc(capacity * sizeof(int32));
	set->heads = palloc(nheads * sizeof(int32));
	set->mask = nheads - 1;
	set->nrows = 0;
	set->cleared = 0;
	set->texts = with_texts ?
		MemoryContextAllocHuge(CurrentMemoryContext,
							   pp_query_text_partition_bytes()) : NULL;
}

/* Makes sure that the first n rows have empty totals. */
static void
row_set_clear_to(RowSet *set, int n)
{
	for (; set->cleared < n; set->cleared++)
		memset(&set->rows[set->cleared].totals, 0, sizeof(PpTotals));
}

static void
row_set_empty(RowSet *set)
{
	for (int i = 0; i < set->nrows; i++)
		pp_totals_clear(&set->rows[i].totals);
	set->nrows = 0;
}

static void
row_set_link(RowSet *set, int row)
{
	uint32		head = set->rows[row].key.hash / PP_PARTITIONS & set->mask;

	set->next[row] = set->heads[head];
	set->heads[head] = row;
}

/* Adds what a line holds to its query's row, made if there is none. */
static void
row_set_add(RowSet *set, const PpStatKey *key, const PpBatch *batch)
{
	int32		row = set->heads[key->hash / PP_PARTITIONS & set->mask];

	while (row >= 0 && !pp_stat_key_equal(&set->rows[row].key, key))
		row = set->next[row];
	if (row < 0)
	{
		row = set->nrows++;
		row_set_clear_to(set, set->nrows);
		set->rows[row].key = *key;
		memset(&set->rows[row].text, 0, sizeof(PpQueryText));
		row_set_link(set, row);
	}
	pp_totals_add_batch(&set->rows[row].totals, batch);
}

/* False if a line could not be read; the set is empty then. */
static bool
try_read_partition(RowSet *set, int partition, bool force)
{
	int			nlines = pp_pending_partition_lines();
	bool		complete = true;

	row_set_clear_to(set, pp_query_stats_partition_entries());
	memset(set->heads, 0xFF, (set->mask + 1) * sizeof(int32));

	pp_query_stats_lock(partition, LW_SHARED);
	set->nrows = pp_query_stats_copy(partition, set->rows, set->texts);
	for (int row = 0; row < set->nrows; row++)
		row_set_link(set, row);
	for (int line = 0; line < nlines && complete; line++)
	{
		PpStatKey	key;
		PpBatch		batch;
		bool		torn;

		complete = pp_pending_read(partition, line, &key, &batch, force,
								   &torn);
		if (torn)
			pg_atomic_fetch_add_u64(&shared->torn_reads, 1);
		if (complete && batch.calls > 0)
			row_set_add(set, &key, &batch);
	}
	pp_query_stats_unlock(partition);

	if (!complete)
		row_set_empty(set);
	return complete;
}

static void
read_partition(RowSet *set, int partition)
{
	for (int i = 0; !try_read_partition(set, partition, i >= READ_RETRIES); i++)
	{
		CHECK_FOR_INTERRUPTS();
		pg_usleep(1000L);
	}
}

/* ---- `other` rows ----------------------------------------------------------- */

static void
other_rows_add(OtherRows *others, const PpQueryRow *row)
{
	PpQueryRow *other = NULL;

	for (int i = 0; i < others->nrows && other == NULL; i++)
		if (pp_stat_key_equal(&others->rows[i].key, &row->key))
			other = &others->rows[i];
	if (other == NULL)
	{
		if (others->nrows == others->capacity)
		{
			others->capacity = Max(8, 2 * others->capacity);
			others->rows = others->rows == NULL ?
				palloc(others->capacity * sizeof(PpQueryRow)) :
				repalloc(others->rows, others->capacity * sizeof(PpQueryRow));
		}
		other = &others->rows[others->nrows++];
		memset(other, 0, sizeof(*other));
		other->key = row->key;
	}
	pp_totals_add(&other->totals, &row->totals);
}

/* ---- what others call --------------------------------------------------------- */

/* Calls back for each query that ran, and at last for each `other` row. */
void
pp_queries_read(bool with_texts, pp_query_callback callback, void *arg)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "pool_perf queries",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	OtherRows	others = {0};
	RowSet		set;

	row_set_init(&set, with_texts);
	for (int partition = 0; partition < PP_PARTITIONS; partition++)
	{
		CHECK_FOR_INTERRUPTS();
		read_partition(&set, partition);
		for (int i = 0; i < set.nrows; i++)
		{
			const PpQueryRow *row = &set.rows[i];

			if (row->totals.calls == 0)
				continue;
			if (row->key.flags & PP_KEY_OTHER)
				other_rows_add(&others, row);
			else
			{
				MemoryContextSwitchTo(caller);
				callback(row, arg);
				MemoryContextSwitchTo(context);
			}
		}
		row_set_empty(&set);
	}

	MemoryContextSwitchTo(caller);
	for (int i = 0; i < others.nrows; i++)
		callback(&others.rows[i], arg);
	MemoryContextDelete(context);
}

/*
 * Calls back for each entry and line, for those who want sums of calls alone
 * and often: nothing is copied or allocated.  A line that is being written may
 * be off by one execution.
 */
void
pp_queries_sum(pp_calls_callback callback, void *arg)
{
	int			nlines = pp_pending_partition_lines();

	for (int partition = 0; partition < PP_PARTITIONS; partition++)
	{
		pp_query_stats_lock(partition, LW_SHARED);
		pp_query_stats_sum(partition, callback, arg);
		for (int line = 0; line < nlines; line++)
		{
			PpStatKey	key;
			PpBatch		batch;
			bool		torn;

			pp_pending_read(partition, line, &key, &batch, true, &torn);
			if (batch.calls > 0)
				callback(&key, batch.calls, batch.failed_calls, arg);
		}
		pp_query_stats_unlock(partition);
	}
}

/*
 * Forgets all executions counted so far that the filter matches.  The time
 * returned is before that of every execution that stays.
 */
TimestampTz
pp_queries_forget(const PpStatFilter *filter)
{
	TimestampTz now = GetCurrentTimestamp();

	for (int partition = 0; partition < PP_PARTITIONS; partition++)
	{
		pp_query_stats_lock(partition, LW_EXCLUSIVE);
		pp_query_stats_forget(partition, filter);
		pp_pending_forget(partition, filter);
		pp_query_stats_unlock(partition);
	}
	if (filter->any_dbid && filter->any_userid && filter->any_queryid)
		pp_queries_set_reset_at(now);
	pg_atomic_fetch_add_u64(&shared->resets, 1);
	return now;
}
