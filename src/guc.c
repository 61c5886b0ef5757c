/*
 * guc.c
 *	  pool_perf's settings.
 *
 * Sizes of shared memory are fixed at server start; what changes which
 * statements are measured is for superusers, since it changes everybody's
 * figures.
 */
#include "postgres.h"

#include "utils/guc.h"

#include "guc.h"

bool		pp_enabled = true;
int			pp_track = PP_TRACK_TOP;
bool		pp_track_utility = true;
int			pp_max_queries = 5000;
int			pp_text_memory = 8192;
int			pp_max_text_length = 4096;
int			pp_save_interval = 300;

int			pp_tracked_nesting = 0;

static const struct config_enum_entry track_options[] = {
	{"none", PP_TRACK_NONE, false},
	{"top", PP_TRACK_TOP, false},
	{"all", PP_TRACK_ALL, false},
	{NULL, 0, false}
};

static void
set_tracked_nesting(bool enabled, int track)
{
	if (!enabled || track == PP_TRACK_NONE)
		pp_tracked_nesting = -1;
	else
		pp_tracked_nesting = track == PP_TRACK_ALL ? INT_MAX : 0;
}

static void
assign_enabled(bool newval, void *extra)
{
	set_tracked_nesting(newval, pp_track);
}

static void
assign_track(int newval, void *extra)
{
	set_tracked_nesting(pp_enabled, newval);
}

void
pp_guc_init(void)
{
	DefineCustomBoolVariable("pool_perf.enabled",
							 "Measures statements.",
							 "Turn it off to take pool_perf out of the way of all statements without a restart.",
							 &pp_enabled, true, PGC_SIGHUP, 0,
							 NULL, assign_enabled, NULL);
	DefineCustomEnumVariable("pool_perf.track",
							 "Which statements are measured.",
							 "Set it to \"all\" to see the statements inside functions too, to \"none\" to measure nothing.",
							 &pp_track, PP_TRACK_TOP, track_options,
							 PGC_SUSET, 0, NULL, assign_track, NULL);
	DefineCustomBoolVariable("pool_perf.track_utility",
							 "Measures utility statements, COMMIT among them.",
							 "Turn it off where only SELECT, INSERT, UPDATE, DELETE and MERGE are of interest.",
							 &pp_track_utility, true, PGC_SUSET, 0,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("pool_perf.max_queries",
							"How many queries have statistics of their own.",
							"Raise it when pool_perf.health warns of evictions; each takes about 3.5 kB of shared memory.",
							&pp_max_queries, 5000, 100, 1000000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pool_perf.text_memory",
							"Shared memory for the texts of queries.",
							"Raise it when pool_perf.info shows dropped texts.",
							&pp_text_memory, 8192, 256, 16 * 1024 * 1024,
							PGC_POSTMASTER, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("pool_perf.max_text_length",
							"How much of a query's text is kept.",
							"Raise it when texts that matter are cut; the fingerprint is always that of the whole text.",
							&pp_max_text_length, 4096, 64, 1024 * 1024,
							PGC_SIGHUP, GUC_UNIT_BYTE, NULL, NULL, NULL);
	DefineCustomIntVariable("pool_perf.save_interval",
							"Time between two saves of the statistics to disk.",
							"A crash loses what came after the last save; -1 saves at shutdown only.",
							&pp_save_interval, 300, -1, 86400,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	MarkGUCPrefixReserved("pool_perf");
}
