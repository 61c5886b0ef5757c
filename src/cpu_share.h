/*
 * cpu_share.h
 *	  The server's share of the machine's CPU; see cpu_share.c.
 */
#ifndef PP_CPU_SHARE_H
#define PP_CPU_SHARE_H

#include "datatype/timestamp.h"

/* seconds that a share is taken over, once the worker has run so long */
#define PP_CPU_WINDOW	300

typedef struct PpCpuShare
{
	bool		known;
	double		percent;		/* of all CPUs of the machine */
	double		seconds;		/* that it is over */
} PpCpuShare;

extern void pp_cpu_share(TimestampTz now, PpCpuShare *share);

#endif							/* PP_CPU_SHARE_H */
