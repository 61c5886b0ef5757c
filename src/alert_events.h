/*
 * alert_events.h
 *	  How alerts begin, go on and end, and who is told; see alert_events.c.
 */
#ifndef PP_ALERT_EVENTS_H
#define PP_ALERT_EVENTS_H

#include "alerts.h"

extern void pp_alert_report(const PpAlertReport *report);
extern void pp_alerts_turn(void);
extern void pp_alert_clean(char *to, const char *from, Size size);

#endif							/* PP_ALERT_EVENTS_H */
