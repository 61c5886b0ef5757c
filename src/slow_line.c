/*
 * slow_line.c
 *	  The log line about a slow execution.
 *
 * Its message is worded as the server's own about a long statement, so that
 * programs that read logs take it for one; the rest stands in DETAIL.  It goes
 * to the server's log alone.  How many lines there are is limited by
 * log_rate.c.  What is made here may raise: the caller catches that, and
 * counts it here.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "replication/walsender.h"
#include "storage/shmem.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "alerts.h"
#include "compat.h"
#include "guc.h"
#include "log_rate.h"
#include "slow_line.h"

typedef struct PpSharedSlowLine
{
	pg_atomic_uint64 errors;
} PpSharedSlowLine;

static PpSharedSlowLine *shared;

Size
pp_slow_line_shmem_size(void)
{
	return sizeof(PpSharedSlowLine);
}

void
pp_slow_line_shmem_init(void)
{
	bool		found;

	shared = ShmemInitStruct("pool_perf slow line",
							 pp_slow_line_shmem_size(), &found);
	if (!found)
		pg_atomic_init_u64(&shared->errors, 0);
}

/* A text, parameters, a plan or a line could not be made. */
void
pp_slow_line_count_error(void)
{
	pg_atomic_fetch_add_u64(&shared->errors, 1);
}

/* How often that was, since server start. */
uint64
pp_slow_line_errors(void)
{
	return pg_atomic_read_u64(&shared->errors);
}

/*
 * Does the server log it itself, for its duration or as one of a sample?
 * Where it is yet to draw lots, it is taken for one that is not drawn.
 */
bool
pp_slow_line_is_servers(const PpExecution *e)
{
	int64		ms;

	if (e->level > 0 || e->statement.parts & PP_PART_FAILED ||
		!(MyBackendType == B_BACKEND || am_walsender))
		return false;
	if (xact_is_sampled)
		return true;
	/* it takes the time since the message */
	ms = pp_since_message(e->kind == PP_KIND_QUERY && e->ran ? e->stopped :
						  pp_clock_now(), e->statement.message_at) / 1000000;
	if (log_min_duration_statement >= 0 && ms >= log_min_duration_statement)
		return true;
	return log_min_duration_sample >= 0 && ms >= log_min_duration_sample &&
		log_statement_sample_rate >= 1;
}

static void
append_waits(StringInfo detail, const PpSeen *seen)
{
	const char *before = ", waits:";

	for (int i = 0; i < PP_WAITS && seen->waits[i].samples > 0; i++)
	{
		const PpWait *wait = &seen->waits[i];

		if (wait->event == 0)
			continue;
		appendStringInfo(detail, "%s %s/%s in %u of %u samples", before,
						 pgstat_get_wait_event_type(wait->event),
						 pgstat_get_wait_event(wait->event), wait->samples,
						 seen->samples);
		before = ",";
	}
	if (seen->nblockers == 0)
		return;
	appendStringInfoString(detail, ", blocked by:");
	for (int i = 0; i < Min(seen->nblockers, PP_BLOCKERS); i++)
		appendStringInfo(detail, " %d", seen->blockers[i]);
	if (seen->root_blocker != 0)
		appendStringInfo(detail, " (root: %d)", seen->root_blocker);
}

/* All but duration and text, on one line. */
static char *
make_detail(const PpSlowLine *line, const PpSuppressed *before)
{
	const PpSlowQuery *q = line->query;
	uint64		alert_id = q->severity >= PP_SEVERITY_WARNING && q->number != 0 ?
	pp_alert_of(q->pid, q->number) : 0;
	StringInfoData detail;

	initStringInfo(&detail);
	appendStringInfo(&detail, "severity: %s, outcome: %s",
					 pp_severity_name(q->severity),
					 pp_outcome_name(q->outcome));
	if (q->sqlstate != 0)
		appendStringInfo(&detail, ", sqlstate: %s",
						 unpack_sql_state(q->sqlstate));
	if (q->id != 0)
		appendStringInfo(&detail, ", slow_query_id: %llu",
						 (unsigned long long) q->id);
	if (alert_id != 0)
		appendStringInfo(&detail, ", alert_id: %llu",
						 (unsigned long long) alert_id);
	appendStringInfo(&detail, ", queryid: %lld, rows: %lld, before: %.3f ms, planning: %.3f ms, execution: %.3f ms",
					 (long long) q->key.queryid, (long long) q->rows,
					 q->before_time / 1e6, q->plan_time / 1e6,
					 q->exec_time / 1e6);
	appendStringInfo(&detail, ", shared blocks hit: %lld, read: %lld, temp blocks written: %lld, WAL: %lld bytes",
					 (long long) q->shared_blks_hit,
					 (long long) q->shared_blks_read,
					 (long long) q->temp_blks_written,
					 (long long) q->wal_bytes);
	append_waits(&detail, &q->seen);
	if (q->application_name[0] != '\0')
		appendStringInfo(&detail, ", application: %s", q->application_name);
	if (before->lines > 0)
		appendStringInfo(&detail, ", suppressed %llu since %s",
						 (unsigned long long) before->lines,
						 timestamptz_to_str(before->since));
	if (q->parameters_length > 0)
		appendStringInfo(&detail, ", parameters: %.*s", q->parameters_length,
						 line->texts->parameters);
	return detail.data;
}

static char *
make_message(const PpSlowLine *line)
{
	const PpSlowQuery *q = line->query;
	StringInfoData message;

	initStringInfo(&message);
	appendStringInfo(&message, "duration: %.3f ms  ",
					 pp_slow_query_time(q) / 1e6);
	if (line->extended)
		appendStringInfo(&message, "execute %s: ",
						 line->prepared[0] == '\0' ? "<unnamed>" :
						 line->prepared);
	else
		appendStringInfoString(&message, "statement: ");
	if (line->statement != NULL)
		appendBinaryStringInfo(&message, line->statement, line->length);
	else
		appendStringInfoString(&message, q->key.queryid == 0 ?
							   "<no query id>" : "<text not recorded>");
	return message.data;
}

/* Writes the line, and the plan if it is due, unless a limit holds it back. */
void
pp_slow_line_write(const PpSlowLine *line)
{
	const PpSlowQuery *q = line->query;
	PpSuppressed before;

	if (!pp_log_rate_pass(q->key.queryid, q->ended_at, &before))
		return;
	ereport(LOG_SERVER_ONLY,
			(errmsg_internal("%s", make_message(line)),
			 errdetail_internal("%s", make_detail(line, &before)),
			 errhidestmt(true),
			 errhidecontext(true)));
	if (q->plan_length > 0 && pp_log_rate_pass_plan(q->key.queryid,
													q->ended_at))
		ereport(LOG_SERVER_ONLY,
				(errmsg_internal("plan of a slow execution, queryid: %lld, slow_query_id: %llu",
								 (long long) q->key.queryid,
								 (unsigned long long) q->id),
				 errdetail_internal("%.*s", q->plan_length,
									line->texts->plan),
				 errhidestmt(true),
				 errhidecontext(true)));
}
