/*
 * plan_text.c
 *	  Plans as text, with and without literals.
 *
 * EXPLAIN shows every constant of a statement.  Without literals, each string
 * becomes PP_PLAN_VALUE, wherever it stands, and so does each number but those
 * that the planner or the executor has put there: costs, rows, widths, and
 * what the labels below say.  What a label says that is not known, such as
 * those of foreign data wrappers, is hidden, with the lines that follow it until
 * one is known again: it is any text, which may have several.  Names are kept: outside of quotes a digit in a name is no
 * number, and inside of double quotes nothing is a string.
 *
 * No state, no locks; scratch memory is the caller's.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "compat.h"
#include "normalize.h"
#include "plan_text.h"

/* labels whose numbers are not the statement's */
static const char *const numeric_labels[] = {
	"Batches", "Buckets", "Buffers", "Conflicting Tuples", "Disabled",
	"Estimates", "Foreign File Size", "Full-sort Groups", "Heap Blocks",
	"Heap Fetches", "Hits", "I/O", "I/O Timings", "Index Searches",
	"Planned Partitions", "Pre-sorted Groups", "Prefetch",
	"Rows Removed by Conflict Filter", "Rows Removed by Filter",
	"Rows Removed by Index Recheck", "Rows Removed by Join Filter",
	"Sort Method", "Storage", "Subplans Removed", "Tuples", "Tuples Inserted",
	"WAL", "Workers Launched", "Workers Planned", NULL
};

/* labels of expressions and of words of the server's */
static const char *const expression_labels[] = {
	"Cache Key", "Cache Mode", "Conflict Filter", "Conflict Resolution",
	"Filter", "Function Call", "Group Key", "Hash Cond", "Hash Key",
	"Index Cond", "Inner Unique", "Join Filter", "Merge Cond",
	"One-Time Filter", "Order By", "Output", "Params Evaluated",
	"Presorted Key", "Recheck Cond", "Relations", "Repeatable Seed",
	"Replaces", "Run Condition", "Sampling", "Single Copy", "Sort Key",
	"TID Cond", "Table Function Call", "Window", NULL
};

/* lines that hold nothing but names, which are not quoted */
static const char *const name_lines[] = {
	"CTE ", "SubPlan ", "InitPlan ", "Conflict Arbiter Indexes: ", NULL
};

typedef enum PpPlanLine
{
	PP_LINE_EXPRESSION,
	PP_LINE_NUMBERS,			/* numbers are kept */
	PP_LINE_NAMES,				/* everything is */
	PP_LINE_UNKNOWN				/* nothing is but a label */
} PpPlanLine;

typedef struct PpPlanWriter
{
	char	   *out;
	int			length;
	int			size;
	bool		cut;
} PpPlanWriter;

static bool
begins_with_any(const char *line, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strncmp(line, *words, strlen(*words)) == 0)
			return true;
	return false;
}

static bool
is_label_of(const char *line, int length, const char *const *labels)
{
	for (; *labels != NULL; labels++)
		if (strlen(*labels) == length && strncmp(line, *labels, length) == 0)
			return true;
	return false;
}

static inline bool
is_name_start(char c)
{
	return IS_HIGHBIT_SET(c) || isalpha((unsigned char) c) || c == '_';
}

static inline bool
is_name_char(char c)
{
	return is_name_start(c) || isdigit((unsigned char) c) || c == '$';
}

/* What the line that begins here is. */
static PpPlanLine
line_kind(const char *line)
{
	const char *p = line + strspn(line, " ");
	const char *end;
	const char *cost;
	int			length;

	if (strncmp(p, "->", 2) == 0)
		p += 2 + strspn(p + 2, " ");
	end = p + strcspn(p, "\n");
	if (begins_with_any(p, name_lines))
		return PP_LINE_NAMES;
	/* a label ends at a colon, before anything that makes an expression */
	length = strcspn(p, ":('\"\n");
	if (p[length] == ':')
	{
		if (is_label_of(p, length, numeric_labels) ||
			(strncmp(p, "Worker ", 7) == 0 &&
			 strspn(p + 7, "0123456789") == length - 7))
			return PP_LINE_NUMBERS;
		return is_label_of(p, length, expression_labels) ?
			PP_LINE_EXPRESSION : PP_LINE_UNKNOWN;
	}
	cost = strstr(p, "  (cost=");
	return cost != NULL && cost < end ? PP_LINE_NUMBERS : PP_LINE_UNKNOWN;
}

/* Appends as much as there is room for. */
static void
write_piece(PpPlanWriter *writer, const char *piece, int length)
{
	int			room = writer->size - writer->length;

	if (writer->cut)
		return;
	if (length > room)
	{
		writer->cut = true;
		length = room;
	}
	memcpy(writer->out + writer->length, piece, length);
	writer->length += length;
}

/* Behind the quote that closes what begins at p; NULL if nothing closes it. */
static const char *
skip_quoted(const char *p)
{
	char		quote = *p++;

	for (;;)
	{
		p = strchr(p, quote);
		if (p == NULL)
			return NULL;
		if (p[1] != quote)
			return p + 1;
		p += 2;
	}
}

