/*
 * health.c
 *	  The checks of pool_perf.health.
 *
 * Adding a check is one function and one entry of the table.  The worker runs
 * them every PP_HEALTH_INTERVAL seconds and keeps the results in shared memory,
 * under a lock of their own, held for copies only.  What concerns the worker
 * itself or the reader's database is checked when it is read.
 */
#include "postgres.h"

#include <math.h>

#include "access/xlog.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "alerts.h"
#include "compat.h"
#include "cpu_share.h"
#include "error_rates.h"
#include "guc.h"
#include "health.h"
#include "notify.h"
#include "query_stats.h"
#include "query_text.h"
#include "save.h"
#include "worker.h"

/* the worker takes a turn every ten seconds */
#define WORKER_LATE		60
#define WORKER_GONE		300

/* bytes of the extension's version that are shown */
#define SHOWN_VERSION	40

/* how far back, in seconds, checks of what happens look */
#define PP_HEALTH_WINDOW	300

/* databases whose error rates are known */
#define FAILURE_DATABASES	64

#define NONE	NAN

/* of the reader's database, while it reads */
static const char *current_extension_version;

/* The worse of the two thresholds that the value has reached. */
static PpStatus
by_threshold(const PpHealthCheck *check, double value)
{
	if (!isnan(check->critical_threshold) && value >= check->critical_threshold)
		return PP_STATUS_CRITICAL;
	if (!isnan(check->warning_threshold) && value >= check->warning_threshold)
		return PP_STATUS_WARNING;
	return PP_STATUS_OK;
}

static void
set_value(const PpHealthCheck *check, PpHealthResult *result, double value)
{
	result->has_value = true;
	result->value = value;
	result->status = by_threshold(check, value);
}

#define SAY(...)	snprintf(result->message, PP_HEALTH_TEXT, __VA_ARGS__)
#define ADVISE(...)	snprintf(result->remedy, PP_HEALTH_TEXT, __VA_ARGS__)

/* ---- the checks ----------------------------------------------------------- */

static void
check_worker(const PpHealthCheck *check, PpHealthResult *result)
{
	PpWorkerState state;
	TimestampTz since;

	pp_worker_state(&state);
	since = state.seen_at != 0 ? state.seen_at : state.started_at;
	set_value(check, result,
			  Max(GetCurrentTimestamp() - since, 0) / (double) USECS_PER_SEC);
	if (max_worker_processes == 0)
		result->status = PP_STATUS_CRITICAL;
	if (result->status == PP_STATUS_OK && state.pid == 0 && state.seen_at != 0)
	{
		result->status = PP_STATUS_WARNING;
		SAY("the background worker has ended, %.0f s after its last turn; the server starts it again within 10 s",
			result->value);
		ADVISE("Look for \"pool_perf worker\" in the server log if that happens again.");
	}
	else if (result->status != PP_STATUS_OK)
	{
		SAY("the background worker took no turn for %.0f s: nothing is saved and no check is run",
			result->value);
		ADVISE("Look for \"pool_perf worker\" in the server log; raise max_worker_processes if no worker could be registered.");
	}
	else if (state.seen_at == 0)
		SAY("the background worker has not taken a turn yet, %.0f s after server start",
			result->value);
	else
		SAY("the background worker took its last turn %.0f s ago",
			result->value);
}

static void
check_version(const PpHealthCheck *check, PpHealthResult *result)
{
	if (current_extension_version == NULL)
	{
		result->status = PP_STATUS_UNKNOWN;
		SAY("the extension is not installed in this database");
	}
	else if (strcmp(current_extension_version, PP_VERSION) == 0)
		SAY("library and SQL objects are both of version %s", PP_VERSION);
	else
	{
		result->status = PP_STATUS_WARNING;
		SAY("the library is of version %s, the SQL objects of this database of version %.*s",
			PP_VERSION,
			pg_mbcliplen(current_extension_version,
						 strlen(current_extension_version), SHOWN_VERSION),
			current_extension_version);
		ADVISE("After an upgrade restart the server, then run ALTER EXTENSION pool_perf UPDATE in each database.");
	}
}

static void
check_compute_query_id(const PpHealthCheck *check, PpHealthResult *result)
{
	if (compute_query_id != COMPUTE_QUERY_ID_OFF)
	{
		SAY("queries have an id");
		return;
	}
	result->status = PP_STATUS_WARNING;
	SAY("compute_query_id is off: all statements of a database and user share one row");
	ADVISE("Set compute_query_id = auto, unless another module computes query ids.");
}

