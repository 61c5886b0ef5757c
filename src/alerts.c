/*
 * alerts.c
 *	  The last alerts, in shared memory.
 *
 * A table of PP_MAX_ALERTS rows, and the evidence of each, under one lock that
 * is held for looking through it and for copies.  The worker opens, changes and
 * closes alerts; sessions acknowledge them.  So what the worker has read of a
 * row is still so when it writes it, but for the acknowledgement.
 *
 * When the table is full, a new alert takes the place of the one that is missed
 * least: closed before open, then the less severe, then the one seen longest
 * ago.
 */
#include "postgres.h"

#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "alerts.h"
#include "query_stats.h"

typedef struct PpSharedAlerts
{
	uint64		heard;			/* of ended statements: the worker's alone */
	int64		last_id;
	int64		evicted;
	uint64		changes;
	PpAlert		alerts[PP_MAX_ALERTS];
	char		evidence[PP_MAX_ALERTS][PP_ALERT_EVIDENCE];
} PpSharedAlerts;

static PpSharedAlerts *shared;
static LWLock *lock;

Size
pp_alerts_shmem_size(void)
{
	return sizeof(PpSharedAlerts);
}

void
pp_alerts_shmem_init(void)
{
	bool		found;

	lock = &GetNamedLWLockTranche("pool_perf")[PP_PARTITIONS + 3].lock;
	shared = ShmemInitStruct("pool_perf alerts", pp_alerts_shmem_size(),
							 &found);
	if (!found)
		memset(shared, 0, pp_alerts_shmem_size());
}

/* ---- finding a place; the lock is held -------------------------------------- */

/* The row of the same subject that a report goes to, or -1. */
static int
find_row(const PpAlertReport *report, TimestampTz now)
{
	int			found = -1;

	for (int i = 0; i < PP_MAX_ALERTS; i++)
	{
		const PpAlert *alert = &shared->alerts[i];

		if (alert->latest.identity != report->identity ||
			alert->alert_id == 0 ||
			strcmp(alert->latest.kind, report->kind) != 0)
			continue;
		if (alert->is_open)
			return i;
		if (now - alert->closed_at < PP_ALERT_REOPEN_TIME &&
			(found < 0 ||
			 alert->closed_at > shared->alerts[found].closed_at))
			found = i;
	}
	return found;
}

/* Is a the one to go rather than b? */
static bool
goes_before(const PpAlert *a, const PpAlert *b)
{
	if (a->is_open != b->is_open)
		return !a->is_open;
	if (a->severity != b->severity)
		return a->severity < b->severity;
	return a->last_seen < b->last_seen;
}

static int
free_row(void)
{
	int			victim = 0;

	for (int i = 0; i < PP_MAX_ALERTS; i++)
	{
		if (shared->alerts[i].alert_id == 0)
			return i;
		if (goes_before(&shared->alerts[i], &shared->alerts[victim]))
			victim = i;
	}
	shared->evicted++;
	return victim;
}

/* ---- the worker's side --------------------------------------------------------- */

/* Copies the row that a report would go to; false if that would be a new one. */
bool
pp_alerts_find(const PpAlertReport *report, TimestampTz now, PpAlert *alert)
{
	int			row;

	LWLockAcquire(lock, LW_SHARED);
	row = find_row(report, now);
	if (row >= 0)
		*alert = shared->alerts[row];
	LWLockRelease(lock);
	return row >= 0;
}

/* Statements that share an alert: it tells of the longest that still runs. */
static bool
is_better(const PpAlertReport *report, const PpAlert *alert)
{
	const PpAlertReport *latest = &alert->latest;

	if (!report->statement || !alert->is_open)
		return true;
	if (report->pid == latest->pid && report->number == latest->number)
		return true;
	if (report->ended != latest->ended)
		return latest->ended;
	return report->value > latest->value;
}

/*
 * What the report says, but for the names that the alert has already.  As long
 * as that of the database is not known, the subject may have its id.
 */
static void
set_latest(PpAlert *alert, const PpAlertReport *report)
{
	PpAlertReport before = alert->latest;

	alert->latest = *report;
	if (before.datname[0] == '\0')
		return;
	strlcpy(alert->latest.subject, before.subject, PP_ALERT_SUBJECT);
	strlcpy(alert->latest.datname, before.datname, PP_ALERT_NAME);
}

