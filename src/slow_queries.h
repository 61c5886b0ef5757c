/*
 * slow_queries.h
 *	  The last slow executions, in shared memory; see slow_queries.c.
 */
#ifndef PP_SLOW_QUERIES_H
#define PP_SLOW_QUERIES_H

#include "packed_text.h"
#include "query_stats.h"
#include "sessions.h"

/* A query has at most so many places in the ring. */
#define PP_PLACES_PER_QUERY		20

/* bytes; texts are not terminated */
#define PP_SLOW_QUERY_SIZE		1024
#define PP_SLOW_PARAMETERS_SIZE	1024
#define PP_PLAN_SIZE			PP_PACKED_MAX

#define PP_CLIENT_ADDR_SIZE		64

/* A slow execution that has ended, without its texts. */
typedef struct PpSlowQuery
{
	uint64		id;				/* ascending from 1 */
	PpStatKey	key;
	uint64		fingerprint;	/* 0: not known */
	TimestampTz started_at;
	TimestampTz ended_at;
	int64		before_time;	/* these three in ns */
	int64		plan_time;
	int64		exec_time;
	int64		rows;
	int64		shared_blks_hit;
	int64		shared_blks_read;
	int64		temp_blks_written;
	int64		wal_bytes;
	PpSeverity	severity;
	PpOutcome	outcome;
	int			sqlstate;		/* 0: none, or not known */
	int			pid;
	uint64		number;			/* PpRunning.number; 0: ran inside another */
	bool		utility;
	bool		client;			/* ran for a client, no walsender or worker */
	int			threshold;		/* of its severity in its session, in ms */
	int			encoding;		/* of the texts */
	int			query_length;	/* 0: not recorded */
	int			parameters_length;	/* 0: none */
	int			plan_length;	/* 0: none; set with the texts */
	char		application_name[NAMEDATALEN];
	char		client_addr[PP_CLIENT_ADDR_SIZE];	/* empty: a Unix socket */
	PpSeen		seen;			/* no samples: nothing was seen */
} PpSlowQuery;

/* What was kept of it in words; the lengths are in PpSlowQuery. */
typedef struct PpSlowTexts
{
	char		query[PP_SLOW_QUERY_SIZE];
	char		parameters[PP_SLOW_PARAMETERS_SIZE];
	char		plan[PP_PLAN_SIZE];
} PpSlowTexts;

/* What the ring holds, and what it does not, since server start. */
typedef struct PpSlowCounters
{
	int64		places;
	int64		used;
	int64		evicted;		/* fell out, for others to come in */
	int64		lost;			/* found no place */
} PpSlowCounters;

/* Planning, execution and what came before, in nanoseconds. */
static inline int64
pp_slow_query_time(const PpSlowQuery *query)
{
	return query->before_time + query->plan_time + query->exec_time;
}

extern Size pp_slow_queries_shmem_size(void);
extern void pp_slow_queries_shmem_init(void);

extern uint64 pp_slow_queries_append(PpSlowQuery *query,
									 const PpSlowTexts *texts);
extern bool pp_slow_queries_set_plan(uint64 id, const char *plan, int length);
extern int	pp_slow_queries_since(uint64 *last_id, PpSlowQuery *out, int max);
extern int	pp_slow_queries_places(void);
extern bool pp_slow_queries_read(int place, PpSlowQuery *query,
								 PpSlowTexts *texts);
extern void pp_slow_queries_forget(const PpStatFilter *filter);
extern void pp_slow_queries_counters(PpSlowCounters *counters);

#endif							/* PP_SLOW_QUERIES_H */
