/*
 * sessions.h
 *	  What each session runs now, and what was seen of it; see sessions.c.
 */
#ifndef PP_SESSIONS_H
#define PP_SESSIONS_H

#include "port/atomics.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "outcome.h"
#include "statement.h"

/* Statement of a client that runs, as its session tells it. */
typedef struct PpRunning
{
	PpStatKey	key;
	TimestampTz started_at;		/* of its server time */
	uint64		number;			/* how many-th of the session; its identity */
	bool		running;
	bool		utility;
} PpRunning;

/* How often a wait event was seen. */
typedef struct PpWait
{
	uint32		event;			/* wait_event_info; 0: on CPU */
	uint32		samples;
} PpWait;

#define PP_WAITS		6		/* kinds of waits kept for one statement */
#define PP_BLOCKERS		8		/* blockers kept for one statement */

/* What was seen of the statement with that number. */
typedef struct PpSeen
{
	uint64		number;
	TimestampTz started_at;		/* as the statement itself tells it */
	uint32		samples;		/* in all; of further kinds: the difference */
	PpWait		waits[PP_WAITS];
	int			nblockers;
	int			blockers[PP_BLOCKERS];	/* pids; 0: prepared transaction */
	int			root_blocker;	/* pid; 0: none, or root_xid */
	TransactionId root_xid;		/* of a prepared transaction; else invalid */
	TimestampTz waiting_since;	/* for a lock; 0: it does not wait */
} PpSeen;

/* A session's place.  It stands here for the inline functions below alone. */
typedef struct PpSharedSession
{
	uint32		changes;		/* odd while the session writes running, or
								 * dbid and database */
	int			pid;			/* 0: nobody */
	PpRunning	running;
	PpThresholds thresholds;	/* each of them whole at any time */
	int			measures;		/* pid of who measures statements; negated: of
								 * who does not */
	uint32		seen_changes;	/* odd while the worker writes seen */
	PpSeen		seen;
	/* of the latest session here, even if it is gone */
	Oid			dbid;
	char		database[NAMEDATALEN];	/* its name, when the session began */
} PpSharedSession;

extern PP_HIDDEN PpSharedSession *pp_my_session;	/* NULL before attach */

extern Size pp_sessions_shmem_size(void);
extern void pp_sessions_shmem_init(void);

extern void pp_session_attach(int slot);
extern void pp_session_detach(void);
extern void pp_session_set_measures(bool measures);
extern void pp_session_seen(uint64 number, PpSeen *seen);

extern PgBackendStatus *pp_session_status(int slot, int pid);
extern int	pp_sessions(void);
extern bool pp_session_measures(int slot, int pid);
extern int	pp_session_read(int slot, PpRunning *running,
							PpThresholds *thresholds);
extern Oid	pp_session_database(int slot, char *name);
extern bool pp_session_read_seen(int slot, PpSeen *seen);
extern void pp_session_write_seen(int slot, const PpSeen *seen);

/* A statement of the client begins, or goes on. */
static inline void
pp_session_run(const PpStatKey *key, TimestampTz started_at, bool utility)
{
	PpSharedSession *session = pp_my_session;

	session->changes++;
	pg_write_barrier();
	session->running.key = *key;
	session->running.started_at = started_at;
	session->running.number++;
	session->running.running = true;
	session->running.utility = utility;
	pg_write_barrier();
	session->changes++;
}

/* It has ended, or waits for the client's next message. */
static inline void
pp_session_stop(void)
{
	pp_my_session->running.running = false;
}

#endif							/* PP_SESSIONS_H */
