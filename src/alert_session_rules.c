/*
 * alert_session_rules.c
 *	  When the sessions of clients raise alerts.
 *
 * In the worker.  What it remembers is which statement of each session it has
 * reported, so that a statement stays with its alert and is counted once.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "alert_events.h"
#include "alert_kind.h"
#include "guc.h"
#include "sampler.h"
#include "slow_queries.h"

/* statements that have ended, read at once */
#define ENDED_AT_ONCE	64

/* The statement of each session that was reported last, by slot. */
typedef struct Reported
{
	int			pid;
	uint64		number;
	bool		ended;
	TimestampTz started_at;		/* if it has ended */
	uint64		identity;		/* of its alert, and its subject */
	char		subject[PP_ALERT_SUBJECT];
} Reported;

/* Whom each session was waiting for in the end at the last look, by slot. */
typedef struct Waited
{
	int			pid;
	int			root_blocker;
	TransactionId root_xid;
} Waited;

static Reported *reported;
static Waited *waited;

/* A duration in milliseconds, against the setting of its kind. */
static void
set_duration(PpAlertReport *report, const PpAlertKind *kind, double value)
{
	report->value = value;
	report->threshold = *kind->min_duration;
	report->severity = value >= report->threshold * kind->critical_factor ?
		PP_SEVERITY_CRITICAL : PP_SEVERITY_WARNING;
}

static inline double
ms_since(const PpScene *scene, TimestampTz since)
{
	return Max(scene->now - since, 0) / 1000.0;
}

/* Is it a client that alerts are wanted of? */
static bool
is_wanted(const PpScene *scene, const PpLook *look)
{
	return look->client && !pp_alert_is_exempt(scene, look->application_name);
}

/* Does it run a statement that may raise an alert? */
static bool
is_watched(const PpScene *scene, const PpLook *look)
{
	return look->phase != PP_PHASE_NONE && !look->utility &&
		is_wanted(scene, look);
}

/* What the alert of a statement is about, unless it is known already. */
static void
set_statement(Reported *statement, int pid, uint64 number,
			  const PpStatKey *key)
{
	if (statement->pid == pid && statement->number == number)
		return;
	memset(statement, 0, sizeof(*statement));
	statement->pid = pid;
	statement->number = number;
	if (key != NULL)
	{
		statement->identity = hash_combine64((uint64) key->queryid, key->dbid);
		snprintf(statement->subject, sizeof(statement->subject),
				 "query " INT64_FORMAT, key->queryid);
	}
	else
	{
		statement->identity = hash_combine64(pid, number);
		snprintf(statement->subject, sizeof(statement->subject), "pid %d",
				 pid);
	}
}

/* A statement that was slow has ended. */
static void
report_ended(const PpAlertKind *kind, const PpScene *scene,
			 const PpSlowQuery *query)
{
	const PpLook *look = pp_sampler_find(query->pid);
	Reported	fresh = {0};
	Reported   *statement = look != NULL ? &reported[look->slot] : &fresh;
	PpAlertReport report;

	for (int i = 0; look == NULL && i < pp_sessions(); i++)
		if (reported[i].pid == query->pid &&
			reported[i].number == query->number)
			statement = &reported[i];
	pp_alert_begin(kind, "", 0, &report);
	report.again = statement->pid == query->pid &&
		statement->number == query->number;
	set_statement(statement, query->pid, query->number, &query->key);
	statement->ended = true;
	statement->started_at = query->started_at;
	strlcpy(report.subject, statement->subject, sizeof(report.subject));
	report.identity = statement->identity;
	pp_alert_set_database(&report, query->key.dbid);
	report.pid = query->pid;
	report.number = query->number;
	report.userid = query->key.userid;
	report.queryid = query->key.queryid;
	report.value = pp_slow_query_time(query) / 1e6;
	report.threshold = query->threshold;
	report.severity = query->severity;
	report.ended = true;
	report.outcome = query->outcome;
	SAY("pid %d (application %s) ran a statement of database %s for %.1f s; outcome: %s",
		query->pid, query->application_name, pp_alert_database(&report),
		report.value / 1000,
		pp_outcome_name(query->outcome));
	ADVISE("SELECT * FROM pool_perf.slow_queries WHERE queryid = " INT64_FORMAT " ORDER BY started_at DESC;",
		   report.queryid);
	pp_alert_report(&report);
}

