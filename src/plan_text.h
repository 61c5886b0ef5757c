/*
 * plan_text.h
 *	  Plans as text, with and without literals; see plan_text.c.
 */
#ifndef PP_PLAN_TEXT_H
#define PP_PLAN_TEXT_H

#include "executor/execdesc.h"

/* what stands for a literal, and for a plan that is not shown */
#define PP_PLAN_VALUE	"<value>"
#define PP_PLAN_HIDDEN	"<plan not shown: its literals cannot be told apart>"

typedef struct PpPlanOptions
{
	bool		literals;		/* show them */
	bool		rows;			/* show those of each node, if counted */
} PpPlanOptions;

extern int	pp_plan_text(QueryDesc *queryDesc, const PpPlanOptions *options,
						 char *out, int size);
extern int	pp_plan_mask(const char *plan, char *out, int size);

#endif							/* PP_PLAN_TEXT_H */
