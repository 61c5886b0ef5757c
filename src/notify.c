/*
 * notify.c
 *	  Sends what happens to alerts with NOTIFY.
 *
 * The worker puts events into a ring in shared memory and, when there are some,
 * starts a sender: a dynamic worker that connects to the database, sends all of
 * them in one transaction and is gone.  There is never more than one.  The ring
 * has one writer, the worker, and one reader, the sender; neither takes a lock.
 * What finds the ring full is counted.
 *
 * Nothing is sent in recovery, where NOTIFY is not allowed.  An attempt that
 * fails is made again later and later; why is kept for health, and logged once.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "commands/async.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "guc.h"
#include "json.h"
#include "notify.h"

/* seconds until a failed attempt is made again: twice as long each time */
#define FIRST_RETRY		2
#define LAST_RETRY		300

/* seconds after which a sender is told to leave */
#define SEND_TIME		30

/* how long it waits for the lock of those who commit a NOTIFY */
#define LOCK_TIMEOUT	"5s"

/* a payload is shorter than this */
#define MAX_PAYLOAD		8000

typedef struct PpNotifyEvent
{
	PpAlert		alert;
	PpAlertEvent event;
	TimestampTz at;
} PpNotifyEvent;

typedef struct PpSharedNotify
{
	pg_atomic_uint64 written;	/* events; the worker's */
	pg_atomic_uint64 sent;		/* those of them that are gone; the sender's */
	pg_atomic_uint64 dropped;
	pg_atomic_uint64 failures;	/* in a row */
	pg_atomic_uint32 sqlstate;	/* of the sender's error */
	pg_atomic_uint32 sender;	/* pid */
	char		problem[PP_ALERT_TEXT]; /* the worker's; ends with a zero at
										 * any time */
	PpNotifyEvent events[PP_NOTIFY_BACKLOG];
} PpSharedNotify;

PGDLLEXPORT void pp_notify_main(Datum arg);

static PpSharedNotify *shared;

/* of the worker: the sender that it has started */
static BackgroundWorkerHandle * sender;
static TimestampTz started_at;
static uint64 sent_before;
static TimestampTz retry_at;
static char tried[NAMEDATALEN];

Size
pp_notify_shmem_size(void)
{
	return sizeof(PpSharedNotify);
}

void
pp_notify_shmem_init(void)
{
	bool		found;

	shared = ShmemInitStruct("pool_perf notify", pp_notify_shmem_size(),
							 &found);
	if (found)
		return;
	memset(shared, 0, pp_notify_shmem_size());
	pg_atomic_init_u64(&shared->written, 0);
	pg_atomic_init_u64(&shared->sent, 0);
	pg_atomic_init_u64(&shared->dropped, 0);
	pg_atomic_init_u64(&shared->failures, 0);
	pg_atomic_init_u32(&shared->sqlstate, 0);
	pg_atomic_init_u32(&shared->sender, 0);
}

void
pp_notify_state(PpNotifyState *state)
{
	state->sent = pg_atomic_read_u64(&shared->sent);
	state->backlog = pg_atomic_read_u64(&shared->written) - state->sent;
	state->dropped = pg_atomic_read_u64(&shared->dropped);
	state->failures = pg_atomic_read_u64(&shared->failures);
	memcpy(state->problem, shared->problem, PP_ALERT_TEXT);
	state->problem[PP_ALERT_TEXT - 1] = '\0';
}

/* ---- the worker's side --------------------------------------------------------- */

/* Has an event sent, if events are sent. */
void
pp_notify_put(const PpAlert *alert, PpAlertEvent event, TimestampTz now)
{
	uint64		written = pg_atomic_read_u64(&shared->written);
	PpNotifyEvent *place = &shared->events[written % PP_NOTIFY_BACKLOG];

	if (pp_notify_database[0] == '\0' || RecoveryInProgress())
		return;
	if (written - pg_atomic_read_u64(&shared->sent) >= PP_NOTIFY_BACKLOG)
	{
		pg_atomic_fetch_add_u64(&shared->dropped, 1);
		return;
	}
	place->alert = *alert;
	place->event = event;
	place->at = now;
	pg_write_barrier();
	pg_atomic_write_u64(&shared->written, written + 1);
}

