/*
 * hooks.c
 *	  The hooks of planner and executor: measure, hand over, chain.
 *
 * What an execution is, and how it ends other than well, is known to
 * execution.c.  A hook whose execution is not measured only chains.  There is
 * no PG_TRY: the abort that follows an error finds what was running, and sets
 * the nesting level back.
 *
 * Time is read when planning begins and ends, and when a Run ends.  A stretch
 * that nothing of ours came between goes on from the reading before it; one
 * that begins with a message, from the message's arrival.
 */
#include "postgres.h"

#include "jit/jit.h"
#include "tcop/pquery.h"
#include "utils/portal.h"

#include "execution.h"
#include "hooks.h"
#include "slow_log.h"
#include "utility.h"

/* what to go on with: the standard one, if no other module has a hook */
static post_parse_analyze_hook_type prev_post_parse_analyze;	/* or NULL */
static planner_hook_type prev_planner;
static ExecutorStart_hook_type prev_ExecutorStart;
static ExecutorRun_hook_type prev_ExecutorRun;
static ExecutorFinish_hook_type prev_ExecutorFinish;
static ExecutorEnd_hook_type prev_ExecutorEnd;

/* ---- parse analysis ------------------------------------------------------------ */

/*
 * The extended protocol analyses a statement in a message of its own; its
 * lock waits are part of the statement's time.  Only there a statement at top
 * level has variable parameters.
 */
static pg_noinline void
note_analysis(const Query *query)
{
	if (pp_backend.nesting > 0 || pp_backend.utilities > 0 ||
		!pp_is_tracked())
		return;
	pp_backend.analysis_queryid = PP_QUERYID(query);
	pp_backend.analysis_at = GetCurrentStatementStartTimestamp();
	pp_backend.analysis_time = pp_since_message(pp_clock_now(),
												pp_backend.analysis_at);
}

static pg_noinline void
chain_post_parse_analyze(ParseState *pstate, Query *query,
						 PPJumbleState *jstate)
{
	prev_post_parse_analyze(pstate, query, jstate);
	if (pstate->p_paramref_hook != NULL)
		note_analysis(query);
}

static void
pp_post_parse_analyze(ParseState *pstate, Query *query, PPJumbleState *jstate)
{
	if (prev_post_parse_analyze)
		chain_post_parse_analyze(pstate, query, jstate);
	else if (unlikely(pstate->p_paramref_hook != NULL))
		note_analysis(query);
}

/* ---- planner -------------------------------------------------------------------- */

/*
 * PL/pgSQL plans its expressions too, and does not execute the simple ones.
 * Only a text that begins like a statement gets an entry before it runs.
 */
static bool
is_statement(const char *query, int location)
{
	static const char *const words[] = {
		"select", "with", "values", "table", "insert", "update", "delete",
		"merge"
	};
	const char *text = query + strnlen(query, Max(location, 0));

	for (;;)
	{
		const char *end;

		if (isspace((unsigned char) *text) || *text == '(')
			text	  ++;

		else if (text[0] == '-' && text[1] == '-')
			text	  +=strcspn(text, "\r\n");

		else if (text[0] == '/' && text[1] == '*' &&
				 (end = strstr(text +2, "*/")) != NULL)
			text = end + 2;

		else
			break;
	}
	for (int i = 0; i < lengthof(words); i++)
	{
		size_t		length = strlen(words[i]);

		if (pg_strncasecmp(text, words[i], length) == 0)
			return !IS_HIGHBIT_SET(text[length]) &&
				!isalnum((unsigned char) text[length]) &&
				text[		length] != '_' && text[length] != '$';
	}
	return false;
}

/*
 * Begins an execution with its planning.  NULL if it is not measured.  The
 * query of EXPLAIN is nested, and is no execution without ExecutorStart.
 */
