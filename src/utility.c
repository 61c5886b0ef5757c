/*
 * utility.c
 *	  The hook of utility statements.
 *
 * EXECUTE is not counted beside the statement that it executes, which is at
 * EXECUTE's own level.  COMMIT and its kin are ended by the callback of their
 * transaction.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "tcop/cmdtag.h"
#include "tcop/utility.h"

#include "execution.h"
#include "query_text_maker.h"
#include "utility.h"

/* Which row a utility statement belongs to, by its text or core's id. */
typedef struct PpUtilityId
{
	int64		raw;
	int64		queryid;		/* 0: unused */
} PpUtilityId;

#define UTILITY_IDS		64

static PpUtilityId utility_ids[UTILITY_IDS];
static ProcessUtility_hook_type prev_ProcessUtility;

static bool
is_savepoint(const Node *statement)
{
	if (!IsA(statement, TransactionStmt))
		return false;
	switch (((const TransactionStmt *) statement)->kind)
	{
		case TRANS_STMT_SAVEPOINT:
		case TRANS_STMT_RELEASE:
		case TRANS_STMT_ROLLBACK_TO:
			return true;
		default:
			return false;
	}
}

/* One row for all names: some frameworks make up a new one each time. */
static int64
savepoint_queryid(const TransactionStmt * statement)
{
	return (int64) hash_bytes_uint32_extended(statement->kind, 0) | 1;
}

/*
 * The row that a utility statement belongs to.  Core's id is used where it
 * does not depend on literals.  Without one (another module may have cleared
 * it) and on 15, where it is a hash of the text, it is the fingerprint of the
 * masked text.
 */
static int64
utility_queryid(const PlannedStmt *pstmt, const PpSource *source)
{
	int64		core = PP_QUERYID(pstmt);
	int64		raw = core;
	PpUtilityId *cached;
	PpQueryText text;

	if (core != 0 && !PP_UTILITY_ID_IS_TEXT)
		return core;
	if (is_savepoint(pstmt->utilityStmt))
		return savepoint_queryid((TransactionStmt *) pstmt->utilityStmt);

	if (core == 0)
	{
		const char *query = source->query;
		int			skipped = strnlen(query, Max(source->location, 0));
		int			length = source->length > 0 ?
		strnlen(query + skipped, source->length) : strlen(query + skipped);

		raw = (int64) hash_bytes_extended((const unsigned char *) query +
										  skipped, length, 0);
	}
	cached = &utility_ids[(uint64) raw % UTILITY_IDS];
	if (cached->raw == raw && cached->queryid != 0)
		return cached->queryid;

	if (!pp_make_text(source, &text))
		return raw;
	cached->raw = raw;
	cached->queryid = core != 0 && !text.masked ? core :
		(int64) text.fingerprint;

	pp_free_text();
	return cached->queryid;
}

static PpExecutionKind
utility_kind(const Node *statement)
{
	if (IsA(statement, ExecuteStmt))
		return PP_KIND_EXECUTE;
	if (IsA(statement, TransactionStmt) && pp_backend.nesting == 0 &&
		!IsAbortedTransactionBlockState())
	{
		switch (((const TransactionStmt *) statement)->kind)
		{
			case TRANS_STMT_COMMIT:
			case TRANS_STMT_PREPARE:
				return PP_KIND_COMMIT;
			case TRANS_STMT_ROLLBACK:
				return PP_KIND_ROLLBACK;
			default:
				break;
		}
	}
	return PP_KIND_UTILITY;
}

/*
 * A statement of the client begins that is not to be measured.  It has had the
 * message's time all the same, and must not be taken for parse analysis.
 */
static void
begin_unmeasured(void)
{
	PpStatKey	key;

	pp_backend.charged_at = GetCurrentStatementStartTimestamp();
	if (!pp_pending_attach())
		return;
	pp_stat_key_init(&key, MyDatabaseId, GetUserId(), 0, PP_KEY_TOPLEVEL);
	pp_session_run(&key, pp_backend.charged_at, true);
}

/* Begins a utility statement.  NULL if it is not measured. */
static pg_noinline PpExecution *
begin_utility(const PlannedStmt *pstmt, const char *query)
{
	PpSource	source = {query, pstmt->stmt_location, pstmt->stmt_len, true};
	PpExecutionKind kind = utility_kind(pstmt->utilityStmt);
	PpExecution *e;

	pp_execution_tidy();
	if (!pp_is_tracked())
		return NULL;
	if (!pp_track_utility)
	{
		if (pp_backend.nesting == 0 && kind != PP_KIND_EXECUTE)
			begin_unmeasured();
		return NULL;
	}

	e = pp_execution_begin(kind, utility_queryid(pstmt, &source));
	if (e == NULL)
		return NULL;
	e->line = pp_pending_resident(&e->key);
	if (e->line == NULL)
		pp_claim_line(e, &source);
	pp_snapshot_usage(e);
	pp_start_clock(e);

	/* what EXECUTE executes takes the message's time, if it gets so far */
	if (e->first && kind != PP_KIND_EXECUTE)
	{
		pp_charge_message(e, PP_QUERYID(pstmt));
		e->statement.before_time += pp_since_message(e->started,
													 e->statement.message_at);
	}
	return e;
}

