/*
 * sql_seen.h
 *	  What the worker saw of a statement, as values of SQL.
 */
#ifndef PP_SQL_SEEN_H
#define PP_SQL_SEEN_H

#include "sessions.h"
#include "sql_api.h"

extern void pp_put_waits(PpColumns *columns, const PpSeen *seen);
extern void pp_put_blockers(PpColumns *columns, const PpSeen *seen);

#endif							/* PP_SQL_SEEN_H */
