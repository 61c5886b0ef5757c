/*
 * execution.c
 *	  The executions that this backend has begun and not ended yet.
 *
 * An execution begins with the first of planner call, ExecutorStart and
 * ProcessUtility, and ends exactly once.  Its record lives in backend memory
 * from begin to end; then it is counted in a pending line and the record is
 * used again.  Several can be open at once: cursors, portals, nesting.
 *
 * While an error is on its way nothing is counted, since locks of the code that
 * failed are still held.  The callback at the abort of the (sub)transaction
 * counts what has failed, with locks free again: what a hook has seen fail, and
 * what it finds running that was entered in that subtransaction or later.  So
 * the hooks of planner and executor need no PG_TRY.  The same callback ends
 * what an abort drops, cursors above all, and what FATAL ends, which does not
 * unwind.  COMMIT and its kin are ended by the callback of the transaction: the
 * work is done after the utility hook.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "mb/pg_wchar.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/memutils.h"

#include "error_watch.h"
#include "execution.h"
#include "query_text_maker.h"
#include "slow_log.h"

/* plans that wait for their execution: of rules, of bodies of SQL functions */
#define MAX_PLANNED		1000

/* one statement in so many is sampled for pool_perf's own time */
#define SAMPLE_EVERY	1009

typedef struct PpSharedExecution
{
	pg_atomic_uint64 own_time;	/* ns */
	pg_atomic_uint64 sampled;	/* statements */
	pg_atomic_uint64 dropped;	/* executions that were not measured */
} PpSharedExecution;

instr_time	pp_clock_reading;

PpBackend	pp_backend = {
	.explaining = -1,
	.with_query = -1,
	.unsettled = 1,
	.subid = TopSubTransactionId,
	.sample_in = SAMPLE_EVERY
};

static PpSharedExecution *shared;

static void xact_callback(XactEvent event, void *arg);
static void subxact_callback(SubXactEvent event, SubTransactionId subid,
							 SubTransactionId parent, void *arg);

Size
pp_execution_shmem_size(void)
{
	return sizeof(PpSharedExecution);
}

void
pp_execution_shmem_init(void)
{
	bool		found;

	shared = ShmemInitStruct("pool_perf executions",
							 pp_execution_shmem_size(), &found);
	if (found)
		return;
	pg_atomic_init_u64(&shared->own_time, 0);
	pg_atomic_init_u64(&shared->sampled, 0);
	pg_atomic_init_u64(&shared->dropped, 0);
}

void
pp_execution_init(void)
{
	RegisterXactCallback(xact_callback, NULL);
	RegisterSubXactCallback(subxact_callback, NULL);
}

/* Executions that were not measured, for want of memory. */
uint64
pp_execution_dropped(void)
{
	return pg_atomic_read_u64(&shared->dropped);
}

/* ---- time ------------------------------------------------------------------ */

/* Sets the two clocks side by side; nanoseconds since the message arrived. */
int64
pp_take_anchor(PpClock now, TimestampTz message_at)
{
	int64		time;

	pp_backend.anchor = pp_clock_now();
	pp_backend.anchor_at = GetCurrentTimestamp();
	time = (pp_backend.anchor_at - message_at) * 1000 -
		pp_clock_ns(pp_backend.anchor - now);
	return Max(time, 0);
}

/* Parse analysis was this statement's, if it came with a message before. */
void
pp_charge_analysis(PpExecution *e, int64 core_queryid)
{
	if (pp_backend.analysis_queryid == core_queryid &&
		pp_backend.analysis_at != e->statement.message_at)
		e->statement.before_time += pp_backend.analysis_time;
	pp_backend.analysis_time = 0;
}

/* Adds what is between pp_own_time_begin() and now, if it was called. */
void
pp_own_time_add(void)
{
	if (pp_backend.own_started != 0)
		pp_backend.own_time += pp_clock_ns(pp_clock_now() -
										   pp_backend.own_started);
	pp_backend.own_started = 0;
}

