/*
 * hooks.h
 *	  pool_perf's hooks; see hooks.c.
 */
#ifndef PP_HOOKS_H
#define PP_HOOKS_H

extern void pp_hooks_init(void);

#endif							/* PP_HOOKS_H */
