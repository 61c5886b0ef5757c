/*
 * waits_json.h
 *	  What a statement was seen waiting for, as a value of SQL.
 */
#ifndef PP_WAITS_JSON_H
#define PP_WAITS_JSON_H

#include "sessions.h"

extern Datum pp_waits_json(const PpSeen *seen);

#endif							/* PP_WAITS_JSON_H */
