/*
 * worker.h
 *	  pool_perf's background worker; see worker.c.
 */
#ifndef PP_WORKER_H
#define PP_WORKER_H

#include "datatype/timestamp.h"

/* Seconds between two health checks. */
#define PP_HEALTH_INTERVAL	30

typedef struct PpWorkerState
{
	int			pid;			/* 0: not running */
	TimestampTz started_at;		/* of the server */
	TimestampTz seen_at;		/* of the worker's last turn; 0: never */
	double		cpu_percent;	/* of one core, since the worker began */
	double		evictions_per_minute;
} PpWorkerState;

extern Size pp_worker_shmem_size(void);
extern void pp_worker_shmem_init(void);
extern void pp_worker_init(void);
extern void pp_worker_wake(void);
extern void pp_worker_state(PpWorkerState *state);

extern PGDLLEXPORT void pp_worker_main(Datum arg);

#endif							/* PP_WORKER_H */