static inline PpExecution *
begin_plan(const Query *query, const char *source)
{
	PpExecution *e;

	pp_execution_tidy();
	if (!pp_is_tracked())
		return NULL;
	if (pp_backend.nesting > 0 &&
		pp_backend.nesting != pp_backend.with_query &&
		(source == NULL || !is_statement(source, query->stmt_location)))
		return NULL;

	e = pp_execution_begin(PP_KIND_PLANNER, PP_QUERYID(query));
	if (e == NULL)
		return NULL;
	if (unlikely(pp_backend.explaining >= 0))
		e->explained = e->level == pp_backend.explaining;
	e->command = query->commandType;
	e->can_set_tag = query->canSetTag;
	e->line = pp_pending_resident(&e->key);
	if (unlikely(e->line == NULL))
	{
		PpSource text = {source, query->stmt_location, query->stmt_len, false};

		pp_claim_line(e, &text);
	}
	pp_snapshot_usage(e);
	pp_start_clock(e);
	if (e->first)
	{
		pp_charge_message(e, e->key.queryid);
		e->statement.before_time += pp_since_message(e->started,
													 e->statement.message_at);
	}
	return e;
}

/* Keeps the record, open, for the execution of the plan. */
static inline void
end_plan(PpExecution *e)
{
	PpClock		now = pp_clock_now();

	e->statement.plan_time = pp_clock_ns(now - e->started);
	e->statement.parts |= PP_PART_PLAN;
	e->started = now;
	e->running = false;
	if (unlikely(pp_backend.fresh_plan != NULL))
		pp_execution_keep_plan();
	pp_backend.fresh_plan = e;
}

static PlannedStmt *
pp_planner(PP_PLANNER_PARAMS)
{
	PpExecution *execution = begin_plan(parse, query_string);
	int			nesting = pp_backend.nesting;
	PlannedStmt *result;

	pp_own_time_end();
	if (execution != NULL)
		pp_backend.nesting = nesting + 1;
	result = prev_planner(PP_PLANNER_ARGS);
	if (execution != NULL)
	{
		pp_backend.nesting = nesting;
		end_plan(execution);
	}
	return result;
}

/* ---- ExecutorStart ----------------------------------------------------------------- */

static inline bool
is_plan_of(const PpExecution *e, int64 queryid)
{
	return e->key.queryid == queryid && e->level == pp_backend.nesting;
}

/*
 * Goes on with the oldest plan that waits for this query: one that other
 * statements came after, or that an earlier message brought, since Bind plans
 * what some portals start in Execute.  NULL if there is none.
 */
static pg_noinline PpExecution *
take_kept_plan(int64 queryid)
{
	PpExecution **link = &pp_backend.planned;
	TimestampTz message_at = GetCurrentStatementStartTimestamp();
	PpExecution *e;

	if (pp_backend.fresh_plan != NULL)
		pp_execution_keep_plan();
	while (*link != NULL && !(is_plan_of(*link, queryid) &&
							  (*link)->key.userid == GetUserId()))
		link = &(*link)->next;
	e = *link;
	if (e == NULL)
		return NULL;

	*link = e->next;
	e->next = pp_backend.open;
	pp_backend.open = e;
	if (e->level == 0)
		pp_execution_publish(e);
	pp_snapshot_usage(e);
	if (e->statement.message_at != message_at)
	{
		e->statement.message_at = message_at;
		e->first = e->level == 0 && message_at != pp_backend.charged_at;
		if (e->first)
		{
			/* end_start() takes the time since the message */
			pp_backend.charged_at = message_at;
			return e;
		}
	}
	pp_start_clock(e);
	return e;
}

/* The plan for the query that starts, if it was planned for this execution. */
static inline PpExecution *
take_plan(int64 queryid)
{
	PpExecution *e = pp_backend.fresh_plan;

	if (likely(e != NULL && pp_backend.planned == NULL &&
			   is_plan_of(e, queryid) &&
			   e->statement.message_at == GetCurrentStatementStartTimestamp()))
	{
		/* nothing came between: the planner's stretch goes on */
		pp_backend.fresh_plan = NULL;
		return e;
	}
	if (unlikely(e != NULL || pp_backend.planned != NULL))
		return take_kept_plan(queryid);
	return NULL;
}

