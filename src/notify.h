/*
 * notify.h
 *	  Sends what happens to alerts with NOTIFY; see notify.c.
 */
#ifndef PP_NOTIFY_H
#define PP_NOTIFY_H

#include "alerts.h"

#define PP_NOTIFY_CHANNEL	"pool_perf_alert"
#define PP_NOTIFY_BACKLOG	256

typedef struct PpNotifyState
{
	int64		sent;			/* this and dropped: since server start */
	int64		dropped;
	int64		backlog;
	int64		failures;		/* in a row */
	char		problem[PP_ALERT_TEXT]; /* of the last failure */
} PpNotifyState;

extern Size pp_notify_shmem_size(void);
extern void pp_notify_shmem_init(void);

extern void pp_notify_put(const PpAlert *alert, PpAlertEvent event,
						  TimestampTz now);
extern void pp_notify_turn(TimestampTz now);
extern void pp_notify_state(PpNotifyState *state);

#endif							/* PP_NOTIFY_H */
