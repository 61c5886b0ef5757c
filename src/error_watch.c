/*
 * error_watch.c
 *	  Sees the errors of this session, and counts each of them once.
 *
 * A callback at the bottom of the error context stack is called for every
 * report, also for errors that an EXCEPTION block or other code catches, and
 * whatever log_min_messages says.  It is put there when the session becomes
 * ready, that is at its first commit, and stays.  The main loop empties the
 * stack after each error and then resets the memory of error reports; the
 * callback of that reset puts it back, so no statement goes unwatched.
 *
 * While an error is on its way the callback only takes a note, in memory of
 * its own: SQLSTATE, format of the message, query, time.  The note is counted
 * when the (sub)transaction is aborted, or when the main loop has dealt with
 * an error that aborts none, or at exit; at all of these the locks of the code
 * that failed are free.  An error that code catches without an abort is not
 * counted: the next note or the next statement replaces it.  One that is
 * thrown again after an abort makes no new note, so it counts once.
 *
 * Only formats of messages are kept, never messages: they hold no values.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "error_rates.h"
#include "error_watch.h"
#include "errors.h"
#include "execution.h"
#include "guc.h"
#include "slow_log.h"

/*
 * What copies of reports are made in: one block, so that the copy of an
 * ordinary report asks the system for nothing.
 */
#define COPY_MEMORY		(32 * 1024)

/* of 17 and later */
#define TRANSACTION_TIMEOUT	MAKE_SQLSTATE('2', '5', 'P', '0', '4')

/* The latest error of this session. */
typedef struct PpErrorNote
{
	bool		pending;		/* not counted yet */
	bool		analysis;		/* no statement of the message had begun */
	TimestampTz message_at;		/* of the client's message that it belongs to */
	PpErrorRow	row;
} PpErrorNote;

static void see_report(void *arg);
static void report_memory_reset(void *arg);

static ErrorContextCallback watcher = {.callback = see_report};
static MemoryContextCallback reset_callback =
{
	.func = report_memory_reset
};
static bool reset_registered = false;
static bool exit_registered = false;
static bool copying = false;
static bool paused = false;		/* errors are pool_perf's own */
static MemoryContext copy_context;
static PpErrorNote note;

/* In the postmaster: sessions inherit the memory, and need ask for none. */
void
pp_error_watch_init(void)
{
	copy_context = AllocSetContextCreate(TopMemoryContext,
										 "pool_perf errors",
										 COPY_MEMORY, COPY_MEMORY,
										 2 * COPY_MEMORY);
}

/* ---- what a report says ------------------------------------------------------- */

/*
 * How the error ends its statement.  Where causes share an SQLSTATE, only the
 * format of the message tells them apart.
 */
static PpOutcome
outcome_of(const ErrorData *report)
{
	const char *format = report->message_id ? report->message_id : "";

	switch (report->sqlerrcode)
	{
		case ERRCODE_QUERY_CANCELED:
			if (strcmp(format, "canceling statement due to statement timeout") == 0)
				return PP_OUTCOME_TIMEOUT;
			return PP_OUTCOME_CANCELLED;
		case ERRCODE_LOCK_NOT_AVAILABLE:
			if (strcmp(format, "canceling statement due to lock timeout") == 0)
				return PP_OUTCOME_TIMEOUT;
			return PP_OUTCOME_ERROR;
		case ERRCODE_IDLE_IN_TRANSACTION_SESSION_TIMEOUT:
		case ERRCODE_IDLE_SESSION_TIMEOUT:
		case TRANSACTION_TIMEOUT:
			return PP_OUTCOME_TIMEOUT;
		default:
			return report->elevel >= FATAL ? PP_OUTCOME_TERMINATED :
				PP_OUTCOME_ERROR;
	}
}

