/*
 * slow_log.h
 *	  What happens when an execution was slow; see slow_log.c.
 */
#ifndef PP_SLOW_LOG_H
#define PP_SLOW_LOG_H

#include "executor/execdesc.h"

#include "execution.h"
#include "plan_watch.h"
#include "slow_queries.h"

extern void pp_slow_log(PpExecution *execution, const QueryDesc *queryDesc);
extern void pp_slow_log_arm(PpExecution *execution, QueryDesc *queryDesc);
extern void pp_slow_log_started(PpExecution *execution, QueryDesc *queryDesc);

#endif							/* PP_SLOW_LOG_H */