static pg_noinline void
claim_query_line(PpExecution *e, const QueryDesc *queryDesc)
{
	const PlannedStmt *pstmt = queryDesc->plannedstmt;
	PpSource text = {queryDesc->sourceText, pstmt->stmt_location,
	pstmt->stmt_len, false};

	pp_claim_line(e, &text);
}

/* Begins an execution, or goes on with what the planner began. */
static inline PpExecution *
begin_start(QueryDesc *queryDesc, int eflags)
{
	const PlannedStmt *pstmt = queryDesc->plannedstmt;
	PpExecution *e;

	pp_execution_tidy();
	if (!pp_is_tracked() || (eflags & EXEC_FLAG_EXPLAIN_ONLY))
		return NULL;

	e = take_plan(PP_QUERYID(pstmt));
	if (e != NULL)
	{
		e->kind = PP_KIND_QUERY;
		e->subid = pp_backend.subid;
		e->running = true;
		e->explained = false;
		pp_backend.latest = e;
	}
	else
	{
		e = pp_execution_begin(PP_KIND_QUERY, PP_QUERYID(pstmt));
		if (e == NULL)
			return NULL;
		if (e->first)
			pp_charge_message(e, e->key.queryid);
		else
			pp_start_clock(e);
		pp_snapshot_usage(e);
		e->line = pp_pending_resident(&e->key);
		if (unlikely(e->line == NULL))
			claim_query_line(e, queryDesc);
	}
	e->queryDesc = queryDesc;
	if (unlikely(pp_plans_wanted(e->key.queryid)))
		pp_slow_log_arm(e, queryDesc);
	return e;
}

/* The extended protocol starts a portal in one message and runs it in others. */
static inline bool
in_bind(const PpExecution *e)
{
	return e->level == 0 && ActivePortal != NULL && ActivePortal->visible;
}

/*
 * A statement that was not planned in this message has had all time since the
 * message arrived, ExecutorStart included; the clock of any other runs.
 */
static inline void
end_start(PpExecution *e)
{
	if (!e->clocked)
	{
		pp_start_clock(e);
		e->statement.before_time += pp_since_message(e->started,
													 e->statement.message_at);
	}
	else if (in_bind(e))
	{
		PpClock		now = pp_clock_now();

		e->statement.exec_time += pp_clock_ns(now - e->started);
		e->started = now;
	}
	e->running = false;
}

static void
pp_ExecutorStart(QueryDesc *queryDesc, int eflags)
{
	PpExecution *execution = begin_start(queryDesc, eflags);

	pp_own_time_end();
	prev_ExecutorStart(queryDesc, eflags);
	if (execution != NULL)
	{
		end_start(execution);
		if (unlikely(execution->armed))
			pp_slow_log_started(execution, queryDesc);
	}
}

/* ---- ExecutorRun, Finish, End ------------------------------------------------------- */

static pg_noinline PpExecution *
find_older(PpExecution *e, const QueryDesc *queryDesc)
{
	do
		e = e->next;
	while (e != NULL && e->queryDesc != queryDesc);
	return e;
}

/* The record of an executor's query, or NULL if it is not measured. */
static inline PpExecution *
find_execution(const QueryDesc *queryDesc)
{
	PpExecution *e = pp_backend.open;

	if (likely(e != NULL && e->queryDesc == queryDesc))
		return e;
	return e == NULL ? NULL : find_older(e, queryDesc);
}

/*
 * A Run or Finish begins that does not follow upon its Start.  What nothing
 * came between needs no reading of its own.
 */
