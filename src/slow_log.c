/*
 * slow_log.c
 *	  What happens when an execution was slow: it is gathered into one value,
 *	  which goes to the ring and to the log.
 *
 * Also what is wanted of the next executions of a slow query: the rows of each
 * plan node, and the plan of one that failed (plan_watch.c).
 *
 * All of this runs in the client's own process, at the end of its statement or
 * in the callback of its abort.  What may raise (texts, plans, log lines) does
 * so behind attempt() and attempt_reading(): the client sees nothing of it, and
 * it is counted.  In the callback of an abort no catalogue is looked at.
 * Scratch memory is a context of our own, which is emptied at the end; no lock
 * is held over any of it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/ip.h"
#include "libpq/libpq-be.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/params.h"
#include "replication/walsender.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "error_watch.h"
#include "normalize.h"
#include "plan_text.h"
#include "slow_line.h"
#include "slow_log.h"

/* what a plan begins with that is of a later execution */
#define LATER_PLAN	"Plan of a later execution:\n"

/* One call of pp_slow_log(). */
typedef struct PpSlowCall
{
	PpExecution *e;
	QueryDesc  *queryDesc;		/* NULL: failed, dropped, or none */
	PpSlowQuery query;
	bool		begins;			/* it has not run yet */
	const char *full_text;		/* in scratch memory; NULL: as in texts */
	int			full_length;
} PpSlowCall;

/* Texts of the execution at hand.  Too large for the stack of a deep call. */
static PpSlowTexts texts;

/* A plan that was made before the execution ran; a failed one leaves no other. */
typedef struct PpEarlyPlan
{
	const PpExecution *of;
	int			length;
	char		plan[PP_PLAN_SIZE];
} PpEarlyPlan;

static PpEarlyPlan early_plan;

static MemoryContext scratch;
static bool busy;

/* ms: a lock that cannot be had at once is not worth a plan */
#define CATALOG_LOCK_TIME	10

/* ---- what may raise -------------------------------------------------------------- */

