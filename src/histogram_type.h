/*
 * histogram_type.h
 *	  The SQL type pool_perf.histogram: making values of it.
 */
#ifndef PP_HISTOGRAM_TYPE_H
#define PP_HISTOGRAM_TYPE_H

extern struct varlena *pp_histogram_build(const uint64 *counts, int first,
										  int last);

#endif							/* PP_HISTOGRAM_TYPE_H */
