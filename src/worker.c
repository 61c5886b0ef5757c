/*
 * worker.c
 *	  pool_perf's background worker: looks at sessions, saves, checks health,
 *	  watches rates.
 *
 * It uses shared memory alone and connects to no database, so nothing that
 * concerns databases ever waits for it; and nobody waits for it at all.  It
 * exits with 1, so that the postmaster starts it again.  Its shared state is
 * atomics that it alone writes, but for the request to save.
 */
#include "postgres.h"

#include <sys/resource.h>

#include "miscadmin.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "alert_rules.h"
#include "compat.h"
#include "error_rates.h"
#include "guc.h"
#include "health.h"
#include "pending.h"
#include "queries.h"
#include "sampler.h"
#include "save.h"
#include "worker.h"

/* seconds between two turns, and how many of them a rate goes back */
#define TURN_INTERVAL	10
#define RATE_TURNS		6

/* the least time between two looks at the sessions, in ms */
#define MIN_LOOK_INTERVAL	10

/* how long a shutdown waits for clients to hand in what they counted, in ms */
#define SHUTDOWN_WAIT	5000
#define SHUTDOWN_POLL	10

/* seconds until the postmaster starts a worker that is gone */
#define RESTART_TIME	10

typedef struct PpSharedWorker
{
	TimestampTz started_at;		/* set at server start */
	pg_atomic_uint32 pid;
	pg_atomic_uint32 slot;		/* of its PGPROC */
	pg_atomic_uint32 save_asked;
	pg_atomic_uint64 seen_at;
	pg_atomic_uint64 cpu_ppm;	/* millionths of a core */
	pg_atomic_uint64 evictions_per_minute;
} PpSharedWorker;

static PpSharedWorker *shared;

Size
pp_worker_shmem_size(void)
{
	return sizeof(PpSharedWorker);
}

void
pp_worker_shmem_init(void)
{
	bool		found;

	shared = ShmemInitStruct("pool_perf worker", pp_worker_shmem_size(),
							 &found);
	if (found)
		return;
	shared->started_at = GetCurrentTimestamp();
	pg_atomic_init_u32(&shared->pid, 0);
	pg_atomic_init_u32(&shared->slot, 0);
	pg_atomic_init_u32(&shared->save_asked, 0);
	pg_atomic_init_u64(&shared->seen_at, 0);
	pg_atomic_init_u64(&shared->cpu_ppm, 0);
	pg_atomic_init_u64(&shared->evictions_per_minute, 0);
}

void
pp_worker_state(PpWorkerState *state)
{
	state->pid = (int) pg_atomic_read_u32(&shared->pid);
	state->started_at = shared->started_at;
	state->seen_at = (TimestampTz) pg_atomic_read_u64(&shared->seen_at);
	state->cpu_percent = pg_atomic_read_u64(&shared->cpu_ppm) / 10000.0;
	state->evictions_per_minute =
		(double) pg_atomic_read_u64(&shared->evictions_per_minute);
}

/* Asks the worker, if it is there, to save soon. */
void
pp_worker_wake(void)
{
	pg_atomic_write_u32(&shared->save_asked, 1);
	if (pg_atomic_read_u32(&shared->pid) != 0)
		SetLatch(&GetPGProcByNumber(pg_atomic_read_u32(&shared->slot))->procLatch);
}

void
pp_worker_init(void)
{
	BackgroundWorker worker = {0};

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS;
	worker.bgw_start_time = BgWorkerStart_PostmasterStart;
	worker.bgw_restart_time = RESTART_TIME;
	strlcpy(worker.bgw_name, "pool_perf worker", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "pool_perf worker", BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, "pool_perf",
			sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "pp_worker_main", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}

static inline TimestampTz
plus_seconds(TimestampTz at, int seconds)
{
	return TimestampTzPlusMilliseconds(at, seconds * INT64CONST(1000));
}

static void
leave(int code, Datum arg)
{
	pg_atomic_write_u32(&shared->pid, 0);
}

/* CPU time of this process, in microseconds. */
static int64
cpu_time(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) != 0)
		return 0;
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) *
		INT64CONST(1000000) + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

