/*
 * json.h
 *	  JSON objects, written member by member; see json.c.
 */
#ifndef PP_JSON_H
#define PP_JSON_H

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"

extern void pp_json_key(StringInfo buf, const char *key);
extern void pp_json_text(StringInfo buf, const char *key, const char *value);
extern void pp_json_integer(StringInfo buf, const char *key, int64 value);
extern void pp_json_id(StringInfo buf, const char *key, int64 value);
extern void pp_json_number(StringInfo buf, const char *key, double value);
extern void pp_json_time(StringInfo buf, const char *key, TimestampTz value);

#endif							/* PP_JSON_H */
