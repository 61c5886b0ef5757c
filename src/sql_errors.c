/*
 * sql_errors.c
 *	  The functions behind pool_perf.errors and the failure rates.
 *
 * Which query of somebody else's failed is for pg_read_all_stats.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "compat.h"
#include "error_conditions.h"
#include "error_rates.h"
#include "errors.h"
#include "outcome.h"
#include "sql_api.h"

PP_FUNCTION(pp_errors);
PP_FUNCTION(pp_failure_rates);

/* as many databases as have rates */
#define MAX_DATABASES	64

static void
put_oid(PpColumns *c, Oid oid)
{
	if (OidIsValid(oid))
		pp_put(c, ObjectIdGetDatum(oid));
	else
		pp_put_null(c);
}

/* Formats stand in source code, of whatever encoding. */
static char *
readable_format(const char *message)
{
	char	   *copy;

	if (message[0] == '\0')
		return NULL;
	copy = pstrdup(message);
	for (char *c = copy; *c != '\0'; c++)
		if (IS_HIGHBIT_SET(*c))
			*c = '?';
	return copy;
}

/* queryid, and what stands for the text where there is none to look up */
static void
put_query(PpColumns *c, const PpErrorKey *key, bool may_see)
{
	const char *instead = NULL;

	if (may_see && key->queryid != 0)
		pp_put(c, Int64GetDatum(key->queryid));
	else
		pp_put_null(c);
	if (key->flags & PP_ERROR_OTHER)
		instead = "<other>";
	else if (!(key->flags & PP_ERROR_BEFORE))
	{
		if (!may_see)
			instead = "<insufficient privilege>";
		else if (key->queryid == 0)
			instead = "<no query id>";
	}
	pp_put_text(c, instead);
}

static void
put_error(ReturnSetInfo *rsinfo, const PpErrorRow *row, bool may_see)
{
	const PpErrorKey *key = &row->key;
	PpColumns	c = {0};

	put_oid(&c, key->dbid);
	put_oid(&c, key->userid);
	put_query(&c, key, may_see);
	if (key->flags & PP_ERROR_OTHER)
		for (int i = 0; i < 4; i++)
			pp_put_null(&c);
	else
	{
		const char *sqlstate = unpack_sql_state(key->sqlstate);

		pp_put_text(&c, sqlstate);
		pp_put_text(&c, pp_error_condition(sqlstate));
		pp_put_text(&c, key->flags & PP_ERROR_FATAL ? "FATAL" : "ERROR");
		pp_put_text(&c, pp_outcome_name((PpOutcome) key->outcome));
	}
	pp_put(&c, Int64GetDatum(row->totals.errors));
	pp_put_text(&c, readable_format(row->message));
	pp_put_ms(&c, row->totals.total_time);
	pp_put_ms(&c, row->totals.max_time);
	pp_put_time(&c, row->totals.first_seen);
	pp_put_time(&c, row->totals.last_seen);
	pp_put_row(rsinfo, &c);
}

/* A row for each query and SQLSTATE, and for each database's evicted ones. */
Datum
pp_errors(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = pp_begin_result(fcinfo, 14);
	Oid			reader = GetUserId();
	bool		reads_all = has_privs_of_role(reader, ROLE_PG_READ_ALL_STATS);
	PpErrorRow *rows = MemoryContextAllocHuge(CurrentMemoryContext,
											  pp_errors_max_rows() *
											  sizeof(PpErrorRow));
	int			n = pp_errors_copy(rows);

	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		put_error(rsinfo, &rows[i],
				  reads_all || rows[i].key.userid == reader);
	}
	pfree(rows);
	return (Datum) 0;
}

/* Failed calls in percent; NULL without calls. */
static void
put_failed_percent(PpColumns *c, const PpErrorRate *rate)
{
	if (rate->calls > 0)
		pp_put(c, Float8GetDatum(100.0 * rate->failed / rate->calls));
	else
		pp_put_null(c);
}

/* A row for each database that had calls of late. */
Datum
pp_failure_rates(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = pp_begin_result(fcinfo, 7);
	Oid			dbids[MAX_DATABASES];
	int			n = pp_error_rates_databases(dbids, MAX_DATABASES);

	for (int i = 0; i < n; i++)
	{
		static const int windows[] = {60, 300, 900};
		PpErrorRate rates[lengthof(windows)] = {0};
		PpColumns	c = {0};

		pp_put(&c, ObjectIdGetDatum(dbids[i]));
		for (int w = 0; w < lengthof(windows); w++)
		{
			pp_error_rate(dbids[i], windows[w], &rates[w]);
			put_failed_percent(&c, &rates[w]);
		}
		pp_put(&c, Int64GetDatum(rates[1].calls));
		pp_put(&c, Int64GetDatum(rates[1].failed));
		pp_put(&c, Int64GetDatum(rates[1].normal));
		pp_put_row(rsinfo, &c);
	}
	return (Datum) 0;
}
