/*
 * utility.h
 *	  The hook of utility statements; see utility.c.
 */
#ifndef PP_UTILITY_H
#define PP_UTILITY_H

extern void pp_utility_init(void);

#endif							/* PP_UTILITY_H */