static const char *
skip_number(const char *p)
{
	while (is_name_char(*p) || *p == '.')
	{
		if ((*p == 'e' || *p == 'E') && (p[1] == '-' || p[1] == '+'))
			p++;
		p++;
	}
	return p;
}

/*
 * Writes the name at p.  Behind it: a number that belongs to it, as in
 * SubPlan 1, goes with it, and what makes a string of another form is left
 * out.
 */
static const char *
write_name(PpPlanWriter *writer, const char *p)
{
	const char *start = p;
	int			length;

	while (is_name_char(*p))
		p++;
	length = p - start;
	if (*p == '\'' && length == 1)
		return p;
	if (*p == ' ' && isdigit((unsigned char) p[1]) &&
		(strncmp(start, "SubPlan", length) == 0 ||
		 strncmp(start, "InitPlan", length) == 0))
		p += 1 + strspn(p + 1, "0123456789");
	write_piece(writer, start, p - start);
	return p;
}

/* Writes the token at p, which is no line break; NULL if it does not end. */
static const char *
write_token(PpPlanWriter *writer, const char *p, bool keep_numbers)
{
	const char *end = p + 1;

	if (*p == '\'')
	{
		write_piece(writer, PP_PLAN_VALUE, strlen(PP_PLAN_VALUE));
		return skip_quoted(p);
	}
	if (is_name_start(*p))
		return write_name(writer, p);
	if (*p == '"')
		end = skip_quoted(p);
	else if (*p == '$')
		end = p + 1 + strspn(p + 1, "0123456789");
	else if (isdigit((unsigned char) *p))
	{
		end = skip_number(p);
		if (!keep_numbers)
		{
			write_piece(writer, PP_PLAN_VALUE, strlen(PP_PLAN_VALUE));
			return end;
		}
	}
	if (end != NULL)
		write_piece(writer, p, end - p);
	return end;
}

/* Makes an end of a text that is longer than it may be. */
static int
finish(PpPlanWriter *writer)
{
	int			room = writer->size - (int) strlen(PP_CUT_MARK);

	while (!writer->cut && writer->length > 0 &&
		   writer->out[writer->length - 1] == '\n')
		writer->length--;
	if (writer->cut)
	{
		writer->length = pg_mbcliplen(writer->out, writer->length, room);
		memcpy(writer->out + writer->length, PP_CUT_MARK,
			   strlen(PP_CUT_MARK));
		writer->length += strlen(PP_CUT_MARK);
	}
	return writer->length;
}

/* Writes the label of the unknown line at p; behind the line. */
static const char *
write_unknown(PpPlanWriter *writer, const char *p)
{
	int			length = strcspn(p, "\n");
	const char *colon = memchr(p, ':', length);

	if (colon != NULL)
	{
		write_piece(writer, p, colon - p);
		write_piece(writer, ": ", 2);
	}
	write_piece(writer, PP_PLAN_VALUE, strlen(PP_PLAN_VALUE));
	return p + length;
}

/*
 * Writes the plan without literals, in at most size bytes, not terminated; how
 * many.  A plan that does not read as one is hidden.
 */
int
pp_plan_mask(const char *plan, char *out, int size)
{
	PpPlanWriter writer = {out, 0, size, false};
	const char *p = plan;
	bool		unknown = false;

	while (*p != '\0' && !writer.cut)
	{
		PpPlanLine	kind = line_kind(p);
		bool		follows = unknown;

		unknown = kind == PP_LINE_UNKNOWN;
		if (unknown && follows)
		{
			p += strcspn(p, "\n");
			p += *p == '\n';
			continue;
		}
		if (unknown)
			p = write_unknown(&writer, p);
		if (kind == PP_LINE_NAMES)
		{
			int			length = strcspn(p, "\n");

			write_piece(&writer, p, length);
			p += length;
		}
		while (p != NULL && *p != '\0' && *p != '\n')
			p = write_token(&writer, p, kind == PP_LINE_NUMBERS);
		if (p == NULL)
		{
			writer.length = 0;
			writer.cut = false;
			write_piece(&writer, PP_PLAN_HIDDEN, strlen(PP_PLAN_HIDDEN));
			break;
		}
		if (*p == '\n')
			write_piece(&writer, p++, 1);
	}
	return finish(&writer);
}

/*
 * Writes the plan of a query that was started.  In at most size bytes, not
 * terminated; how many.  Looks at catalogues, and may raise.
 */
int
pp_plan_text(QueryDesc *queryDesc, const PpPlanOptions *options, char *out,
			 int size)
{
	ExplainState *es = NewExplainState();
	PpPlanWriter writer = {out, 0, size, false};
	int			counted = queryDesc->instrument_options;

	es->analyze = options->rows && (counted & INSTRUMENT_ROWS) != 0;
	es->timing = es->analyze && (counted & INSTRUMENT_TIMER) != 0;
	es->buffers = es->analyze && (counted & INSTRUMENT_BUFFERS) != 0;
	es->wal = es->analyze && (counted & INSTRUMENT_WAL) != 0;
	es->costs = true;
	es->format = EXPLAIN_FORMAT_TEXT;
	ExplainPrintPlan(es, queryDesc);

	if (!options->literals)
		return pp_plan_mask(es->str->data, out, size);
	write_piece(&writer, es->str->data, es->str->len);
	return finish(&writer);
}
