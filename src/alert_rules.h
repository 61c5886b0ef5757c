/*
 * alert_rules.h
 *	  The kinds of alerts and when they are raised; see alert_rules.c.
 */
#ifndef PP_ALERT_RULES_H
#define PP_ALERT_RULES_H

#include "datatype/timestamp.h"

extern void pp_alert_rules_turn(TimestampTz now, bool looked);
extern bool pp_alert_is_kind(const char *name);

#endif							/* PP_ALERT_RULES_H */
