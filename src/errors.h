/*
 * errors.h
 *	  The shared table of errors by query and SQLSTATE; see errors.c.
 */
#ifndef PP_ERRORS_H
#define PP_ERRORS_H

#include "datatype/timestamp.h"

#include "outcome.h"
#include "query_stats.h"

/* bytes of a message's format that are kept, with the end of the string */
#define PP_ERROR_MESSAGE	128

/* PpErrorKey.flags */
#define PP_ERROR_BEFORE	0x01	/* before any query was known, or beside it */
#define PP_ERROR_FATAL	0x02	/* ended the session */
#define PP_ERROR_OTHER	0x04	/* what eviction took away, of one database */

/* Which row.  No padding: keys are compared and saved as bytes. */
typedef struct PpErrorKey
{
	int64		queryid;		/* 0: none */
	Oid			dbid;
	Oid			userid;			/* InvalidOid in an `other` row */
	int32		sqlstate;		/* as the server packs it; 0 in an `other` row */
	uint16		outcome;		/* PpOutcome; OK in an `other` row */
	uint16		flags;
} PpErrorKey;

/* The sums of any number of errors; times are nanoseconds until failure. */
typedef struct PpErrorTotals
{
	int64		errors;
	int64		total_time;
	int64		max_time;
	TimestampTz first_seen;
	TimestampTz last_seen;
} PpErrorTotals;

/* A copy of an entry. */
typedef struct PpErrorRow
{
	PpErrorKey	key;
	PpErrorTotals totals;
	char		message[PP_ERROR_MESSAGE];	/* empty: not known */
} PpErrorRow;

/* What the table has done since server start. */
typedef struct PpErrorCounters
{
	int64		entries;		/* now in use, `other` rows not included */
	int64		changes;		/* errors counted, and resets */
	int64		evictions;
	int64		lock_waits;
	int64		max_lock_wait;	/* ns */
} PpErrorCounters;

extern Size pp_errors_shmem_size(void);
extern void pp_errors_shmem_init(void);

extern void pp_errors_add(const PpErrorRow *row);
extern void pp_errors_load(const PpErrorRow *row);
extern void pp_errors_forget(const PpStatFilter *filter);

extern int	pp_errors_max_rows(void);
extern int	pp_errors_copy(PpErrorRow *rows);
extern void pp_errors_counters(PpErrorCounters *counters);

#endif							/* PP_ERRORS_H */
