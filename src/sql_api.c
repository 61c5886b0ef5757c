/*
 * sql_api.c
 *	  The functions behind the SQL views: info, memory, health, reset.
 *
 * The statistics per query have a file of their own, sql_queries.c.  A result
 * is as wide as the caller's SQL definition says; one of another version is an
 * error with a hint, never a crash.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "alerts.h"
#include "compat.h"
#include "error_rates.h"
#include "errors.h"
#include "execution.h"
#include "guc.h"
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
#include "silences.h"
#include "slow_line.h"
#include "slow_queries.h"
#include "sql_api.h"
#include "waits.h"
#include "worker.h"

PP_FUNCTION(pp_library_version);
PP_FUNCTION(pp_info);
PP_FUNCTION(pp_memory);
PP_FUNCTION(pp_health);
PP_FUNCTION(pp_reset);

/* kB: the rows of some 20,000 queries are read without a temporary file */
#define RESULT_MEMORY	(20 * 1024)

/*
 * A materialised result of so many columns.  Raises an error if the library is
 * not preloaded, or the SQL definition is of another version.
 */
ReturnSetInfo *
pp_begin_result(FunctionCallInfo fcinfo, int columns)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext caller;

	pp_shmem_require();
	InitMaterializedSRF(fcinfo, 0);
	if (rsinfo->setDesc->natts != columns)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pool_perf's SQL objects do not fit its library"),
				 errdetail("The library of version %s returns %d columns, and %d are declared.",
						   PP_VERSION, columns, rsinfo->setDesc->natts),
				 errhint("Restart the server after an upgrade, then run ALTER EXTENSION pool_perf UPDATE in this database.")));

	tuplestore_end(rsinfo->setResult);
	caller = MemoryContextSwitchTo(rsinfo->econtext->ecxt_per_query_memory);
	rsinfo->setResult =
		tuplestore_begin_heap(rsinfo->allowedModes & SFRM_Materialize_Random,
							  false, Max(work_mem, RESULT_MEMORY));
	MemoryContextSwitchTo(caller);
	return rsinfo;
}

void
pp_put_row(ReturnSetInfo *rsinfo, const PpColumns *columns)
{
	Assert(columns->n == rsinfo->setDesc->natts);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc,
						 (Datum *) columns->values,
						 (bool *) columns->nulls);
}

/* Version of the loaded library; works without preload. */
Datum
pp_library_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(PP_VERSION));
}

static void
count_row(const PpQueryRow *row, void *arg)
{
	if ((row->key.flags & PP_KEY_OTHER) == 0)
		(*(int64 *) arg)++;
}

/* One row: what pool_perf is, and what it costs and drops. */
Datum
pp_info(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = pp_begin_result(fcinfo, 22);
	PpColumns	c = {0};
	PpQueryCounters counters;
	PpErrorCounters errors;
	PpWorkerState worker;
	PpSaveState save;
	int64		queries = 0;

	pp_query_stats_counters(&counters);
	pp_errors_counters(&errors);
	pp_worker_state(&worker);
	pp_save_state(&save);
	pp_queries_read(false, count_row, &queries);

	pp_put(&c, CStringGetTextDatum(PP_VERSION));
	pp_put(&c, TimestampTzGetDatum(worker.started_at));
	pp_put(&c, TimestampTzGetDatum(pp_queries_reset_at()));
	pp_put(&c, BoolGetDatum(pp_enabled));
	pp_put(&c, Int64GetDatum(queries));
	pp_put(&c, Int64GetDatum(pp_max_queries));
	pp_put(&c, Int64GetDatum(counters.evictions));
	pp_put(&c, Float8GetDatum(worker.evictions_per_minute));
	pp_put(&c, Int64GetDatum(counters.flushes));
	pp_put(&c, Int64GetDatum(counters.texts_dropped));
	pp_put(&c, Int64GetDatum(counters.texts_cut));
	pp_put(&c, Int64GetDatum(pp_execution_dropped()));
	pp_put(&c, Int64GetDatum(counters.lock_waits + errors.lock_waits));
	pp_put(&c, Float8GetDatum(Max(counters.max_lock_wait,
								  errors.max_lock_wait) / 1e6));
	pp_put(&c, Int64GetDatum(pp_queries_torn_reads()));
	pp_put_time(&c, save.saved_at);
	pp_put(&c, Float8GetDatum(save.time / 1e6));
	pp_put(&c, Int64GetDatum(save.bytes));
	pp_put(&c, Float8GetDatum(pp_execution_own_time() / 1e6));
	pp_put(&c, Float8GetDatum(worker.cpu_percent));
	pp_put(&c, Int64GetDatum((int64) pp_log_rate_suppressed()));
	pp_put(&c, Int64GetDatum((int64) pp_slow_line_errors()));
	pp_put_row(rsinfo, &c);
	return (Datum) 0;
}

/* A row of `memory`; entries of which there are none to speak of are NULL. */
static void
put_component(ReturnSetInfo *rsinfo, const char *name, double used,
			  Size max, int64 entries, int64 max_entries, int64 dropped)
{
	PpColumns	c = {0};

	pp_put(&c, CStringGetTextDatum(name));
	pp_put(&c, Int64GetDatum((int64) used));
	pp_put(&c, Int64GetDatum((int64) max));
	pp_put(&c, Float8GetDatum(max > 0 ? 100.0 * used / max : 0));
	if (max_entries > 0)
	{
		pp_put(&c, Int64GetDatum(entries));
		pp_put(&c, Int64GetDatum(max_entries));
		pp_put(&c, Int64GetDatum(dropped));
	}
	else
		for (int i = 0; i < 3; i++)
			pp_put_null(&c);
	pp_put_row(rsinfo, &c);
}