/* What is looked at each turn: rates, and the worker's own cost. */
static void
watch(TimestampTz now, TimestampTz begun_at)
{
	static int64 evictions[RATE_TURNS];
	static TimestampTz at[RATE_TURNS];
	static int	turn = 0;
	PpQueryCounters counters;
	int			oldest = turn % RATE_TURNS;
	int64		evicted;

	pp_error_rates_sample(now);
	pp_query_stats_counters(&counters);
	if (turn == 0)
		for (int i = 0; i < RATE_TURNS; i++)
		{
			evictions[i] = counters.evictions;
			at[i] = now;
		}
	evicted = counters.evictions - evictions[oldest];
	if (now > at[oldest])
		pg_atomic_write_u64(&shared->evictions_per_minute,
							evicted * USECS_PER_MINUTE / (now - at[oldest]));
	evictions[oldest] = counters.evictions;
	at[oldest] = now;
	turn++;

	if (now >= begun_at + USECS_PER_SEC)
		pg_atomic_write_u64(&shared->cpu_ppm,
							cpu_time() * 1000000 / (now - begun_at));
	pg_atomic_write_u64(&shared->seen_at, (uint64) now);
}

/*
 * Backends and workers are told of a fast shutdown at the same moment: what
 * the backends hand in as they leave is to be saved too.
 */
static void
wait_for_clients(void)
{
	for (int waited = 0;
		 waited < SHUTDOWN_WAIT && pp_pending_backends(false) > 0;
		 waited += SHUTDOWN_POLL)
	{
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 SHUTDOWN_POLL, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}

/* When the next look is due after one at that time. */
static TimestampTz
next_look(TimestampTz at)
{
	return TimestampTzPlusMilliseconds(at, Max(pp_sample_interval,
											   MIN_LOOK_INTERVAL));
}

/* Milliseconds until the next turn, look or save is due. */
static long
next_wait(TimestampTz now, TimestampTz turn_at, TimestampTz looked_at,
		  TimestampTz save_at)
{
	TimestampTz next = turn_at;

	if (pp_save_interval >= 0)
		next = Min(next, save_at);
	if (pp_sample_interval >= 0)
		next = Min(next, next_look(looked_at));
	return Max(TimestampDifferenceMilliseconds(now, next), 1);
}

void
pp_worker_main(Datum arg)
{
	MemoryContext context;
	TimestampTz begun_at = GetCurrentTimestamp();
	TimestampTz turn_at = begun_at;
	TimestampTz check_at = begun_at;
	TimestampTz looked_at = begun_at;
	TimestampTz saved_at = begun_at;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();

	context = AllocSetContextCreate(TopMemoryContext, "pool_perf worker",
									ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	pp_sampler_init();
	before_shmem_exit(leave, (Datum) 0);
	pg_atomic_write_u32(&shared->slot, (uint32) PP_MY_SLOT);
	pg_atomic_write_u32(&shared->pid, (uint32) MyProcPid);

	while (!ShutdownRequestPending)
	{
		TimestampTz now = GetCurrentTimestamp();
		TimestampTz save_at = plus_seconds(saved_at, Max(pp_save_interval, 1));

		MemoryContextReset(context);
		if (pp_sample_interval >= 0 &&
			(now >= next_look(looked_at) || now < looked_at))
		{
			pp_sampler_look(now);
			pp_alert_rules_turn(now, true);
			looked_at = now;
		}
		if (now >= turn_at || now < turn_at - TURN_INTERVAL * USECS_PER_SEC)
		{
			watch(now, begun_at);
			if (pp_sample_interval < 0)
				pp_alert_rules_turn(now, false);
			turn_at = plus_seconds(now, TURN_INTERVAL);
		}
		if (now >= check_at ||
			now < check_at - PP_HEALTH_INTERVAL * USECS_PER_SEC)
		{
			pp_health_check(now);
			check_at = plus_seconds(now, PP_HEALTH_INTERVAL);
		}
		if (pg_atomic_exchange_u32(&shared->save_asked, 0) != 0 ||
			(pp_save_interval >= 0 &&
			 (now >= save_at || now < saved_at)))
		{
			pp_save_write(false);
			saved_at = now;
			save_at = plus_seconds(saved_at, pp_save_interval);
		}

		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 next_wait(now, Min(turn_at, check_at), looked_at,
								   save_at),
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
	}

	wait_for_clients();
	pp_save_write(true);
	proc_exit(1);
}
