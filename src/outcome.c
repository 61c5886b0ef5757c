/*
 * outcome.c
 *	  The words for severities and outcomes, as SQL shows them.
 */
#include "postgres.h"

#include "outcome.h"

/* NULL for none. */
const char *
pp_severity_name(PpSeverity severity)
{
	static const char *const names[] = {NULL, "info", "warning", "critical"};

	return names[severity];
}

const char *
pp_outcome_name(PpOutcome outcome)
{
	static const char *const names[] = {
		"ok", "error", "cancelled", "timeout", "terminated"
	};

	return names[outcome];
}