void
pp_sample_begin(void)
{
	pp_backend.sample_in = SAMPLE_EVERY;
	pp_backend.own_time = 0;
	pp_backend.sampling = true;
	pp_own_time_begin();
}

void
pp_sample_end(void)
{
	pp_own_time_end();
	pg_atomic_fetch_add_u64(&shared->own_time, pp_backend.own_time);
	pg_atomic_fetch_add_u64(&shared->sampled, 1);
	pp_backend.sampling = false;
}

/* Mean of the sampled statements, in nanoseconds; 0 before the first. */
double
pp_execution_own_time(void)
{
	uint64		sampled = pg_atomic_read_u64(&shared->sampled);

	return sampled == 0 ? 0 :
		(double) pg_atomic_read_u64(&shared->own_time) / sampled;
}

/* ---- buffers and WAL ---------------------------------------------------------- */

/*
 * Takes a new base for the executions to come.  Those that shared the old one
 * get a copy of it.
 */
void
pp_renew_usage_base(int64 sum)
{
	for (PpExecution *e = pp_backend.open; e != NULL; e = e->next)
		if (!e->own_base)
		{
			e->base = pp_backend.base;
			e->own_base = true;
		}
	pp_backend.base.buffers = pgBufferUsage;
	pp_backend.base.wal = pgWalUsage;
	pp_backend.usage_sum = sum;
}

/* The execution's usage, which is nothing at first. */
static PpUsage *
usage_of(PpExecution *e)
{
	if ((e->statement.parts & PP_PART_USAGE) == 0)
		memset(&e->usage, 0, sizeof(e->usage));
	e->statement.parts |= PP_PART_USAGE;
	e->statement.usage = &e->usage;
	return &e->usage;
}

static inline int64
time_between(instr_time start, instr_time end)
{
	INSTR_TIME_SUBTRACT(end, start);
	return INSTR_TIME_GET_NANOSEC(end);
}

/* Adds what changed since the snapshot, but for the hits of shared blocks. */
void
pp_add_usage(PpExecution *e)
{
	const PpUsageBase *base = e->own_base ? &e->base : &pp_backend.base;
	PpUsage    *usage = usage_of(e);

#define ADD_COUNT(name) \
	usage->name += pgBufferUsage.name - base->buffers.name
#define ADD_TIME(name, GET) \
	usage->name += time_between(GET(&base->buffers), GET(&pgBufferUsage))
#define GET_TEMP_READ(b)	((b)->temp_blk_read_time)
#define GET_TEMP_WRITE(b)	((b)->temp_blk_write_time)

	ADD_COUNT(shared_blks_read);
	ADD_COUNT(shared_blks_dirtied);
	ADD_COUNT(shared_blks_written);
	ADD_COUNT(local_blks_hit);
	ADD_COUNT(local_blks_read);
	ADD_COUNT(local_blks_dirtied);
	ADD_COUNT(local_blks_written);
	ADD_COUNT(temp_blks_read);
	ADD_COUNT(temp_blks_written);
	ADD_TIME(shared_blk_read_time, PP_SHARED_READ_TIME);
	ADD_TIME(shared_blk_write_time, PP_SHARED_WRITE_TIME);
#ifdef PP_HAVE_LOCAL_BLK_TIME
	ADD_TIME(local_blk_read_time, PP_LOCAL_READ_TIME);
	ADD_TIME(local_blk_write_time, PP_LOCAL_WRITE_TIME);
#endif
	ADD_TIME(temp_blk_read_time, GET_TEMP_READ);
	ADD_TIME(temp_blk_write_time, GET_TEMP_WRITE);
	usage->wal_records += pgWalUsage.wal_records - base->wal.wal_records;
	usage->wal_fpi += pgWalUsage.wal_fpi - base->wal.wal_fpi;
	usage->wal_bytes += pgWalUsage.wal_bytes - base->wal.wal_bytes;

#undef ADD_COUNT
#undef ADD_TIME
#undef GET_TEMP_READ
#undef GET_TEMP_WRITE
}

/* ---- begin and end -------------------------------------------------------------- */

