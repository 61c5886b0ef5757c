/*
 * sql_slow_queries.c
 *	  The function behind pool_perf.slow_queries.
 *
 * Texts, ids, addresses and sessions of other people's executions are for
 * pg_read_all_stats.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "commands/dbcommands.h"
#include "common/ip.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "slow_queries.h"
#include "sql_api.h"
#include "sql_seen.h"

PP_FUNCTION(pp_slow_queries);

static void
put_name(PpColumns *c, const char *name)
{
	if (name == NULL)
		pp_put_null(c);
	else
		pp_put(c, DirectFunctionCall1(namein, CStringGetDatum(name)));
}

/* One of the kept texts, in the reader's encoding. */
static void
put_kept_text(PpColumns *c, const PpSlowQuery *query, const char *kept,
			  int length)
{
	PpQueryText text = {
		.text = kept,
		.length = length,
		.encoding = query->encoding
	};

	if (length == 0)
		pp_put_null(c);
	else
		pp_put(c, PointerGetDatum(pp_readable_text(&text)));
}

static void
put_address(PpColumns *c, char *address)
{
	/* what inet does not know: the scope of a link-local address */
	char	   *scope = strchr(address, '%');

	if (scope != NULL)
		*scope = '\0';
	if (address[0] == '\0')
		pp_put_null(c);
	else
		pp_put(c, DirectFunctionCall1(inet_in, CStringGetDatum(address)));
}

/* When, how bad, how long: what everybody may see. */
static void
put_figures(PpColumns *c, const PpSlowQuery *query)
{
	pp_put(c, Int64GetDatum((int64) query->id));
	pp_put(c, TimestampTzGetDatum(query->started_at));
	pp_put(c, TimestampTzGetDatum(query->ended_at));
	pp_put_text(c, pp_severity_name(query->severity));
	pp_put_text(c, pp_outcome_name(query->outcome));
	pp_put_text(c, query->sqlstate == 0 ? NULL :
				unpack_sql_state(query->sqlstate));
	pp_put_ms(c, pp_slow_query_time(query));
	pp_put_ms(c, query->before_time);
	pp_put_ms(c, query->plan_time);
	pp_put_ms(c, query->exec_time);
	pp_put(c, Int64GetDatum(query->rows));
}

/* Who and what: what not everybody may see. */
static void
put_identity(PpColumns *c, PpSlowQuery *query, bool may_see)
{
	if (may_see)
		pp_put(c, Int32GetDatum(query->pid));
	else
		pp_put_null(c);
	put_name(c, get_database_name(query->key.dbid));
	put_name(c, GetUserNameFromId(query->key.userid, true));
	pp_put_text(c, may_see ? query->application_name : NULL);
	if (may_see)
		put_address(c, query->client_addr);
	else
		pp_put_null(c);
	if (may_see && query->key.queryid != 0)
		pp_put(c, Int64GetDatum(query->key.queryid));
	else
		pp_put_null(c);
	if (may_see && query->fingerprint != 0)
		pp_put(c, Int64GetDatum((int64) query->fingerprint));
	else
		pp_put_null(c);
}

static void
put_texts(PpColumns *c, const PpSlowQuery *query, const PpSlowTexts *texts)
{
	if (query->query_length > 0)
		put_kept_text(c, query, texts->query, query->query_length);
	else
		pp_put_text(c, query->key.queryid == 0 ? "<no query id>" :
					"<text not recorded>");
	put_kept_text(c, query, texts->parameters, query->parameters_length);
	put_kept_text(c, query, texts->plan, query->plan_length);
}

static void
put_slow_query(ReturnSetInfo *rsinfo, PpSlowQuery *query,
			   const PpSlowTexts *texts, bool may_see)
{
	PpColumns	c = {0};

	put_figures(&c, query);
	put_identity(&c, query, may_see);
	if (may_see)
		put_texts(&c, query, texts);
	else
	{
		pp_put_text(&c, "<insufficient privilege>");
		pp_put_null(&c);
		pp_put_null(&c);
	}
	pp_put(&c, Int64GetDatum(query->shared_blks_hit));
	pp_put(&c, Int64GetDatum(query->shared_blks_read));
	pp_put(&c, Int64GetDatum(query->temp_blks_written));
	pp_put(&c, Int64GetDatum(query->wal_bytes));
	if (may_see)
	{
		pp_put_waits(&c, &query->seen);
		pp_put_blockers(&c, &query->seen);
	}
	else
	{
		pp_put_null(&c);
		pp_put_null(&c);
	}
	pp_put_row(rsinfo, &c);
}

/* A row for each slow execution that is kept. */
Datum
pp_slow_queries(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = pp_begin_result(fcinfo, 27);
	Oid			reader = GetUserId();
	bool		reads_all = has_privs_of_role(reader, ROLE_PG_READ_ALL_STATS);
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext row_context = AllocSetContextCreate(caller, "pool_perf row",
													  ALLOCSET_DEFAULT_SIZES);
	PpSlowTexts *texts = palloc(sizeof(*texts));
	PpSlowQuery query;

	for (int i = 0; i < pp_slow_queries_places(); i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!pp_slow_queries_read(i, &query, texts))
			continue;
		MemoryContextSwitchTo(row_context);
		put_slow_query(rsinfo, &query, texts,
					   reads_all || query.key.userid == reader);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(row_context);
	}
	MemoryContextDelete(row_context);
	return (Datum) 0;
}
