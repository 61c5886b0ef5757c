/*
 * alert_evidence.c
 *	  What the server was doing when an alert opened, as JSON.
 *
 * Made by the worker from its last look, in its memory.  Queries are named by
 * their ids, so no text is in it.  Lists are cut to what has room; how many
 * there were is said beside each.
 */
#include "postgres.h"

#include "pgstat.h"
#include "utils/timestamp.h"

#include "alert_events.h"
#include "alert_evidence.h"
#include "errors.h"
#include "json.h"
#include "sampler.h"

/* members of a list, at most */
#define LIST_LENGTH		10

/* bytes that each list may fill up to, of PP_ALERT_EVIDENCE */
#define RUNNING_END		1800
#define BLOCKING_END	2900
#define CONNECTIONS_END 3500
#define ERRORS_END		4000

/* how far back errors are of interest */
#define ERRORS_TIME		(5 * USECS_PER_MINUTE)
#define ERRORS_LENGTH	5

typedef struct Looks
{
	const PpLook *looks;
	int			n;
} Looks;

typedef struct SessionGroup
{
	const char *application_name;
	BackendState state;
	int			sessions;
} SessionGroup;

/* Appends an object to a list, if it ends before there; false if not. */
static bool
add_member(StringInfo json, StringInfo member, int end)
{
	if (json->len + member->len + 2 > end)
		return false;
	if (json->data[json->len - 1] != '[')
		appendStringInfoChar(json, ',');
	appendStringInfo(json, "{%s}", member->data);
	return true;
}

static void
put_blockers(StringInfo buf, const PpLook *look)
{
	pp_json_key(buf, "blocked_by");
	appendStringInfoChar(buf, '[');
	for (int i = 0; i < look->nblockers; i++)
		appendStringInfo(buf, "%s%d", i > 0 ? "," : "", look->blockers[i]);
	appendStringInfoChar(buf, ']');
}

static void
put_application(StringInfo buf, const char *name)
{
	char		clean[NAMEDATALEN];

	pp_alert_clean(clean, name, sizeof(clean));
	pp_json_text(buf, "application_name", clean);
}

/* ---- the lists -------------------------------------------------------------- */

/* Longest running first. */
static int
compare_started(const void *a, const void *b)
{
	TimestampTz p = (*(const PpLook *const *) a)->started_at;
	TimestampTz q = (*(const PpLook *const *) b)->started_at;

	return (p > q) - (p < q);
}

static void
put_running(StringInfo json, StringInfo member, const Looks *looks)
{
	const PpLook **running = palloc(Max(looks->n, 1) * sizeof(PpLook *));
	int			n = 0;

	for (int i = 0; i < looks->n; i++)
		if (looks->looks[i].client &&
			looks->looks[i].phase != PP_PHASE_NONE)
			running[n++] = &looks->looks[i];
	qsort(running, n, sizeof(PpLook *), compare_started);

	pp_json_integer(json, "running_statements", n);
	pp_json_key(json, "running");
	appendStringInfoChar(json, '[');
	for (int i = 0; i < Min(n, LIST_LENGTH); i++)
	{
		const PpLook *look = running[i];

		resetStringInfo(member);
		pp_json_integer(member, "pid", look->pid);
		put_application(member, look->application_name);
		pp_json_id(member, "queryid", look->key.queryid);
		pp_json_number(member, "elapsed_time", look->elapsed);
		pp_json_text(member, "wait_event_type",
					 pgstat_get_wait_event_type(look->wait_event));
		pp_json_text(member, "wait_event",
					 pgstat_get_wait_event(look->wait_event));
		if (!add_member(json, member, RUNNING_END))
			break;
	}
	appendStringInfoChar(json, ']');
}

/* Who waits, and for whom in the end. */
static void
put_blocking(StringInfo json, StringInfo member, const Looks *looks)
{
	TimestampTz now = GetCurrentTimestamp();
	int			waiting = 0;
	int			shown = 0;

	for (int i = 0; i < looks->n; i++)
		waiting += looks->looks[i].nblockers > 0;
	pp_json_integer(json, "waiting_sessions", waiting);
	pp_json_key(json, "blocking");
	appendStringInfoChar(json, '[');
	for (int i = 0; i < looks->n && shown < LIST_LENGTH; i++)
	{
		const PpLook *look = &looks->looks[i];
		const PpLook *root;

		if (look->nblockers == 0)
			continue;
		root = pp_sampler_find(look->root_blocker);
		resetStringInfo(member);
		pp_json_integer(member, "pid", look->pid);
		pp_json_number(member, "waiting_time",
					   (now - look->waiting_since) / 1000.0);
		put_blockers(member, look);
		pp_json_integer(member, "root_blocker", look->root_blocker);
		pp_json_text(member, "root_blocker_state",
					 root != NULL ? pp_state_name(root->state) : NULL);
		if (!add_member(json, member, BLOCKING_END))
			break;
		shown++;
	}
	appendStringInfoChar(json, ']');
}

