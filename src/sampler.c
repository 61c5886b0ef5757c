/*
 * sampler.c
 *	  The worker's look at all sessions, every pool_perf.sample_interval.
 *
 * A look reads what the sessions publish, without a lock and without SQL.
 * What it sees of a running statement it adds to the statement's profile, in
 * sessions.c, and to the query's waits, in waits.c.  The copy of all looks is
 * in the worker's memory and valid until the next one.
 *
 * Who blocks whom is looked up only while a session has waited for a lock for
 * LONG_WAIT: that takes the lock manager's locks, and no more than one part in
 * LOOKUP_SHARE of the time.
 *
 * A statement that waits in parse analysis has no query id yet.  Its samples
 * are held back until it has one: see settle().
 */
#include "postgres.h"

#include "port/atomics.h"
#include "portability/instr_time.h"
#include "storage/shmem.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "blockers.h"
#include "guc.h"
#include "sampler.h"
#include "waits.h"

/* microseconds; how long a wait is of no concern */
#define LONG_WAIT		USECS_PER_SEC

/* one part of the time in so many is spent looking for blockers */
#define LOOKUP_SHARE	100

/* a look is fresh for three intervals, and at least so long (microseconds) */
#define FRESH_TIME		(5 * USECS_PER_SEC)

typedef struct PpSharedSampler
{
	pg_atomic_uint64 looked_at; /* TimestampTz of the last look */
} PpSharedSampler;

static PpSharedSampler *shared;

/* the worker's own memory, made once */
static PpLook *looks;
static int	nlooks;
static PpQueryWait *batch;		/* for waits.c */
static int	nbatch;
static bool *unsettled;			/* by slot: samples are held back */
static TimestampTz lookup_at;	/* not before that */

Size
pp_sampler_shmem_size(void)
{
	return sizeof(PpSharedSampler);
}

void
pp_sampler_shmem_init(void)
{
	bool		found;

	shared = ShmemInitStruct("pool_perf sampler", pp_sampler_shmem_size(),
							 &found);
	if (!found)
		pg_atomic_init_u64(&shared->looked_at, 0);
}

/* Once, in the worker. */
void
pp_sampler_init(void)
{
	int			n = pp_sessions();

	looks = MemoryContextAllocHuge(TopMemoryContext, n * sizeof(PpLook));
	batch = MemoryContextAllocHuge(TopMemoryContext, n * (PP_WAITS + 1) *
								   sizeof(PpQueryWait));
	unsettled = MemoryContextAllocZero(TopMemoryContext, n * sizeof(bool));
}

/* ---- blockers ----------------------------------------------------------------- */

static bool
waits_long(const PpLook *look, TimestampTz now)
{
	return look->waiting_since != 0 && now - look->waiting_since >= LONG_WAIT;
}

static void
look_up_blockers(TimestampTz now)
{
	bool		wanted = false;
	instr_time	start;
	instr_time	took;

	for (int i = 0; i < nlooks && !wanted; i++)
		wanted = waits_long(&looks[i], now);
	if (!wanted || (now < lookup_at && lookup_at - now < USECS_PER_MINUTE))
		return;

	INSTR_TIME_SET_CURRENT(start);
	pp_blockers_find(looks, nlooks);
	INSTR_TIME_SET_CURRENT(took);
	INSTR_TIME_SUBTRACT(took, start);
	lookup_at = now + LOOKUP_SHARE * INSTR_TIME_GET_MICROSEC(took);
}

/* Blockers into the profile, or those of the same wait out of it. */
static void
note_blockers(PpLook *look, PpSeen *seen)
{
	if (look->nblockers > 0 || seen->waiting_since != look->waiting_since)
	{
		seen->nblockers = look->nblockers;
		memcpy(seen->blockers, look->blockers, sizeof(seen->blockers));
		seen->root_blocker = look->root_blocker;
		seen->root_xid = look->root_xid;
	}
	else
	{
		look->nblockers = seen->nblockers;
		memcpy(look->blockers, seen->blockers, sizeof(look->blockers));
		look->root_blocker = seen->root_blocker;
		look->root_xid = seen->root_xid;
	}
	seen->waiting_since = look->waiting_since;
}

