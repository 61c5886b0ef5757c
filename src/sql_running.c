/*
 * sql_running.c
 *	  The functions behind pool_perf.running_queries and pool_perf.query_waits.
 *
 * What runs is read when it is asked for; who blocks whom is what the worker
 * saw at its last look.  Sessions of others are for pg_read_all_stats.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "common/ip.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inet.h"

#include "compat.h"
#include "execution.h"
#include "look.h"
#include "normalize.h"
#include "query_text.h"
#include "query_text_maker.h"
#include "sampler.h"
#include "sql_api.h"
#include "waits.h"
#include "sql_seen.h"

PP_FUNCTION(pp_running_queries);
PP_FUNCTION(pp_query_waits);

/* bytes of a text that are shown; pool_perf.max_text_length is no more */
#define MAX_TEXT		(1024 * 1024)

/* how often a status is tried that is being written */
#define READ_TRIES		100

typedef struct RunningCall
{
	ReturnSetInfo *rsinfo;
	TimestampTz now;
	bool		reads_all;
	char	   *memory;			/* for a text */
	int			memory_size;
} RunningCall;

/* ---- texts and addresses ---------------------------------------------------- */

/* The process's status as it is now.  False if it is another's by now. */
static bool
read_entry(const PpLook *look, PgBackendStatus *copy, char *activity)
{
	volatile PgBackendStatus *entry = pp_session_status(look->slot, look->pid);

	if (entry == NULL)
		return false;
	for (int i = 0; i < READ_TRIES; i++)
	{
		int			before;
		int			after;

		pgstat_begin_read_activity(entry, before);
		memcpy(copy, unvolatize(PgBackendStatus *, entry), sizeof(*copy));
		if (activity != NULL)
			strlcpy(activity, copy->st_activity_raw,
					pgstat_track_activity_query_size);
		pgstat_end_read_activity(entry, after);
		if (pgstat_read_activity_complete(before, after))
			return copy->st_procpid == look->pid;
	}
	return false;
}