/* Position of a library in shared_preload_libraries, or -1. */
static int
preload_position(const char *library)
{
	char	   *list = pstrdup(shared_preload_libraries_string);
	List	   *names;
	ListCell   *cell;
	int			found = -1;

	if (SplitDirectoriesString(list, ',', &names))
		foreach(cell, names)
	{
		const char *base = strrchr(lfirst(cell), '/');

		base = base ? base + 1 : lfirst(cell);
		if (strncmp(base, library, strlen(library)) == 0 &&
			(base[strlen(library)] == '\0' || base[strlen(library)] == '.'))
			found = foreach_current_index(cell);
	}
	return found;
}

static void
check_load_order(const PpHealthCheck *check, PpHealthResult *result)
{
	static const char *const clearing[] = {
		"pg_stat_statements", "pg_stat_monitor"
	};
	int			own = preload_position("pool_perf");

	for (int i = 0; i < lengthof(clearing); i++)
	{
		if (preload_position(clearing[i]) <= own)
			continue;
		SAY("%s is loaded after pool_perf and clears the query id of utility statements: pool_perf gives them ids of its own",
			clearing[i]);
		ADVISE("List pool_perf last in shared_preload_libraries to have the server's query ids for utility statements too.");
		return;
	}
	SAY("pool_perf sees statements before any module that changes their query id");
}

static void
check_query_table(const PpHealthCheck *check, PpHealthResult *result)
{
	PpQueryCounters counters;
	int64		places = pp_query_stats_places();

	pp_query_stats_counters(&counters);
	set_value(check, result, 100.0 * counters.entries / places);
	SAY("the query table has room for " INT64_FORMAT " entries and holds " INT64_FORMAT,
		places, counters.entries);
	if (result->status != PP_STATUS_OK)
		ADVISE("Raise pool_perf.max_queries (now %d); what is evicted stands in the <other> rows.",
			   pp_max_queries);
}

static void
check_texts(const PpHealthCheck *check, PpHealthResult *result)
{
	PpQueryCounters counters;

	pp_query_stats_counters(&counters);
	set_value(check, result, 100.0 * counters.text_bytes /
			  ((double) PP_PARTITIONS * pp_query_text_partition_bytes()));
	SAY(INT64_FORMAT " texts were dropped for want of room and " INT64_FORMAT " were cut, since server start",
		counters.texts_dropped, counters.texts_cut);
	if (result->status != PP_STATUS_OK)
		ADVISE("Raise pool_perf.text_memory (now %d kB) or lower pool_perf.max_text_length.",
			   pp_text_memory);
}

static void
check_evictions(const PpHealthCheck *check, PpHealthResult *result)
{
	PpWorkerState state;

	pp_worker_state(&state);
	set_value(check, result, state.evictions_per_minute);
	SAY("%.0f queries a minute lost their own row to the <other> row",
		result->value);
	if (result->status != PP_STATUS_OK)
		ADVISE("Raise pool_perf.max_queries (now %d), or use parameters instead of generated statement texts.",
			   pp_max_queries);
}

static void
check_save(const PpHealthCheck *check, PpHealthResult *result)
{
	PpSaveState state;

	pp_save_state(&state);
	set_value(check, result, (double) state.failures);
	if (state.failures > 0)
	{
		SAY("the statistics could not be saved, " INT64_FORMAT " times in a row",
			state.failures);
		ADVISE("The server log has the reason: most often the disk is full or pg_stat_tmp is missing.");
	}
	else if (state.saved_at == 0)
		SAY("nothing has had to be saved since server start");
	else
		SAY("the last save wrote " INT64_FORMAT " bytes in %.1f ms",
			state.bytes, state.time / 1e6);
}

static void
check_io_timing(const PpHealthCheck *check, PpHealthResult *result)
{
	if (track_io_timing)
	{
		SAY("the times of reading and writing blocks are measured");
		return;
	}
	SAY("track_io_timing is off: the *_blk_read_time and *_blk_write_time columns are 0");
	ADVISE("Set track_io_timing = on, if pg_test_timing shows that reading the clock is cheap here.");
}

