/*
 * guc.c
 *	  pool_perf's settings.
 *
 * Sizes of shared memory are fixed at server start; what changes which
 * statements are measured is for superusers, since it changes everybody's
 * figures.
 */
#include "postgres.h"

#include "utils/guc.h"

#include "guc.h"
#include "histogram.h"
#include "sessions.h"

bool		pp_enabled = true;
int			pp_track = PP_TRACK_TOP;
bool		pp_track_utility = true;
int			pp_max_queries = 5000;
int			pp_text_memory = 8192;
int			pp_max_text_length = 4096;
int			pp_save_interval = 300;

bool		pp_log_parameters = false;
bool		pp_log_plan = true;
int			pp_log_rate = 10;
int			pp_log_rate_total = 120;
int			pp_slow_query_history = 1000;
int			pp_sample_interval = 1000;
int			pp_max_errors = 1000;
int			pp_alert_cooldown = 300;
int			pp_blocked_min_duration = 5000;
int			pp_idle_in_transaction_min_duration = 60000;
int			pp_long_transaction_min_duration = 600000;
double		pp_error_rate_threshold = 5;
int			pp_error_rate_min_calls = 100;
char	   *pp_alert_exempt_applications;
char	   *pp_notify_database;

int			pp_tracked_nesting = 0;
PpThresholds pp_thresholds = {{-1, 500, 1000, 5000}};
PpThresholds *pp_published_thresholds;
int64		pp_slow_time = INT64CONST(500000000);
int64		pp_late_time = PP_WITHIN_50MS;

/* of the three settings; pp_thresholds is what they come to */
static int	log_min_duration = 500;
static int	alert_min_duration = 1000;
static int	critical_min_duration = 5000;

static const struct config_enum_entry track_options[] = {
	{"none", PP_TRACK_NONE, false},
	{"top", PP_TRACK_TOP, false},
	{"all", PP_TRACK_ALL, false},
	{NULL, 0, false}
};

static void
set_tracked_nesting(bool enabled, int track)
{
	if (!enabled || track == PP_TRACK_NONE)
		pp_tracked_nesting = -1;
	else
		pp_tracked_nesting = track == PP_TRACK_ALL ? INT_MAX : 0;
	pp_session_set_measures(pp_tracked_nesting >= 0);
}

static void
assign_enabled(bool newval, void *extra)
{
	set_tracked_nesting(newval, pp_track);
}

static void
assign_track(int newval, void *extra)
{
	set_tracked_nesting(pp_enabled, newval);
}

static void
set_threshold(PpSeverity severity, int min_duration)
{
	pp_thresholds.min_duration[severity] = min_duration;
	pp_slow_time = PG_INT64_MAX;
	for (int s = PP_SEVERITY_INFO; s < PP_SEVERITIES; s++)
		if (pp_thresholds.min_duration[s] >= 0)
			pp_slow_time = Min(pp_slow_time, INT64CONST(1000000) *
							   pp_thresholds.min_duration[s]);
	pp_late_time = Min(pp_slow_time, PP_WITHIN_50MS);
	if (pp_published_thresholds != NULL)
		*pp_published_thresholds = pp_thresholds;
}

static void
assign_log_min_duration(int newval, void *extra)
{
	set_threshold(PP_SEVERITY_INFO, newval);
}

static void
assign_alert_min_duration(int newval, void *extra)
{
	set_threshold(PP_SEVERITY_WARNING, newval);
}

static void
assign_critical_min_duration(int newval, void *extra)
{
	set_threshold(PP_SEVERITY_CRITICAL, newval);
}