static pg_noinline void
resume_late(PpExecution *e, TimestampTz message_at)
{
	bool		adjacent = e == pp_backend.latest;

	if (pp_backend.fresh_plan != NULL)
		pp_execution_keep_plan();
	e->from_message = false;
	if (e->statement.message_at != message_at)
	{
		e->statement.message_at = message_at;
		if (e->level == 0)
			pp_execution_publish(e);
		e->from_message = e->level == 0 &&
			message_at != pp_backend.charged_at;
		if (e->from_message)
			pp_backend.charged_at = message_at;
		else
			pp_start_clock(e);
	}
	else if (adjacent)
		e->started = e->stopped;
	else
		pp_start_clock(e);
	pp_snapshot_usage(e);
}

/*
 * A Run or Finish begins.  A portal that goes on in a new message does so since
 * the message arrived.
 */
static inline void
resume(PpExecution *e)
{
	TimestampTz message_at = GetCurrentStatementStartTimestamp();

	if (likely(!e->ran && e == pp_backend.latest))
	{
		if (e->statement.message_at != message_at)
		{
			e->statement.message_at = message_at;
			if (likely(e->level == 0))
			{
				e->from_message = true;
				pp_backend.charged_at = message_at;
			}
			else
				pp_start_clock(e);
		}
	}
	else
		resume_late(e, message_at);
	e->ran = true;
	e->running = true;
	e->run_subid = pp_backend.subid;
	e->nesting = pp_backend.nesting;
	pp_backend.nesting++;
}

/* It has ended. */
static inline void
suspend(PpExecution *e)
{
	e->stopped = pp_clock_now();
	e->statement.exec_time += e->from_message ?
		pp_since_message(e->stopped, e->statement.message_at) :
		pp_clock_ns(e->stopped - e->started);
	pp_collect_usage(e);
	e->running = false;
	pp_backend.latest = e;
	pp_backend.nesting = e->nesting;
}

/* Which protocol it came by, for the log: now its portal is at hand. */
static pg_noinline void
note_protocol(PpExecution *e)
{
	if (!in_bind(e))
		return;
	e->extended = true;
	strlcpy(e->prepared, ActivePortal->prepStmtName ?
			ActivePortal->prepStmtName : "", sizeof(e->prepared));
}

/* A Run that was to get so many rows has ended; its portal may wait for more. */
static pg_noinline void
note_limit(PpExecution *e, bool reached)
{
	e->unfinished = reached;
	if (reached && in_bind(e))
		pp_session_stop();
}

static pg_noinline void
suspend_sampled(PpExecution *e)
{
	pp_own_time_begin();
	suspend(e);
	pp_own_time_end();
}

static void
pp_ExecutorRun(PP_EXECUTOR_RUN_PARAMS)
{
	PpExecution *execution = find_execution(queryDesc);

	if (execution != NULL)
		resume(execution);
	prev_ExecutorRun(PP_EXECUTOR_RUN_ARGS);
	if (execution != NULL)
	{
		/* each Run begins to count its rows anew */
		execution->statement.rows += queryDesc->estate->es_processed;
		if (count != 0)
			note_limit(execution, queryDesc->estate->es_processed >= count);
		if (unlikely(pp_backend.sampling))
			suspend_sampled(execution);
		else
			suspend(execution);
		if (unlikely(pp_execution_time(execution) >= pp_late_time))
			note_protocol(execution);
	}
}

/* Only AFTER triggers make ExecutorFinish more than a formality. */
static inline bool
may_run_triggers(const QueryDesc *queryDesc)
{
	return queryDesc->operation != CMD_SELECT ||
		queryDesc->plannedstmt->hasModifyingCTE;
}

static pg_noinline void
measure_finish(QueryDesc *queryDesc)
{
	PpExecution *execution = find_execution(queryDesc);

	if (execution != NULL)
		resume(execution);
	prev_ExecutorFinish(queryDesc);
	if (execution != NULL)
		suspend(execution);
}

static void
pp_ExecutorFinish(QueryDesc *queryDesc)
{
	if (may_run_triggers(queryDesc))
		measure_finish(queryDesc);
	else
		prev_ExecutorFinish(queryDesc);
}

