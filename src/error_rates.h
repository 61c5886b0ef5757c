/*
 * error_rates.h
 *	  How many calls of each database failed of late; see error_rates.c.
 */
#ifndef PP_ERROR_RATES_H
#define PP_ERROR_RATES_H

#include "datatype/timestamp.h"

/* Calls of clients that ended within a window. */
typedef struct PpErrorRate
{
	int64		calls;
	int64		failed;			/* of calls */
	int64		normal;			/* of failed: as applications expect them to */
} PpErrorRate;

extern Size pp_error_rates_shmem_size(void);
extern void pp_error_rates_shmem_init(void);

extern void pp_error_rates_add_normal(Oid dbid);
extern void pp_error_rates_sample(TimestampTz now);

extern int	pp_error_rates_databases(Oid *dbids, int max);
extern bool pp_error_rate(Oid dbid, int seconds, PpErrorRate *rate);

#endif							/* PP_ERROR_RATES_H */