/* NULL for local connections, as in pg_stat_activity. */
static void
put_client_addr(PpColumns *c, const PpLook *look)
{
	PgBackendStatus copy;
	char		host[NI_MAXHOST];
	SockAddr   *address = &copy.st_clientaddr;

	if (!read_entry(look, &copy, NULL) ||
		(address->addr.ss_family != AF_INET &&
		 address->addr.ss_family != AF_INET6) ||
		pg_getnameinfo_all(&address->addr, address->salen, host, sizeof(host),
						   NULL, 0, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
	{
		pp_put_null(c);
		return;
	}
	clean_ipv6_addr(address->addr.ss_family, host);
	pp_put(c, DirectFunctionCall1(inet_in, CStringGetDatum(host)));
}

/*
 * Masks the message as the server shows it, for a statement that has no text
 * of its own yet.  NULL if that cannot be: a text that was cut inside of a
 * string is none.
 */
static text *
masked_activity(const PpLook *look)
{
	char	   *activity = palloc(pgstat_track_activity_query_size);
	PpSource	source = {.location = -1,.utility = true};
	PgBackendStatus copy;
	PpQueryText made;
	char	   *clipped;
	bool		cut;
	text	   *result = NULL;

	if (!read_entry(look, &copy, activity) || activity[0] == '\0')
		return NULL;
	cut = strlen(activity) == pgstat_track_activity_query_size - 1;
	clipped = pgstat_clip_activity(activity);
	if (look->dbid != MyDatabaseId)
		for (const char *s = clipped; *s != '\0'; s++)
			if (IS_HIGHBIT_SET(*s))
				return NULL;
	source.query = clipped;
	if (pp_make_text(&source, &made))
		result = cstring_to_text(psprintf("%.*s%s", made.length, made.text,
										  cut && !made.cut ? PP_CUT_MARK : ""));
	pp_free_text();
	return result;
}

static Datum
query_column(RunningCall *call, const PpLook *look)
{
	PpQueryText query;
	text	   *masked;

	if (look->key.queryid != 0 &&
		pp_query_stats_get_text(&look->key, call->memory, call->memory_size,
								&query))
		return PointerGetDatum(pp_readable_text(&query));
	masked = masked_activity(look);
	return masked != NULL ? PointerGetDatum(masked) :
		CStringGetTextDatum("<text not recorded>");
}

/* ---- what runs ------------------------------------------------------------------ */

/* The session that everybody waits for: its state, and how long its transaction is. */
static void
put_root(PpColumns *c, const RunningCall *call, int pid)
{
	PpLook		look;

	for (int slot = 0; slot < pp_sessions(); slot++)
	{
		if (GetPGProcByNumber(slot)->pid != pid ||
			!pp_look_at(slot, call->now, &look) || look.pid != pid)
			continue;
		pp_put_text(c, pp_state_name(look.state));
		pp_put_float(c, look.xact_start == 0 ? NAN :
					 Max(call->now - look.xact_start, 0) / 1000.0);
		return;
	}
	pp_put_null(c);
	pp_put_null(c);
}

static void
put_nulls(PpColumns *c, int n)
{
	for (int i = 0; i < n; i++)
		pp_put_null(c);
}

/* What the worker saw; blockers only if it is still the wait that it saw. */
static void
put_seen(PpColumns *c, const RunningCall *call, const PpLook *look)
{
	PpSeen		seen;

	if (!pp_sampler_seen(look, call->now, &seen))
	{
		put_nulls(c, 6);
		return;
	}
	pp_put_waits(c, &seen);
	if (look->waiting_since == 0 || seen.nblockers == 0 ||
		seen.waiting_since != look->waiting_since)
	{
		put_nulls(c, 5);
		return;
	}
	pp_put_blockers(c, &seen);
	if (seen.root_blocker != 0 || TransactionIdIsValid(seen.root_xid))
		pp_put(c, Int32GetDatum(seen.root_blocker));
	else
		pp_put_null(c);
	put_root(c, call, seen.root_blocker);
	if (TransactionIdIsValid(seen.root_xid))
		pp_put(c, TransactionIdGetDatum(seen.root_xid));
	else
		pp_put_null(c);
}

static void
put_running(RunningCall *call, const PpLook *look)
{
	PpColumns	c = {0};

	pp_put(&c, Int32GetDatum(look->pid));
	pp_put(&c, ObjectIdGetDatum(look->dbid));
	pp_put(&c, ObjectIdGetDatum(look->userid));
	if (!call->reads_all && !has_privs_of_role(GetUserId(), look->userid))
	{
		put_nulls(&c, 3);
		pp_put(&c, CStringGetTextDatum("<insufficient privilege>"));
		put_nulls(&c, 12);
		pp_put_row(call->rsinfo, &c);
		return;
	}
	pp_put_text(&c, look->application_name);
	put_client_addr(&c, look);
	if (look->key.queryid != 0)
		pp_put(&c, Int64GetDatum(look->key.queryid));
	else
		pp_put_null(&c);
	pp_put(&c, query_column(call, look));
	pp_put_time(&c, look->started_at);
	pp_put(&c, Float8GetDatum(look->elapsed));
	pp_put_text(&c, look->severity == PP_SEVERITY_NONE ? NULL :
				pp_severity_name(look->severity));
	pp_put_text(&c, pp_state_name(look->state));
	pp_put_text(&c, pgstat_get_wait_event_type(look->wait_event));
	pp_put_text(&c, pgstat_get_wait_event(look->wait_event));
	put_seen(&c, call, look);
	pp_put_row(call->rsinfo, &c);
}

/* A row for each session in which a statement runs. */
Datum
pp_running_queries(PG_FUNCTION_ARGS)
{
	RunningCall call = {
		.rsinfo = pp_begin_result(fcinfo, 19),
		.now = GetCurrentTimestamp(),
		.reads_all = has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS),
		.memory_size = Min(pp_query_text_max_length(), MAX_TEXT)
	};

	call.memory = palloc(call.memory_size);
	for (int slot = 0; slot < pp_sessions(); slot++)
	{
		PpLook		look;

		CHECK_FOR_INTERRUPTS();
		if (pp_look_at(slot, call.now, &look) && look.phase != PP_PHASE_NONE)
			put_running(&call, &look);
	}
	return (Datum) 0;
}

/* ---- what was waited for ------------------------------------------------------------ */

static int
compare_queries(const void *a, const void *b)
{
	const PpQueryWait *x = a;
	const PpQueryWait *y = b;

	if (x->dbid != y->dbid)
		return x->dbid > y->dbid ? 1 : -1;
	if (x->userid != y->userid)
		return x->userid > y->userid ? 1 : -1;
	return (x->queryid > y->queryid) - (x->queryid < y->queryid);
}

static void
put_wait(ReturnSetInfo *rsinfo, const PpQueryWait *wait, bool may_see,
		 double percent)
{
	PpColumns	c = {0};

	pp_put(&c, ObjectIdGetDatum(wait->dbid));
	pp_put(&c, ObjectIdGetDatum(wait->userid));
	if (wait->queryid != 0 && may_see)
		pp_put(&c, Int64GetDatum(wait->queryid));
	else
		pp_put_null(&c);
	pp_put_text(&c, wait->event == 0 ? "CPU" :
				pgstat_get_wait_event_type(wait->event));
	pp_put_text(&c, wait->event == 0 ? "CPU" : pgstat_get_wait_event(wait->event));
	pp_put(&c, Int64GetDatum((int64) wait->samples));
	pp_put(&c, Float8GetDatum(percent));
	pp_put_row(rsinfo, &c);
}

/* One row for all samples that had to make room. */
static void
put_evicted(ReturnSetInfo *rsinfo, int64 samples)
{
	PpColumns	c = {0};

	put_nulls(&c, 4);
	pp_put(&c, CStringGetTextDatum("<other>"));
	pp_put(&c, Int64GetDatum(samples));
	pp_put_null(&c);
	pp_put_row(rsinfo, &c);
}

/* A row for each query and wait event that was seen. */
Datum
pp_query_waits(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = pp_begin_result(fcinfo, 7);
	bool		reads_all = has_privs_of_role(GetUserId(),
											  ROLE_PG_READ_ALL_STATS);
	PpQueryWait *waits = MemoryContextAllocHuge(CurrentMemoryContext,
												pp_waits_places() *
												sizeof(PpQueryWait));
	PpWaitCounters counters;
	int			n = pp_waits_copy(waits, &counters);
	int			next;

	qsort(waits, n, sizeof(PpQueryWait), compare_queries);
	for (int i = 0; i < n; i = next)
	{
		double		samples = 0;

		for (next = i; next < n &&
			 compare_queries(&waits[i], &waits[next]) == 0; next++)
			samples += waits[next].samples;
		for (int j = i; j < next; j++)
			put_wait(rsinfo, &waits[j],
					 reads_all || waits[j].userid == GetUserId(),
					 100 * waits[j].samples / samples);
	}
	if (counters.evicted_samples > 0)
		put_evicted(rsinfo, counters.evicted_samples);
	return (Datum) 0;
}
