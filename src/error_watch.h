/*
 * error_watch.h
 *	  Sees the errors of this session, and counts each once; see error_watch.c.
 */
#ifndef PP_ERROR_WATCH_H
#define PP_ERROR_WATCH_H

#include "outcome.h"

extern void pp_error_watch_init(void);
extern void pp_error_watch(void);
extern void pp_error_watch_pause(bool pause);
extern void pp_error_settle(void);
extern void pp_error_forget(void);
extern void pp_error_failed_call(Oid dbid);
extern PpOutcome pp_error_outcome(int *sqlstate);

#endif							/* PP_ERROR_WATCH_H */
