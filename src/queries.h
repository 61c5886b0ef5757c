/*
 * queries.h
 *	  Reading and forgetting the statistics per query, wherever they stand; see
 *	  queries.c.
 */
#ifndef PP_QUERIES_H
#define PP_QUERIES_H

#include "query_stats.h"

/* The row and its text are valid until the callback returns. */
typedef void (*pp_query_callback) (const PpQueryRow *row, void *arg);

extern Size pp_queries_shmem_size(void);
extern void pp_queries_shmem_init(void);

extern void pp_queries_read(bool with_texts, pp_query_callback callback,
							void *arg);
extern void pp_queries_sum(pp_calls_callback callback, void *arg);
extern TimestampTz pp_queries_forget(const PpStatFilter *filter);
extern TimestampTz pp_queries_reset_at(void);
extern void pp_queries_set_reset_at(TimestampTz reset_at);
extern uint64 pp_queries_resets(void);
extern uint64 pp_queries_torn_reads(void);

#endif							/* PP_QUERIES_H */