/*
 * Is it a statement that the alert has counted?  A worker that is new does not
 * know what the one before it has reported.
 */
static bool
is_counted(const PpAlert *alert, const PpAlertReport *report)
{
	return report->again ||
		(alert->is_open && alert->latest.pid == report->pid &&
		 alert->latest.number == report->number);
}

/* Brings an existing row up to date. */
static PpAlertEvent
refresh(PpAlert *alert, const PpAlertReport *report, TimestampTz now)
{
	PpAlertEvent event = PP_ALERT_NOTHING;
	bool		counted = is_counted(alert, report);
	bool		reopens = !alert->is_open;

	if (is_better(report, alert))
		set_latest(alert, report);
	if (reopens)
	{
		event = PP_ALERT_REOPENED;
		alert->announced = false;
		alert->logged = false;
	}
	else if (report->severity > alert->severity)
		event = PP_ALERT_ESCALATED;
	if (event != PP_ALERT_NOTHING)
		alert->severity = report->severity;
	if (report->statement ? !counted : reopens)
		alert->occurrences++;
	alert->is_open = true;
	alert->last_seen = now;
	alert->missed = 0;
	return event;
}

/*
 * Enters a report: opens an alert, or refreshes, escalates or reopens the one
 * there is.  Copies the row.  The evidence is that of a new one, or NULL.
 */
PpAlertEvent
pp_alerts_put(const PpAlertReport *report, const char *evidence,
			  int64 silence_id, PpAlert *copy)
{
	TimestampTz now = GetCurrentTimestamp();
	PpAlertEvent event = PP_ALERT_OPENED;
	PpAlert    *alert;
	int			row;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	row = find_row(report, now);
	if (row >= 0)
	{
		alert = &shared->alerts[row];
		event = refresh(alert, report, now);
	}
	else
	{
		row = free_row();
		alert = &shared->alerts[row];
		memset(alert, 0, sizeof(*alert));
		alert->alert_id = ++shared->last_id;
		alert->latest = *report;
		alert->is_open = true;
		alert->severity = report->severity;
		alert->opened_at = now;
		alert->last_seen = now;
		alert->occurrences = 1;
		if (evidence != NULL)
			alert->evidence_length =
				strlcpy(shared->evidence[row], evidence, PP_ALERT_EVIDENCE);
		Assert(alert->evidence_length < PP_ALERT_EVIDENCE);
	}
	alert->silence_id = silence_id;
	*copy = *alert;
	shared->changes++;
	LWLockRelease(lock);
	return event;
}

/* The row of that place, 0 to PP_MAX_ALERTS - 1; false if it is free. */
bool
pp_alerts_get(int place, PpAlert *alert)
{
	LWLockAcquire(lock, LW_SHARED);
	*alert = shared->alerts[place];
	LWLockRelease(lock);
	return alert->alert_id != 0;
}

/* Writes back what pp_alerts_get() gave, but for the acknowledgement. */
void
pp_alerts_replace(int place, const PpAlert *alert)
{
	PpAlert    *row = &shared->alerts[place];

	LWLockAcquire(lock, LW_EXCLUSIVE);
	if (row->alert_id == alert->alert_id)
	{
		memcpy(row, alert, offsetof(PpAlert, acknowledged_at));
		shared->changes++;
	}
	LWLockRelease(lock);
}

/* Up to which of the slow executions the worker knows that they have ended. */
uint64
pp_alerts_heard(void)
{
	return shared->heard;
}

void
pp_alerts_set_heard(uint64 slow_query_id)
{
	shared->heard = slow_query_id;
}

/* ---- everybody's side ---------------------------------------------------------- */

/* False if there is no such alert. */
bool
pp_alerts_acknowledge(int64 alert_id, const char *by)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		found = false;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; i < PP_MAX_ALERTS && !found; i++)
	{
		PpAlert    *alert = &shared->alerts[i];

		if (alert_id == 0 || alert->alert_id != alert_id)
			continue;
		found = true;
		alert->acknowledged_at = now;
		strlcpy(alert->acknowledged_by, by, PP_ALERT_NAME);
		shared->changes++;
	}
	LWLockRelease(lock);
	return found;
}

/*
 * The open alert that tells of the session's statement of that number, or 0.
 * Never waits: it is for sessions on their way.
 */
