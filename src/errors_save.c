/*
 * errors_save.c
 *	  The table of errors as a section of the save file.
 *
 * The section is the rows as they are in memory.  Rows are without padding, so
 * their bytes are their contents; a row of another length is another version's.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "errors.h"
#include "errors_save.h"

/* more than any server counts, and little enough to be added up */
#define MAX_NUMBER		(INT64CONST(1) << 60)

/* Appends the length of a row, and all rows. */
static void
save_errors(StringInfo buf)
{
	PpErrorRow *rows = palloc(pp_errors_max_rows() * sizeof(PpErrorRow));
	int			n = pp_errors_copy(rows);
	uint32		row_size = sizeof(PpErrorRow);

	appendBinaryStringInfo(buf, (const char *) &row_size, sizeof(row_size));
	appendBinaryStringInfo(buf, (const char *) rows, n * sizeof(PpErrorRow));
	pfree(rows);
}

static bool
is_number(int64 n)
{
	return n >= 0 && n <= MAX_NUMBER;
}

/* Can views show it, and sums take it? */
static bool
makes_sense(const PpErrorRow *row)
{
	const PpErrorTotals *totals = &row->totals;

	return row->key.outcome <= PP_OUTCOME_TERMINATED &&
		(row->key.flags & ~(PP_ERROR_BEFORE | PP_ERROR_FATAL |
							PP_ERROR_OTHER)) == 0 &&
		totals->errors > 0 && totals->errors <= MAX_NUMBER &&
		is_number(totals->total_time) && is_number(totals->max_time) &&
		IS_VALID_TIMESTAMP(totals->first_seen) &&
		IS_VALID_TIMESTAMP(totals->last_seen) &&
		row->message[sizeof(row->message) - 1] == '\0';
}

/* Goes through all rows, and loads them if they all make sense. */
static bool
load_errors(const char *data, Size length)
{
	uint32		row_size;
	const char *rows = data + sizeof(row_size);
	PpErrorRow	row;

	if (length < sizeof(row_size))
		return false;
	memcpy(&row_size, data, sizeof(row_size));
	length -= sizeof(row_size);
	if (row_size != sizeof(row) || length % sizeof(row) != 0)
		return false;

	for (Size at = 0; at < length; at += sizeof(row))
	{
		memcpy(&row, rows + at, sizeof(row));
		if (!makes_sense(&row))
			return false;
	}
	for (Size at = 0; at < length; at += sizeof(row))
	{
		memcpy(&row, rows + at, sizeof(row));
		pp_errors_load(&row);
	}
	return true;
}

static uint64
errors_changes(void)
{
	PpErrorCounters counters;

	pp_errors_counters(&counters);
	return counters.changes;
}

const PpSaveSection pp_errors_section = {
	.number = 3,
	.save = save_errors,
	.load = load_errors,
	.changes = errors_changes
};
