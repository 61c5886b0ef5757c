/*
 * json.c
 *	  JSON objects, written member by member.
 *
 * Each function appends a key and a value, with a comma before unless the
 * object or list has just begun.  Keys are plain words.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "json.h"

void
pp_json_key(StringInfo buf, const char *key)
{
	char		before = buf->len > 0 ? buf->data[buf->len - 1] : '{';

	if (before != '{' && before != '[')
		appendStringInfoChar(buf, ',');
	appendStringInfo(buf, "\"%s\":", key);
}

/* An empty value is null. */
void
pp_json_text(StringInfo buf, const char *key, const char *value)
{
	pp_json_key(buf, key);
	if (value == NULL || value[0] == '\0')
		appendStringInfoString(buf, "null");
	else
		escape_json(buf, value);
}

void
pp_json_integer(StringInfo buf, const char *key, int64 value)
{
	pp_json_key(buf, key);
	appendStringInfo(buf, INT64_FORMAT, value);
}

/* Ids are strings, since a JavaScript number would round them; 0 is null. */
void
pp_json_id(StringInfo buf, const char *key, int64 value)
{
	pp_json_key(buf, key);
	if (value == 0)
		appendStringInfoString(buf, "null");
	else
		appendStringInfo(buf, "\"" INT64_FORMAT "\"", value);
}

/* To three decimal places; what is no number is null. */
void
pp_json_number(StringInfo buf, const char *key, double value)
{
	pp_json_key(buf, key);
	if (isnan(value) || isinf(value))
		appendStringInfoString(buf, "null");
	else
		appendStringInfo(buf, "%.3f", value);
}

/* In ISO 8601; 0 is null. */
void
pp_json_time(StringInfo buf, const char *key, TimestampTz value)
{
	char text[	MAXDATELEN + 1];

	pp_json_key(buf, key);
	if (value == 0)
		appendStringInfoString(buf, "null");
	else
		appendStringInfo(buf, "\"%s\"",
						 JsonEncodeDateTime(text,
											TimestampTzGetDatum(value),
											TIMESTAMPTZOID, NULL));
}
