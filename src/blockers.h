/*
 * blockers.h
 *	  Who waits for whose lock; see blockers.c.
 */
#ifndef PP_BLOCKERS_H
#define PP_BLOCKERS_H

#include "look.h"

extern void pp_blockers_find(PpLook *looks, int nlooks);
extern PpLook *pp_look_find(PpLook *looks, int nlooks, int pid);

#endif							/* PP_BLOCKERS_H */