/* The attempt has failed; the first of a row is logged. */
static void
has_failed(TimestampTz now, const char *problem)
{
	uint64		failures = pg_atomic_fetch_add_u64(&shared->failures, 1);
	int			seconds = failures < 8 ? FIRST_RETRY << failures : LAST_RETRY;

	retry_at = now + Min(seconds, LAST_RETRY) * USECS_PER_SEC;
	if (failures > 0 && strcmp(shared->problem, problem) == 0)
		return;
	strlcpy(shared->problem, problem, PP_ALERT_TEXT);
	ereport(LOG,
			(errmsg("could not send alerts to database \"%s\": %s", tried,
					problem),
			 errdetail("They are sent when it is possible again, the last %d of them.",
					   PP_NOTIFY_BACKLOG)));
}

/* Why the sender has ended with nothing sent. */
static const char *
problem_of_sender(void)
{
	int			sqlstate = (int) pg_atomic_read_u32(&shared->sqlstate);

	switch (sqlstate)
	{
		case 0:
			return "the process that sends ended early";
		case ERRCODE_UNDEFINED_DATABASE:
			return "the database does not exist";
		case ERRCODE_LOCK_NOT_AVAILABLE:
			return "another session holds the lock on committing notifications";
		case ERRCODE_ADMIN_SHUTDOWN:
			return "the process that sends was terminated";
		case ERRCODE_TOO_MANY_CONNECTIONS:
			return "there are too many connections";
	}
	return psprintf("SQLSTATE %s", unpack_sql_state(sqlstate));
}

/* Looks after the sender; true while there is one. */
static bool
is_sending(TimestampTz now)
{
	pid_t		pid;

	if (sender == NULL)
	{
		/* one may be left of a worker that is gone */
		pid = (pid_t) pg_atomic_read_u32(&shared->sender);
		return pid != 0 && kill(pid, 0) == 0;
	}
	if (GetBackgroundWorkerPid(sender, &pid) != BGWH_STOPPED)
	{
		if (now - started_at > SEND_TIME * USECS_PER_SEC)
			TerminateBackgroundWorker(sender);
		return true;
	}
	pfree(sender);
	sender = NULL;
	if (pg_atomic_read_u64(&shared->sent) != sent_before)
		pg_atomic_write_u64(&shared->failures, 0);
	else
		has_failed(now, problem_of_sender());
	return false;
}

static void
start_sender(TimestampTz now)
{
	BackgroundWorker worker = {0};
	MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS |
		BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_name, "pool_perf notify", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "pool_perf notify", BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, "pool_perf",
			sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "pp_notify_main", BGW_MAXLEN);
	strlcpy(worker.bgw_extra, tried, BGW_EXTRALEN);
	started_at = now;
	sent_before = pg_atomic_read_u64(&shared->sent);
	pg_atomic_write_u32(&shared->sqlstate, 0);
	if (!RegisterDynamicBackgroundWorker(&worker, &sender))
	{
		sender = NULL;
		has_failed(now, "no background worker could be registered: max_worker_processes are in use");
	}
	MemoryContextSwitchTo(caller);
}

/* Starts a sender if there is something to send. */
void
pp_notify_turn(TimestampTz now)
{
	if (is_sending(now))
		return;
	if (pp_notify_database[0] == '\0')
	{
		/* nobody wants to have what is left */
		pg_atomic_write_u64(&shared->sent,
							pg_atomic_read_u64(&shared->written));
		pg_atomic_write_u64(&shared->failures, 0);
		return;
	}
	if (strncmp(tried, pp_notify_database, NAMEDATALEN - 1) != 0)
	{
		strlcpy(tried, pp_notify_database, NAMEDATALEN);
		pg_atomic_write_u64(&shared->failures, 0);
		retry_at = 0;
	}
	if (pg_atomic_read_u64(&shared->written) ==
		pg_atomic_read_u64(&shared->sent) ||
		(now < retry_at && retry_at - now <= LAST_RETRY * USECS_PER_SEC) ||
		RecoveryInProgress())
		return;
	start_sender(now);
}

