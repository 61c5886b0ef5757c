/*
 * look.c
 *	  One look at one session: what it runs, and how it is.
 *
 * It puts together three things that the session's process writes: its place
 * in sessions.c, the server's status of it, and its PGPROC.  Each is read
 * without a lock, one after the other; what changes meanwhile makes a look
 * that is true of a moment ago.
 *
 * The executor's hooks come after parse analysis, where a statement can wait
 * for the lock of a table.  So a session that the server calls active, though
 * no execution runs, is in analysis, or commits: the start of the client's
 * message tells which.  Unless it measures no statements: then it says so.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/proc.h"

#include "guc.h"
#include "look.h"

/* how often a status is tried that is being written */
#define READ_TRIES		100

#define IS_LOCK_WAIT(event)	(((event) & 0xFF000000) == PG_WAIT_LOCK)

/* What is read of the server's status. */
typedef struct Status
{
	int			pid;
	BackendType type;
	BackendState state;
	Oid			dbid;
	Oid			userid;
	TimestampTz activity_start;
	TimestampTz xact_start;
	TimestampTz state_change;
} Status;

/* False if the process has gone, or was writing at every try. */
static bool
read_status(const volatile PgBackendStatus *from, Status *status,
			char *application_name)
{
	for (int i = 0; i < READ_TRIES; i++)
	{
		int			before;
		int			after;

		pgstat_begin_read_activity(from, before);
		status->pid = from->st_procpid;
		status->type = from->st_backendType;
		status->state = from->st_state;
		status->dbid = from->st_databaseid;
		status->userid = from->st_userid;
		status->activity_start = from->st_activity_start_timestamp;
		status->xact_start = from->st_xact_start_timestamp;
		status->state_change = from->st_state_start_timestamp;
		if (from->st_appname != NULL)
			memcpy(application_name, from->st_appname, NAMEDATALEN);
		else
			application_name[0] = '\0';
		pgstat_end_read_activity(from, after);
		if (pgstat_read_activity_complete(before, after))
		{
			application_name[NAMEDATALEN - 1] = '\0';
			return true;
		}
	}
	return false;
}

static bool
is_idle(BackendState state)
{
	return state == STATE_IDLE || state == STATE_IDLEINTRANSACTION ||
		state == STATE_IDLEINTRANSACTION_ABORTED;
}

/*
 * Only COPY reads from the client while it runs.  What else is open then is a
 * portal, after a message such as Flush: the server calls the session active.
 */
static bool
waits_for_client(const PpRunning *running, uint32 wait_event)
{
	return wait_event == WAIT_EVENT_CLIENT_READ &&
		!(running->running && running->utility);
}

/*
 * A suspended portal is no statement that runs: the session idles.  Statements
 * of one message share its start; the wait for a lock after one of them is the
 * analysis of the next.
 */
static PpPhase
phase_of(const PpRunning *running, const Status *status, uint32 wait_event,
		 bool measures)
{
	if (is_idle(status->state) || waits_for_client(running, wait_event))
		return PP_PHASE_NONE;
	if (running->running)
		return PP_PHASE_RUNNING;
	if (status->type != B_BACKEND ||
		(status->state != STATE_RUNNING && status->state != STATE_FASTPATH))
		return PP_PHASE_NONE;
	if (!measures)
		return PP_PHASE_UNMEASURED;
	if (running->started_at < status->activity_start ||
		IS_LOCK_WAIT(wait_event))
		return PP_PHASE_ANALYSIS;
	return PP_PHASE_ENDING;
}

/* What the session is in the midst of, or was. */
static void
set_statement(PpLook *look, const PpRunning *running, const Status *status)
{
	look->number = running->number;
	look->started_at = running->started_at;
	look->key = running->key;
	look->utility = running->utility;
	if (look->phase != PP_PHASE_ANALYSIS &&
		look->phase != PP_PHASE_UNMEASURED)
		return;
	look->number++;
	look->started_at = status->activity_start;
	look->utility = look->phase == PP_PHASE_UNMEASURED;
	pp_stat_key_init(&look->key, look->dbid, look->userid, 0,
					 PP_KEY_TOPLEVEL);
}

/*
 * Looks at the process with that slot.  False if there is none, or one that is
 * part of another session: a parallel worker.
 */
bool
pp_look_at(int slot, TimestampTz now, PpLook *look)
{
	volatile PGPROC *proc = GetPGProcByNumber(slot);
	int			pid = proc->pid;
	PgBackendStatus *entry = pp_session_status(slot, pid);
	PGPROC	   *leader = proc->lockGroupLeader;
	PpThresholds thresholds;
	PpRunning	running;
	Status		status;

	if (entry == NULL || (leader != NULL && leader != proc))
		return false;
	if (pp_session_read(slot, &running, &thresholds) != pid)
	{
		/* it has not run a statement yet */
		running.running = false;
		thresholds = pp_thresholds;
	}
	if (!read_status(entry, &status, look->application_name) ||
		status.pid != pid)
		return false;

	look->slot = slot;
	look->pid = pid;
	look->client = status.type == B_BACKEND;
	look->state = status.state;
	look->dbid = status.dbid;
	look->userid = status.userid;
	look->xact_start = status.xact_start;
	look->state_change = status.state_change;
	look->wait_event = proc->wait_event_info;
	look->waiting_since = !IS_LOCK_WAIT(look->wait_event) ? 0 :
		(TimestampTz) pg_atomic_read_u64(&GetPGProcByNumber(slot)->waitStart);
	look->phase = phase_of(&running, &status, look->wait_event,
						   pp_session_measures(slot, pid));
	set_statement(look, &running, &status);

	look->elapsed = 0;
	look->severity = PP_SEVERITY_NONE;
	if (look->phase != PP_PHASE_NONE)
		look->elapsed = Max(now - look->started_at, 0) / 1000.0;
	if (look->phase != PP_PHASE_NONE && look->phase != PP_PHASE_UNMEASURED)
		look->severity = pp_severity(&thresholds, look->elapsed);
	look->threshold = thresholds.min_duration[look->severity];
	look->nblockers = 0;
	look->root_blocker = 0;
	look->root_xid = InvalidTransactionId;
	return true;
}

/* As in pg_stat_activity; NULL for those that are no state. */
const char *
pp_state_name(BackendState state)
{
	switch (state)
	{
		case STATE_IDLE:
			return "idle";
		case STATE_RUNNING:
			return "active";
		case STATE_IDLEINTRANSACTION:
			return "idle in transaction";
		case STATE_FASTPATH:
			return "fastpath function call";
		case STATE_IDLEINTRANSACTION_ABORTED:
			return "idle in transaction (aborted)";
		case STATE_DISABLED:
			return "disabled";
		default:
			return NULL;
	}
}