static void
define_slow_settings(void)
{
	DefineCustomIntVariable("pool_perf.log_min_duration",
							"Logs statements that take at least so long.",
							"Their severity is info.  Lower it to find the cause of many short delays; 0 logs every statement, -1 none.",
							&log_min_duration, 500, -1, INT_MAX,
							PGC_SUSET, GUC_UNIT_MS, NULL,
							assign_log_min_duration, NULL);
	DefineCustomIntVariable("pool_perf.alert_min_duration",
							"Raises an alert for statements that take at least so long.",
							"Their severity is warning.  Set it per role or database where other times are normal; -1 raises none.",
							&alert_min_duration, 1000, -1, INT_MAX,
							PGC_SUSET, GUC_UNIT_MS, NULL,
							assign_alert_min_duration, NULL);
	DefineCustomIntVariable("pool_perf.critical_min_duration",
							"Makes the alert critical for statements that take at least so long.",
							"Set it to what no user of the application waits for; -1 makes none critical.",
							&critical_min_duration, 5000, -1, INT_MAX,
							PGC_SUSET, GUC_UNIT_MS, NULL,
							assign_critical_min_duration, NULL);
	DefineCustomBoolVariable("pool_perf.log_parameters",
							 "Shows literals and parameters of slow statements.",
							 "Turn it on where the log and pg_read_all_stats may see the data of users; off shows normalised texts alone.",
							 &pp_log_parameters, false, PGC_SUSET, 0,
							 NULL, NULL, NULL);
	DefineCustomBoolVariable("pool_perf.log_plan",
							 "Records the plans of slow statements.",
							 "Turn it off if plans are recorded otherwise, by auto_explain for one.",
							 &pp_log_plan, true, PGC_SUSET, 0,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("pool_perf.log_rate",
							"How many lines a minute the log gets for one query.",
							"Lines held back are counted in the query's next line; -1 holds none back.",
							&pp_log_rate, 10, -1, INT_MAX,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pool_perf.log_rate_total",
							"How many lines a minute the log gets for all queries.",
							"Raise it if a log analyser is to see every slow statement; -1 holds none back.",
							&pp_log_rate_total, 120, -1, INT_MAX,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pool_perf.slow_query_history",
							"How many slow executions pool_perf.slow_queries keeps.",
							"Raise it to look further back; each takes about 6 kB of shared memory.",
							&pp_slow_query_history, 1000, 100, 100000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
}

static void
define_alert_settings(void)
{
	DefineCustomIntVariable("pool_perf.sample_interval",
							"Time between two looks at what runs.",
							"Raise it to spare CPU on very small machines; -1 takes no look: no waits, blockers or alerts while a statement runs.",
							&pp_sample_interval, 1000, -1, 60000,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("pool_perf.max_errors",
							"How many rows pool_perf.errors has.",
							"Raise it when its <other> rows hold more than they should; each takes about 250 bytes of shared memory.",
							&pp_max_errors, 1000, 100, 100000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pool_perf.alert_cooldown",
							"How long a condition must be gone before its alert closes.",
							"Raise it where a condition comes and goes.",
							&pp_alert_cooldown, 300, 0, 86400,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("pool_perf.blocked_min_duration",
							"Raises an alert for statements that wait so long for a lock.",
							"The alert names the session that everybody waits for; -1 raises none.",
							&pp_blocked_min_duration, 5000, -1, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("pool_perf.idle_in_transaction_min_duration",
							"Raises an alert for sessions that idle so long inside a transaction.",
							"Lower it where the application never waits inside a transaction; -1 raises none.",
							&pp_idle_in_transaction_min_duration, 60000, -1,
							INT_MAX, PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("pool_perf.long_transaction_min_duration",
							"Raises an alert for transactions that are open so long.",
							"Raise it where reports or imports take longer; -1 raises none.",
							&pp_long_transaction_min_duration, 600000, -1,
							INT_MAX, PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomRealVariable("pool_perf.error_rate_threshold",
							 "Raises an alert when so many percent of a database's calls fail within 5 minutes.",
							 "Constraint violations, raised exceptions and serialization failures do not count; -1 raises none.",
							 &pp_error_rate_threshold, 5, -1, 100,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pool_perf.error_rate_min_calls",
							"Calls in 5 minutes below which the error rate of a database says nothing.",
							"Lower it for databases with little traffic.",
							&pp_error_rate_min_calls, 100, 1, INT_MAX,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("pool_perf.alert_exempt_applications",
							   "Applications whose sessions raise no alert.",
							   "A comma-separated list of application_name values: add those of backups, migrations and batch jobs.",
							   &pp_alert_exempt_applications,
							   "pg_dump,pg_restore,pg_basebackup",
							   PGC_SIGHUP, GUC_LIST_INPUT, NULL, NULL, NULL);
	DefineCustomStringVariable("pool_perf.notify_database",
							   "Database in which alerts are sent with NOTIFY.",
							   "Set it to the database in which your listener runs LISTEN pool_perf_alert; empty sends none.",
							   &pp_notify_database, "", PGC_SIGHUP, 0,
							   NULL, NULL, NULL);
}

void
pp_guc_init(void)
{
	define_slow_settings();
	define_alert_settings();

	DefineCustomBoolVariable("pool_perf.enabled",
							 "Measures statements.",
							 "Turn it off to take pool_perf out of the way of all statements without a restart.",
							 &pp_enabled, true, PGC_SIGHUP, 0,
							 NULL, assign_enabled, NULL);
	DefineCustomEnumVariable("pool_perf.track",
							 "Which statements are measured.",
							 "Set it to \"all\" to see the statements inside functions too, to \"none\" to measure nothing.",
							 &pp_track, PP_TRACK_TOP, track_options,
							 PGC_SUSET, 0, NULL, assign_track, NULL);
	DefineCustomBoolVariable("pool_perf.track_utility",
							 "Measures utility statements, COMMIT among them.",
							 "Turn it off where only SELECT, INSERT, UPDATE, DELETE and MERGE are of interest.",
							 &pp_track_utility, true, PGC_SUSET, 0,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("pool_perf.max_queries",
							"How many queries have statistics of their own.",
							"Raise it when pool_perf.health warns of evictions; each takes about 3.5 kB of shared memory.",
							&pp_max_queries, 5000, 100, 1000000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pool_perf.text_memory",
							"Shared memory for the texts of queries.",
							"Raise it when pool_perf.info shows dropped texts.",
							&pp_text_memory, 8192, 256, 16 * 1024 * 1024,
							PGC_POSTMASTER, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("pool_perf.max_text_length",
							"How much of a query's text is kept.",
							"Raise it when texts that matter are cut; the fingerprint is always that of the whole text.",
							&pp_max_text_length, 4096, 64, 1024 * 1024,
							PGC_SIGHUP, GUC_UNIT_BYTE, NULL, NULL, NULL);
	DefineCustomIntVariable("pool_perf.save_interval",
							"Time between two saves of the statistics to disk.",
							"A crash loses what came after the last save; -1 saves at shutdown only.",
							&pp_save_interval, 300, -1, 86400,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	MarkGUCPrefixReserved("pool_perf");
}
