/*
 * sql_queries.c
 *	  The function behind pool_perf.queries.
 *
 * Texts, ids and fingerprints of other people's queries are for
 * pg_read_all_stats.  A text is in the encoding of the database that wrote it;
 * characters that the reader's encoding lacks are shown as question marks.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "compat.h"
#include "histogram.h"
#include "histogram_type.h"
#include "queries.h"
#include "sql_api.h"

PP_FUNCTION(pp_queries);

/* names of databases and roles that one call looks up and keeps */
#define KEPT_NAMES		64

typedef struct KeptName
{
	Oid			oid;
	Datum		name;			/* 0: there is none */
} KeptName;

typedef struct KeptNames
{
	KeptName	kept[KEPT_NAMES];
	Datum		(*look_up) (Oid oid);
} KeptNames;

typedef struct QueriesCall
{
	ReturnSetInfo *rsinfo;
	MemoryContext row_context;
	bool		with_texts;
	bool		reads_all;
	Oid			reader;
	KeptNames	databases;
	KeptNames	roles;
} QueriesCall;

/* ---- names -------------------------------------------------------------------- */

static Datum
name_datum(const char *name)
{
	return name == NULL ? (Datum) 0 :
		DirectFunctionCall1(namein, CStringGetDatum(name));
}

static Datum
database_name(Oid oid)
{
	return name_datum(get_database_name(oid));
}

static Datum
role_name(Oid oid)
{
	return name_datum(GetUserNameFromId(oid, true));
}

/* Puts the name, or NULL if there is no such thing any more. */
static void
put_name(PpColumns *c, KeptNames *names, Oid oid, MemoryContext keep)
{
	KeptName   *name = &names->kept[oid % KEPT_NAMES];

	if (!OidIsValid(oid))
	{
		pp_put_null(c);
		return;
	}
	if (name->oid != oid)
	{
		MemoryContext caller = MemoryContextSwitchTo(keep);

		name->name = names->look_up(oid);
		name->oid = oid;
		MemoryContextSwitchTo(caller);
	}
	if (name->name == (Datum) 0)
		pp_put_null(c);
	else
		pp_put(c, name->name);
}

/* ---- texts --------------------------------------------------------------------- */

/* A copy in which every byte that is not ASCII is a question mark. */
static text *
ascii_only(const char *s, int length)
{
	text	   *copy = cstring_to_text_with_len(s, length);

	for (char *c = VARDATA(copy); c < VARDATA(copy) + length; c++)
		if (IS_HIGHBIT_SET(*c))
			*c = '?';
	return copy;
}

/* A copy in which what is not valid in the encoding is a question mark. */
static text *
valid_only(const char *s, int length, int encoding)
{
	text	   *copy = palloc(VARHDRSZ + length);
	char	   *to = VARDATA(copy);
	const char *end = s + length;

	while (s < end)
	{
		int			good = pg_encoding_verifymbstr(encoding, s, end - s);

		memcpy(to, s, good);
		to += good;
		s += good;
		if (s < end)
		{
			*to++ = '?';
			s++;
		}
	}
	SET_VARSIZE(copy, to - (char *) copy);
	return copy;
}

/*
 * The encoding in which the reader wants texts.  A database of SQL_ASCII hands
 * bytes to the client as they are, so they must be the client's.
 */
static int
target_encoding(void)
{
	if (GetDatabaseEncoding() == PG_SQL_ASCII)
		return pg_get_client_encoding();
	return GetDatabaseEncoding();
}

/* The text in the reader's encoding; never an error. */
text	   *
pp_readable_text(const PpQueryText *query)
{
	int			from = query->encoding;
	int			to = target_encoding();
	const unsigned char *s = (const unsigned char *) query->text;
	int			left = query->length;
	StringInfoData buf;
	char	   *piece;
	Oid			proc;
	bool		ascii = true;

	for (int i = 0; i < left && ascii; i++)
		ascii = !IS_HIGHBIT_SET(s[i]);
	if (ascii)
		return cstring_to_text_with_len(query->text, left);
	if (from == PG_SQL_ASCII && GetDatabaseEncoding() == PG_SQL_ASCII)
		return to == PG_SQL_ASCII ?
			cstring_to_text_with_len(query->text, left) :
			valid_only(query->text, left, to);
	if (!PG_VALID_BE_ENCODING(from) || from == PG_SQL_ASCII)
		return ascii_only(query->text, left);
	if (from == to || to == PG_SQL_ASCII)
		return valid_only(query->text, left, from);
	proc = FindDefaultConversionProc(from, to);
	if (!OidIsValid(proc))
		return ascii_only(query->text, left);

	initStringInfo(&buf);
	piece = palloc((Size) left * MAX_CONVERSION_GROWTH + 1);
	while (left > 0)
	{
		int			done;

		done = pg_do_encoding_conversion_buf(proc, from, to,
											 (unsigned char *) s,
											 left, (unsigned char *) piece,
											 left * MAX_CONVERSION_GROWTH + 1,
											 true);
		appendStringInfoString(&buf, piece);
		s += done;
		left -= done;
		if (left > 0)
		{
			int			skipped = Min(pg_encoding_mblen(from, (const char *) s),
									  left);

			appendStringInfoChar(&buf, '?');
			s += Max(skipped, 1);
			left -= Max(skipped, 1);
		}
	}
	return cstring_to_text_with_len(buf.data, buf.len);
}

