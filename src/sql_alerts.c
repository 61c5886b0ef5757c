/*
 * sql_alerts.c
 *	  The functions behind alerts and silences.
 *
 * What tells of the sessions and queries of others is for pg_read_all_stats.
 * All texts are ASCII, so they are the same in every database.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_authid.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "alert_events.h"
#include "alert_rules.h"
#include "compat.h"
#include "shmem.h"
#include "silences.h"
#include "sql_api.h"

PP_FUNCTION(pp_alerts);
PP_FUNCTION(pp_silences);
PP_FUNCTION(pp_acknowledge_alert);
PP_FUNCTION(pp_add_silence);
PP_FUNCTION(pp_drop_silence);

typedef struct AlertsCall
{
	ReturnSetInfo *rsinfo;
	bool		reads_all;
	Oid			reader;
} AlertsCall;

/* What only those may see who may see the sessions of others. */
static void
put_hidden(PpColumns *c, const char *s, bool may_see)
{
	pp_put_text(c, may_see ? s : "<insufficient privilege>");
}

/* Which alert: everything up to its times. */
static void
put_what(PpColumns *c, const PpAlert *alert, bool may_see)
{
	const PpAlertReport *latest = &alert->latest;

	pp_put(c, Int64GetDatum(alert->alert_id));
	pp_put_text(c, latest->kind);
	pp_put_text(c, pp_severity_name(alert->severity));
	pp_put(c, BoolGetDatum(alert->is_open));
	put_hidden(c, latest->subject, may_see);
	pp_put_text(c, latest->datname);
	if (may_see && latest->queryid != 0)
		pp_put(c, Int64GetDatum(latest->queryid));
	else
		pp_put_null(c);
	if (may_see && latest->pid != 0)
		pp_put(c, Int32GetDatum(latest->pid));
	else
		pp_put_null(c);
	pp_put(c, Float8GetDatum(latest->value));
	pp_put(c, Float8GetDatum(latest->threshold));
	pp_put_text(c, latest->unit);
	put_hidden(c, latest->message, may_see);
	put_hidden(c, latest->remedy, may_see);
}

static void
put_alert(const PpAlert *alert, const char *evidence, void *arg)
{
	AlertsCall *call = arg;
	const PpAlertReport *latest = &alert->latest;
	bool		may_see = call->reads_all ||
	(OidIsValid(latest->userid) && latest->userid == call->reader);
	PpColumns	c = {0};

	put_what(&c, alert, may_see);
	pp_put_time(&c, alert->opened_at);
	pp_put_time(&c, alert->last_seen);
	pp_put_time(&c, alert->is_open ? 0 : alert->closed_at);
	pp_put(&c, Int64GetDatum(alert->occurrences));
	pp_put_text(&c, latest->outcome == PP_NO_OUTCOME ? "" :
				pp_outcome_name((PpOutcome) latest->outcome));
	pp_put_time(&c, alert->acknowledged_at);
	if (alert->acknowledged_at == 0)
		pp_put_null(&c);
	else
		put_hidden(&c, alert->acknowledged_by, call->reads_all);
	pp_put(&c, BoolGetDatum(alert->silence_id != 0));
	if (call->reads_all && evidence[0] != '\0')
		pp_put(&c, DirectFunctionCall1(jsonb_in, CStringGetDatum(evidence)));
	else
		pp_put_null(&c);
	pp_put_row(call->rsinfo, &c);
}

/* A row for each alert that is kept. */
Datum
pp_alerts(PG_FUNCTION_ARGS)
{
	AlertsCall	call = {
		.rsinfo = pp_begin_result(fcinfo, 22),
		.reader = GetUserId()
	};

	call.reads_all = has_privs_of_role(call.reader, ROLE_PG_READ_ALL_STATS);
	pp_alerts_read(put_alert, &call);
	return (Datum) 0;
}