/* What ran when the error was raised: innermost, and begun last. */
static const PpExecution *
running_execution(void)
{
	const PpExecution *innermost = NULL;
	int			depth = -1;

	for (const PpExecution *e = pp_backend.open; e != NULL; e = e->next)
	{
		int			its_depth = e->ran ? e->nesting : e->level;

		if (!e->running || e->explained || its_depth <= depth)
			continue;
		innermost = e;
		depth = its_depth;
	}
	return innermost;
}

/* Time until failure, of a message that got no query to run: in nanoseconds. */
static int64
time_before(TimestampTz now)
{
	/* an idle session has no statement that fails */
	if (debug_query_string == NULL)
		return 0;
	return Max(now - GetCurrentStatementStartTimestamp(), 0) * 1000;
}

/* A note of the error; the report is a copy, or what is known without one. */
static void
take_note(const ErrorData *report)
{
	const PpExecution *e = running_execution();
	PpErrorRow *row = &note.row;
	TimestampTz now = GetCurrentTimestamp();

	memset(row, 0, sizeof(*row));
	row->key.dbid = MyDatabaseId;
	row->key.sqlstate = report->sqlerrcode;
	row->key.outcome = outcome_of(report);
	if (report->elevel >= FATAL)
		row->key.flags |= PP_ERROR_FATAL;
	if (e != NULL)
	{
		row->key.queryid = e->key.queryid;
		row->key.userid = e->key.userid;
		row->totals.total_time = pp_execution_time_until(e, pp_clock_now());
	}
	else
	{
		row->key.flags |= PP_ERROR_BEFORE;
		row->key.userid = GetUserId();
		row->totals.total_time = time_before(now);
	}
	row->totals.errors = 1;
	row->totals.max_time = row->totals.total_time;
	row->totals.first_seen = now;
	row->totals.last_seen = now;
	note.analysis = e == NULL && pp_backend.nesting == 0 &&
		pp_backend.charged_at != GetCurrentStatementStartTimestamp();
	if (report->message_id != NULL)
		strlcpy(row->message, report->message_id, sizeof(row->message));

	note.message_at = GetCurrentStatementStartTimestamp();
	if (!note.pending)
		pp_backend.unsettled++;
	note.pending = true;
}

/*
 * Looks at a report that may be an error.  Its level can be learnt only from a
 * copy; making one where memory has run out would replace the report.
 */
static pg_noinline void
look_at_report(int sqlstate)
{
	ErrorData	known = {.elevel = ERROR,.sqlerrcode = sqlstate};
	MemoryContext caller;

	if (copying || sqlstate == ERRCODE_OUT_OF_MEMORY)
	{
		/* if it was the copy that failed, that is what is reported now */
		copying = false;
		if (sqlstate == ERRCODE_OUT_OF_MEMORY)
			known.message_id = "out of memory";
		take_note(&known);
		return;
	}

	copying = true;
	caller = MemoryContextSwitchTo(copy_context);
	MemoryContextReset(copy_context);
	{
		const ErrorData *report = CopyErrorData();

		if (report->elevel >= ERROR)
			take_note(report);
	}
	MemoryContextReset(copy_context);
	MemoryContextSwitchTo(caller);
	copying = false;
}

/*
 * Called for every report that gets as far as to ask for its context: it must
 * be quick.  Nothing is done in a critical section, where errors are PANICs.
 */
static void
see_report(void *arg)
{
	int			sqlstate = geterrcode();

	/* NOTICE and less, and GET DIAGNOSTICS, have none */
	if (sqlstate == 0 || paused || CritSectionCount > 0)
		return;
	if (!reset_registered)
		MemoryContextRegisterResetCallback(ErrorContext, &reset_callback);
	reset_registered = true;
	if (pp_tracked_nesting >= 0)
		look_at_report(sqlstate);
}

/* Errors from now on are not the statement's; or they are again. */
void
pp_error_watch_pause(bool pause)
{
	paused = pause;
}

/* ---- counting -------------------------------------------------------------------- */

