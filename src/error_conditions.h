/*
 * error_conditions.h
 *	  Names of SQLSTATEs; see error_conditions.c.
 */
#ifndef PP_ERROR_CONDITIONS_H
#define PP_ERROR_CONDITIONS_H

extern const char *pp_error_condition(const char *sqlstate);

#endif							/* PP_ERROR_CONDITIONS_H */
