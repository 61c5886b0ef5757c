/*
 * sql_seen.c
 *	  What the worker saw of a statement, as values of SQL.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"

#include "compat.h"
#include "sql_seen.h"

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

/*
 * An array of objects, in the order of first sight; both names null: on CPU.
 * NULL if nothing was seen.
 */
void
pp_put_waits(PpColumns *c, const PpSeen *seen)
{
	StringInfoData json;

	if (seen->samples == 0)
	{
		pp_put_null(c);
		return;
	}
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
	pp_put(c, DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data)));
}

/* An array of process ids; NULL if there are none. */
void
pp_put_blockers(PpColumns *c, const PpSeen *seen)
{
	Datum		pids[PP_BLOCKERS];
	int			n = Min(seen->nblockers, PP_BLOCKERS);

	for (int i = 0; i < n; i++)
		pids[i] = Int32GetDatum(seen->blockers[i]);
	if (n == 0)
		pp_put_null(c);
	else
		pp_put(c, PointerGetDatum(construct_array(pids, n, INT4OID,
												  sizeof(int32), true,
												  TYPALIGN_INT)));
}
