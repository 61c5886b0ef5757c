/*
 * sql_api.h
 *	  What the SQL functions share: results of rows, column by column.
 */
#ifndef PP_SQL_API_H
#define PP_SQL_API_H

#include <math.h>

#include "fmgr.h"
#include "nodes/execnodes.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "query_stats.h"

#define PP_MAX_COLUMNS	96

/* The values of a row, put in the order of the columns. */
typedef struct PpColumns
{
	int			n;
	Datum		values[PP_MAX_COLUMNS];
	bool		nulls[PP_MAX_COLUMNS];
} PpColumns;

extern ReturnSetInfo *pp_begin_result(FunctionCallInfo fcinfo, int columns);
extern void pp_put_row(ReturnSetInfo *rsinfo, const PpColumns *columns);
extern text *pp_readable_text(const PpQueryText *query);

static inline void
pp_put(PpColumns *columns, Datum value)
{
	Assert(columns->n < PP_MAX_COLUMNS);
	columns->nulls[columns->n] = false;
	columns->values[columns->n++] = value;
}

static inline void
pp_put_null(PpColumns *columns)
{
	Assert(columns->n < PP_MAX_COLUMNS);
	columns->nulls[columns->n] = true;
	columns->values[columns->n++] = (Datum) 0;
}

/* NULL and the empty text are NULL. */
static inline void
pp_put_text(PpColumns *columns, const char *s)
{
	if (s == NULL || s[0] == '\0')
		pp_put_null(columns);
	else
		pp_put(columns, CStringGetTextDatum(s));
}

/* NaN is NULL. */
static inline void
pp_put_float(PpColumns *columns, double value)
{
	if (isnan(value))
		pp_put_null(columns);
	else
		pp_put(columns, Float8GetDatum(value));
}

/* Nanoseconds, shown as milliseconds. */
static inline void
pp_put_ms(PpColumns *columns, int64 ns)
{
	pp_put(columns, Float8GetDatum(ns / 1e6));
}

/* 0 is NULL. */
static inline void
pp_put_time(PpColumns *columns, TimestampTz at)
{
	if (at == 0)
		pp_put_null(columns);
	else
		pp_put(columns, TimestampTzGetDatum(at));
}

#endif							/* PP_SQL_API_H */
