/*
 * pending.h
 *	  Each backend's executions that are not in the query table yet; see
 *	  pending.c.
 */
#ifndef PP_PENDING_H
#define PP_PENDING_H

#include "port/atomics.h"

#include "compat.h"
#include "query_stats.h"

/*
 * A backend's place for up to PP_BATCH_SIZE executions of a query.  It stands
 * here for the inline functions below alone: others use those.
 */
typedef struct PpSharedLine
{
	uint32		changes;		/* odd while the owner writes the batch */
	uint32		reset;			/* written by resets */
	uint32		batch_reset;	/* value of reset when the batch was begun */
	bool		textless;		/* its key was claimed without a text */
	PpStatKey	key;			/* under the lock; PP_KEY_NONE: not in use */
	PpBatch		batch;
} PpSharedLine;

#define PP_LINE_SIZE	CACHELINEALIGN(sizeof(PpSharedLine))

/* from here on a full line is expected, and its emptying tried */
#define PP_FLUSH_EARLY	(PP_BATCH_SIZE * 7 / 8)

extern PP_HIDDEN char *pp_my_lines; /* NULL until pp_pending_attach() */
extern PP_HIDDEN int pp_line_ways;	/* lines of a backend in a partition */

extern Size pp_pending_shmem_size(void);
extern void pp_pending_shmem_init(void);

extern bool pp_pending_attach(void);
extern PpSharedLine *pp_pending_claim(const PpStatKey *key,
									  const PpQueryText *text);
extern void pp_pending_drop(PpSharedLine *line, int partition);
extern void pp_pending_flush(PpSharedLine *line, int partition);

extern int	pp_pending_partition_lines(void);
extern int	pp_pending_backends(bool walsenders);
extern int	pp_pending_max_backends(void);
extern bool pp_pending_read(int partition, int line, PpStatKey *key,
							PpBatch *batch, bool force, bool *torn);
extern void pp_pending_forget(int partition, const PpStatFilter *filter);

/* The lines of a partition come one PP_PARTITIONS' worth after the other. */
static inline PpSharedLine *
pp_line_at(char *backend_lines, int partition, int way)
{
	return (PpSharedLine *) (backend_lines +
							 (way * PP_PARTITIONS + partition) * PP_LINE_SIZE);
}

/* This backend's line for the key, or NULL. */
static inline PpSharedLine *
pp_find_line(const PpStatKey *key)
{
	PpSharedLine *line = pp_line_at(pp_my_lines, pp_partition(key), 0);

	if (likely(pp_stat_key_equal(&line->key, key)))
		return line;
	if (pp_line_ways > 1)
	{
		line = pp_line_at(pp_my_lines, pp_partition(key), 1);
		if (pp_stat_key_equal(&line->key, key))
			return line;
	}
	return NULL;
}

/* The same, if its text is known: nothing has forgotten the query. */
static inline PpSharedLine *
pp_pending_resident(const PpStatKey *key)
{
	PpSharedLine *line = pp_find_line(key);

	if (unlikely(line == NULL || line->batch_reset != line->reset ||
				 line->textless))
		return NULL;
	return line;
}

/*
 * Counts one execution, in the line that stood for its key when it began.
 * False if no line stands for the key any more: then it is to be claimed.
 * Waits for a lock only when the line is full; never allocates, never raises.
 */
static pg_attribute_always_inline bool
pp_pending_add(PpSharedLine *line, const PpStatKey *key,
			   const PpStatement *statement)
{
	if (unlikely(!pp_stat_key_equal(&line->key, key)))
	{
		line = pp_find_line(key);
		if (line == NULL)
			return false;
	}
	if (unlikely(line->batch_reset != line->reset))
	{
		/* forgotten while it ran: its text is too */
		pp_pending_drop(line, pp_partition(key));
		return false;
	}

	line->changes++;
	pg_write_barrier();
	pp_batch_add(&line->batch, statement);
	pg_write_barrier();
	line->changes++;

	if (unlikely(line->batch.calls >= PP_FLUSH_EARLY))
		pp_pending_flush(line, pp_partition(key));
	return true;
}

#endif							/* PP_PENDING_H */
