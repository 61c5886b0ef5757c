/*
 * waits.h
 *	  What queries were seen waiting for; see waits.c.
 */
#ifndef PP_WAITS_H
#define PP_WAITS_H

#include "query_stats.h"

/* A query, seen so often in the same wait. */
typedef struct PpQueryWait
{
	Oid			dbid;
	Oid			userid;
	int64		queryid;
	uint32		event;			/* wait_event_info; 0: on CPU */
	uint64		samples;
} PpQueryWait;

typedef struct PpWaitCounters
{
	int64		entries;		/* now in use */
	int64		evictions;		/* since server start */
	int64		evicted_samples;	/* since the last reset of all */
} PpWaitCounters;

extern Size pp_waits_shmem_size(void);
extern void pp_waits_shmem_init(void);

extern int	pp_waits_places(void);
extern void pp_waits_add(const PpQueryWait *waits, int n);
extern int	pp_waits_copy(PpQueryWait *waits, PpWaitCounters *counters);
extern void pp_waits_counters(PpWaitCounters *counters);
extern void pp_waits_forget(const PpStatFilter *filter);

#endif							/* PP_WAITS_H */