static void
check_cpu(const PpHealthCheck *check, PpHealthResult *result)
{
	PpCpuShare	share;

	pp_cpu_share(GetCurrentTimestamp(), &share);
	if (!share.known)
	{
		result->status = PP_STATUS_UNKNOWN;
		SAY("the server's share of the machine's CPU is not known: the worker has not measured it for long enough, or there is no /proc here");
		return;
	}
	set_value(check, result, share.percent);
	SAY("the server used %.1f %% of the machine's CPU over the last %.0f s",
		share.percent, share.seconds);
	/* a short peak is no reason to worry */
	if (share.seconds < PP_CPU_WINDOW * 0.9)
		result->status = PP_STATUS_OK;
	if (result->status != PP_STATUS_OK)
		ADVISE("SELECT * FROM pool_perf.top_queries has the queries that take the time; the rows CPU of pool_perf.query_waits have those that compute.");
}

/* Silenced alerts worry nobody. */
static void
check_alerts(const PpHealthCheck *check, PpHealthResult *result)
{
	PpAlertCounters counters;

	pp_alerts_counters(&counters);
	result->has_value = true;
	result->value = (double) counters.open;
	if (counters.open == 0)
	{
		SAY("no alert is open");
		return;
	}
	result->status = counters.open_critical > 0 ? PP_STATUS_CRITICAL :
		PP_STATUS_WARNING;
	SAY(INT64_FORMAT " open, " INT64_FORMAT " of them critical",
		counters.open, counters.open_critical);
	ADVISE("SELECT * FROM pool_perf.alerts WHERE is_open; says what to do about each.");
}

/* Statements over pool_perf.alert_min_duration, as their alerts have them. */
static void
check_slow_queries(const PpHealthCheck *check, PpHealthResult *result)
{
	PpAlertKindCounters counters;

	pp_alerts_kind_counters("slow_query", PP_HEALTH_WINDOW, &counters);
	set_value(check, result, (double) counters.alerts);
	SAY("%d queries took too long within the last 5 minutes, up to %.0f ms the last time; %d do now",
		counters.alerts, counters.max_value, counters.open);
	if (result->status != PP_STATUS_OK)
		ADVISE("SELECT * FROM pool_perf.slow_queries ORDER BY total_time DESC;");
}

static void
check_blocking(const PpHealthCheck *check, PpHealthResult *result)
{
	PpAlertKindCounters counters;

	pp_alerts_kind_counters("blocked", PP_HEALTH_WINDOW, &counters);
	set_value(check, result, counters.max_value / 1000);
	if (counters.alerts == 0)
		SAY("nobody has waited for a lock for long within the last 5 minutes");
	else
		SAY("%d sessions have made others wait for a lock within the last 5 minutes, up to %.0f s",
			counters.alerts, result->value);
	if (result->status != PP_STATUS_OK)
		ADVISE("SELECT * FROM pool_perf.running_queries WHERE blocked_by IS NOT NULL;");
}

/* The worst database. */
static void
check_failures(const PpHealthCheck *check, PpHealthResult *result)
{
	Oid			dbids[FAILURE_DATABASES];
	int			n = pp_error_rates_databases(dbids, FAILURE_DATABASES);
	int64		failed = 0;
	double		worst = 0;

	for (int i = 0; i < n; i++)
	{
		PpErrorRate rate;

		if (!pp_error_rate(dbids[i], PP_HEALTH_WINDOW, &rate))
			continue;
		failed += rate.failed - rate.normal;
		if (rate.calls >= pp_error_rate_min_calls)
			worst = Max(worst, 100.0 * (rate.failed - rate.normal) / rate.calls);
	}
	set_value(check, result, worst);
	SAY(INT64_FORMAT " calls failed within the last 5 minutes, without those that are normal; %.1f %% of those of the worst database",
		failed, worst);
	if (result->status != PP_STATUS_OK)
		ADVISE("SELECT * FROM pool_perf.errors ORDER BY last_seen DESC;");
}

