/*
 * guc.h
 *	  pool_perf's settings; see guc.c.
 */
#ifndef PP_GUC_H
#define PP_GUC_H

#include "compat.h"

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

extern void pp_guc_init(void);

#endif							/* PP_GUC_H */
