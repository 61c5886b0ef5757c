/*
 * waits_json.c
 *	  What a statement was seen waiting for, as a value of SQL.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"

#include "compat.h"
#include "waits_json.h"

static void
append_name(StringInfo json, const char *key, const char *name)
{
	appendStringInfo(json, "\"%s\": ", key);
	if (name == NULL)
		appendStringInfoString(json, "null");
	else
		escape_json(json, name);
	appendStringInfoString(json, ", ");
}

/* An array of objects, in the order of first sight; both names null: on CPU. */
Datum
pp_waits_json(const PpSeen *seen)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	for (int i = 0; i < PP_WAITS && seen->waits[i].samples > 0; i++)
	{
		const PpWait *wait = &seen->waits[i];

		appendStringInfoString(&json, i > 0 ? ", {" : "{");
		append_name(&json, "wait_event_type",
					pgstat_get_wait_event_type(wait->event));
		append_name(&json, "wait_event", pgstat_get_wait_event(wait->event));
		appendStringInfo(&json, "\"samples\": %u}", wait->samples);
	}
	appendStringInfoChar(&json, ']');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
}
