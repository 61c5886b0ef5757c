/*
 * alert_rules.c
 *	  The kinds of alerts and when they are raised.
 *
 * Adding a kind is one function and one entry of the table.  The worker calls
 * all of them after each look at the sessions; each reports what holds now, and
 * what is not reported any more closes by itself.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "alert_events.h"
#include "alert_kind.h"
#include "alert_rules.h"
#include "error_rates.h"
#include "execution.h"
#include "guc.h"
#include "notify.h"
#include "query_stats.h"
#include "sampler.h"

/* seconds between two looks at what pool_perf has dropped */
#define LOSS_INTERVAL	10

/* seconds that the error rate goes back */
#define ERROR_RATE_TIME 300

/* databases whose names are kept */
#define KNOWN_NAMES		64

/* ---- names of databases ---------------------------------------------------------- */

/* The worker cannot look them up: they are those that sessions have brought. */
static struct
{
	Oid			dbid;
	char		name[PP_ALERT_NAME];
}			known[KNOWN_NAMES];

/*
 * Keeps the names of the databases of all sessions, those too that are gone but
 * whose slots nobody has taken since.
 */
static void
keep_names(void)
{
	for (int slot = 0; slot < pp_sessions(); slot++)
	{
		char		name[NAMEDATALEN];
		Oid			dbid = pp_session_database(slot, name);
		int			place = dbid % KNOWN_NAMES;

		if (!OidIsValid(dbid))
			continue;
		known[place].dbid = dbid;
		pp_alert_clean(known[place].name, name, PP_ALERT_NAME);
	}
}

/* Which database it is about, and its name, if that is known. */
void
pp_alert_set_database(PpAlertReport *report, Oid dbid)
{
	char		name[NAMEDATALEN];

	report->dbid = dbid;
	if (known[dbid % KNOWN_NAMES].dbid == dbid)
	{
		strlcpy(report->datname, known[dbid % KNOWN_NAMES].name,
				PP_ALERT_NAME);
		return;
	}
	/* another database has its place */
	for (int slot = 0; slot < pp_sessions(); slot++)
		if (pp_session_database(slot, name) == dbid)
		{
			pp_alert_clean(report->datname, name, PP_ALERT_NAME);
			return;
		}
}

/* For words: the name, or the id if that is not known. */
const char *
pp_alert_database(const PpAlertReport *report)
{
	return report->datname[0] != '\0' ? report->datname :
		psprintf("%u", report->dbid);
}

/* ---- reports -------------------------------------------------------------------- */

void
pp_alert_begin(const PpAlertKind *kind, const char *subject, uint64 identity,
			   PpAlertReport *report)
{
	memset(report, 0, sizeof(*report));
	strlcpy(report->kind, kind->name, sizeof(report->kind));
	strlcpy(report->unit, kind->unit, sizeof(report->unit));
	pp_alert_clean(report->subject, subject, sizeof(report->subject));
	report->identity = identity;
	report->statement = kind->statement;
	report->outcome = PP_NO_OUTCOME;
}

/* Whose session it is about. */
void
pp_alert_set_session(PpAlertReport *report, const PpLook *look)
{
	report->pid = look->pid;
	report->userid = look->userid;
	pp_alert_set_database(report, look->dbid);
	if (look->phase != PP_PHASE_NONE)
	{
		report->queryid = look->key.queryid;
		report->number = look->number;
	}
}

/* In printable ASCII, PP_ALERT_TEXT bytes; names may be in any encoding. */
void
pp_alert_set_words(char *to, const char *format,...)
{
	char		words[PP_ALERT_TEXT];
	va_list		args;

	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	pp_alert_clean(to, words, PP_ALERT_TEXT);
}

/* ---- the rules ------------------------------------------------------------------- */

bool
pp_alert_is_exempt(const PpScene *scene, const char *application_name)
{
	ListCell   *cell;

	foreach(cell, scene->exempt)
	{
		if (strcmp(lfirst(cell), application_name) == 0)
			return true;
	}
	return false;
}