/* Marks an alert as seen, by whoever calls this; false if there is no such. */
Datum
pp_acknowledge_alert(PG_FUNCTION_ARGS)
{
	char		by[PP_ALERT_NAME];

	pp_shmem_require();
	pp_alert_clean(by, GetUserNameFromId(GetUserId(), false), sizeof(by));
	PG_RETURN_BOOL(pp_alerts_acknowledge(PG_GETARG_INT64(0), by));
}

/* A row for each silence. */
Datum
pp_silences(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = pp_begin_result(fcinfo, 7);
	bool		reads_all = has_privs_of_role(GetUserId(),
											  ROLE_PG_READ_ALL_STATS);

	for (int i = 0; i < PP_MAX_SILENCES; i++)
	{
		PpSilence	silence;
		PpColumns	c = {0};

		if (!pp_silences_get(i, &silence))
			continue;
		pp_put(&c, Int64GetDatum(silence.silence_id));
		pp_put_text(&c, silence.kind);
		put_hidden(&c, silence.subject_pattern, reads_all);
		pp_put_time(&c, silence.created_at);
		put_hidden(&c, silence.created_by, reads_all);
		pp_put_time(&c, silence.expires_at);
		pp_put(&c, Int64GetDatum(silence.silenced_alerts));
		pp_put_row(rsinfo, &c);
	}
	return (Datum) 0;
}

/* Takes the kind, or NULL for all; raises an error if there is no such kind. */
static void
set_kind(PpSilence *silence, text *name)
{
	char	   *kind = text_to_cstring(name);

	if (!pp_alert_is_kind(kind))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no kind of alert \"%s\"", kind),
				 errhint("The column kind of pool_perf.alerts has them; NULL stands for all.")));
	strlcpy(silence->kind, kind, sizeof(silence->kind));
}

static void
set_pattern(PpSilence *silence, text *pattern)
{
	char	   *s = text_to_cstring(pattern);

	if (strlen(s) >= sizeof(silence->subject_pattern))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the pattern of a subject must be shorter than %d bytes",
						PP_ALERT_SUBJECT)));
	for (const char *c = s; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the pattern of a subject must be printable ASCII"),
					 errhint("Subjects have a question mark for every other byte; _ stands for any one.")));
	strlcpy(silence->subject_pattern, s, sizeof(silence->subject_pattern));
}

/* Arguments: kind, subject_pattern, duration; NULL stands for any. */
Datum
pp_add_silence(PG_FUNCTION_ARGS)
{
	PpSilence	silence = {0};
	int64		id;

	pp_shmem_require();
	if (!PG_ARGISNULL(0))
		set_kind(&silence, PG_GETARG_TEXT_PP(0));
	if (PG_ARGISNULL(1))
		strlcpy(silence.subject_pattern, "%", PP_ALERT_SUBJECT);
	else
		set_pattern(&silence, PG_GETARG_TEXT_PP(1));
	silence.created_at = GetCurrentTimestamp();
	silence.expires_at = PG_ARGISNULL(2) ? silence.created_at :
		DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
												TimestampTzGetDatum(silence.created_at),
												PG_GETARG_DATUM(2)));
	if (silence.expires_at <= silence.created_at ||
		TIMESTAMP_NOT_FINITE(silence.expires_at))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a silence must have a duration")));
	pp_alert_clean(silence.created_by, GetUserNameFromId(GetUserId(), false),
				   sizeof(silence.created_by));
	id = pp_silences_add(&silence);
	if (id == 0)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("there are %d silences already", PP_MAX_SILENCES),
				 errhint("Drop some of pool_perf.silences with pool_perf.drop_silence().")));
	PG_RETURN_INT64(id);
}

/* False if there is no such silence. */
Datum
pp_drop_silence(PG_FUNCTION_ARGS)
{
	pp_shmem_require();
	PG_RETURN_BOOL(pp_silences_drop(PG_GETARG_INT64(0)));
}
