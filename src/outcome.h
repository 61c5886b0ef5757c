/*
 * outcome.h
 *	  How bad, and how it ended: the words that all of pool_perf uses.
 */
#ifndef PP_OUTCOME_H
#define PP_OUTCOME_H

/* Of events; the thresholds are pool_perf.{log,alert,critical}_min_duration. */
typedef enum PpSeverity
{
	PP_SEVERITY_NONE,
	PP_SEVERITY_INFO,
	PP_SEVERITY_WARNING,
	PP_SEVERITY_CRITICAL
} PpSeverity;

#define PP_SEVERITIES	4

/* How an execution ended. */
typedef enum PpOutcome
{
	PP_OUTCOME_OK,
	PP_OUTCOME_ERROR,
	PP_OUTCOME_CANCELLED,		/* by request of a user */
	PP_OUTCOME_TIMEOUT,			/* of statement, lock, transaction or idling */
	PP_OUTCOME_TERMINATED		/* with its session */
} PpOutcome;

/*
 * Durations, in ms, from which on an execution is of each severity; -1: never.
 * Indexed by PpSeverity.
 */
typedef struct PpThresholds
{
	int			min_duration[PP_SEVERITIES];
} PpThresholds;

/* The worst severity that a duration in milliseconds has. */
static inline PpSeverity
pp_severity(const PpThresholds *thresholds, double duration)
{
	for (int s = PP_SEVERITY_CRITICAL; s > PP_SEVERITY_NONE; s--)
		if (thresholds->min_duration[s] >= 0 &&
			duration >= thresholds->min_duration[s])
			return (PpSeverity) s;
	return PP_SEVERITY_NONE;
}

extern const char *pp_severity_name(PpSeverity severity);
extern const char *pp_outcome_name(PpOutcome outcome);

#endif							/* PP_OUTCOME_H */
