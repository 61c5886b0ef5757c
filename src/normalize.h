/*
 * normalize.h
 *	  Normalised text and fingerprint of one SQL statement.
 */
#ifndef PP_NORMALIZE_H
#define PP_NORMALIZE_H

/* what a text that was cut ends with, and what stands for further members */
#define PP_CUT_MARK		" [...]"
#define PP_LIST_MARK	" /*, ... */"

/* the least max_length */
#define PP_NORMALIZE_MIN_LENGTH 64

typedef struct PpNormalized
{
	char	   *text;			/* palloc'd in CurrentMemoryContext,
								 * NUL-terminated, encoding of the database */
	int			length;			/* bytes */
	bool		cut;			/* was longer than max_length; ends with the
								 * mark */
	bool		masked;			/* at least one literal was replaced */
	uint64		fingerprint;	/* of the whole statement, however long; never
								 * 0 */
} PpNormalized;

/*
 * Normalise the statement at location and length of query, which mean what
 * stmt_location and stmt_len of a PlannedStmt mean: location -1 stands for the
 * whole string, length 0 for its rest, and neither has to lie inside the
 * string.  query is NUL-terminated, or NULL, which is an empty statement.
 *
 * utility: mask every number too, ORDER BY 1 included.  max_length: bytes, the
 * mark of a cut included; less than PP_NORMALIZE_MIN_LENGTH counts as that.
 *
 * Raises an error when out of memory, and a syntax error when the text is not
 * lexed as it was when it was parsed: standard_conforming_strings has changed
 * since (then a literal may also be taken for something else), or it never was
 * parsed.  Sends no message below ERROR, looks at no catalogue, works in an
 * aborted transaction.  Scratch memory, at most some ten times the statement,
 * stays in CurrentMemoryContext: call it in a short-lived one.
 */
extern void pp_normalize(const char *query, int location, int length,
						 bool utility, int max_length, PpNormalized *result);

#endif							/* PP_NORMALIZE_H */