/* Why there is a text to show, or what is shown instead of it. */
static Datum
query_column(const PpQueryRow *row, bool may_see)
{
	if (row->key.flags & PP_KEY_OTHER)
		return CStringGetTextDatum("<other>");
	if (!may_see)
		return CStringGetTextDatum("<insufficient privilege>");
	if (row->key.queryid == 0)
		return CStringGetTextDatum("<no query id>");
	if (row->text.text == NULL)
		return CStringGetTextDatum("<text not recorded>");
	return PointerGetDatum(pp_readable_text(&row->text));
}

/* ---- rows ------------------------------------------------------------------------ */

/* total, min, max, mean and stddev of n executions or plans */
static void
put_times(PpColumns *c, const PpTimes *times, int64 n)
{
	double		mean = n > 0 ? (double) times->total / n : 0;
	double		variance = n > 0 ? times->squares / n - mean * mean : 0;

	pp_put_ms(c, times->total);
	pp_put_ms(c, n > 0 ? times->min : 0);
	pp_put_ms(c, n > 0 ? times->max : 0);
	pp_put(c, Float8GetDatum(mean / 1e6));
	pp_put(c, Float8GetDatum(n > 1 && variance > 0 ? sqrt(variance) / 1e6 : 0));
}

/*
 * A bucket's figure stands for all of it, and may lie beyond what the row has
 * seen: no percentile is more than the maximum.
 */
static void
put_quantiles(PpColumns *c, const PpTotals *totals)
{
	static const double fractions[] = {0.5, 0.95, 0.99, 0.999};
	double		quantiles[lengthof(fractions)];

	pp_histogram_quantiles(totals->buckets, totals->first_bucket,
						   totals->last_bucket, fractions,
						   lengthof(fractions), quantiles);
	for (int i = 0; i < lengthof(fractions); i++)
		pp_put(c, Float8GetDatum(Min(quantiles[i], totals->max_time / 1e6)));
}

static void
put_usage(PpColumns *c, const PpTotals *totals)
{
	const PpUsage *u = &totals->usage;

	pp_put(c, Int64GetDatum(totals->shared_blks_hit));
	pp_put(c, Int64GetDatum(u->shared_blks_read));
	pp_put(c, Int64GetDatum(u->shared_blks_dirtied));
	pp_put(c, Int64GetDatum(u->shared_blks_written));
	pp_put(c, Int64GetDatum(u->local_blks_hit));
	pp_put(c, Int64GetDatum(u->local_blks_read));
	pp_put(c, Int64GetDatum(u->local_blks_dirtied));
	pp_put(c, Int64GetDatum(u->local_blks_written));
	pp_put(c, Int64GetDatum(u->temp_blks_read));
	pp_put(c, Int64GetDatum(u->temp_blks_written));
	pp_put_ms(c, u->shared_blk_read_time);
	pp_put_ms(c, u->shared_blk_write_time);
#ifdef PP_HAVE_LOCAL_BLK_TIME
	pp_put_ms(c, u->local_blk_read_time);
	pp_put_ms(c, u->local_blk_write_time);
#else
	pp_put_null(c);
	pp_put_null(c);
#endif
	pp_put_ms(c, u->temp_blk_read_time);
	pp_put_ms(c, u->temp_blk_write_time);
	pp_put(c, Int64GetDatum(u->wal_records));
	pp_put(c, Int64GetDatum(u->wal_fpi));
	pp_put(c, Int64GetDatum(u->wal_bytes));
}

