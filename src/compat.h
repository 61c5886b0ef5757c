/*
 * compat.h
 *	  The one place that knows how PostgreSQL 15 to 19 differ.
 *
 * No other file of this extension looks at PG_VERSION_NUM.
 */
#ifndef PP_COMPAT_H
#define PP_COMPAT_H

#include "executor/executor.h"
#include "executor/instrument.h"
#include "optimizer/planner.h"
#include "parser/analyze.h"
#include "postmaster/interrupt.h"
#include "storage/proc.h"
#include "utils/backend_status.h"
#include "utils/wait_event.h"

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 200000
#error "PostgreSQL 15 to 19 wanted"
#endif

/*
 * For variables that every statement uses: code of this library reads them
 * without a detour through the table that serves other libraries.
 */
#define PP_HIDDEN	__attribute__((visibility("hidden")))

/* ---- headers that moved ------------------------------------------------ */
#if PG_VERSION_NUM >= 160000
#include "nodes/queryjumble.h"
#else
#include "utils/queryjumble.h"
#endif
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif
#if PG_VERSION_NUM >= 170000
#include "storage/procnumber.h"
#endif
#include "commands/explain.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_state.h"
#endif

/* ---- module magic ------------------------------------------------------- */
#ifdef PG_MODULE_MAGIC_EXT
#define PP_MODULE_MAGIC(n, v) PG_MODULE_MAGIC_EXT(.name = n, .version = v)
#else
#define PP_MODULE_MAGIC(n, v) PG_MODULE_MAGIC
#endif

/* ---- hook signatures: parameter lists and what is passed on -------------- */
#if PG_VERSION_NUM >= 180000
#define PP_EXECUTOR_RUN_PARAMS \
	QueryDesc *queryDesc, ScanDirection direction, uint64 count
#define PP_EXECUTOR_RUN_ARGS	queryDesc, direction, count
#else
#define PP_EXECUTOR_RUN_PARAMS \
	QueryDesc *queryDesc, ScanDirection direction, uint64 count, \
	bool execute_once
#define PP_EXECUTOR_RUN_ARGS	queryDesc, direction, count, execute_once
#endif

#if PG_VERSION_NUM >= 190000
#define PP_PLANNER_PARAMS \
	Query *parse, const char *query_string, int cursorOptions, \
	ParamListInfo boundParams, ExplainState *es
#define PP_PLANNER_ARGS	parse, query_string, cursorOptions, boundParams, es
typedef const JumbleState PPJumbleState;
#else
#define PP_PLANNER_PARAMS \
	Query *parse, const char *query_string, int cursorOptions, \
	ParamListInfo boundParams
#define PP_PLANNER_ARGS	parse, query_string, cursorOptions, boundParams
typedef JumbleState PPJumbleState;
#endif

/* ---- identifiers: uint64 before 18, int64 since; the same bits ----------- */
#define PP_QUERYID(node)		((int64) (node)->queryId)

/* 15 hashes the text of utility statements, so literals are part of the id */
#if PG_VERSION_NUM < 160000
#define PP_UTILITY_ID_IS_TEXT	true
#else
#define PP_UTILITY_ID_IS_TEXT	false
#endif

/* ---- instr_time ----------------------------------------------------------- */
#if PG_VERSION_NUM < 160000
#define INSTR_TIME_GET_NANOSEC(t) \
	((int64) (t).tv_sec * INT64CONST(1000000000) + (int64) (t).tv_nsec)
#endif

/*
 * The monotonic clock as one number.  Differences are nanoseconds before 19,
 * and since then ticks, whose rate is known to the server.
 */
typedef int64 PpClock;

/* Not on the stack, or each function that reads the clock gets a stack guard. */
extern PP_HIDDEN instr_time pp_clock_reading;

static inline PpClock
pp_clock_now(void)
{
	INSTR_TIME_SET_CURRENT(pp_clock_reading);
#if PG_VERSION_NUM >= 160000
	return pp_clock_reading.ticks;
#else
	return INSTR_TIME_GET_NANOSEC(pp_clock_reading);
#endif
}

static inline int64
pp_clock_ns(PpClock difference)
{
#if PG_VERSION_NUM >= 190000
	instr_time	t;

	t.ticks = difference;
	return INSTR_TIME_GET_NANOSEC(t);
#else
	return difference;
#endif
}

/* ---- buffer and WAL counters, in nanoseconds --------------------------------- */

/* before 17 the times of shared and local blocks are one sum: shown as shared */
#if PG_VERSION_NUM >= 170000
#define PP_SHARED_READ_TIME(b)	((b)->shared_blk_read_time)
#define PP_SHARED_WRITE_TIME(b)	((b)->shared_blk_write_time)
#define PP_LOCAL_READ_TIME(b)	((b)->local_blk_read_time)
#define PP_LOCAL_WRITE_TIME(b)	((b)->local_blk_write_time)
#define PP_HAVE_LOCAL_BLK_TIME	1
#define PP_HAVE_JIT_DEFORM		1
#else
#define PP_SHARED_READ_TIME(b)	((b)->blk_read_time)
#define PP_SHARED_WRITE_TIME(b)	((b)->blk_write_time)
#endif

/* ---- this process's slot, from 0 -------------------------------- */
#if PG_VERSION_NUM >= 170000
#define PP_MY_SLOT				MyProcNumber
#else
#define PP_MY_SLOT				(MyProc->pgprocno)
#endif

/* ---- the number of a process's entry in the array of statuses, from 0 ------ */
#if PG_VERSION_NUM >= 170000
#define PP_STATUS_NUMBER(slot, proc)	(slot)
#else
#define PP_STATUS_NUMBER(slot, proc)	((proc)->backendId - 1)
#endif

/* ---- whose lock: prepared transactions have no pid, but this ----------------- */
#if PG_VERSION_NUM >= 170000
#define PP_SAME_LOCK_OWNER(a, b)	VirtualTransactionIdEquals((a)->vxid, (b)->vxid)
#else
#define PP_SAME_LOCK_OWNER(a, b) \
	((a)->backend == (b)->backend && (a)->lxid == (b)->lxid)
#endif

/* ---- log_min_messages: one level for each kind of process since 19 -------------------- */
#if PG_VERSION_NUM >= 190000
#define PP_LOG_MIN_MESSAGES		(log_min_messages[MyBackendType])
#else
#define PP_LOG_MIN_MESSAGES		(log_min_messages)
#endif

/* ---- SQL-callable functions: 15 does not export them by itself --------------------------- */
#define PP_FUNCTION(name) \
	extern PGDLLEXPORT Datum name(PG_FUNCTION_ARGS); \
	PG_FUNCTION_INFO_V1(name)

#endif							/* PP_COMPAT_H */