/* Counts the error that was noted, if there is one; where locks are free. */
static void
count_note(void)
{
	if (!note.pending || MyProc == NULL)
		return;
	note.pending = false;
	pp_backend.unsettled--;
	pp_errors_add(&note.row);
}

/*
 * A statement that ends in parse analysis is no call of any query, but it may
 * have waited for a lock, in an alert of its own.  It is published as what the
 * looks at the session took it for, and recorded as slow.
 */
static void
record_analysis(void)
{
	static PpExecution e;

	if (!note.pending || !note.analysis || MyBackendType != B_BACKEND ||
		note.row.totals.total_time < pp_slow_time || !pp_pending_attach())
		return;
	memset(&e, 0, sizeof(e));
	pp_stat_key_init(&e.key, MyDatabaseId, note.row.key.userid, 0,
					 PP_KEY_TOPLEVEL);
	e.kind = PP_KIND_PLANNER;
	e.statement.message_at = note.message_at;
	e.statement.before_time = note.row.totals.total_time;
	e.statement.parts = PP_PART_FAILED;
	pp_session_run(&e.key, note.message_at, false);
	e.number = pp_my_session->running.number;
	pp_session_stop();
	pp_slow_log(&e, NULL);
}

/*
 * Counts the error that was noted, if there is one, in the callback of an
 * abort.  It stays known to pp_error_outcome().
 */
void
pp_error_settle(void)
{
	record_analysis();
	count_note();
}

/* A statement begins, so what was noted has failed nothing. */
void
pp_error_forget(void)
{
	if (!note.pending)
		return;
	note.pending = false;
	note.message_at = 0;
	pp_backend.unsettled--;
}

/* At exit: what ended the session outside of a transaction. */
static void
settle_at_exit(int code, Datum arg)
{
	if (code != 0)
		count_note();
}

/* Somebody is done with an error: the main loop, if the stack is empty. */
static void
report_memory_reset(void *arg)
{
	reset_registered = false;
	if (error_context_stack != NULL || proc_exit_inprogress)
		return;
	/* in a transaction the error is not dealt with: locks may be held */
	if (!IsTransactionState())
		count_note();
	pp_error_watch();
}

/* Sessions that run statements, of clients or their own. */
static bool
is_watched(void)
{
	return IsUnderPostmaster && !IsParallelWorker() &&
		(MyBackendType == B_BACKEND || MyBackendType == B_WAL_SENDER ||
		 MyBackendType == B_BG_WORKER);
}

/* Begins to watch, or goes on, if the stack of callbacks is empty. */
pg_noinline void
pp_error_watch(void)
{
	if (error_context_stack != NULL || copy_context == NULL || !is_watched())
		return;
	error_context_stack = &watcher;
	if (!exit_registered)
		on_shmem_exit(settle_at_exit, (Datum) 0);
	exit_registered = true;
}

/* ---- what others ask ----------------------------------------------------------------- */

/* How the statement fails that is being aborted; OK if no error is known. */
PpOutcome
pp_error_outcome(int *sqlstate)
{
	if (note.message_at == 0 ||
		note.message_at != GetCurrentStatementStartTimestamp())
	{
		*sqlstate = 0;
		return PP_OUTCOME_OK;
	}
	*sqlstate = note.row.key.sqlstate;
	return (PpOutcome) note.row.key.outcome;
}

/* Failures that are a part of what applications do. */
static bool
is_normal(int sqlstate)
{
	return ERRCODE_TO_CATEGORY(sqlstate) ==
		ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION ||
		sqlstate == ERRCODE_RAISE_EXCEPTION ||
		sqlstate == ERRCODE_T_R_SERIALIZATION_FAILURE ||
		sqlstate == ERRCODE_T_R_DEADLOCK_DETECTED;
}

/* A statement of a client is counted as failed. */
void
pp_error_failed_call(Oid dbid)
{
	int			sqlstate;

	if (pp_error_outcome(&sqlstate) != PP_OUTCOME_OK && is_normal(sqlstate))
		pp_error_rates_add_normal(dbid);
}