static int
compare_groups(const void *a, const void *b)
{
	return ((const SessionGroup *) b)->sessions - ((const SessionGroup *) a)->sessions;
}

/* The sessions of clients by application and state; looks are few groups. */
static void
put_connections(StringInfo json, StringInfo member, const Looks *looks)
{
	SessionGroup *groups = palloc(Max(looks->n, 1) * sizeof(SessionGroup));
	int			n = 0;
	int			sessions = 0;

	for (int i = 0; i < looks->n; i++)
	{
		const PpLook *look = &looks->looks[i];
		int			g = 0;

		if (!look->client)
			continue;
		sessions++;
		while (g < n && (groups[g].state != look->state ||
						 strcmp(groups[g].application_name,
								look->application_name) != 0))
			g++;
		if (g == n)
		{
			groups[n].application_name = look->application_name;
			groups[n].state = look->state;
			groups[n++].sessions = 0;
		}
		groups[g].sessions++;
	}
	qsort(groups, n, sizeof(SessionGroup), compare_groups);

	pp_json_integer(json, "sessions", sessions);
	pp_json_key(json, "connections");
	appendStringInfoChar(json, '[');
	for (int g = 0; g < Min(n, LIST_LENGTH); g++)
	{
		resetStringInfo(member);
		put_application(member, groups[g].application_name);
		pp_json_text(member, "state", pp_state_name(groups[g].state));
		pp_json_integer(member, "sessions", groups[g].sessions);
		if (!add_member(json, member, CONNECTIONS_END))
			break;
	}
	appendStringInfoChar(json, ']');
}

/* Most frequent first. */
static int
compare_errors(const void *a, const void *b)
{
	int64		p = ((const PpErrorRow *) a)->totals.errors;
	int64		q = ((const PpErrorRow *) b)->totals.errors;

	return (p < q) - (p > q);
}

/* The errors that were seen in the last minutes, with their sums ever since. */
static void
put_errors(StringInfo json, StringInfo member)
{
	TimestampTz since = GetCurrentTimestamp() - ERRORS_TIME;
	PpErrorRow *rows = palloc(pp_errors_max_rows() * sizeof(PpErrorRow));
	int			n = pp_errors_copy(rows);
	int			recent = 0;

	for (int i = 0; i < n; i++)
		if (rows[i].totals.last_seen >= since &&
			(rows[i].key.flags & PP_ERROR_OTHER) == 0)
			rows[recent++] = rows[i];
	qsort(rows, recent, sizeof(PpErrorRow), compare_errors);

	pp_json_key(json, "errors");
	appendStringInfoChar(json, '[');
	for (int i = 0; i < Min(recent, ERRORS_LENGTH); i++)
	{
		resetStringInfo(member);
		pp_json_text(member, "sqlstate",
					 unpack_sql_state(rows[i].key.sqlstate));
		pp_json_id(member, "queryid", rows[i].key.queryid);
		pp_json_integer(member, "errors", rows[i].totals.errors);
		pp_json_time(member, "last_seen", rows[i].totals.last_seen);
		if (!add_member(json, member, ERRORS_END))
			break;
	}
	appendStringInfoChar(json, ']');
	pfree(rows);
}

/* In CurrentMemoryContext, shorter than PP_ALERT_EVIDENCE. */
const char *
pp_alert_evidence(const PpAlertReport *report)
{
	Looks		looks;
	StringInfoData json;
	StringInfoData member;

	looks.n = pp_sampler_looks(&looks.looks);
	initStringInfo(&json);
	initStringInfo(&member);
	appendStringInfoChar(&json, '{');
	put_running(&json, &member, &looks);
	put_blocking(&json, &member, &looks);
	put_connections(&json, &member, &looks);
	put_errors(&json, &member);
	appendStringInfoChar(&json, '}');
	Assert(json.len < PP_ALERT_EVIDENCE);
	return json.data;
}
