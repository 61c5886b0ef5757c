/*
 * alert_save.h
 *	  Alerts and silences in the file of statistics; see alert_save.c.
 */
#ifndef PP_ALERT_SAVE_H
#define PP_ALERT_SAVE_H

#include "save.h"

extern const PpSaveSection pp_alerts_section;
extern const PpSaveSection pp_silences_section;

#endif							/* PP_ALERT_SAVE_H */