/* A new record, when none is spare: the deepest nesting so far. */
PpExecution *
pp_execution_new(void)
{
	PpExecution *e = NULL;

	/* their statements belong to the leader */
	if (IsParallelWorker())
		return NULL;
	if (pp_pending_attach())
		e = MemoryContextAllocExtended(TopMemoryContext, sizeof(*e),
									   MCXT_ALLOC_NO_OOM | MCXT_ALLOC_ZERO);
	if (e == NULL)
		pg_atomic_fetch_add_u64(&shared->dropped, 1);
	return e;
}

/* Keys are made for another user from now on; the database never changes. */
void
pp_execution_set_user(Oid userid)
{
	pp_backend.userid = userid;
	pp_backend.user_hash = pp_stat_key_user_hash(MyDatabaseId, userid);
}

/*
 * Something else begins before what was planned is executed: the plan is kept
 * with those that wait.  A prepared statement may be planned twice for one
 * execution, generic and custom: that is one planning.
 */
void
pp_execution_keep_plan(void)
{
	PpExecution *e = pp_backend.fresh_plan;
	PpExecution **link = &pp_backend.planned;
	int			planned = 0;

	pp_backend.fresh_plan = NULL;
	pp_execution_close(e);
	pp_collect_usage(e);
	e->clocked = false;
	e->next = NULL;

	while (*link != NULL)
	{
		PpExecution *other = *link;

		if (other->level == e->level &&
			other->statement.message_at == e->statement.message_at &&
			other->command == e->command &&
			other->can_set_tag == e->can_set_tag &&
			pp_stat_key_equal(&other->key, &e->key))
		{
			e->statement.plan_time += other->statement.plan_time;
			e->statement.before_time += other->statement.before_time;
			e->statement.shared_blks_hit += other->statement.shared_blks_hit;
			if (other->statement.parts & PP_PART_USAGE)
				pp_usage_add(usage_of(e), &other->usage);
			*link = other->next;
			pp_execution_release(other);
			continue;
		}
		link = &other->next;
		planned++;
	}
	*link = e;
	if (planned == MAX_PLANNED)
	{
		PpExecution *oldest = pp_backend.planned;

		pp_backend.planned = oldest->next;
		pp_execution_release(oldest);
	}
}

void
pp_execution_unlink(PpExecution *e)
{
	PpExecution **link = &pp_backend.open;

	while (*link != e)
		link = &(*link)->next;
	*link = e->next;
}

/*
 * Makes a pending line stand for the query, and sees to it that the table has
 * its text.
 */
void
pp_claim_line(PpExecution *e, const PpSource *source)
{
	PpQueryText text = {0};

	if (e->key.queryid != 0)
	{
		e->line = pp_pending_claim(&e->key, NULL);
		if (e->line != NULL)
			return;
		pp_make_text(source, &text);
	}
	e->line = pp_pending_claim(&e->key, &text);
	pp_free_text();
}

/*
 * Counts an execution that ended, and is on no list any more.  If no line
 * stands for its query any more, its text is not at hand.
 */
void
pp_execution_count(PpExecution *e)
{
	static const PpQueryText no_text = {0};

	if (!pp_pending_add(e->line, &e->key, &e->statement))
	{
		e->line = pp_pending_claim(&e->key, &no_text);
		pp_pending_add(e->line, &e->key, &e->statement);
	}
	if (unlikely(e->statement.parts & PP_PART_FAILED) && e->level == 0)
		pp_error_failed_call(e->key.dbid);
	if (unlikely(pp_execution_time(e) >= pp_slow_time))
		pp_slow_log(e, NULL);
	if (unlikely(pp_backend.sampling) && e->level == 0)
		pp_sample_end();
	pp_execution_release(e);
}

/* The time that it would have taken if it ended now, in nanoseconds. */
int64
pp_execution_time_until(const PpExecution *e, PpClock now)
{
	TimestampTz message_at = e->statement.message_at;
	int64		time = pp_execution_time(e);

	if (!e->running)
		return time;
	if (e->kind == PP_KIND_EXECUTE && e->first &&
		message_at != pp_backend.charged_at)
		time += pp_since_message(e->started, message_at);
	if (e->from_message)
		return time + pp_since_message(now, message_at);
	if (e->clocked)
		return time + pp_clock_ns(now - e->started);
	return e->first ? time + pp_since_message(now, message_at) : time;
}

