/*
 * execution.h
 *	  The executions that this backend has begun; see execution.c.
 *
 * What every statement runs through is here, as inline functions: what it
 * costs is counted in instructions.
 */
#ifndef PP_EXECUTION_H
#define PP_EXECUTION_H

#include "access/xact.h"
#include "executor/execdesc.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "guc.h"
#include "pending.h"
#include "sessions.h"

typedef enum PpExecutionKind
{
	PP_KIND_PLANNER,
	PP_KIND_QUERY,
	PP_KIND_UTILITY,
	PP_KIND_EXECUTE,			/* counted only if nothing was executed */
	PP_KIND_COMMIT,				/* the transaction callback ends it */
	PP_KIND_ROLLBACK			/* likewise, and an abort is its success */
} PpExecutionKind;

/* A state of the process-wide counters. */
typedef struct PpUsageBase
{
	BufferUsage buffers;
	WalUsage	wal;
} PpUsageBase;

/* An execution that is not over yet.  In backend memory, and used again. */
typedef struct PpExecution
{
	struct PpExecution *next;
	const QueryDesc *queryDesc; /* of PP_KIND_QUERY */
	PpStatKey	key;
	struct PpSharedLine *line;	/* stood for the key when it began */
	PpStatement statement;
	PpExecutionKind kind;
	int			level;			/* how many statements it runs inside of */
	int			nesting;		/* pp_backend.nesting before it ran, if it did */
	SubTransactionId subid;		/* it began in */
	SubTransactionId run_subid; /* it ran in, if it did */
	bool		running;		/* a hook of it is on the stack */
	/* from here to command all is false when it begins */
	bool		ran;
	bool		failed;			/* an error was seen; to be counted */
	bool		explained;		/* planned for EXPLAIN, not executed yet */
	bool		first;			/* of its message */
	bool		from_message;	/* runs since the message arrived */
	bool		clocked;		/* runs since started */
	bool		unfinished;		/* its last Run got as many rows as it asked
								 * for */
	bool		armed;			/* its plan is wanted: see plan_watch.h */
	bool		extended;		/* is late and came by the extended protocol */
	bool		can_set_tag;	/* of PP_KIND_PLANNER, as is command */
	CmdType		command;
	uint64		number;			/* of PpRunning, at top level */
	char		prepared[NAMEDATALEN];	/* its name there; empty: it has none */
	PpClock		started;
	PpClock		stopped;
	/* process-wide counters when this stretch began */
	int64		shared_blks_hit;
	int64		usage_sum;		/* see pp_usage_sum() */
	bool		own_base;		/* base is valid; else pp_backend.base stands */
	PpUsageBase base;
	PpUsage		usage;
	PpJit		jit;
} PpExecution;

/* Where a statement's text stands. */
typedef struct PpSource
{
	const char *query;
	int			location;
	int			length;
	bool		utility;
} PpSource;

/* What this backend is doing. */
typedef struct PpBackend
{
	PpExecution *open;			/* newest first */
	PpExecution *fresh_plan;	/* planned, and nothing came after it; open */
	PpExecution *planned;		/* older plans, oldest first */
	PpExecution *commit;		/* open, and its callback is to come */
	PpExecution *spare;
	int			nesting;		/* statements around what runs now */
	int			utilities;		/* utility hooks on the stack */
	int			explaining;		/* nesting inside a running EXPLAIN, or -1 */
	int			with_query;		/* nesting inside a running utility statement
								 * that plans a query of its own, or -1 */
	int			unsettled;		/* open ones that failed, COMMIT, an error
								 * that is not counted yet; 1 until ready */
	bool		ready;			/* the session's first transaction, of its
								 * login, has ended */
	PpExecution *latest;		/* began, ran or stopped last */
	SubTransactionId subid;		/* the current one */

	/* the counters as they were when their sum was that; see pp_usage_sum() */
	int64		usage_sum;
	PpUsageBase base;

	/* the user that the last key was made for, and what keys have of him */
	Oid			userid;
	uint32		user_hash;

	/* the message whose time before its first statement is taken */
	TimestampTz charged_at;

	/* the wall clock as the monotonic one sees it */
	PpClock		anchor;
	TimestampTz anchor_at;

	/* pool_perf's own time, while a statement is sampled for it */
	int			sample_in;
	bool		sampling;
	PpClock		own_started;	/* 0: pool_perf is not at work */
	int64		own_time;

	/* parse analysis in a message of its own, for the statement to come */
	int64		analysis_time;	/* ns; 0: none */
	int64		analysis_queryid;
	TimestampTz analysis_at;
} PpBackend;

