/*
 * pending.c
 *	  Each backend's executions that are not in the query table yet.
 *
 * A backend has, for each partition of the query table, one or two lines in
 * shared memory.  A line stands for one query and takes up to PP_BATCH_SIZE
 * executions of it.  Only its backend writes it: with plain stores between two
 * increments of its change count, without any lock.  Which query it stands
 * for, and its emptying, change only under the partition's lock (which
 * query_stats.c owns), so those who hold the lock read keys as they are and
 * batches by the change count.
 *
 * A reset writes its number into the lines that it matches, under the lock.
 * That is the one word of a line that another process writes.  A line whose
 * batch was begun under another number is empty to all who look at it.
 *
 * Slots belong to PGPROC numbers.  A backend empties its lines when it exits;
 * what a crash leaves is gone with the shared memory.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "port/atomics.h"
#include "replication/walsender.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "storage/shmem.h"

#include "compat.h"
#include "guc.h"
#include "pending.h"
#include "sessions.h"

/* from this many connections on, a backend has one line in each partition */
#define MANY_BACKENDS	500

/* how often a reader tries to catch a line that is not being written */
#define READ_TRIES		100

typedef struct PpSharedBackend
{
	int			pid;			/* 0: nobody */
	bool		walsender;		/* outlives clients at shutdown */
} PpSharedBackend;

static PpSharedBackend *backends;
static char *lines;
static int	nbackends;

/* this backend's */
static PpSharedBackend *my_backend;
char	   *pp_my_lines;
int			pp_line_ways;
static uint8 next_way[PP_PARTITIONS];

static void
set_geometry(void)
{
	nbackends = MaxBackends;
	pp_line_ways = nbackends > MANY_BACKENDS ? 1 : 2;
}

static Size
backend_lines_size(void)
{
	return PP_PARTITIONS * pp_line_ways * PP_LINE_SIZE;
}

static Size
backends_size(void)
{
	return CACHELINEALIGN(mul_size(nbackends, sizeof(PpSharedBackend)));
}

Size
pp_pending_shmem_size(void)
{
	set_geometry();
	return add_size(backends_size(),
					mul_size(nbackends, backend_lines_size()));
}

void
pp_pending_shmem_init(void)
{
	Size		size = pp_pending_shmem_size();
	bool		found;

	backends = ShmemInitStruct("pool_perf pending", size, &found);
	lines = (char *) backends + backends_size();
	if (!found)
	{
		memset(backends, 0, size);
		for (int i = 0; i < nbackends * PP_PARTITIONS * pp_line_ways; i++)
			((PpSharedLine *) (lines + i * PP_LINE_SIZE))->key.flags =
				PP_KEY_NONE;
	}
	my_backend = NULL;
	pp_my_lines = NULL;
}

/* ---- the owner's side ----------------------------------------------------- */

static inline bool
is_in_use(const volatile PpSharedLine *line)
{
	return line->key.flags != PP_KEY_NONE;
}

/* Empties the batch, for its owner between two increments or under the lock. */
static void
empty_batch(PpSharedLine *line)
{
	PpBatch    *batch = &line->batch;

	if (batch->parts != 0)
		memset(batch, 0, sizeof(*batch));
	else
		memset(batch, 0, offsetof(PpBatch, samples));
	line->batch_reset = line->reset;
}

/*
 * Moves the line's executions to the table; the lock is held.  The line stays
 * in use if the table has the query's text: else the next run brings it.
 */
static void
flush_line(PpSharedLine *line)
{
	if (line->batch_reset != line->reset)
		line->key.flags = PP_KEY_NONE;
	else if (line->batch.calls > 0)
	{
		if (!pp_query_stats_add_batch(&line->key, &line->batch))
			line->key.flags = PP_KEY_NONE;
	}
	empty_batch(line);
}

/* A line whose batch is forgotten stands for nothing any more. */
pg_noinline void
pp_pending_drop(PpSharedLine *line, int partition)
{
	pp_query_stats_lock(partition, LW_EXCLUSIVE);
	empty_batch(line);
	line->key.flags = PP_KEY_NONE;
	pp_query_stats_unlock(partition);
}

/* From PP_FLUSH_EARLY on it is tried, when full it is done. */
pg_noinline void
pp_pending_flush(PpSharedLine *line, int partition)
{
	if (line->batch.calls == PP_BATCH_SIZE)
		pp_query_stats_lock(partition, LW_EXCLUSIVE);
	else if (!pp_query_stats_try_lock(partition))
		return;
	flush_line(line);
	pp_query_stats_unlock(partition);
}

/* At exit: moves everything to the table and leaves the slot. */
static void
detach(int code, Datum arg)
{
	for (int partition = 0; partition < PP_PARTITIONS; partition++)
	{
		bool		any = false;

		for (int way = 0; way < pp_line_ways; way++)
			any |= is_in_use(pp_line_at(pp_my_lines, partition, way));
		if (!any)
			continue;

		pp_query_stats_lock(partition, LW_EXCLUSIVE);
		for (int way = 0; way < pp_line_ways; way++)
		{
			PpSharedLine *line = pp_line_at(pp_my_lines, partition, way);

			if (is_in_use(line))
				flush_line(line);
			line->key.flags = PP_KEY_NONE;
		}
		pp_query_stats_unlock(partition);
	}
	pp_session_detach();
	my_backend->pid = 0;
	my_backend = NULL;
	pp_my_lines = NULL;
	pp_tracked_nesting = -1;
}