uint64
pp_alert_of(int pid, uint64 number)
{
	uint64		found = 0;

	if (!LWLockConditionalAcquire(lock, LW_SHARED))
		return 0;
	for (int i = 0; i < PP_MAX_ALERTS && found == 0; i++)
	{
		const PpAlert *alert = &shared->alerts[i];

		if (alert->is_open && alert->latest.statement &&
			alert->latest.pid == pid && alert->latest.number == number)
			found = (uint64) alert->alert_id;
	}
	LWLockRelease(lock);
	return found;
}

/* Hands out a copy of each row, one after the other, without the lock. */
void
pp_alerts_read(pp_alert_callback callback, void *arg)
{
	char	   *evidence = palloc(PP_ALERT_EVIDENCE);

	for (int i = 0; i < PP_MAX_ALERTS; i++)
	{
		PpAlert		alert;

		LWLockAcquire(lock, LW_SHARED);
		alert = shared->alerts[i];
		memcpy(evidence, shared->evidence[i], alert.evidence_length);
		LWLockRelease(lock);
		evidence[alert.evidence_length] = '\0';
		if (alert.alert_id != 0)
			callback(&alert, evidence, arg);
	}
	pfree(evidence);
}

/* Sums, and the worst open alert. */
void
pp_alerts_counters(PpAlertCounters *counters)
{
	const PpAlert *worst = NULL;

	memset(counters, 0, sizeof(*counters));
	LWLockAcquire(lock, LW_SHARED);
	counters->evicted = shared->evicted;
	counters->changes = shared->changes;
	for (int i = 0; i < PP_MAX_ALERTS; i++)
	{
		const PpAlert *alert = &shared->alerts[i];

		counters->alerts += alert->alert_id != 0;
		if (!alert->is_open || alert->silence_id != 0)
			continue;
		counters->open++;
		counters->open_critical += alert->severity == PP_SEVERITY_CRITICAL;
		if (worst == NULL || goes_before(worst, alert))
			worst = alert;
	}
	if (worst != NULL)
		strlcpy(counters->newest, worst->latest.message, PP_ALERT_TEXT);
	LWLockRelease(lock);
}

/* Alerts of a kind that were open within so many seconds. */
void
pp_alerts_kind_counters(const char *kind, int seconds,
						PpAlertKindCounters *counters)
{
	TimestampTz since = GetCurrentTimestamp() - seconds * USECS_PER_SEC;

	memset(counters, 0, sizeof(*counters));
	LWLockAcquire(lock, LW_SHARED);
	for (int i = 0; i < PP_MAX_ALERTS; i++)
	{
		const PpAlert *alert = &shared->alerts[i];

		if (alert->alert_id == 0 || alert->silence_id != 0 ||
			(!alert->is_open && alert->last_seen < since) ||
			strcmp(alert->latest.kind, kind) != 0)
			continue;
		counters->alerts++;
		counters->open += alert->is_open;
		counters->max_value = Max(counters->max_value, alert->latest.value);
	}
	LWLockRelease(lock);
}

/* ---- at server start, before anybody else is there --------------------------- */

/* Takes a row over from before; there is room for PP_MAX_ALERTS of them. */
void
pp_alerts_load(PpAlert *alert, const char *evidence)
{
	int			row = free_row();

	shared->alerts[row] = *alert;
	memcpy(shared->evidence[row], evidence, alert->evidence_length);
	shared->last_id = Max(shared->last_id, alert->alert_id);
}

int64
pp_alerts_last_id(void)
{
	int64		last_id;

	LWLockAcquire(lock, LW_SHARED);
	last_id = shared->last_id;
	LWLockRelease(lock);
	return last_id;
}

void
pp_alerts_set_last_id(int64 alert_id)
{
	shared->last_id = Max(shared->last_id, alert_id);
}

const char *
pp_alert_event_name(PpAlertEvent event)
{
	switch (event)
	{
		case PP_ALERT_OPENED:
			return "opened";
		case PP_ALERT_REOPENED:
			return "reopened";
		case PP_ALERT_ESCALATED:
			return "escalated";
		case PP_ALERT_CLOSED:
			return "closed";
		case PP_ALERT_NOTHING:
			break;
	}
	return "unchanged";
}
