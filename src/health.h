/*
 * health.h
 *	  The checks of pool_perf.health; see health.c.
 */
#ifndef PP_HEALTH_H
#define PP_HEALTH_H

#include "datatype/timestamp.h"

typedef enum PpStatus
{
	PP_STATUS_OK,
	PP_STATUS_WARNING,
	PP_STATUS_CRITICAL,
	PP_STATUS_UNKNOWN
} PpStatus;

#define PP_HEALTH_TEXT	240

/* What one check found. */
typedef struct PpHealthResult
{
	PpStatus	status;
	bool		has_value;
	double		value;			/* in the check's unit */
	char		message[PP_HEALTH_TEXT];
	char		remedy[PP_HEALTH_TEXT]; /* empty: nothing to do */
	TimestampTz checked_at;
	TimestampTz changed_at;		/* of the status */
} PpHealthResult;

/* One check.  Thresholds: NaN where there is none. */
typedef struct PpHealthCheck
{
	const char *name;
	const char *category;		/* availability | capacity | latency | errors
								 * | self */
	const char *unit;
	double		warning_threshold;
	double		critical_threshold;
	bool		live;			/* checked when it is read, not by the worker */
	void		(*check) (const struct PpHealthCheck *self,
						  PpHealthResult *result);
} PpHealthCheck;

extern Size pp_health_shmem_size(void);
extern void pp_health_shmem_init(void);

extern int	pp_health_checks(void);
extern const PpHealthCheck *pp_health_get(int number,
										  const char *extension_version,
										  PpHealthResult *result);
extern void pp_health_check(TimestampTz now);
extern const char *pp_status_name(PpStatus status);

#endif							/* PP_HEALTH_H */