static pg_noinline void
collect_jit(PpExecution *e)
{
	const EState *estate = e->queryDesc->estate;
	JitInstrumentation sum = {0};
	PpJit	   *jit = &e->jit;

	if (estate->es_jit)
		InstrJitAgg(&sum, &estate->es_jit->instr);
	if (estate->es_jit_worker_instr)
		InstrJitAgg(&sum, estate->es_jit_worker_instr);
	if (sum.created_functions == 0)
		return;

#define COUNTED(name)	(INSTR_TIME_GET_NANOSEC(sum.name) > 0)
	memset(jit, 0, sizeof(*jit));
	jit->jit_functions = sum.created_functions;
	jit->jit_generation_time = INSTR_TIME_GET_NANOSEC(sum.generation_counter);
	jit->jit_inlining_count = COUNTED(inlining_counter);
	jit->jit_inlining_time = INSTR_TIME_GET_NANOSEC(sum.inlining_counter);
	jit->jit_optimization_count = COUNTED(optimization_counter);
	jit->jit_optimization_time =
		INSTR_TIME_GET_NANOSEC(sum.optimization_counter);
	jit->jit_emission_count = COUNTED(emission_counter);
	jit->jit_emission_time = INSTR_TIME_GET_NANOSEC(sum.emission_counter);
#ifdef PP_HAVE_JIT_DEFORM
	jit->jit_deform_count = COUNTED(deform_counter);
	jit->jit_deform_time = INSTR_TIME_GET_NANOSEC(sum.deform_counter);
#endif
#undef COUNTED
	e->statement.parts |= PP_PART_JIT;
	e->statement.jit = jit;
}

/* Counts an execution for whose query no line stands any more. */
static pg_noinline void
count_late(PpExecution *e, const QueryDesc *queryDesc)
{
	claim_query_line(e, queryDesc);
	pp_pending_add(e->line, &e->key, &e->statement);
}

/* It took long, or its plan is wanted. */
static pg_noinline void
end_late(PpExecution *e, const QueryDesc *queryDesc)
{
	/* eviction may have taken the text while it ran; here a lock costs little */
	claim_query_line(e, queryDesc);
	pp_slow_log(e, queryDesc);
}

/* The execution has ended well. */
static pg_attribute_always_inline void
end_execution(PpExecution *e, const QueryDesc *queryDesc)
{
	if (unlikely(queryDesc->estate->es_jit_flags & PGJIT_PERFORM))
		collect_jit(e);
	pp_execution_close(e);
	if (unlikely(pp_execution_time(e) >= pp_late_time || e->armed))
		end_late(e, queryDesc);
	if (unlikely(!pp_pending_add(e->line, &e->key, &e->statement)))
		count_late(e, queryDesc);
	pp_execution_release(e);
}

static pg_noinline void
end_sampled(PpExecution *e, const QueryDesc *queryDesc)
{
	bool		top = e->level == 0;

	pp_own_time_begin();
	end_execution(e, queryDesc);
	if (top)
		pp_sample_end();
	else
		pp_own_time_end();
}

static void
pp_ExecutorEnd(QueryDesc *queryDesc)
{
	PpExecution *execution = find_execution(queryDesc);

	if (execution != NULL)
	{
		if (unlikely(pp_backend.sampling))
			end_sampled(execution, queryDesc);
		else
			end_execution(execution, queryDesc);
	}
	prev_ExecutorEnd(queryDesc);
}

#define HOOK(name) \
	prev_##name = name##_hook ? name##_hook : standard_##name; \
	name##_hook = pp_##name

void
pp_hooks_init(void)
{
	prev_post_parse_analyze = post_parse_analyze_hook;
	post_parse_analyze_hook = pp_post_parse_analyze;
	HOOK(planner);
	HOOK(ExecutorStart);
	HOOK(ExecutorRun);
	HOOK(ExecutorFinish);
	HOOK(ExecutorEnd);
	pp_utility_init();
}

#undef HOOK