static void
make_scratch(void)
{
	if (scratch == NULL)
		scratch = AllocSetContextCreate(TopMemoryContext,
										"pool_perf slow log",
										ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(scratch);
}

/*
 * Calls the function, which uses memory and the log alone, in scratch memory
 * and with interrupts held off.  False if it raised an error, which nobody
 * sees.
 */
static bool
attempt(void (*work) (PpSlowCall *call), PpSlowCall *call)
{
	MemoryContext caller = CurrentMemoryContext;
	uint32		interrupts = InterruptHoldoffCount;
	volatile bool done = false;

	HOLD_INTERRUPTS();
	pp_error_watch_pause(true);
	PG_TRY();
	{
		make_scratch();
		work(call);
		done = true;
	}
	PG_CATCH();
	{
		LWLockReleaseAll();
		FlushErrorState();
		pp_slow_line_count_error();
	}
	PG_END_TRY();
	pp_error_watch_pause(false);
	MemoryContextSwitchTo(caller);
	InterruptHoldoffCount = interrupts;
	return done;
}

/*
 * The same for a function that reads catalogues: in a subtransaction, which
 * cleans up whatever an error leaves behind, and without waiting for a lock for
 * longer than CATALOG_LOCK_TIME.  A cancel that comes meanwhile is kept for the
 * statement.
 */
static bool
attempt_reading(void (*work) (PpSlowCall *call), PpSlowCall *call)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner callers_owner = CurrentResourceOwner;
	int			lock_timeout = LockTimeout;
	volatile bool done = false;
	volatile bool cancelled = false;

	if (!IsTransactionState() || IsInParallelMode())
		return false;

	pp_error_watch_pause(true);
	LockTimeout = CATALOG_LOCK_TIME;
	BeginInternalSubTransaction(NULL);
	PG_TRY();
	{
		make_scratch();
		work(call);
		ReleaseCurrentSubTransaction();
		done = true;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		cancelled = geterrcode() == ERRCODE_QUERY_CANCELED;
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		pp_slow_line_count_error();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = callers_owner;
	LockTimeout = lock_timeout;
	pp_error_watch_pause(false);
	if (cancelled)
		InterruptPending = QueryCancelPending = true;
	return done;
}

static void
empty_scratch(void)
{
	if (scratch != NULL)
		MemoryContextReset(scratch);
}

/*
 * The message of the client, for a statement of it that failed: the server has
 * forgotten it but in what it shows of the session.  NULL if it may hold others
 * beside, which are not to be shown with it, or was cut.
 */
static const char *
failed_source(const PpExecution *e)
{
	const char *source;
	const char *end;

	if (e->level > 0 || !(e->statement.parts & PP_PART_FAILED) ||
		MyBEEntry == NULL ||
		e->statement.message_at != GetCurrentStatementStartTimestamp())
		return NULL;
	source = MyBEEntry->st_activity_raw;
	end = strchr(source, ';');
	if (source[0] == '\0' ||
		strlen(source) >= pgstat_track_activity_query_size - 1 ||
		(end != NULL && end[1 + strspn(end + 1, " \t\r\n")] != '\0'))
		return NULL;
	return source;
}

/* The statement as it was sent, if it may be shown and is at hand still. */
static const char *
source_text(const PpSlowCall *call, int *length)
{
	const PlannedStmt *pstmt;
	const char *source;
	int			location;

	if (!pp_log_parameters || call->query.utility)
		return NULL;
	if (call->queryDesc == NULL)
	{
		source = failed_source(call->e);
		*length = source == NULL ? 0 : strlen(source);
		return source;
	}
	pstmt = call->queryDesc->plannedstmt;
	source = call->queryDesc->sourceText;
	location = strnlen(source, Max(pstmt->stmt_location, 0));
	*length = pstmt->stmt_len > 0 ?
		strnlen(source + location, pstmt->stmt_len) :
		strlen(source + location);
	return source + location;
}

/* The text that the log gets, and what the ring keeps of it. */
static void
make_query_text(PpSlowCall *call)
{
	const char *source = source_text(call, &call->full_length);
	PpSlowQuery *query = &call->query;
	int			room = PP_SLOW_QUERY_SIZE;
	PpQueryText kept;
	char	   *copy = palloc(pp_max_text_length);

	if (pp_query_stats_get_text(&query->key, copy, pp_max_text_length, &kept))
	{
		query->fingerprint = kept.fingerprint;
		if (source == NULL)
		{
			source = copy;
			call->full_length = pg_mbcliplen(copy, kept.length, kept.length);
		}
	}
	if (source == NULL)
		return;

	call->full_text = source;
	query->query_length = call->full_length;
	if (call->full_length > room)
	{
		room -= strlen(PP_CUT_MARK);
		query->query_length = pg_mbcliplen(source, call->full_length, room);
	}
	memcpy(texts.query, source, query->query_length);
	if (call->full_length > PP_SLOW_QUERY_SIZE)
	{
		memcpy(texts.query + query->query_length, PP_CUT_MARK,
			   strlen(PP_CUT_MARK));
		query->query_length += strlen(PP_CUT_MARK);
	}
}

static void
make_parameters(PpSlowCall *call)
{
	ParamListInfo params = call->queryDesc->params;
	char	   *list = BuildParamLogString(params, NULL,
										   PP_SLOW_PARAMETERS_SIZE);
	int			length;

	if (list == NULL)
		return;
	length = strlen(list);
	length = pg_mbcliplen(list, length, Min(length, PP_SLOW_PARAMETERS_SIZE));
	memcpy(texts.parameters, list, length);
	call->query.parameters_length = length;
}

static void
make_plan(PpSlowCall *call)
{
	PpPlanOptions options = {
		.literals = pp_log_parameters,
		.rows = !call->begins
	};

	call->query.plan_length = pp_plan_text(call->queryDesc, &options,
										   texts.plan, PP_PLAN_SIZE);
}

static void
write_line(PpSlowCall *call)
{
	PpSlowLine	line = {
		.query = &call->query,
		.texts = &texts,
		.statement = call->full_text,
		.length = call->full_length,
		.extended = call->e->extended,
		.prepared = call->e->prepared
	};

	pp_slow_line_write(&line);
}

/* ---- gathering --------------------------------------------------------------------- */

/* How a failed execution ended. */
static void
note_failure(PpSlowQuery *query)
{
	query->outcome = pp_error_outcome(&query->sqlstate);
	if (query->outcome == PP_OUTCOME_OK)
		query->outcome = proc_exit_inprogress ? PP_OUTCOME_TERMINATED :
			PP_OUTCOME_ERROR;
}

/* The client's address as text; empty for a Unix socket and without a client. */
static void
note_client(PpSlowQuery *query)
{
	const char *name = application_name;

	if (name != NULL)
		strlcpy(query->application_name, name,
				sizeof(query->application_name));
	if (MyProcPort != NULL && MyProcPort->raddr.addr.ss_family != AF_UNIX &&
		pg_getnameinfo_all(&MyProcPort->raddr.addr, MyProcPort->raddr.salen,
						   query->client_addr, sizeof(query->client_addr),
						   NULL, 0, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		query->client_addr[0] = '\0';
}

/* When it began and ended by the wall clock. */
static void
note_times(PpSlowQuery *query, const PpExecution *e)
{
	int64		total_time = pp_slow_query_time(query);

	query->ended_at = GetCurrentTimestamp();
	/* a portal may be closed long after it has run */
	if (e->kind == PP_KIND_QUERY && e->ran && !(e->statement.parts & PP_PART_FAILED))
		query->ended_at -= pp_clock_ns(pp_clock_now() - e->stopped) / 1000;
	query->started_at = query->ended_at - total_time / 1000;
	if (e->level == 0 && pp_my_session != NULL &&
		pp_my_session->running.number == e->number)
		query->started_at = Min(query->started_at,
								pp_my_session->running.started_at);
}

static void
gather(PpSlowQuery *query, const PpExecution *e)
{
	const PpStatement *s = &e->statement;

	query->key = e->key;
	query->before_time = s->before_time;
	query->plan_time = s->plan_time;
	query->exec_time = s->exec_time;
	query->rows = s->rows;
	query->shared_blks_hit = s->shared_blks_hit;
	if (s->parts & PP_PART_USAGE)
	{
		query->shared_blks_read = s->usage->shared_blks_read;
		query->temp_blks_written = s->usage->temp_blks_written;
		query->wal_bytes = s->usage->wal_bytes;
	}
	query->severity = pp_severity(&pp_thresholds,
								  pp_slow_query_time(query) / 1e6);
	if (s->parts & PP_PART_FAILED)
		note_failure(query);
	query->pid = MyProcPid;
	query->utility = e->kind >= PP_KIND_UTILITY;
	query->client = MyBackendType == B_BACKEND;
	query->threshold = pp_thresholds.min_duration[query->severity];
	query->encoding = GetDatabaseEncoding();
	note_times(query, e);
	note_client(query);
	if (e->level == 0 && pp_my_session != NULL)
	{
		query->number = e->number;
		pp_session_seen(e->number, &query->seen);
	}
}

/* ---- plans -------------------------------------------------------------------------- */

/* Gives the query's earlier executions that failed the plan of this one. */
static void
fill_in_plan(const PpSlowCall *call, const char *plan, int length, bool done)
{
	uint64		ids[PP_WAITING_PLANS];
	int			n = pp_plan_watch_waiting(&call->e->key, done, ids);
	char		marked[PP_PLAN_SIZE];
	int			mark = strlen(LATER_PLAN);

	if (n == 0 || length == 0)
		return;
	memcpy(marked, LATER_PLAN, mark);
	if (length > PP_PLAN_SIZE - mark)
		length = pg_mbcliplen(plan, length, PP_PLAN_SIZE - mark);
	memcpy(marked + mark, plan, length);
	for (int i = 0; i < n; i++)
		pp_slow_queries_set_plan(ids[i], marked, mark + length);
}

/* The plan of the execution that ends, and what other executions want of it. */
static void
take_plan(PpSlowCall *call)
{
	PpExecution *e = call->e;
	PpSlowQuery *query = &call->query;

	if (call->queryDesc != NULL && pp_log_plan && IsTransactionState() &&
		attempt_reading(make_plan, call))
	{
		if (e->armed)
			fill_in_plan(call, texts.plan, query->plan_length, true);
	}
	else if (e->armed && early_plan.of == e)
	{
		memcpy(texts.plan, early_plan.plan, early_plan.length);
		query->plan_length = early_plan.length;
	}
	if (e->armed && early_plan.of == e)
		early_plan.of = NULL;
}

/*
 * An execution begins while some query is watched.  If it is that, its plan
 * nodes count their rows.
 */
void
pp_slow_log_arm(PpExecution *e, QueryDesc *queryDesc)
{
	PpPlanWish	wish;

	if (!pp_log_plan ||
		!pp_plan_watch_begin(&e->key, e->statement.message_at, &wish))
		return;
	e->armed = true;
	early_plan.of = wish.early ? e : NULL;
	early_plan.length = 0;
	if (wish.rows)
		queryDesc->instrument_options |= INSTRUMENT_ROWS;
}

/* It has started.  Where the last one failed, its plan is taken now. */
void
pp_slow_log_started(PpExecution *e, QueryDesc *queryDesc)
{
	PpSlowCall	call = {.e = e,.queryDesc = queryDesc,.begins = true};

	if (early_plan.of != e || busy)
		return;
	busy = true;
	if (attempt_reading(make_plan, &call))
	{
		early_plan.length = call.query.plan_length;
		memcpy(early_plan.plan, texts.plan, early_plan.length);
		fill_in_plan(&call, early_plan.plan, early_plan.length, false);
	}
	empty_scratch();
	busy = false;
}

/* ---- the end of an execution --------------------------------------------------------- */

static void
record(PpSlowCall *call)
{
	PpExecution *e = call->e;
	PpSlowQuery *query = &call->query;
	bool		failed = e->statement.parts & PP_PART_FAILED;

	gather(query, e);
	attempt(make_query_text, call);
	if (pp_log_parameters && call->queryDesc != NULL &&
		call->queryDesc->params != NULL && IsTransactionState())
		attempt_reading(make_parameters, call);
	take_plan(call);
	pp_slow_queries_append(query, &texts);
	if (pp_log_plan && e->kind <= PP_KIND_QUERY)
		pp_plan_watch_add(&e->key,
						  failed && query->plan_length == 0 ? query->id : 0,
						  query->ended_at);
	if (pp_thresholds.min_duration[PP_SEVERITY_INFO] >= 0 &&
		pp_slow_query_time(query) / 1e6 >=
		pp_thresholds.min_duration[PP_SEVERITY_INFO] &&
		!pp_slow_line_is_servers(e))
		attempt(write_line, call);
}

/*
 * An execution that was slow, or whose plan is wanted, ends; queryDesc is NULL
 * if there is none any more.
 */
void
pp_slow_log(PpExecution *e, const QueryDesc *queryDesc)
{
	PpSlowCall	call = {.e = e,.queryDesc = unconstify(QueryDesc *, queryDesc)};
	bool		slow = pp_execution_time(e) >= pp_slow_time;

	if (busy || !(slow || e->armed))
		return;
	busy = true;
	if (slow)
		record(&call);
	else
		take_plan(&call);
	empty_scratch();
	busy = false;
}