extern PP_HIDDEN PpBackend pp_backend;

/* how long the wall clock is not read again, in ns */
#define PP_ANCHOR_AGE		INT64CONST(1000000000)

/* but a message older than this, in ns, is worth another look */
#define PP_RECHECK_BEFORE	INT64CONST(10000000)

extern Size pp_execution_shmem_size(void);
extern void pp_execution_shmem_init(void);
extern void pp_execution_init(void);
extern double pp_execution_own_time(void);
extern uint64 pp_execution_dropped(void);

extern int64 pp_take_anchor(PpClock now, TimestampTz message_at);
extern void pp_renew_usage_base(int64 sum);
extern void pp_add_usage(PpExecution *execution);
extern void pp_charge_analysis(PpExecution *execution, int64 core_queryid);
extern void pp_claim_line(PpExecution *execution, const PpSource *source);
extern PpExecution *pp_execution_new(void);
extern void pp_execution_set_user(Oid userid);
extern void pp_execution_keep_plan(void);
extern void pp_execution_unlink(PpExecution *execution);
extern void pp_execution_count(PpExecution *execution);
extern int64 pp_execution_time_until(const PpExecution *execution,
									 PpClock now);
extern void pp_execution_failed(PpExecution *execution);
extern void pp_execution_tidy_up(void);
extern void pp_own_time_add(void);
extern void pp_sample_begin(void);
extern void pp_sample_end(void);

/* Parallel workers have no records: see pp_execution_new(). */
static inline bool
pp_is_tracked(void)
{
	return pp_backend.nesting <= pp_tracked_nesting;
}

/* ---- time ---------------------------------------------------------------- */

/*
 * Nanoseconds from the arrival of a message until now.  The wall clock is read
 * once a second, and again for what looks long: it may have been set.
 */
static inline int64
pp_since_message(PpClock now, TimestampTz message_at)
{
	int64		after = pp_clock_ns(now - pp_backend.anchor);
	int64		time = (pp_backend.anchor_at - message_at) * 1000 + after;

	if (unlikely((uint64) after >= PP_ANCHOR_AGE ||
				 (uint64) time >= PP_RECHECK_BEFORE))
		return pp_take_anchor(now, message_at);
	return time;
}

static inline void
pp_start_clock(PpExecution *e)
{
	e->started = pp_clock_now();
	e->clocked = true;
}

/* The time of a message goes to one statement. */
static inline void
pp_charge_message(PpExecution *e, int64 core_queryid)
{
	pp_backend.charged_at = e->statement.message_at;
	if (unlikely(pp_backend.analysis_time != 0))
		pp_charge_analysis(e, core_queryid);
}

/* pool_perf's own time begins and ends wherever it takes over and lets go. */
static inline void
pp_own_time_begin(void)
{
	if (unlikely(pp_backend.sampling))
		pp_backend.own_started = pp_clock_now();
}

static inline void
pp_own_time_end(void)
{
	if (unlikely(pp_backend.sampling))
		pp_own_time_add();
}

/* ---- what an execution did to the process-wide counters -------------------- */

/*
 * The sum of those counters of which one changes with every change of any: all
 * but the hits of shared blocks.  Counters only grow, so an equal sum is an
 * unchanged state.
 */
static inline int64
pp_usage_sum(void)
{
	const BufferUsage *b = &pgBufferUsage;

	return b->shared_blks_read + b->shared_blks_dirtied +
		b->shared_blks_written + b->local_blks_hit + b->local_blks_read +
		b->local_blks_dirtied + b->local_blks_written + b->temp_blks_read +
		b->temp_blks_written + pgWalUsage.wal_records;
}