/* Takes the time of an execution that an error or an abort ends. */
static void
stop_failed(PpExecution *e)
{
	PpStatement *statement = &e->statement;
	PpClock		now;

	statement->parts |= PP_PART_FAILED;
	if (!e->running)
		return;

	now = pp_clock_now();
	/* what EXECUTE executes has not come to take the message's time */
	if (e->kind == PP_KIND_EXECUTE && e->first &&
		e->statement.message_at != pp_backend.charged_at)
	{
		pp_backend.charged_at = e->statement.message_at;
		statement->before_time += pp_since_message(e->started,
												   statement->message_at);
	}
	if (e->kind == PP_KIND_PLANNER)
	{
		statement->plan_time = pp_clock_ns(now - e->started);
		statement->parts |= PP_PART_PLAN;
	}
	else if (e->from_message)
		statement->exec_time += pp_since_message(now, e->statement.message_at);
	else if (e->clocked)
		statement->exec_time += pp_clock_ns(now - e->started);
	else if (e->first)
		statement->before_time += pp_since_message(now, e->statement.message_at);
	pp_collect_usage(e);
	e->running = false;
}

/* Was it running what has been aborted? */
static bool
is_broken(const PpExecution *e, SubTransactionId subid)
{
	return (e->kind == PP_KIND_QUERY || e->kind == PP_KIND_PLANNER) &&
		e->running && (e->ran ? e->run_subid : e->subid) >= subid;
}

/* Has it failed, or does the abort drop it? */
static bool
is_over(const PpExecution *e, SubTransactionId subid)
{
	/* COMMIT and its kin are for end_commit() */
	if (e == pp_backend.commit)
		return false;
	if (e->failed || proc_exit_inprogress || is_broken(e, subid))
		return true;
	return (e->kind == PP_KIND_QUERY || e->kind == PP_KIND_PLANNER) &&
		e->subid >= subid;
}

/* Is it none to count: planned only, or beside what it executed? */
static bool
is_no_execution(const PpExecution *e, int ended)
{
	if (e->failed)
		return false;
	return (e->kind == PP_KIND_PLANNER && !e->running) ||
		(e->kind == PP_KIND_EXECUTE && ended > 0);
}

/* Does the abort fail it, rather than end it after a run that went well? */
static bool
fails_now(const PpExecution *e, SubTransactionId subid)
{
	if (e->running)
		return is_broken(e, subid) || proc_exit_inprogress;
	return proc_exit_inprogress && (!e->ran || e->unfinished);
}

/*
 * Ends what has failed, and what an abort drops: planner calls and executions
 * begun or entered in the subtransaction or after it.  Without a
 * subtransaction, all.  What runs has failed; so has what the end of the
 * session drops, unless it has run to its end.  An execution's own memory may
 * be gone.
 */
static void
end_aborted(SubTransactionId subid)
{
	PpExecution **link = &pp_backend.open;
	int			ended = 0;

	while (*link != NULL)
	{
		PpExecution *e = *link;

		if (!is_over(e, subid))
		{
			link = &e->next;
			continue;
		}
		*link = e->next;
		if (is_no_execution(e, ended))
		{
			if (pp_backend.fresh_plan == e)
				pp_backend.fresh_plan = NULL;
			pp_execution_release(e);
			continue;
		}
		ended++;
		if (e->failed)
			pp_backend.unsettled--;
		else if (fails_now(e, subid))
		{
			pp_backend.nesting = Min(pp_backend.nesting,
									 e->ran ? e->nesting : e->level);
			stop_failed(e);
		}
		if (e->explained)
			pp_execution_release(e);
		else
			pp_execution_count(e);
	}
	if (pp_backend.open == NULL && pp_my_session != NULL)
		pp_session_stop();
}

