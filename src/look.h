/*
 * look.h
 *	  One look at one session: what it runs, and how it is; see look.c.
 */
#ifndef PP_LOOK_H
#define PP_LOOK_H

#include "access/transam.h"

#include "sessions.h"

/* What a session does for its client. */
typedef enum PpPhase
{
	PP_PHASE_NONE,				/* no statement runs */
	PP_PHASE_ANALYSIS,			/* parse analysis: which query is not known
								 * yet */
	PP_PHASE_UNMEASURED,		/* a statement of a session that measures none */
	PP_PHASE_RUNNING,			/* planning and execution */
	PP_PHASE_ENDING				/* the statement has ended, its commit has not */
} PpPhase;

typedef struct PpLook
{
	int			slot;
	int			pid;
	PpPhase		phase;
	BackendState state;
	bool		client;			/* a client's session, no background worker */
	Oid			dbid;			/* of the session, as is the next */
	Oid			userid;
	TimestampTz xact_start;		/* 0: no transaction */
	TimestampTz state_change;
	char		application_name[NAMEDATALEN];
	uint32		wait_event;		/* wait_event_info; 0: on CPU */
	TimestampTz waiting_since;	/* for a lock; 0: it does not wait */

	/*
	 * The statement; in PP_PHASE_NONE the last one.  In PP_PHASE_ANALYSIS and
	 * PP_PHASE_UNMEASURED it has the number that the execution to come will
	 * have, and a key without a query id.
	 */
	PpStatKey	key;
	uint64		number;
	TimestampTz started_at;
	bool		utility;		/* or not measured: it raises no alert */
	double		elapsed;		/* ms; 0 in PP_PHASE_NONE, as is the next */
	PpSeverity	severity;		/* by the session's own thresholds */
	int			threshold;		/* ms; of that severity */

	/* of sessions that wait for a lock; the sampler fills it in */
	int			nblockers;
	int			blockers[PP_BLOCKERS];	/* as in PpSeen, as are the next */
	int			root_blocker;
	TransactionId root_xid;
} PpLook;

extern bool pp_look_at(int slot, TimestampTz now, PpLook *look);
extern const char *pp_state_name(BackendState state);

#endif							/* PP_LOOK_H */