/*
 * The state of the counters, to tell later what changed.  Executions share one
 * copy of it for as long as it is up to date.
 */
static inline void
pp_snapshot_usage(PpExecution *e)
{
	int64		sum = pp_usage_sum();

	if (unlikely(sum != pp_backend.usage_sum))
		pp_renew_usage_base(sum);
	e->own_base = false;
	e->usage_sum = sum;
	e->shared_blks_hit = pgBufferUsage.shared_blks_hit;
}

/* Most executions hit some buffers and do nothing else of the kind. */
static inline void
pp_collect_usage(PpExecution *e)
{
	e->statement.shared_blks_hit += pgBufferUsage.shared_blks_hit -
		e->shared_blks_hit;
	if (unlikely(pp_usage_sum() != e->usage_sum))
		pp_add_usage(e);
}

/* ---- begin and end ----------------------------------------------------------- */

/* Lets the other processes see the statement of the client that runs now. */
static inline void
pp_execution_publish(PpExecution *e)
{
	TimestampTz started_at = e->statement.message_at;

	/* of the statements of one message only the first has begun with it */
	if (unlikely(!e->first))
		started_at = pp_backend.anchor_at +
			pp_clock_ns(pp_clock_now() - pp_backend.anchor) / 1000;
	pp_session_run(&e->key, started_at, e->kind >= PP_KIND_UTILITY);
	e->number = pp_my_session->running.number;
}

static inline void
pp_execution_release(PpExecution *e)
{
	e->queryDesc = NULL;
	e->next = pp_backend.spare;
	pp_backend.spare = e;
}

/* Something is left over that cannot go on any more. */
static inline void
pp_execution_tidy(void)
{
	if (unlikely(pp_backend.unsettled > 0))
		pp_execution_tidy_up();
}

/*
 * A record in the open list, for the statement that begins.  NULL if there is
 * no memory or no slot for it.
 */
static pg_attribute_always_inline PpExecution *
pp_execution_begin(PpExecutionKind kind, int64 queryid)
{
	PpExecution *e = pp_backend.spare;
	int			level = pp_backend.nesting;
	Oid			userid;

	if (unlikely(pp_backend.fresh_plan != NULL))
		pp_execution_keep_plan();
	if (unlikely(e == NULL))
	{
		e = pp_execution_new();
		if (e == NULL)
			return NULL;
	}
	else
		pp_backend.spare = e->next;

	userid = GetUserId();
	if (unlikely(userid != pp_backend.userid))
		pp_execution_set_user(userid);
	e->key.queryid = queryid;
	e->key.dbid = MyDatabaseId;
	e->key.userid = userid;
	e->key.flags = level == 0 ? PP_KEY_TOPLEVEL : 0;
	e->key.hash = pp_stat_key_hash(queryid, e->key.flags,
								   pp_backend.user_hash);

	e->next = pp_backend.open;
	pp_backend.open = e;
	e->kind = kind;
	e->level = level;
	e->subid = pp_backend.subid;
	memset(&e->ran, 0, offsetof(PpExecution, can_set_tag) + 1 -
		   offsetof(PpExecution, ran));
	e->running = true;
	memset(&e->statement, 0, offsetof(PpStatement, message_at));
	e->statement.message_at = GetCurrentStatementStartTimestamp();
	e->first = level == 0 &&
		e->statement.message_at != pp_backend.charged_at;
	pp_backend.latest = e;
	if (level == 0)
		pp_execution_publish(e);

	if (unlikely(--pp_backend.sample_in <= 0) && level == 0)
		pp_sample_begin();
	return e;
}

/* Takes the record out of the open list, where it is most often the first. */
static inline void
pp_execution_close(PpExecution *e)
{
	if (likely(pp_backend.open == e))
		pp_backend.open = e->next;
	else
		pp_execution_unlink(e);
	if (e->level == 0)
		pp_session_stop();
}

/* Planning, execution and what came before, in nanoseconds. */
static inline int64
pp_execution_time(const PpExecution *e)
{
	return e->statement.before_time + e->statement.plan_time +
		e->statement.exec_time;
}

#endif							/* PP_EXECUTION_H */