/* Reports what has ended since the last time. */
static void
report_all_ended(const PpAlertKind *kind, const PpScene *scene)
{
	PpSlowQuery *queries = palloc(ENDED_AT_ONCE * sizeof(PpSlowQuery));
	uint64		last_id = pp_alerts_heard();
	int			n;

	do
	{
		n = pp_slow_queries_since(&last_id, queries, ENDED_AT_ONCE);
		for (int i = 0; i < n; i++)
		{
			const PpSlowQuery *query = &queries[i];

			if (query->severity >= PP_SEVERITY_WARNING &&
				query->number != 0 && !query->utility && query->client &&
				!pp_alert_is_exempt(scene, query->application_name))
				report_ended(kind, scene, query);
		}
		pp_alerts_set_heard(last_id);
	} while (n == ENDED_AT_ONCE);
	pfree(queries);
}

/*
 * Has the statement of the look ended since?  Then it has been reported, and
 * maybe others after it.  Ids of processes come again, so times are compared
 * too.
 */
static bool
has_ended(const PpLook *look, const Reported *statement)
{
	if (statement->pid != look->pid || !statement->ended)
		return false;
	return statement->number == look->number ||
		(statement->number > look->number &&
		 statement->started_at >= look->started_at);
}

void
pp_check_slow_query(const PpAlertKind *kind, const PpScene *scene)
{
	if (reported == NULL)
		reported = MemoryContextAllocZero(TopMemoryContext,
										  pp_sessions() * sizeof(Reported));
	report_all_ended(kind, scene);
	for (int i = 0; i < scene->n; i++)
	{
		const PpLook *look = &scene->looks[i];
		Reported   *statement = &reported[look->slot];
		bool		again = statement->pid == look->pid &&
		statement->number == look->number;
		PpAlertReport report;

		if (look->severity < PP_SEVERITY_WARNING ||
			!is_watched(scene, look) || has_ended(look, statement))
			continue;
		set_statement(statement, look->pid, look->number,
					  look->phase == PP_PHASE_ANALYSIS ? NULL : &look->key);
		pp_alert_begin(kind, statement->subject, statement->identity, &report);
		pp_alert_set_session(&report, look);
		report.again = again;
		report.value = look->elapsed;
		report.threshold = look->threshold;
		report.severity = look->severity;
		SAY("pid %d (application %s) has run a statement of database %s for %.1f s",
			look->pid, look->application_name, pp_alert_database(&report),
			look->elapsed / 1000);
		ADVISE("SELECT * FROM pool_perf.running_queries WHERE pid = %d; to end it: SELECT pg_cancel_backend(%d);",
			   look->pid, look->pid);
		pp_alert_report(&report);
	}
}

/* Those who wait for the same root blocker. */
typedef struct Queue
{
	int			sessions;
	const PpLook *longest;
} Queue;

static inline bool
is_root(const PpLook *look, const PpLook *of)
{
	return of->nblockers > 0 && look->root_blocker == of->root_blocker &&
		look->root_xid == of->root_xid;
}

static Queue
find_queue(const PpScene *scene, const PpLook *one)
{
	Queue		queue = {0};

	for (int i = 0; i < scene->n; i++)
	{
		const PpLook *look = &scene->looks[i];

		if (!is_root(one, look))
			continue;
		queue.sessions++;
		if (look->waiting_since != 0 && is_watched(scene, look) &&
			(queue.longest == NULL ||
			 look->waiting_since < queue.longest->waiting_since))
			queue.longest = look;
	}
	return queue;
}

/* What the root blocker does, and how to get rid of it. */
static void
describe_root(PpAlertReport *to, const PpScene *scene, const Queue *queue)
{
	int			pid = queue->longest->root_blocker;
	const PpLook *root = pp_sampler_find(pid);
	double		longest = to->value / 1000;

	if (pid == 0)
	{
		pp_alert_set_words(to->message, "%d sessions wait for a prepared transaction, the longest for %.1f s",
						   queue->sessions, longest);
		pp_alert_set_words(to->remedy, "SELECT gid FROM pg_prepared_xacts WHERE transaction = '%u'; then COMMIT PREPARED or ROLLBACK PREPARED",
						   queue->longest->root_xid);
	}
	else if (root == NULL || root->phase != PP_PHASE_NONE)
	{
		pp_alert_set_words(to->message, "%d sessions wait for pid %d (application %s), which is active; the longest for %.1f s",
						   queue->sessions, pid,
						   root != NULL ? root->application_name : "", longest);
		pp_alert_set_words(to->remedy, "SELECT pg_cancel_backend(%d);", pid);
	}
	else if (root->state == STATE_IDLE)
	{
		/* no other lock outlives its transaction */
		pp_alert_set_words(to->message, "%d sessions wait for pid %d (application %s), which is idle and holds an advisory lock of its session; the longest for %.1f s",
						   queue->sessions, pid, root->application_name,
						   longest);
		pp_alert_set_words(to->remedy, "SELECT pg_terminate_backend(%d);  -- and let the application call pg_advisory_unlock()",
						   pid);
	}
	else
	{
		pp_alert_set_words(to->message, "%d sessions wait for pid %d (application %s), which has been idle in its transaction for %.1f s; the longest for %.1f s",
						   queue->sessions, pid, root->application_name,
						   ms_since(scene, root->state_change) / 1000, longest);
		pp_alert_set_words(to->remedy, "SELECT pg_terminate_backend(%d);  -- and let the application end its transactions",
						   pid);
	}
}

