/*
 * alert_events.c
 *	  How alerts begin, go on and end, and who is told.
 *
 * In the worker alone.  What is told is a line in the server log, at most
 * LOG_RATE of them a minute, and a notification.  What is told of statements
 * that had ended when they were seen leaves lines for what goes on.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "alert_events.h"
#include "alert_evidence.h"
#include "guc.h"
#include "notify.h"
#include "silences.h"

/* lines a minute; what is held back is named in the next one */
#define LOG_RATE	60
#define ENDED_LOG_RATE	30		/* of these about statements that have ended */

/* turns after which a statement that nobody has reported has ended */
#define MAX_MISSED	2

/* ---- telling ------------------------------------------------------------------- */

/* May another line go to the log?  How many could not since the last one. */
static bool
may_log(const PpAlert *alert, TimestampTz now, int *suppressed)
{
	static TimestampTz minute = 0;
	static int	lines = 0;
	static int	ended_lines = 0;
	static int	held_back = 0;
	bool		ended = alert->latest.statement && alert->latest.ended;

	if (now - minute >= USECS_PER_MINUTE || now < minute)
	{
		minute = now;
		lines = 0;
		ended_lines = 0;
	}
	if (lines >= LOG_RATE || (ended && ended_lines >= ENDED_LOG_RATE))
	{
		held_back++;
		return false;
	}
	lines++;
	ended_lines += ended;
	*suppressed = held_back;
	held_back = 0;
	return true;
}

/* An alert that has no line about its beginning has none about its end. */
static void
log_event(PpAlert *alert, PpAlertEvent event, TimestampTz now)
{
	const PpAlertReport *latest = &alert->latest;
	int			suppressed;

	if ((event == PP_ALERT_CLOSED && !alert->logged) ||
		!may_log(alert, now, &suppressed))
		return;
	alert->logged = event != PP_ALERT_CLOSED;
	/* log analysers take what follows upon "query:" for a query */
	ereport(LOG,
			(errmsg("alert %lld %s, %s, %s, %s", (long long) alert->alert_id,
					pp_alert_event_name(event),
					pp_severity_name(alert->severity), latest->kind,
					latest->message),
			 suppressed > 0 ?
			 errdetail("Subject: %s; database: %s.  %d lines about other alerts were held back.",
					   latest->subject,
					   latest->datname[0] != '\0' ? latest->datname : "-",
					   suppressed) :
			 errdetail("Subject: %s; database: %s.", latest->subject,
					   latest->datname[0] != '\0' ? latest->datname : "-"),
			 latest->remedy[0] == '\0' || event == PP_ALERT_CLOSED ? 0 :
			 errhint("%s", latest->remedy)));
}

/* True if anybody is to be told of it. */
static bool
is_news(const PpAlert *alert, PpAlertEvent event, TimestampTz now)
{
	if (alert->silence_id != 0)
		return false;
	switch (event)
	{
		case PP_ALERT_NOTHING:
			return false;
		case PP_ALERT_OPENED:
			return true;
		case PP_ALERT_REOPENED:
		case PP_ALERT_ESCALATED:
			/* what comes and goes is told of from time to time */
			return alert->severity > alert->told_severity ||
				(alert->acknowledged_at == 0 &&
				 now - alert->announced_at >=
				 pp_alert_cooldown * USECS_PER_SEC);
		case PP_ALERT_CLOSED:
			return alert->announced;
	}
	return false;
}

/* Tells of what happened to an alert, if it is to be told; true if so. */
static bool
announce(PpAlert *alert, PpAlertEvent event, TimestampTz now)
{
	if (!is_news(alert, event, now))
		return false;
	log_event(alert, event, now);
	pp_notify_put(alert, event, now);
	alert->announced = event != PP_ALERT_CLOSED;
	alert->announced_at = now;
	alert->told_severity = alert->severity;
	return true;
}

static void
replace(const PpAlert *changed)
{
	PpAlert		alert;

	for (int i = 0; i < PP_MAX_ALERTS; i++)
		if (pp_alerts_get(i, &alert) && alert.alert_id == changed->alert_id)
		{
			pp_alerts_replace(i, changed);
			break;
		}
}

/* ---- what happens ---------------------------------------------------------------- */

/*
 * A condition holds, or a statement has ended.  Opens its alert, or refreshes,
 * escalates or reopens the one there is.
 */
void
pp_alert_report(const PpAlertReport *report)
{
	TimestampTz now = GetCurrentTimestamp();
	PpAlert		alert;
	PpAlertEvent event;
	const char *evidence = NULL;
	int64		silence_id = 0;

	if (pp_alerts_find(report, now, &alert))
		silence_id = alert.silence_id;
	else
	{
		evidence = pp_alert_evidence(report);
		alert.is_open = false;
	}
	if (!alert.is_open)
		silence_id = pp_silences_match(report->kind, report->subject, 0);
	event = pp_alerts_put(report, evidence, silence_id, &alert);
	if (announce(&alert, event, now))
		replace(&alert);
}

/* An open alert: is it over, and is it silenced? */
static void
look_after(PpAlert *alert, TimestampTz now)
{
	int64		silenced_by = alert->silence_id;
	bool		over;

	if (alert->latest.statement)
		over = alert->latest.ended || alert->missed >= MAX_MISSED;
	else
		over = now - alert->last_seen >= pp_alert_cooldown * USECS_PER_SEC;
	alert->silence_id = pp_silences_match(alert->latest.kind,
										  alert->latest.subject, silenced_by);
	alert->missed++;
	if (over)
	{
		alert->is_open = false;
		alert->closed_at = now;
		announce(alert, PP_ALERT_CLOSED, now);
	}
	else if (silenced_by != 0 && alert->silence_id == 0 && !alert->announced)
		announce(alert, PP_ALERT_OPENED, now);
}

/* After the reports of each look: closes what is over. */
void
pp_alerts_turn(void)
{
	TimestampTz now = GetCurrentTimestamp();

	for (int i = 0; i < PP_MAX_ALERTS; i++)
	{
		PpAlert		alert;

		if (!pp_alerts_get(i, &alert) || !alert.is_open)
			continue;
		look_after(&alert, now);
		pp_alerts_replace(i, &alert);
	}
	pp_silences_expire(now);
}

/* A copy that holds nothing but printable ASCII, cut to so many bytes. */
void
pp_alert_clean(char *to, const char *from, Size size)
{
	strlcpy(to, from, size);
	for (; *to != '\0'; to++)
		if (*to < ' ' || *to > '~')
			*to = '?';
}
