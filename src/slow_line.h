/*
 * slow_line.h
 *	  The log line about a slow execution; see slow_line.c.
 */
#ifndef PP_SLOW_LINE_H
#define PP_SLOW_LINE_H

#include "execution.h"
#include "slow_queries.h"

typedef struct PpSlowLine
{
	const PpSlowQuery *query;
	const PpSlowTexts *texts;
	const char *statement;		/* its text; NULL: not recorded */
	int			length;
	bool		extended;		/* came by the extended protocol */
	const char *prepared;		/* name of the prepared statement, or empty */
} PpSlowLine;

extern Size pp_slow_line_shmem_size(void);
extern void pp_slow_line_shmem_init(void);

extern bool pp_slow_line_is_servers(const PpExecution *e);
extern void pp_slow_line_write(const PpSlowLine *line);
extern void pp_slow_line_count_error(void);
extern uint64 pp_slow_line_errors(void);

#endif							/* PP_SLOW_LINE_H */