static void
check_error_rate(const PpAlertKind *kind, const PpScene *scene)
{
	Oid			dbids[KNOWN_NAMES];
	int			n = pp_error_rates_databases(dbids, KNOWN_NAMES);

	if (pp_error_rate_threshold < 0)
		return;
	for (int i = 0; i < n; i++)
	{
		PpErrorRate rate;
		PpAlertReport report;
		double		percent;

		if (!pp_error_rate(dbids[i], ERROR_RATE_TIME, &rate) ||
			rate.calls < pp_error_rate_min_calls)
			continue;
		percent = 100.0 * (rate.failed - rate.normal) / rate.calls;
		if (rate.failed == rate.normal || percent < pp_error_rate_threshold)
			continue;
		pp_alert_begin(kind, "", dbids[i], &report);
		pp_alert_set_database(&report, dbids[i]);
		snprintf(report.subject, sizeof(report.subject), "database %s",
				 pp_alert_database(&report));
		report.value = percent;
		report.threshold = pp_error_rate_threshold;
		report.severity = percent >= report.threshold * kind->critical_factor ?
			PP_SEVERITY_CRITICAL : PP_SEVERITY_WARNING;
		SAY("%.1f %% of " INT64_FORMAT " calls of database %s failed within 5 minutes, without those that are normal",
			percent, rate.calls, pp_alert_database(&report));
		ADVISE("SELECT * FROM pool_perf.errors WHERE dbid = %u ORDER BY errors DESC;",
			   dbids[i]);
		pp_alert_report(&report);
	}
}

/* What pool_perf drops, and what to do about it. */
typedef struct Loss
{
	const char *subject;
	const char *lost;
	const char *remedy;
	int64		(*count) (void);
} Loss;

static int64
executions_lost(void)
{
	return (int64) pp_execution_dropped();
}

static int64
texts_lost(void)
{
	PpQueryCounters counters;

	pp_query_stats_counters(&counters);
	return counters.texts_dropped;
}

static int64
notifications_lost(void)
{
	PpNotifyState state;

	pp_notify_state(&state);
	return state.dropped;
}

static const Loss losses[] = {
	{"executions", "executions were not measured",
	"The server is short of memory: lower work_mem or max_connections.", executions_lost},
	{"texts", "query texts were dropped",
	"Raise pool_perf.text_memory or lower pool_perf.max_text_length.", texts_lost},
	{"notifications", "notifications were dropped",
	"SELECT message, remedy FROM pool_perf.health WHERE check_name = 'notify';", notifications_lost},
};

static void
check_data_loss(const PpAlertKind *kind, const PpScene *scene)
{
	static int64 before[lengthof(losses)];
	static TimestampTz checked_at = 0;
	TimestampTz now = GetCurrentTimestamp();
	bool		first = checked_at == 0;

	if (now - checked_at < LOSS_INTERVAL * USECS_PER_SEC && now >= checked_at)
		return;
	checked_at = now;
	for (int i = 0; i < lengthof(losses); i++)
	{
		int64		count = losses[i].count();
		int64		lost = count - before[i];
		PpAlertReport report;

		before[i] = count;
		if (first || lost <= 0)
			continue;
		pp_alert_begin(kind, losses[i].subject, i, &report);
		report.value = (double) lost;
		report.severity = PP_SEVERITY_WARNING;
		SAY(INT64_FORMAT " %s in %d s, " INT64_FORMAT " since server start",
			lost, losses[i].lost, LOSS_INTERVAL, count);
		ADVISE("%s", losses[i].remedy);
		pp_alert_report(&report);
	}
}

static const PpAlertKind kinds[] = {
	{"slow_query", "ms", NULL, 0, true, pp_check_slow_query},
	{"blocked", "ms", &pp_blocked_min_duration, 6, false, pp_check_blocked},
	{"idle_in_transaction", "ms", &pp_idle_in_transaction_min_duration, 10,
	false, pp_check_idle_in_transaction},
	{"long_transaction", "ms", &pp_long_transaction_min_duration, 6, false,
	pp_check_long_transaction},
	{"error_rate", "percent", NULL, 4, false, check_error_rate},
	{"data_loss", "none", NULL, 0, false, check_data_loss},
};

bool
pp_alert_is_kind(const char *name)
{
	for (int i = 0; i < lengthof(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return true;
	return false;
}

/* The applications of the setting; none if it makes no sense. */
static List *
exempt_applications(void)
{
	char	   *names = pstrdup(pp_alert_exempt_applications);
	List	   *list;

	return SplitGUCList(names, ',', &list) ? list : NIL;
}

/*
 * The worker calls this after each look at the sessions, and from time to time
 * if no looks are taken.
 */
void
pp_alert_rules_turn(TimestampTz now, bool looked)
{
	PpScene		scene = {.now = now,.exempt = exempt_applications()};

	keep_names();
	if (looked)
		scene.n = pp_sampler_looks(&scene.looks);
	for (int i = 0; i < lengthof(kinds); i++)
		if (kinds[i].min_duration == NULL || *kinds[i].min_duration >= 0)
			kinds[i].check(&kinds[i], &scene);
	pp_alerts_turn();
	pp_notify_turn(now);
}