/* ---- waits ---------------------------------------------------------------------- */

static void
count_wait(const PpStatKey *key, uint32 event, uint32 samples)
{
	PpQueryWait *wait = &batch[nbatch++];

	wait->dbid = key->dbid;
	wait->userid = key->userid;
	wait->queryid = key->queryid;
	wait->event = event;
	wait->samples = samples;
}

/* Adds a sample to a statement's profile, if there is room for its kind. */
static void
note_wait(PpSeen *seen, uint32 event)
{
	seen->samples++;
	for (int i = 0; i < PP_WAITS; i++)
	{
		if (seen->waits[i].samples == 0)
			seen->waits[i].event = event;
		if (seen->waits[i].event == event)
		{
			seen->waits[i].samples++;
			return;
		}
	}
}

/*
 * Counts what was held back: for the statement that came of it, if it is the
 * one that the session runs or ran last, else for no query.
 */
static void
settle(const PpLook *look, const PpSeen *seen)
{
	PpStatKey	key = look->key;

	if (look->number != seen->number || look->started_at != seen->started_at)
		pp_stat_key_init(&key, look->dbid, look->userid, 0, PP_KEY_TOPLEVEL);
	for (int i = 0; i < PP_WAITS && seen->waits[i].samples > 0; i++)
		count_wait(&key, seen->waits[i].event, seen->waits[i].samples);
	unsettled[look->slot] = false;
}

static void
look_closer(PpLook *look)
{
	bool		analysis = look->phase == PP_PHASE_ANALYSIS;
	bool		same;
	PpSeen		seen;

	if (look->phase == PP_PHASE_NONE && !unsettled[look->slot])
		return;
	if (!pp_session_read_seen(look->slot, &seen))
		memset(&seen, 0, sizeof(seen));
	same = seen.number == look->number && seen.started_at == look->started_at;
	if (unsettled[look->slot] && !(same && analysis))
		settle(look, &seen);
	if (look->phase == PP_PHASE_NONE)
		return;

	if (!same)
	{
		memset(&seen, 0, sizeof(seen));
		seen.number = look->number;
		seen.started_at = look->started_at;
	}
	note_wait(&seen, look->wait_event);
	note_blockers(look, &seen);
	pp_session_write_seen(look->slot, &seen);
	if (analysis)
		unsettled[look->slot] = true;
	else
		count_wait(&look->key, look->wait_event, 1);
}

/* ---- what others call ------------------------------------------------------------- */

/* The worker alone calls this. */
void
pp_sampler_look(TimestampTz now)
{
	nlooks = 0;
	nbatch = 0;
	for (int slot = 0; slot < pp_sessions(); slot++)
		if (pp_look_at(slot, now, &looks[nlooks]))
			nlooks++;
		else
			unsettled[slot] = false;
	look_up_blockers(now);
	for (int i = 0; i < nlooks; i++)
		look_closer(&looks[i]);
	pp_waits_add(batch, nbatch);
	pg_atomic_write_u64(&shared->looked_at, (uint64) now);
}

/* All sessions at the last look, in the worker. */
int
pp_sampler_looks(const PpLook **all)
{
	*all = looks;
	return nlooks;
}

/* The session at the last look, in the worker; NULL if there was none. */
const PpLook *
pp_sampler_find(int pid)
{
	for (int i = 0; i < nlooks; i++)
		if (looks[i].pid == pid)
			return &looks[i];
	return NULL;
}

/*
 * What the worker saw of the statement of a look by this process.  False if
 * nothing, or not lately.
 */
bool
pp_sampler_seen(const PpLook *look, TimestampTz now, PpSeen *seen)
{
	TimestampTz looked_at =
	(TimestampTz) pg_atomic_read_u64(&shared->looked_at);
	int64		fresh = Max(3 * pp_sample_interval * INT64CONST(1000),
							FRESH_TIME);

	return pp_sample_interval >= 0 && now - looked_at <= fresh &&
		pp_session_read_seen(look->slot, seen) &&
		seen->number == look->number && seen->started_at == look->started_at;
}