/* Takes this backend's slot, at first use.  False: it has none. */
bool
pp_pending_attach(void)
{
	int			slot;

	if (likely(pp_my_lines != NULL))
		return true;
	if (backends == NULL || MyProc == NULL || proc_exit_inprogress)
		return false;
	slot = PP_MY_SLOT;
	if (slot < 0 || slot >= nbackends)
		return false;

	on_shmem_exit(detach, (Datum) 0);
	my_backend = &backends[slot];
	my_backend->walsender = am_walsender;
	my_backend->pid = MyProcPid;
	pp_my_lines = lines + slot * backend_lines_size();
	pp_session_attach(slot);

	/* a process may have left the slot while it wrote */
	for (int i = 0; i < PP_PARTITIONS * pp_line_ways; i++)
	{
		PpSharedLine *line = (PpSharedLine *) (pp_my_lines + i * PP_LINE_SIZE);

		line->changes += line->changes % 2;
	}
	return true;
}

/*
 * Makes one of the backend's lines stand for the key.  NULL, with nothing done
 * for the key, if the table lacks its text and text is NULL; a text whose
 * text is NULL is one that cannot be had.
 */
PpSharedLine *
pp_pending_claim(const PpStatKey *key, const PpQueryText *text)
{
	int			partition = pp_partition(key);
	PpSharedLine *line = pp_find_line(key);
	bool		known;

	if (line == NULL)
	{
		int			way = 0;

		if (pp_line_ways > 1)
		{
			way = next_way[partition];
			if (is_in_use(pp_line_at(pp_my_lines, partition, way)) &&
				!is_in_use(pp_line_at(pp_my_lines, partition, 1 - way)))
				way = 1 - way;
			next_way[partition] = 1 - way;
		}
		line = pp_line_at(pp_my_lines, partition, way);
	}

	pp_query_stats_lock(partition, LW_EXCLUSIVE);
	if (is_in_use(line))
		flush_line(line);
	known = pp_query_stats_touch(key);
	if (!known && text !=NULL)
	{
		pp_query_stats_set_text(key, text);
		known = true;
	}
	empty_batch(line);
	if (known)
		line->key = *key;
	else
		line->key.flags = PP_KEY_NONE;
	line->textless = text !=NULL && text->text == NULL && key->queryid != 0;

	pp_query_stats_unlock(partition);
	return known ? line : NULL;
}

/* ---- the readers' side; all of this expects the lock to be held ------------ */

/* Lines of one partition: the numbers from 0 that pp_pending_read() takes. */
int
pp_pending_partition_lines(void)
{
	return nbackends * pp_line_ways;
}

/* Slots for backends. */
int
pp_pending_max_backends(void)
{
	return nbackends;
}

/* How many backends have a slot in use now, walsenders counted or not. */
int
pp_pending_backends(bool walsenders)
{
	int			n = 0;

	for (int i = 0; i < nbackends; i++)
		n += backends[i].pid != 0 && (walsenders || !backends[i].walsender);
	return n;
}

/*
 * Copies a line's key and batch; the batch has no calls if there is nothing.
 * False if the owner was writing at every try, unless forced: then the copy is
 * what could be read, and torn is set.
 */
bool
pp_pending_read(int partition, int number, PpStatKey *key, PpBatch *batch,
				bool force, bool *torn)
{
	volatile PpSharedLine *line = pp_line_at(lines + number / pp_line_ways *
											 backend_lines_size(),
											 partition, number % pp_line_ways);
	uint32		reset;

	*torn = false;
	batch->calls = 0;
	if (!is_in_use(line))
		return true;

	memcpy(key, unvolatize(PpStatKey *, &line->key), sizeof(*key));
	for (int i = 0;; i++)
	{
		uint32		before = line->changes;

		pg_read_barrier();
		memcpy(batch, unvolatize(PpBatch *, &line->batch), sizeof(*batch));
		reset = line->batch_reset;
		pg_read_barrier();
		if (before % 2 == 0 && line->changes == before)
			break;
		if (i >= READ_TRIES)
		{
			if (!force)
				return false;
			*torn = true;
			batch->calls = Min(batch->calls, PP_BATCH_SIZE);
			batch->failed_calls = Min(batch->failed_calls, batch->calls);
			break;
		}
	}
	if (reset != line->reset)
		batch->calls = 0;
	return true;
}

/* Makes the lines that the filter matches empty to all. */
void
pp_pending_forget(int partition, const PpStatFilter *filter)
{
	for (int i = 0; i < nbackends; i++)
	{
		for (int way = 0; way < pp_line_ways; way++)
		{
			volatile PpSharedLine *line = pp_line_at(lines + i *
													 backend_lines_size(),
													 partition, way);
			PpStatKey	key;

			if (!is_in_use(line))
				continue;
			memcpy(&key, unvolatize(PpStatKey *, &line->key), sizeof(key));
			if (pp_stat_filter_match(filter, &key))
				line->reset++;
		}
	}
}