/*
 * The hook has ended well.  COMMIT and its kin go on until the callback of
 * their transaction; EXECUTE was counted as what it executed.
 */
static void
end_utility(PpExecution *e, int64 rows)
{
	if (e->kind == PP_KIND_COMMIT || e->kind == PP_KIND_ROLLBACK)
	{
		pp_backend.commit = e;
		pp_backend.unsettled++;
		pp_backend.nesting++;
		return;
	}
	pp_execution_close(e);
	if (e->kind == PP_KIND_EXECUTE)
	{
		pp_backend.sampling = false;
		pp_execution_release(e);
		return;
	}
	pp_own_time_begin();
	e->statement.exec_time = pp_clock_ns(pp_clock_now() - e->started);
	e->statement.rows = rows;
	pp_collect_usage(e);
	pp_backend.latest = NULL;
	pp_execution_count(e);
}

/* What is not measured has ended; one inside of another goes on with that. */
static void
end_unmeasured(void)
{
	if (pp_backend.nesting == 0 && pp_my_session != NULL)
		pp_session_stop();
}

/* Does it hand a query of its own to the planner? */
static bool
plans_query(const Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_CopyStmt:
		case T_CreateTableAsStmt:
		case T_DeclareCursorStmt:
		case T_ExplainStmt:
		case T_RefreshMatViewStmt:
			return true;
		default:
			return false;
	}
}

/* Rows that a utility statement moved, by the rule of pg_stat_statements. */
static int64
utility_rows(const QueryCompletion *qc)
{
	if (qc == NULL)
		return 0;
	switch (qc->commandTag)
	{
		case CMDTAG_COPY:
		case CMDTAG_FETCH:
		case CMDTAG_SELECT:
		case CMDTAG_REFRESH_MATERIALIZED_VIEW:
			return (int64) qc->nprocessed;
		default:
			return 0;
	}
}

static void
pp_ProcessUtility(PlannedStmt *pstmt, const char *queryString,
				  bool readOnlyTree, ProcessUtilityContext context,
				  ParamListInfo params, QueryEnvironment *queryEnv,
				  DestReceiver *dest, QueryCompletion *qc)
{
	PpExecution *execution;
	bool		transparent;
	int			nesting = pp_backend.nesting;
	int			explaining = pp_backend.explaining;
	int			with_query = pp_backend.with_query;

	if (!pp_enabled)
	{
		prev_ProcessUtility(pstmt, queryString, readOnlyTree, context, params,
							queryEnv, dest, qc);
		return;
	}

	/* the statement may be freed while it runs: it is looked at before */
	transparent = IsA(pstmt->utilityStmt, ExecuteStmt) ||
		IsA(pstmt->utilityStmt, PrepareStmt);
	execution = begin_utility(pstmt, queryString);
	pp_own_time_end();
	pp_backend.utilities++;
	if (!transparent)
		pp_backend.nesting++;
	if (IsA(pstmt->utilityStmt, ExplainStmt))
		pp_backend.explaining = pp_backend.nesting;
	if (plans_query(pstmt->utilityStmt))
		pp_backend.with_query = pp_backend.nesting;
	PG_TRY();
	{
		prev_ProcessUtility(pstmt, queryString, readOnlyTree, context, params,
							queryEnv, dest, qc);
	}
	PG_CATCH();
	{
		pp_backend.nesting = nesting;
		pp_backend.utilities--;
		pp_backend.explaining = explaining;
		pp_backend.with_query = with_query;
		if (execution != NULL)
			pp_execution_failed(execution);
		else
			end_unmeasured();
		PG_RE_THROW();
	}
	PG_END_TRY();
	pp_backend.nesting = nesting;
	pp_backend.utilities--;
	pp_backend.explaining = explaining;
	pp_backend.with_query = with_query;

	if (execution != NULL)
		end_utility(execution, utility_rows(qc));
	else
		end_unmeasured();
}

void
pp_utility_init(void)
{
	prev_ProcessUtility = ProcessUtility_hook ? ProcessUtility_hook :
		standard_ProcessUtility;
	ProcessUtility_hook = pp_ProcessUtility;
}
