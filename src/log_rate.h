/*
 * log_rate.h
 *	  How many lines the log gets; see log_rate.c.
 */
#ifndef PP_LOG_RATE_H
#define PP_LOG_RATE_H

#include "utils/timestamp.h"

/* Lines that were held back. */
typedef struct PpSuppressed
{
	uint64		lines;
	TimestampTz since;			/* undefined without lines */
} PpSuppressed;

extern Size pp_log_rate_shmem_size(void);
extern void pp_log_rate_shmem_init(void);

extern bool pp_log_rate_pass(int64 queryid, TimestampTz now,
							 PpSuppressed *before);
extern bool pp_log_rate_pass_plan(int64 queryid, TimestampTz now);
extern uint64 pp_log_rate_suppressed(void);

#endif							/* PP_LOG_RATE_H */