static void
put_jit(PpColumns *c, const PpJit *jit)
{
	pp_put(c, Int64GetDatum(jit->jit_functions));
	pp_put_ms(c, jit->jit_generation_time);
	pp_put(c, Int64GetDatum(jit->jit_inlining_count));
	pp_put_ms(c, jit->jit_inlining_time);
	pp_put(c, Int64GetDatum(jit->jit_optimization_count));
	pp_put_ms(c, jit->jit_optimization_time);
	pp_put(c, Int64GetDatum(jit->jit_emission_count));
	pp_put_ms(c, jit->jit_emission_time);
#ifdef PP_HAVE_JIT_DEFORM
	pp_put(c, Int64GetDatum(jit->jit_deform_count));
	pp_put_ms(c, jit->jit_deform_time);
#else
	pp_put_null(c);
	pp_put_null(c);
#endif
}

/* Which query: everything up to its text. */
static void
put_identity(PpColumns *c, QueriesCall *call, const PpQueryRow *row)
{
	bool		other = row->key.flags & PP_KEY_OTHER;
	bool		may_see = call->reads_all || row->key.userid == call->reader;
	MemoryContext keep = MemoryContextGetParent(call->row_context);

	if (OidIsValid(row->key.dbid))
		pp_put(c, ObjectIdGetDatum(row->key.dbid));
	else
		pp_put_null(c);
	put_name(c, &call->databases, row->key.dbid, keep);
	if (other)
		pp_put_null(c);
	else
		pp_put(c, ObjectIdGetDatum(row->key.userid));
	put_name(c, &call->roles, row->key.userid, keep);
	pp_put(c, BoolGetDatum(row->key.flags & PP_KEY_TOPLEVEL));
	if (other || !may_see || row->key.queryid == 0)
		pp_put_null(c);
	else
		pp_put(c, Int64GetDatum(row->key.queryid));
	if (!may_see || row->text.fingerprint == 0)
		pp_put_null(c);
	else
		pp_put(c, Int64GetDatum((int64) row->text.fingerprint));
	if (call->with_texts)
		pp_put(c, query_column(row, may_see));
	else
		pp_put_null(c);
}

static void
put_query(const PpQueryRow *row, void *arg)
{
	QueriesCall *call = arg;
	const PpTotals *totals = &row->totals;
	MemoryContext caller = MemoryContextSwitchTo(call->row_context);
	PpColumns	c;

	c.n = 0;
	put_identity(&c, call, row);
	pp_put(&c, Int64GetDatum(totals->calls));
	pp_put(&c, Int64GetDatum(totals->failed_calls));
	pp_put(&c, Int64GetDatum(totals->rows));
	pp_put(&c, Int64GetDatum(totals->plans));
	put_times(&c, &totals->plan, totals->plans);
	put_times(&c, &totals->exec, totals->calls);
	pp_put_ms(&c, totals->total_before_time);
	pp_put_ms(&c, pp_totals_total_time(totals));
	pp_put_ms(&c, totals->max_time);
	put_quantiles(&c, totals);
	pp_put_ms(&c, totals->total_failed_time);
	pp_put_ms(&c, totals->max_failed_time);
	for (int i = 0; i < PP_WITHIN_THRESHOLDS; i++)
		pp_put(&c, Int64GetDatum(totals->within[i]));
	put_usage(&c, totals);
	put_jit(&c, &totals->jit);
	pp_put_time(&c, totals->first_seen);
	pp_put_time(&c, totals->last_seen);
	pp_put(&c, PointerGetDatum(pp_histogram_build(totals->buckets,
												  totals->first_bucket,
												  totals->last_bucket)));
	pp_put_row(call->rsinfo, &c);

	MemoryContextSwitchTo(caller);
	MemoryContextReset(call->row_context);
}

/* A row for each query that ran; argument: with texts? */
Datum
pp_queries(PG_FUNCTION_ARGS)
{
	QueriesCall call = {
		.rsinfo = pp_begin_result(fcinfo, 69),
		.with_texts = PG_GETARG_BOOL(0),
		.reader = GetUserId(),
		.databases = {.look_up = database_name},
		.roles = {.look_up = role_name}
	};

	call.reads_all = has_privs_of_role(call.reader, ROLE_PG_READ_ALL_STATS);
	call.row_context = AllocSetContextCreate(CurrentMemoryContext,
											 "pool_perf row",
											 ALLOCSET_DEFAULT_SIZES);
	pp_queries_read(call.with_texts, put_query, &call);
	MemoryContextDelete(call.row_context);
	return (Datum) 0;
}
