/*
 * plan_watch.h
 *	  Queries whose next executions are looked at closer; see plan_watch.c.
 */
#ifndef PP_PLAN_WATCH_H
#define PP_PLAN_WATCH_H

#include "port/atomics.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "statement.h"

/* slow executions of one query that wait for a plan */
#define PP_WAITING_PLANS		4

/* What is wanted of an execution that begins. */
typedef struct PpPlanWish
{
	bool		rows;			/* how many rows each node returns */
	bool		early;			/* its plan, before it runs: the last failed */
} PpPlanWish;

/* places for watched queries, by query id; a power of two */
#define PP_WATCHES				256

/* the query ids that are watched, each in its place */
extern PP_HIDDEN volatile int64 *pp_plans_watched;

extern Size pp_plan_watch_shmem_size(void);
extern void pp_plan_watch_shmem_init(void);

extern void pp_plan_watch_add(const PpStatKey *key, uint64 waiting,
							  TimestampTz now);
extern bool pp_plan_watch_begin(const PpStatKey *key, TimestampTz now,
								PpPlanWish *wish);
extern int	pp_plan_watch_waiting(const PpStatKey *key, bool done,
								  uint64 *slow_query_ids);

/* Is an execution of the query to be looked at closer?  Or so it seems. */
static inline bool
pp_plans_wanted(int64 queryid)
{
	return pp_plans_watched[queryid & (PP_WATCHES - 1)] == queryid;
}

#endif							/* PP_PLAN_WATCH_H */