/* Lets go of plans made in the subtransaction or after it that wait in vain. */
static void
forget_plans(SubTransactionId subid)
{
	PpExecution **link = &pp_backend.planned;

	if (pp_backend.fresh_plan != NULL)
		pp_execution_keep_plan();
	while (*link != NULL)
	{
		PpExecution *e = *link;

		if (e->subid >= subid)
		{
			*link = e->next;
			pp_execution_release(e);
		}
		else
			link = &e->next;
	}
}

/* An execution that COMMIT or ROLLBACK began ends with the transaction. */
static void
end_commit(bool failed)
{
	PpExecution *e = pp_backend.commit;

	pp_backend.commit = NULL;
	pp_backend.unsettled--;
	pp_backend.nesting = e->level;
	pp_execution_close(e);
	e->statement.exec_time = pp_clock_ns(pp_clock_now() - e->started);
	if (failed)
		e->statement.parts |= PP_PART_FAILED;
	pp_collect_usage(e);
	pp_execution_count(e);
}

/* Ends what an earlier statement left open that cannot go on any more. */
void
pp_execution_tidy_up(void)
{
	pp_error_forget();
	if (pp_backend.commit != NULL &&
		pp_backend.commit->statement.message_at != GetCurrentStatementStartTimestamp())
		end_commit(false);
	if (pp_backend.unsettled > 0 && pp_backend.commit == NULL)
		end_aborted(PG_UINT32_MAX);
}

/*
 * Notes in PG_CATCH that a utility statement has failed.  Nothing is counted
 * here: see the head of this file.
 */
void
pp_execution_failed(PpExecution *e)
{
	bool		executed = false;

	/* EXECUTE has not failed beside what it executed */
	if (e->kind == PP_KIND_EXECUTE)
		for (PpExecution *inner = pp_backend.open; inner != e;
			 inner = inner->next)
			executed |= inner->failed || inner->running;

	stop_failed(e);
	pp_backend.latest = NULL;
	if (executed)
	{
		pp_execution_unlink(e);
		pp_execution_release(e);
		return;
	}
	e->failed = true;
	pp_backend.unsettled++;
}

/* ---- ends of transactions --------------------------------------------------------- */

static pg_noinline void
end_transaction(XactEvent event)
{
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_PREPARE &&
		event != XACT_EVENT_ABORT)
		return;

	if (!pp_backend.ready)
	{
		pp_backend.ready = true;
		pp_backend.unsettled--;
	}
	if (pp_backend.commit != NULL)
		end_commit(event == XACT_EVENT_ABORT &&
				   pp_backend.commit->kind != PP_KIND_ROLLBACK);
	/* after a commit only what some module has left without an end */
	if (pp_backend.open != NULL &&
		(event == XACT_EVENT_ABORT || pp_backend.utilities == 0))
		end_aborted(InvalidSubTransactionId);
	forget_plans(InvalidSubTransactionId);
	if (event == XACT_EVENT_ABORT)
		pp_error_settle();
	pp_error_watch();
	if (pp_backend.utilities == 0)
		pp_backend.nesting = 0;
}

static void
xact_callback(XactEvent event, void *arg)
{
	if (unlikely(((uintptr_t) pp_backend.open |
				  (uintptr_t) pp_backend.planned |
				  (uintptr_t) pp_backend.fresh_plan |
				  (uintptr_t) pp_backend.nesting |
				  (uintptr_t) pp_backend.unsettled) != 0))
		end_transaction(event);
}

static void
subxact_callback(SubXactEvent event, SubTransactionId subid,
				 SubTransactionId parent, void *arg)
{
	switch (event)
	{
		case SUBXACT_EVENT_START_SUB:
			pp_backend.subid = subid;
			break;
		case SUBXACT_EVENT_COMMIT_SUB:
			pp_backend.subid = parent;
			break;
		case SUBXACT_EVENT_ABORT_SUB:
			pp_backend.subid = parent;
			if (pp_backend.open != NULL)
				end_aborted(subid);
			forget_plans(subid);
			pp_error_settle();
			break;
		case SUBXACT_EVENT_PRE_COMMIT_SUB:
			break;
	}
}