/* A row for each component of pool_perf's shared memory. */
Datum
pp_memory(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = pp_begin_result(fcinfo, 7);
	PpQueryCounters counters;
	PpErrorCounters errors;
	PpAlertCounters alerts;
	PpNotifyState notify;
	int64		places = pp_query_stats_places();
	int64		chunks = (int64) PP_PARTITIONS * pp_query_text_chunks();
	Size		size = pp_query_stats_shmem_size();
	int			backends = pp_pending_backends(true);
	int			max_backends = pp_pending_max_backends();
	PpWaitCounters waits;
	PpSlowCounters slow;

	pp_query_stats_counters(&counters);
	put_component(rsinfo, "queries", (double) size * counters.entries / places,
				  size, counters.entries, places, counters.evictions);
	put_component(rsinfo, "texts", counters.text_bytes,
				  pp_query_text_shmem_size(),
				  counters.text_bytes /
				  (pp_query_text_partition_bytes() / pp_query_text_chunks()),
				  chunks, counters.texts_dropped);
	size = pp_pending_shmem_size();
	put_component(rsinfo, "pending", (double) size * backends / max_backends,
				  size, backends, max_backends, pp_execution_dropped());
	size = pp_sessions_shmem_size();
	put_component(rsinfo, "sessions", (double) size * backends / max_backends,
				  size, backends, max_backends, 0);
	pp_waits_counters(&waits);
	size = pp_waits_shmem_size();
	put_component(rsinfo, "waits",
				  (double) size * waits.entries / pp_waits_places(), size,
				  waits.entries, pp_waits_places(), waits.evictions);
	pp_errors_counters(&errors);
	size = pp_errors_shmem_size();
	put_component(rsinfo, "errors", (double) size * errors.entries /
				  pp_max_errors, size, errors.entries, pp_max_errors,
				  errors.evictions);
	pp_alerts_counters(&alerts);
	size = pp_alerts_shmem_size();
	put_component(rsinfo, "alerts",
				  (double) size * alerts.alerts / PP_MAX_ALERTS, size,
				  alerts.alerts, PP_MAX_ALERTS, alerts.evicted);
	pp_notify_state(&notify);
	size = pp_notify_shmem_size();
	put_component(rsinfo, "notifications",
				  (double) size * notify.backlog / PP_NOTIFY_BACKLOG, size,
				  notify.backlog, PP_NOTIFY_BACKLOG, notify.dropped);
	pp_slow_queries_counters(&slow);
	size = pp_slow_queries_shmem_size();
	put_component(rsinfo, "slow_queries",
				  (double) size * slow.used / slow.places, size, slow.used,
				  slow.places, slow.evicted + slow.lost);
	size = pp_plan_watch_shmem_size() + pp_log_rate_shmem_size() +
		pp_slow_line_shmem_size() +
		pp_queries_shmem_size() + pp_execution_shmem_size() +
		pp_worker_shmem_size() + pp_health_shmem_size() +
		pp_save_shmem_size() + pp_sampler_shmem_size() +
		pp_error_rates_shmem_size() + pp_silences_shmem_size();
	put_component(rsinfo, "control", size, size, 0, 0, 0);
	return (Datum) 0;
}

/* A row for each health check; takes the extension's version. */
Datum
pp_health(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = pp_begin_result(fcinfo, 11);
	char	   *version = PG_ARGISNULL(0) ? NULL :
	text_to_cstring(PG_GETARG_TEXT_PP(0));

	for (int i = 0; i < pp_health_checks(); i++)
	{
		PpHealthResult result;
		const PpHealthCheck *check = pp_health_get(i, version, &result);
		PpColumns	c = {0};

		pp_put(&c, CStringGetTextDatum(check->name));
		pp_put(&c, CStringGetTextDatum(check->category));
		pp_put(&c, CStringGetTextDatum(pp_status_name(result.status)));
		pp_put_float(&c, result.has_value ? result.value : NAN);
		pp_put(&c, CStringGetTextDatum(check->unit));
		pp_put_float(&c, check->warning_threshold);
		pp_put_float(&c, check->critical_threshold);
		pp_put(&c, CStringGetTextDatum(result.message));
		if (result.remedy[0] != '\0')
			pp_put(&c, CStringGetTextDatum(result.remedy));
		else
			pp_put_null(&c);
		pp_put_time(&c, result.checked_at);
		pp_put_time(&c, result.changed_at);
		pp_put_row(rsinfo, &c);
	}
	return (Datum) 0;
}

/* Forgets what the arguments match, NULL for all; the time of the reset. */
Datum
pp_reset(PG_FUNCTION_ARGS)
{
	PpStatFilter filter = {
		.any_userid = PG_ARGISNULL(0),
		.any_dbid = PG_ARGISNULL(1),
		.any_queryid = PG_ARGISNULL(2)
	};
	TimestampTz reset_at;

	pp_shmem_require();
	if (!filter.any_userid)
		filter.userid = PG_GETARG_OID(0);
	if (!filter.any_dbid)
		filter.dbid = PG_GETARG_OID(1);
	if (!filter.any_queryid)
		filter.queryid = PG_GETARG_INT64(2);

	reset_at = pp_queries_forget(&filter);
	pp_waits_forget(&filter);
	pp_errors_forget(&filter);
	pp_slow_queries_forget(&filter);
	pp_worker_wake();
	PG_RETURN_TIMESTAMPTZ(reset_at);
}