/* ---- the sender ------------------------------------------------------------------ */

static void
leave(int code, Datum arg)
{
	pg_atomic_write_u32(&shared->sender, 0);
}

/*
 * The worker tells of the sender's errors: so a database that is missing is
 * not an error in the log each time.  An error ends the sender, as it would do
 * without this, and not as a failure that the postmaster tells of.
 */
static void
note_error(ErrorData *edata)
{
	if (edata->elevel < ERROR || edata->elevel > FATAL)
		return;
	edata->output_to_server = false;
	pg_atomic_write_u32(&shared->sqlstate, (uint32) edata->sqlerrcode);
	proc_exit(0);
}

/* Everything but the evidence, which is for those who may read the view. */
static void
put_payload(StringInfo buf, const PpNotifyEvent *event)
{
	const PpAlert *alert = &event->alert;
	const PpAlertReport *latest = &alert->latest;

	resetStringInfo(buf);
	appendStringInfoChar(buf, '{');
	pp_json_integer(buf, "schema_version", 1);
	pp_json_text(buf, "event", pp_alert_event_name(event->event));
	pp_json_time(buf, "event_at", event->at);
	pp_json_integer(buf, "alert_id", alert->alert_id);
	pp_json_text(buf, "kind", latest->kind);
	pp_json_text(buf, "severity", pp_severity_name(alert->severity));
	pp_json_key(buf, "is_open");
	appendStringInfoString(buf, alert->is_open ? "true" : "false");
	pp_json_text(buf, "subject", latest->subject);
	pp_json_text(buf, "datname", latest->datname);
	pp_json_id(buf, "queryid", latest->queryid);
	pp_json_integer(buf, "pid", latest->pid);
	pp_json_number(buf, "value", latest->value);
	pp_json_number(buf, "threshold", latest->threshold);
	pp_json_text(buf, "unit", latest->unit);
	pp_json_text(buf, "message", latest->message);
	pp_json_text(buf, "remedy", latest->remedy);
	pp_json_time(buf, "opened_at", alert->opened_at);
	pp_json_time(buf, "closed_at", alert->is_open ? 0 : alert->closed_at);
	pp_json_integer(buf, "occurrences", alert->occurrences);
	pp_json_text(buf, "outcome", latest->outcome == PP_NO_OUTCOME ? NULL :
				 pp_outcome_name((PpOutcome) latest->outcome));
	pp_json_integer(buf, "dropped", pg_atomic_read_u64(&shared->dropped));
	appendStringInfoChar(buf, '}');
	Assert(buf->len < MAX_PAYLOAD);
}

/* Sends what is there in one transaction; what it cannot commit stays there. */
static void
send_all(void)
{
	uint64		from = pg_atomic_read_u64(&shared->sent);
	uint64		to = pg_atomic_read_u64(&shared->written);
	StringInfoData buf;

	pg_read_barrier();
	StartTransactionCommand();
	initStringInfo(&buf);
	for (uint64 i = from; i < to; i++)
	{
		put_payload(&buf, &shared->events[i % PP_NOTIFY_BACKLOG]);
		Async_Notify(PP_NOTIFY_CHANNEL, buf.data);
	}
	CommitTransactionCommand();
	pg_atomic_write_u64(&shared->sent, to);
}

void
pp_notify_main(Datum arg)
{
	uint32		nobody = 0;

	if (!pg_atomic_compare_exchange_u32(&shared->sender, &nobody,
										(uint32) MyProcPid))
		proc_exit(0);
	before_shmem_exit(leave, (Datum) 0);
	emit_log_hook = note_error;
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(MyBgworkerEntry->bgw_extra, NULL, 0);
	/* it waits neither for a standby nor for long for anybody else */
	SetConfigOption("synchronous_commit", "off", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("lock_timeout", LOCK_TIMEOUT, PGC_SUSET, PGC_S_OVERRIDE);
	send_all();
	proc_exit(0);
}
