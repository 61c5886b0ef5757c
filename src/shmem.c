/*
 * shmem.c
 *	  Asks for the shared memory of all modules at server start, and has each
 *	  of them set up its own.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

#include "alerts.h"
#include "error_rates.h"
#include "errors.h"
#include "execution.h"
#include "health.h"
#include "log_rate.h"
#include "notify.h"
#include "pending.h"
#include "plan_watch.h"
#include "queries.h"
#include "query_stats.h"
#include "query_text.h"
#include "sampler.h"
#include "save.h"
#include "sessions.h"
#include "shmem.h"
#include "slow_line.h"
#include "silences.h"
#include "slow_queries.h"
#include "waits.h"
#include "worker.h"

typedef struct Module
{
	Size		(*size) (void);
	void		(*init) (void);
} Module;

static const Module modules[] = {
	{pp_query_text_shmem_size, pp_query_text_shmem_init},
	{pp_query_stats_shmem_size, pp_query_stats_shmem_init},
	{pp_pending_shmem_size, pp_pending_shmem_init},
	{pp_sessions_shmem_size, pp_sessions_shmem_init},
	{pp_waits_shmem_size, pp_waits_shmem_init},
	{pp_sampler_shmem_size, pp_sampler_shmem_init},
	{pp_queries_shmem_size, pp_queries_shmem_init},
	{pp_slow_queries_shmem_size, pp_slow_queries_shmem_init},
	{pp_errors_shmem_size, pp_errors_shmem_init},
	{pp_error_rates_shmem_size, pp_error_rates_shmem_init},
	{pp_plan_watch_shmem_size, pp_plan_watch_shmem_init},
	{pp_log_rate_shmem_size, pp_log_rate_shmem_init},
	{pp_slow_line_shmem_size, pp_slow_line_shmem_init},
	{pp_execution_shmem_size, pp_execution_shmem_init},
	{pp_worker_shmem_size, pp_worker_shmem_init},
	{pp_health_shmem_size, pp_health_shmem_init},
	{pp_alerts_shmem_size, pp_alerts_shmem_init},
	{pp_silences_shmem_size, pp_silences_shmem_init},
	{pp_notify_shmem_size, pp_notify_shmem_init},
	{pp_save_shmem_size, pp_save_shmem_init},
};

static shmem_request_hook_type prev_shmem_request;
static shmem_startup_hook_type prev_shmem_startup;
static bool ready = false;

static void
request(void)
{
	if (prev_shmem_request)
		prev_shmem_request();

	for (int i = 0; i < lengthof(modules); i++)
		RequestAddinShmemSpace(CACHELINEALIGN(modules[i].size()));
	/* one for each partition; for health, errors, waits and alerts one each */
	RequestNamedLWLockTranche("pool_perf", PP_PARTITIONS + 4);
}

/* Runs again, on new memory, after the crash of a backend. */
static void
startup(void)
{
	if (prev_shmem_startup)
		prev_shmem_startup();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	for (int i = 0; i < lengthof(modules); i++)
		modules[i].init();
	LWLockRelease(AddinShmemInitLock);
	ready = true;

	if (!IsUnderPostmaster)
		pp_save_load();
}

void
pp_shmem_init(void)
{
	prev_shmem_request = shmem_request_hook;
	shmem_request_hook = request;
	prev_shmem_startup = shmem_startup_hook;
	shmem_startup_hook = startup;
}

/* Raises an error if the library was not preloaded. */
void
pp_shmem_require(void)
{
	if (!ready)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pool_perf must be loaded at server start"),
				 errdetail("Statistics are kept in shared memory, which is set up when the server starts."),
				 errhint("Add pool_perf to shared_preload_libraries in postgresql.conf and restart the server.")));
}