static void
check_notify(const PpHealthCheck *check, PpHealthResult *result)
{
	PpNotifyState state;

	pp_notify_state(&state);
	set_value(check, result, (double) state.failures);
	if (pp_notify_database[0] == '\0')
		SAY("pool_perf.notify_database is empty: alerts are not sent");
	else if (RecoveryInProgress())
		SAY("nothing is sent in recovery");
	else if (state.failures > 0)
	{
		SAY("alerts could not be sent, " INT64_FORMAT " times in a row: %.100s; " INT64_FORMAT " wait",
			state.failures, state.problem, state.backlog);
		ADVISE("Have pool_perf.notify_database name a database that can be connected to, and leave a worker of max_worker_processes free.");
	}
	else
		SAY(INT64_FORMAT " events were sent since server start, " INT64_FORMAT " wait and " INT64_FORMAT " were dropped",
			state.sent, state.backlog, state.dropped);
}

static const PpHealthCheck checks[] = {
	{"worker", "self", "s", WORKER_LATE, WORKER_GONE, true, check_worker},
	{"version", "self", "none", NONE, NONE, true, check_version},
	{"compute_query_id", "self", "none", NONE, NONE, false,
	check_compute_query_id},
	{"load_order", "self", "none", NONE, NONE, false, check_load_order},
	{"query_table", "capacity", "percent", 95, NONE, true, check_query_table},
	{"texts", "capacity", "percent", 95, NONE, true, check_texts},
	{"evictions", "capacity", "per_minute", 100, 10000, false,
	check_evictions},
	{"save", "self", "none", 1, 10, true, check_save},
	{"cpu", "capacity", "percent", 50, NONE, false, check_cpu},
	{"alerts", "errors", "none", 1, NONE, true, check_alerts},
	{"slow_queries", "latency", "none", 1, 20, true, check_slow_queries},
	{"blocking", "latency", "s", 5, 30, true, check_blocking},
	{"failures", "errors", "percent", 5, 20, true, check_failures},
	{"notify", "self", "none", 1, NONE, true, check_notify},
	{"track_io_timing", "self", "none", NONE, NONE, false, check_io_timing},
};

#define NCHECKS lengthof(checks)

/* ---- the last results -------------------------------------------------------- */

static PpHealthResult *results;
static LWLock *lock;

Size
pp_health_shmem_size(void)
{
	return NCHECKS * sizeof(PpHealthResult);
}

void
pp_health_shmem_init(void)
{
	bool		found;

	lock = &GetNamedLWLockTranche("pool_perf")[PP_PARTITIONS].lock;
	results = ShmemInitStruct("pool_perf health", pp_health_shmem_size(),
							  &found);
	if (!found)
		memset(results, 0, pp_health_shmem_size());
}

int
pp_health_checks(void)
{
	return NCHECKS;
}

static void
run_check(const PpHealthCheck *check, TimestampTz now, PpHealthResult *result)
{
	memset(result, 0, sizeof(*result));
	result->status = PP_STATUS_OK;
	result->checked_at = now;
	check->check(check, result);
}

/* Runs the checks and keeps what they found.  The worker alone calls this. */
void
pp_health_check(TimestampTz now)
{
	for (int i = 0; i < NCHECKS; i++)
	{
		PpHealthResult result;

		run_check(&checks[i], now, &result);
		LWLockAcquire(lock, LW_EXCLUSIVE);
		result.changed_at = results[i].checked_at != 0 &&
			results[i].status == result.status ? results[i].changed_at : now;
		results[i] = result;
		LWLockRelease(lock);
	}
}

/*
 * The result of a check, numbered from 0: the last one, or for what is cheap
 * and changes fast, and what was never run, one of now.  extension_version is that of the reader's database, or NULL.
 */
const PpHealthCheck *
pp_health_get(int number, const char *extension_version,
			  PpHealthResult *result)
{
	const PpHealthCheck *check = &checks[number];
	PpHealthResult last;

	LWLockAcquire(lock, LW_SHARED);
	last = results[number];
	LWLockRelease(lock);
	if (!check->live && last.checked_at != 0)
	{
		*result = last;
		return check;
	}

	current_extension_version = extension_version;
	run_check(check, GetCurrentTimestamp(), result);
	current_extension_version = NULL;
	if (last.checked_at != 0 && last.status == result->status)
		result->changed_at = last.changed_at;
	return check;
}

const char *
pp_status_name(PpStatus status)
{
	switch (status)
	{
		case PP_STATUS_OK:
			return "ok";
		case PP_STATUS_WARNING:
			return "warning";
		case PP_STATUS_CRITICAL:
			return "critical";
		case PP_STATUS_UNKNOWN:
			break;
	}
	return "unknown";
}
