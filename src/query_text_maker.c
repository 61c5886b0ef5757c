/*
 * query_text_maker.c
 *	  Normalised texts of statements, made on their way.
 *
 * Normalising allocates and may raise; no error of it reaches the client.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "guc.h"
#include "normalize.h"
#include "query_text.h"
#include "query_text_maker.h"

static MemoryContext context = NULL;

/* A long statement is not to keep its memory. */
void
pp_free_text(void)
{
	if (context != NULL)
		MemoryContextReset(context);
}

/*
 * Fills in the source's text, in memory that lives until pp_free_text() or the
 * next call.  False, with a text of NULL, if that failed: for want of memory, most likely.
 */
bool
pp_make_text(const PpSource *source, PpQueryText *text)
{
	MemoryContext caller = CurrentMemoryContext;
	uint32		interrupts = InterruptHoldoffCount;
	uint32		cancels = QueryCancelHoldoffCount;
	volatile bool made = false;
	PpNormalized normalized;

	memset(text, 0, sizeof(*text));
	if (source->query == NULL)
		return false;

	PG_TRY();
	{
		if (context == NULL)
			context = AllocSetContextCreate(TopMemoryContext, "pool_perf text",
											ALLOCSET_DEFAULT_SIZES);
		MemoryContextReset(context);
		MemoryContextSwitchTo(context);
		pp_normalize(source->query, source->location, source->length,
					 source->utility,
					 Min(pp_max_text_length, pp_query_text_max_length()),
					 &normalized);
		text	  ->text = normalized.text;
		text	  ->length = normalized.length;
		text	  ->cut = normalized.cut;
		text	  ->masked = normalized.masked;
		text	  ->fingerprint = normalized.fingerprint;
		text	  ->encoding = GetDatabaseEncoding();

		made = true;
	}
	PG_CATCH();
	{
		FlushErrorState();
		InterruptHoldoffCount = interrupts;
		QueryCancelHoldoffCount = cancels;
	}
	PG_END_TRY();

	MemoryContextSwitchTo(caller);
	return made;
}
