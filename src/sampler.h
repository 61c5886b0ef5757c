/*
 * sampler.h
 *	  The worker's look at all sessions; see sampler.c.
 */
#ifndef PP_SAMPLER_H
#define PP_SAMPLER_H

#include "look.h"

extern Size pp_sampler_shmem_size(void);
extern void pp_sampler_shmem_init(void);

extern void pp_sampler_init(void);
extern void pp_sampler_look(TimestampTz now);
extern int	pp_sampler_looks(const PpLook **looks);
extern const PpLook *pp_sampler_find(int pid);

extern bool pp_sampler_seen(const PpLook *look, TimestampTz now, PpSeen *seen);

#endif							/* PP_SAMPLER_H */
