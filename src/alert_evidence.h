/*
 * alert_evidence.h
 *	  What the server was doing when an alert opened; see alert_evidence.c.
 */
#ifndef PP_ALERT_EVIDENCE_H
#define PP_ALERT_EVIDENCE_H

#include "alerts.h"

extern const char *pp_alert_evidence(const PpAlertReport *report);

#endif							/* PP_ALERT_EVIDENCE_H */
