/*
 * sessions.c
 *	  What each session runs now, and what was seen of it.
 *
 * A place for each backend, by PGPROC number.  What it runs is written by the
 * backend alone, what was seen of it by the worker alone, each with plain
 * stores between two increments of a change count; whoever reads tries again
 * until the count stood still.  No lock, and nobody waits.
 *
 * The server's own statuses are found from here too: their array has no name
 * for other modules, but each backend knows its entry, and the first to take
 * its place writes down where the array begins.
 */
#include "postgres.h"

#include "libpq/libpq-be.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "storage/shmem.h"

#include "guc.h"
#include "sessions.h"

/* how often a reader tries to catch a place that is not being written */
#define READ_TRIES		100

#define PLACE_SIZE		CACHELINEALIGN(sizeof(PpSharedSession))

/* What precedes the places, in a cache line of its own. */
typedef struct PpSharedSessions
{
	PgBackendStatus *statuses;	/* the server's array; NULL until a backend
								 * has written it */
} PpSharedSessions;

static PpSharedSessions *shared;
static char *places;
static int	nplaces;
static int	my_slot;

PpSharedSession *pp_my_session;

static inline PpSharedSession *
place_at(int slot)
{
	return (PpSharedSession *) (places + slot * PLACE_SIZE);
}

Size
pp_sessions_shmem_size(void)
{
	nplaces = MaxBackends;
	return add_size(CACHELINEALIGN(sizeof(PpSharedSessions)),
					mul_size(nplaces, PLACE_SIZE));
}

void
pp_sessions_shmem_init(void)
{
	bool		found;

	shared = ShmemInitStruct("pool_perf sessions", pp_sessions_shmem_size(),
							 &found);
	if (!found)
		memset(shared, 0, pp_sessions_shmem_size());
	places = (char *) shared + CACHELINEALIGN(sizeof(PpSharedSessions));
	pp_my_session = NULL;
	pp_published_thresholds = NULL;
}

/* ---- the session's own side ------------------------------------------------ */

/* Takes the place of this backend. */
void
pp_session_attach(int slot)
{
	PpSharedSession *session = place_at(slot);

	/* a process may have left the place while it wrote */
	session->changes += session->changes % 2;
	session->running.running = false;
	session->thresholds = pp_thresholds;
	session->measures = pp_tracked_nesting >= 0 ? MyProcPid : -MyProcPid;
	session->changes++;
	pg_write_barrier();
	session->dbid = MyProcPort != NULL ? MyDatabaseId : InvalidOid;
	strlcpy(session->database, MyProcPort != NULL ? MyProcPort->database_name :
			"", NAMEDATALEN);
	pg_write_barrier();
	session->changes++;
	session->pid = MyProcPid;
	my_slot = slot;
	pp_my_session = session;
	if (shared->statuses == NULL && MyBEEntry != NULL)
		shared->statuses = MyBEEntry - PP_STATUS_NUMBER(slot, MyProc);
	pp_published_thresholds = &session->thresholds;
}

void
pp_session_detach(void)
{
	pp_my_session->running.running = false;
	pp_my_session->pid = 0;
	pp_published_thresholds = NULL;
	pp_my_session = NULL;
}

/*
 * The settings say that this process measures statements, or that it does not.
 * It need not have taken its place: a session that measures none never does.
 */
void
pp_session_set_measures(bool measures)
{
	if (places != NULL && MyProc != NULL && PP_MY_SLOT >= 0 &&
		PP_MY_SLOT < nplaces)
		place_at(PP_MY_SLOT)->measures = measures ? MyProcPid : -MyProcPid;
}

/* What was seen of this session's statement of that number. */
void
pp_session_seen(uint64 number, PpSeen *seen)
{
	if (!pp_session_read_seen(my_slot, seen) || seen->number != number ||
		seen->started_at != pp_my_session->running.started_at)
		memset(seen, 0, sizeof(*seen));
}

/* ---- the others' side -------------------------------------------------------- */

/* Places there are: the slots from 0 that the functions below take. */
int
pp_sessions(void)
{
	return nplaces;
}

/*
 * The server's status of the process with that slot and pid, or NULL.  It is
 * the process's own to write: see backend_status.h for how to read it.
 */
PgBackendStatus *
pp_session_status(int slot, int pid)
{
	PgBackendStatus *statuses = shared->statuses;
	int			number = PP_STATUS_NUMBER(slot, GetPGProcByNumber(slot));

	if (statuses == NULL || pid == 0 || number < 0 || number >= nplaces ||
		statuses[number].st_procpid != pid)
		return NULL;
	return &statuses[number];
}

/*
 * Does the process with that slot and pid measure statements?  As this one
 * does, if it has not said so.
 */
bool
pp_session_measures(int slot, int pid)
{
	int			measures = place_at(slot)->measures;

	if (measures == pid || measures == -pid)
		return measures > 0;
	return pp_tracked_nesting >= 0;
}

/*
 * What the session in the slot runs, or the last one there ran, and its
 * thresholds.  Its pid; 0 if there is none, or it was writing at every try and
 * nothing is known.
 */
int
pp_session_read(int slot, PpRunning *running, PpThresholds *thresholds)
{
	volatile PpSharedSession *session = place_at(slot);

	for (int i = 0; i < READ_TRIES; i++)
	{
		uint32		before = session->changes;
		int			pid = session->pid;

		pg_read_barrier();
		memcpy(running, unvolatize(PpRunning *, &session->running),
			   sizeof(*running));
		memcpy(thresholds, unvolatize(PpThresholds *, &session->thresholds),
			   sizeof(*thresholds));
		pg_read_barrier();
		if (before % 2 == 0 && session->changes == before)
			return session->pid == pid ? pid : 0;
	}
	memset(running, 0, sizeof(*running));
	return 0;
}

/*
 * Database of the latest session in the slot, and its name, NAMEDATALEN bytes;
 * InvalidOid if there was none, or it has just come.
 */
Oid
pp_session_database(int slot, char *name)
{
	volatile PpSharedSession *session = place_at(slot);
	uint32		before = session->changes;
	Oid			dbid;

	pg_read_barrier();
	dbid = session->dbid;
	memcpy(name, unvolatize(PpSharedSession *, session)->database,
		   NAMEDATALEN);
	pg_read_barrier();
	if (before % 2 != 0 || session->changes != before)
		return InvalidOid;
	return dbid;
}

/* False if the worker was writing at every try. */
bool
pp_session_read_seen(int slot, PpSeen *seen)
{
	volatile PpSharedSession *session = place_at(slot);

	for (int i = 0; i < READ_TRIES; i++)
	{
		uint32		before = session->seen_changes;

		pg_read_barrier();
		memcpy(seen, unvolatize(PpSeen *, &session->seen), sizeof(*seen));
		pg_read_barrier();
		if (before % 2 == 0 && session->seen_changes == before)
			return true;
	}
	return false;
}

/* The worker alone calls this. */
void
pp_session_write_seen(int slot, const PpSeen *seen)
{
	PpSharedSession *session = place_at(slot);

	/* a worker may have ended while it wrote */
	session->seen_changes += session->seen_changes % 2;
	session->seen_changes++;
	pg_write_barrier();
	session->seen = *seen;
	pg_write_barrier();
	session->seen_changes++;
}
