/*
 * normalize_sql.c
 *	  SQL functions that normalise a statement: pool_perf.normalize_query and
 *	  pool_perf.fingerprint.
 *
 * They parse their argument, which is how they know utility statements, and
 * then look at its text as the statistics do.
 */
#include "postgres.h"

#include "fmgr.h"
#include "nodes/parsenodes.h"
#include "parser/parser.h"
#include "utils/builtins.h"

#include "compat.h"
#include "normalize.h"

PP_FUNCTION(pp_normalize_query);
PP_FUNCTION(pp_fingerprint);

/* Does the planner see the statement?  SELECT INTO is a utility statement. */
static bool
is_plannable(Node *node)
{
	SelectStmt *select;

	switch (nodeTag(node))
	{
		case T_InsertStmt:
		case T_UpdateStmt:
		case T_DeleteStmt:
		case T_MergeStmt:
			return true;
		case T_SelectStmt:
			select = (SelectStmt *) node;
			while (select->op != SETOP_NONE)
				select = select->larg;
			return select->intoClause == NULL;
		default:
			return false;
	}
}

/* An error's position is one in the text that was passed, not in the query. */
static void
syntax_error_callback(void *arg)
{
	int			position = geterrposition();

	if (position > 0)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery((const char *) arg);
	}
}

/*
 * Normalise the one statement in query, uncut.  Returns false if there is
 * none; raises an error if there are several, or on a syntax error.
 */
static bool
normalize_one(const char *query, PpNormalized *result)
{
	ErrorContextCallback callback;
	List	   *statements;
	RawStmt    *statement;

	callback.callback = syntax_error_callback;
	callback.arg = unconstify(char *, query);
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	statements = raw_parser(query, RAW_PARSE_DEFAULT);
	error_context_stack = callback.previous;

	if (statements == NIL)
		return false;
	if (list_length(statements) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("text holds more than one statement"),
				 errdetail("One statement is normalized at a time; the text holds %d.",
						   list_length(statements)),
				 errhint("Split the text at the semicolons between its statements and pass one of them.")));

	statement = linitial_node(RawStmt, statements);
	pp_normalize(query, statement->stmt_location, statement->stmt_len,
				 !is_plannable(statement->stmt), PG_INT32_MAX, result);
	return true;
}

Datum
pp_normalize_query(PG_FUNCTION_ARGS)
{
	PpNormalized result;

	if (!normalize_one(text_to_cstring(PG_GETARG_TEXT_PP(0)), &result))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(result.text, result.length));
}

Datum
pp_fingerprint(PG_FUNCTION_ARGS)
{
	PpNormalized result;

	if (!normalize_one(text_to_cstring(PG_GETARG_TEXT_PP(0)), &result))
		PG_RETURN_NULL();
	PG_RETURN_INT64((int64) result.fingerprint);
}
