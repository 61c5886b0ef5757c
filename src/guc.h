/*
 * guc.h
 *	  pool_perf's settings; see guc.c.
 */
#ifndef PP_GUC_H
#define PP_GUC_H

#include "compat.h"
#include "outcome.h"

typedef enum PpTrack
{
	PP_TRACK_NONE,				/* no statements */
	PP_TRACK_TOP,				/* statements that clients send */
	PP_TRACK_ALL				/* and those that run inside of them */
} PpTrack;

/*
 * Statements inside of at most so many others are measured; -1: none.  What
 * pool_perf.enabled and pool_perf.track come to.
 */
extern PP_HIDDEN int pp_tracked_nesting;

extern PP_HIDDEN bool pp_enabled;
extern PP_HIDDEN int pp_track;
extern bool pp_track_utility;
extern int	pp_max_queries;
extern int	pp_text_memory;		/* kB */
extern int	pp_max_text_length; /* bytes */
extern int	pp_save_interval;	/* s; -1: at shutdown only */

/* slow statements; see pp_thresholds too */
extern bool pp_log_parameters;
extern bool pp_log_plan;
extern int	pp_log_rate;		/* lines a minute and query; -1: no limit */
extern int	pp_log_rate_total;	/* lines a minute; -1: no limit */
extern int	pp_slow_query_history;	/* places */

/* sampling, errors and alerts */
extern int	pp_sample_interval; /* ms; -1: off */
extern int	pp_max_errors;		/* rows */
extern int	pp_alert_cooldown;	/* s */
extern int	pp_blocked_min_duration;	/* ms; this and the next: -1 is off */
extern int	pp_idle_in_transaction_min_duration;	/* ms */
extern int	pp_long_transaction_min_duration;	/* ms */
extern double pp_error_rate_threshold;	/* percent; -1: off */
extern int	pp_error_rate_min_calls;
extern char *pp_alert_exempt_applications;	/* comma-separated */
extern char *pp_notify_database;	/* empty: off */

/* pool_perf.{log,alert,critical}_min_duration of this session */
extern PP_HIDDEN PpThresholds pp_thresholds;

/* where else they are to be kept, or NULL: the session's place in shared memory */
extern PP_HIDDEN PpThresholds *pp_published_thresholds;

/*
 * Nanoseconds of server time from which on an execution is slow: the least of
 * the thresholds.  PG_INT64_MAX: none is.  And from which on its end is looked
 * at closer at all.
 */
extern PP_HIDDEN int64 pp_slow_time;
extern PP_HIDDEN int64 pp_late_time;

extern void pp_guc_init(void);

#endif							/* PP_GUC_H */