/*
 * Notes whom the session waits for; true if that has not changed since the last
 * look.  When a long queue goes on, each of those in it is the root for a
 * moment: no one of them is to blame.  Nor is anybody in a circle, which has no
 * root: the server breaks it by itself.
 */
static bool
still_waits(const PpLook *look)
{
	Waited	   *before = &waited[look->slot];
	bool		has_root = look->nblockers > 0 &&
	(look->root_blocker != 0 || TransactionIdIsValid(look->root_xid));
	bool		same = has_root && before->pid == look->pid &&
	before->root_blocker == look->root_blocker &&
	before->root_xid == look->root_xid;

	before->pid = has_root ? look->pid : 0;
	before->root_blocker = look->root_blocker;
	before->root_xid = look->root_xid;
	return same;
}

/* One alert for each root blocker, however many wait. */
void
pp_check_blocked(const PpAlertKind *kind, const PpScene *scene)
{
	if (waited == NULL)
		waited = MemoryContextAllocZero(TopMemoryContext,
										pp_sessions() * sizeof(Waited));
	for (int i = 0; i < scene->n; i++)
	{
		const PpLook *look = &scene->looks[i];
		const PpLook *root;
		Queue		queue;
		PpAlertReport report;
		char		subject[PP_ALERT_SUBJECT];

		if (!still_waits(look) || look->waiting_since == 0 ||
			ms_since(scene, look->waiting_since) < *kind->min_duration)
			continue;
		/* the one that has waited longest reports for all of them */
		queue = find_queue(scene, look);
		if (queue.longest != look)
			continue;
		root = pp_sampler_find(look->root_blocker);
		snprintf(subject, sizeof(subject), look->root_blocker != 0 ?
				 "pid %d" : "prepared transaction %u",
				 look->root_blocker != 0 ? look->root_blocker : look->root_xid);
		pp_alert_begin(kind, subject,
					   hash_combine64(look->root_blocker, look->root_xid),
					   &report);
		pp_alert_set_session(&report, root != NULL ? root : look);
		report.pid = look->root_blocker;
		set_duration(&report, kind, ms_since(scene, look->waiting_since));
		describe_root(&report, scene, &queue);
		pp_alert_report(&report);
	}
}

/* What a session does for so long, in milliseconds. */
static void
begin_session(PpAlertReport *report, const PpAlertKind *kind,
			  const PpLook *look, double duration)
{
	char		subject[PP_ALERT_SUBJECT];

	snprintf(subject, sizeof(subject), "pid %d", look->pid);
	pp_alert_begin(kind, subject, look->pid, report);
	pp_alert_set_session(report, look);
	set_duration(report, kind, duration);
}

void
pp_check_idle_in_transaction(const PpAlertKind *kind, const PpScene *scene)
{
	for (int i = 0; i < scene->n; i++)
	{
		const PpLook *look = &scene->looks[i];
		double		idle = ms_since(scene, look->state_change);
		PpAlertReport report;

		if ((look->state != STATE_IDLEINTRANSACTION &&
			 look->state != STATE_IDLEINTRANSACTION_ABORTED) ||
			idle < *kind->min_duration || !is_wanted(scene, look))
			continue;
		begin_session(&report, kind, look, idle);
		SAY("pid %d (application %s) has been idle in its transaction for %.1f s: it keeps its locks and holds up vacuum",
			look->pid, look->application_name, idle / 1000);
		ADVISE("SELECT pg_terminate_backend(%d);  -- idle_in_transaction_session_timeout does so by itself",
			   look->pid);
		pp_alert_report(&report);
	}
}

void
pp_check_long_transaction(const PpAlertKind *kind, const PpScene *scene)
{
	for (int i = 0; i < scene->n; i++)
	{
		const PpLook *look = &scene->looks[i];
		double		age = ms_since(scene, look->xact_start);
		PpAlertReport report;

		if (look->xact_start == 0 || age < *kind->min_duration ||
			(look->phase != PP_PHASE_NONE && look->utility) ||
			!is_wanted(scene, look))
			continue;
		begin_session(&report, kind, look, age);
		SAY("pid %d (application %s) has had its transaction open for %.0f s: it holds up vacuum",
			look->pid, look->application_name, age / 1000);
		ADVISE("SELECT pg_terminate_backend(%d);  -- or commit in smaller pieces",
			   look->pid);
		pp_alert_report(&report);
	}
}
