/*
 * alert_save.c
 *	  Alerts and silences in the file of statistics.
 *
 * Rows are written as they stand in memory: what makes them another size or
 * gives them another meaning must change SAVE_VERSION.  Read rows are checked
 * before the first of them is loaded.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/timestamp.h"

#include "alert_save.h"
#include "alerts.h"
#include "silences.h"

/* What is left to read. */
typedef struct Source
{
	const char *at;
	Size		left;
} Source;

/* Takes so many bytes; false if there are fewer. */
static bool
take(Source *source, void *to, Size size)
{
	if (source->left < size)
		return false;
	memcpy(to, source->at, size);
	source->at += size;
	source->left -= size;
	return true;
}

/* Does the text end within its memory, and is it printable? */
static bool
is_text(const char *text, Size size)
{
	for (Size i = 0; i < size; i++)
	{
		if (text[i] == '\0')
			return true;
		if (text[i] < ' ' || text[i] > '~')
			return false;
	}
	return false;
}

#define IS_TEXT(array) is_text(array, sizeof(array))

/* ---- alerts ---------------------------------------------------------------------- */

static void
save_alert(const PpAlert *alert, const char *evidence, void *arg)
{
	StringInfo	buf = arg;

	appendBinaryStringInfo(buf, (const char *) alert, sizeof(*alert));
	appendBinaryStringInfo(buf, evidence, alert->evidence_length);
}

static void
save_alerts(StringInfo buf)
{
	int64		last_id = pp_alerts_last_id();

	appendBinaryStringInfo(buf, (const char *) &last_id, sizeof(last_id));
	pp_alerts_read(save_alert, buf);
}

static bool
is_bool(const bool *value)
{
	return *(const char *) value == 0 || *(const char *) value == 1;
}

static bool
alert_makes_sense(const PpAlert *alert)
{
	const PpAlertReport *latest = &alert->latest;

	return alert->alert_id > 0 && alert->occurrences > 0 &&
		alert->evidence_length >= 0 &&
		alert->evidence_length < PP_ALERT_EVIDENCE &&
		alert->severity >= PP_SEVERITY_INFO &&
		alert->severity <= PP_SEVERITY_CRITICAL &&
		alert->told_severity >= PP_SEVERITY_INFO &&
		alert->told_severity <= PP_SEVERITY_CRITICAL &&
		latest->outcome >= PP_NO_OUTCOME &&
		latest->outcome <= PP_OUTCOME_TERMINATED &&
		is_bool(&alert->is_open) && is_bool(&alert->announced) &&
		is_bool(&alert->logged) &&
		is_bool(&latest->statement) && is_bool(&latest->ended) &&
		IS_VALID_TIMESTAMP(alert->opened_at) &&
		IS_VALID_TIMESTAMP(alert->last_seen) &&
		IS_VALID_TIMESTAMP(alert->closed_at) &&
		IS_VALID_TIMESTAMP(alert->acknowledged_at) &&
		IS_TEXT(latest->kind) && IS_TEXT(latest->unit) &&
		IS_TEXT(latest->subject) && IS_TEXT(latest->datname) &&
		IS_TEXT(latest->message) && IS_TEXT(latest->remedy) &&
		IS_TEXT(alert->acknowledged_by);
}

/* No statement outlives the server. */
static void
settle(PpAlert *alert)
{
	if (!alert->is_open || !alert->latest.statement)
		return;
	alert->is_open = false;
	alert->closed_at = GetCurrentTimestamp();
	if (!alert->latest.ended)
		alert->latest.outcome = PP_OUTCOME_TERMINATED;
}

static bool
load_alerts(const char *data, Size length)
{
	for (int load = 0; load <= 1; load++)
	{
		Source		source = {data, length};
		int64		last_id;
		int			n = 0;

		if (!take(&source, &last_id, sizeof(last_id)) || last_id < 0)
			return false;
		while (source.left > 0)
		{
			PpAlert		alert;
			char		evidence[PP_ALERT_EVIDENCE];

			if (n++ >= PP_MAX_ALERTS ||
				!take(&source, &alert, sizeof(alert)) ||
				!alert_makes_sense(&alert) || alert.alert_id > last_id ||
				!take(&source, evidence, alert.evidence_length))
				return false;
			settle(&alert);
			if (load)
				pp_alerts_load(&alert, evidence);
		}
		if (load)
			pp_alerts_set_last_id(last_id);
	}
	return true;
}

static uint64
alerts_changes(void)
{
	PpAlertCounters counters;

	pp_alerts_counters(&counters);
	return counters.changes;
}

const PpSaveSection pp_alerts_section = {
	.number = 1,
	.save = save_alerts,
	.load = load_alerts,
	.changes = alerts_changes
};

/* ---- silences -------------------------------------------------------------------- */

static void
save_silences(StringInfo buf)
{
	PpSilence	silence;

	for (int i = 0; i < PP_MAX_SILENCES; i++)
		if (pp_silences_get(i, &silence))
			appendBinaryStringInfo(buf, (const char *) &silence,
								   sizeof(silence));
}

static bool
silence_makes_sense(const PpSilence *silence)
{
	return silence->silence_id > 0 && silence->silenced_alerts >= 0 &&
		IS_VALID_TIMESTAMP(silence->created_at) &&
		IS_VALID_TIMESTAMP(silence->expires_at) && IS_TEXT(silence->kind) &&
		IS_TEXT(silence->subject_pattern) && IS_TEXT(silence->created_by);
}

static bool
load_silences(const char *data, Size length)
{
	for (int load = 0; load <= 1; load++)
	{
		Source		source = {data, length};
		int			n = 0;

		while (source.left > 0)
		{
			PpSilence	silence;

			if (n++ >= PP_MAX_SILENCES ||
				!take(&source, &silence, sizeof(silence)) ||
				!silence_makes_sense(&silence))
				return false;
			if (load)
				pp_silences_load(&silence);
		}
	}
	return true;
}

const PpSaveSection pp_silences_section = {
	.number = 2,
	.save = save_silences,
	.load = load_silences,
	.changes = pp_silences_changes
};
