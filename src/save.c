/*
 * save.c
 *	  The statistics on disk: written by the worker, read at server start.
 *
 * The file is a header, one record a row, each number as long as its value
 * needs, and then sections that other modules write and read.  It is written
 * beside its place and renamed, and believed only if magic, version, length and
 * checksum are right and all of it can be read; what is not believed is kept
 * aside.  Of a file that is, only those rows are left out whose numbers
 * contradict each other, and sections that their modules cannot read.  It
 * stands in a directory that base backups and pg_rewind leave out, so a standby
 * does not start with the statistics of its primary.
 */
#include "postgres.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "port/pg_crc32c.h"
#include "portability/instr_time.h"
#include "storage/fd.h"
#include "storage/shmem.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "alert_save.h"
#include "compat.h"
#include "errors_save.h"
#include "queries.h"
#include "save.h"

#define SAVE_FILE		PG_STAT_TMP_DIR "/pool_perf.stat"
#define SAVE_NEW		SAVE_FILE ".new"
#define SAVE_ASIDE		SAVE_FILE ".damaged"

#define SAVE_MAGIC		"pooLperF"

/* changes with the format, and with the meaning of any number in it */
#define SAVE_VERSION	3

/* what comes before a row, and after the last one */
#define A_ROW			1
#define NO_ROW			0

typedef struct PpSaveHeader
{
	char		magic[8];
	uint32		version;
	pg_crc32c	crc;			/* of what follows the header */
	uint64		length;			/* likewise */
} PpSaveHeader;

typedef struct PpSharedSave
{
	pg_atomic_uint64 saved_at;
	pg_atomic_uint64 time;
	pg_atomic_uint64 bytes;
	pg_atomic_uint64 failures;
	pg_atomic_uint64 calls;		/* in the file, over all rows */
	pg_atomic_uint64 resets;	/* that the file knows of */
	pg_atomic_uint64 changes;	/* likewise, of the sections */
	pg_atomic_uint64 durable;	/* the file has been synced to disk */
} PpSharedSave;

static PpSharedSave *shared;

/* in the order in which they are loaded */
static const PpSaveSection *const sections[] = {
	&pp_alerts_section,
	&pp_silences_section,
	&pp_errors_section,
};

Size
pp_save_shmem_size(void)
{
	return sizeof(PpSharedSave);
}

void
pp_save_shmem_init(void)
{
	bool		found;

	shared = ShmemInitStruct("pool_perf save", pp_save_shmem_size(), &found);
	if (found)
		return;
	pg_atomic_init_u64(&shared->saved_at, 0);
	pg_atomic_init_u64(&shared->time, 0);
	pg_atomic_init_u64(&shared->bytes, 0);
	pg_atomic_init_u64(&shared->failures, 0);
	pg_atomic_init_u64(&shared->calls, 0);
	pg_atomic_init_u64(&shared->resets, 0);
	pg_atomic_init_u64(&shared->changes, 0);
	pg_atomic_init_u64(&shared->durable, 1);
}

void
pp_save_state(PpSaveState *state)
{
	state->saved_at = (TimestampTz) pg_atomic_read_u64(&shared->saved_at);
	state->time = pg_atomic_read_u64(&shared->time);
	state->bytes = pg_atomic_read_u64(&shared->bytes);
	state->failures = pg_atomic_read_u64(&shared->failures);
}

/* ---- numbers: seven bits a byte, low ones first ----------------------------- */

static void
put_number(StringInfo buf, uint64 n)
{
	while (n >= 0x80)
	{
		appendStringInfoCharMacro(buf, (char) (n | 0x80));
		n >>= 7;
	}
	appendStringInfoCharMacro(buf, (char) n);
}

static void
put_double(StringInfo buf, double d)
{
	appendBinaryStringInfo(buf, (char *) &d, sizeof(d));
}

/* What is left to read.  At the end of it, or of sense, good turns false. */
typedef struct Input
{
	const char *at;
	const char *end;
	bool		good;
} Input;

static uint64
get_number(Input *in)
{
	uint64		n = 0;

	for (int shift = 0; shift < 64 && in->at < in->end; shift += 7)
	{
		uint8		byte = (uint8) *in->at++;

		n |= (uint64) (byte & 0x7F) << shift;
		if (byte < 0x80)
			return n;
	}
	in->good = false;
	return 0;
}

/* A number that must not be more than max. */
static int64
get_limited(Input *in, int64 max)
{
	uint64		n = get_number(in);

	if (n > (uint64) max)
		in->good = false;
	return in->good ? (int64) n : 0;
}

static double
get_double(Input *in)
{
	double		d = 0;

	if (in->end - in->at < (ptrdiff_t) sizeof(d))
		in->good = false;
	else
	{
		memcpy(&d, in->at, sizeof(d));
		in->at += sizeof(d);
	}
	return d;
}

/* ---- rows ---------------------------------------------------------------------- */

/* more than any server counts, and little enough to be added up */
#define MAX_NUMBER		(INT64CONST(1) << 60)

/* Every plain counter of PpTotals, once for writing and for reading. */
#define TOTALS_FIELDS(FIELD) \
	FIELD(calls) \
	FIELD(failed_calls) \
	FIELD(rows) \
	FIELD(plans) \
	FIELD(plan.total) \
	FIELD(plan.min) \
	FIELD(plan.max) \
	FIELD(exec.total) \
	FIELD(exec.min) \
	FIELD(exec.max) \
	FIELD(total_before_time) \
	FIELD(max_time) \
	FIELD(total_failed_time) \
	FIELD(max_failed_time) \
	FIELD(shared_blks_hit) \
	FIELD(first_seen) \
	FIELD(last_seen)

/* Whatever a server has counted, it must be able to read back. */
static void
put_limited(StringInfo buf, int64 n)
{
	put_number(buf, (uint64) Min(Max(n, 0), MAX_NUMBER));
}

static void
put_row(StringInfo buf, const PpQueryRow *row)
{
	const PpTotals *totals = &row->totals;

	put_number(buf, (uint64) row->key.queryid);
	put_number(buf, row->key.dbid);
	put_number(buf, row->key.userid);
	put_number(buf, row->key.flags);
	if (row->text.text == NULL)
		put_number(buf, 0);
	else
	{
		put_number(buf, row->text.length);
		appendBinaryStringInfo(buf, row->text.text, row->text.length);
		put_number(buf, row->text.encoding);
		put_number(buf, row->text.cut);
		put_number(buf, row->text.fingerprint);
	}

#define PUT(name) put_limited(buf, totals->name);
#define PUT_USAGE(name) put_limited(buf, totals->usage.name);
#define PUT_JIT(name) put_limited(buf, totals->jit.name);
	TOTALS_FIELDS(PUT)
		PP_USAGE_FIELDS(PUT_USAGE)
		PP_JIT_FIELDS(PUT_JIT)
#undef PUT
#undef PUT_USAGE
#undef PUT_JIT
		put_double(buf, totals->plan.squares);
	put_double(buf, totals->exec.squares);
	for (int i = 0; i < PP_WITHIN_THRESHOLDS; i++)
		put_number(buf, totals->within[i]);
	put_number(buf, totals->first_bucket);
	put_number(buf, totals->last_bucket);
	for (int i = totals->first_bucket; i <= totals->last_bucket; i++)
		put_number(buf, totals->buckets[i]);
}

/* Do the numbers of a row fit each other?  Views must be able to show them. */
static bool
makes_sense(const PpQueryRow *row)
{
	const PpTotals *totals = &row->totals;
	int64		calls = 0;

	if (row->key.flags & PP_KEY_OTHER &&
		(row->key.queryid != 0 || OidIsValid(row->key.userid)))
		return false;
	if (totals->calls == 0 || totals->failed_calls > totals->calls ||
		!IS_VALID_TIMESTAMP(totals->first_seen) ||
		!IS_VALID_TIMESTAMP(totals->last_seen))
		return false;
	if (isnan(totals->plan.squares) || isinf(totals->plan.squares) ||
		isnan(totals->exec.squares) || isinf(totals->exec.squares))
		return false;
	for (int i = 0; i < PP_WITHIN_THRESHOLDS; i++)
		if (totals->within[i] > totals->calls ||
			(i > 0 && totals->within[i] < totals->within[i - 1]))
			return false;
	for (int i = totals->first_bucket; i <= totals->last_bucket; i++)
	{
		if (totals->buckets[i] > (uint64) (totals->calls - calls))
			return false;
		calls += totals->buckets[i];
	}
	return calls == totals->calls;
}

/* The row's text points into the input. */
static void
get_row(Input *in, PpQueryRow *row)
{
	PpTotals   *totals = &row->totals;
	int64		queryid = (int64) get_number(in);
	Oid			dbid = (Oid) get_limited(in, PG_UINT32_MAX);
	Oid			userid = (Oid) get_limited(in, PG_UINT32_MAX);
	uint32		flags = (uint32) get_limited(in,
											 PP_KEY_TOPLEVEL | PP_KEY_OTHER);

	memset(row, 0, sizeof(*row));
	pp_stat_key_init(&row->key, dbid, userid, queryid, flags);
	row->text.length = (int) get_limited(in, in->end - in->at);
	if (row->text.length > 0)
	{
		row->text.text = in->at;
		if (in->end - in->at < row->text.length)
		{
			in->good = false;
			return;
		}
		in->at += row->text.length;
		row->text.encoding = (int) get_limited(in, PG_INT16_MAX);
		row->text.cut = get_limited(in, 1) != 0;
		row->text.fingerprint = get_number(in);
	}

#define GET(name) totals->name = get_limited(in, MAX_NUMBER);
#define GET_USAGE(name) totals->usage.name = get_limited(in, MAX_NUMBER);
#define GET_JIT(name) totals->jit.name = get_limited(in, MAX_NUMBER);
	TOTALS_FIELDS(GET)
		PP_USAGE_FIELDS(GET_USAGE)
		PP_JIT_FIELDS(GET_JIT)
#undef GET
#undef GET_USAGE
#undef GET_JIT
		totals->plan.squares = get_double(in);
	totals->exec.squares = get_double(in);
	for (int i = 0; i < PP_WITHIN_THRESHOLDS; i++)
		totals->within[i] = get_limited(in, MAX_NUMBER);
	totals->first_bucket = get_limited(in, PP_HISTOGRAM_BUCKETS - 1);
	totals->last_bucket = get_limited(in, PP_HISTOGRAM_BUCKETS - 1);
	for (int i = totals->first_bucket; i <= totals->last_bucket; i++)
		totals->buckets[i] = get_limited(in, MAX_NUMBER);
}

/* ---- writing --------------------------------------------------------------------- */

typedef struct Output
{
	FILE	   *file;
	StringInfoData buf;
	pg_crc32c	crc;
	uint64		length;
	bool		good;
	int			error;			/* errno, if not good */
} Output;

static void
write_buffer(Output *out)
{
	COMP_CRC32C(out->crc, out->buf.data, out->buf.len);
	out->length += out->buf.len;
	if (out->good && fwrite(out->buf.data, out->buf.len, 1, out->file) != 1)
	{
		out->good = false;
		out->error = errno;
	}
	resetStringInfo(&out->buf);
}

static void
write_row(const PpQueryRow *row, void *arg)
{
	Output	   *out = arg;

	put_number(&out->buf, A_ROW);
	put_row(&out->buf, row);
	write_buffer(out);
}

static void
write_sections(Output *out)
{
	StringInfoData section;

	initStringInfo(&section);
	for (int i = 0; i < lengthof(sections); i++)
	{
		resetStringInfo(&section);
		sections[i]->save(&section);
		put_number(&out->buf, sections[i]->number);
		put_number(&out->buf, section.len);
		appendBinaryStringInfo(&out->buf, section.data, section.len);
		write_buffer(out);
	}
	pfree(section.data);
}

/* False, with errno, if the file could not be written whole. */
static bool
write_file(bool durable, uint64 *length)
{
	PpSaveHeader header = {.magic = SAVE_MAGIC,.version = SAVE_VERSION};
	Output		out = {.file = AllocateFile(SAVE_NEW, PG_BINARY_W)};

	if (out.file == NULL)
		return false;

	initStringInfo(&out.buf);
	INIT_CRC32C(out.crc);
	out.good = fwrite(&header, sizeof(header), 1, out.file) == 1;
	out.error = errno;
	put_limited(&out.buf, pp_queries_reset_at());
	write_buffer(&out);
	pp_queries_read(true, write_row, &out);
	put_number(&out.buf, NO_ROW);
	write_sections(&out);
	FIN_CRC32C(out.crc);

	header.crc = out.crc;
	header.length = out.length;
	*length = sizeof(header) + out.length;
	if (out.good && (fseek(out.file, 0, SEEK_SET) != 0 ||
					 fwrite(&header, sizeof(header), 1, out.file) != 1 ||
					 fflush(out.file) != 0 ||
					 (durable && pg_fsync(fileno(out.file)) != 0)))
	{
		out.good = false;
		out.error = errno;
	}
	if (FreeFile(out.file) != 0 && out.good)
	{
		out.good = false;
		out.error = errno;
	}
	pfree(out.buf.data);
	if (out.good)
		out.good = durable ? durable_rename(SAVE_NEW, SAVE_FILE, LOG) == 0 :
			rename(SAVE_NEW, SAVE_FILE) == 0;
	else
	{
		unlink(SAVE_NEW);
		errno = out.error;
	}
	return out.good;
}

static void
add_calls(const PpQueryRow *row, void *arg)
{
	*(uint64 *) arg += row->totals.calls;
}

static uint64
section_changes(void)
{
	uint64		changes = 0;

	for (int i = 0; i < lengthof(sections); i++)
		changes += sections[i]->changes();
	return changes;
}

/*
 * Saves the statistics if they have changed since the last time.  A failure is
 * logged once, until a save succeeds again.
 */
void
pp_save_write(bool durable)
{
	uint64		calls = 0;
	uint64		resets = pp_queries_resets();
	uint64		changes = section_changes();
	uint64		length;
	instr_time	start,
				end;

	INSTR_TIME_SET_CURRENT(start);
	pp_queries_read(false, add_calls, &calls);
	if (calls == pg_atomic_read_u64(&shared->calls) &&
		resets == pg_atomic_read_u64(&shared->resets) &&
		changes == pg_atomic_read_u64(&shared->changes) &&
		(!durable || pg_atomic_read_u64(&shared->durable) != 0))
		return;

	if (!write_file(durable, &length))
	{
		if (pg_atomic_fetch_add_u64(&shared->failures, 1) == 0)
			ereport(LOG,
					(errcode_for_file_access(),
					 errmsg("could not save query statistics to file \"%s\": %m",
							SAVE_FILE),
					 errdetail("Statistics are kept in memory and saved when it is possible again.")));
		return;
	}

	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, start);
	pg_atomic_write_u64(&shared->calls, calls);
	pg_atomic_write_u64(&shared->resets, resets);
	pg_atomic_write_u64(&shared->changes, changes);
	pg_atomic_write_u64(&shared->durable, durable);
	pg_atomic_write_u64(&shared->failures, 0);
	pg_atomic_write_u64(&shared->saved_at, (uint64) GetCurrentTimestamp());
	pg_atomic_write_u64(&shared->time, INSTR_TIME_GET_NANOSEC(end));
	pg_atomic_write_u64(&shared->bytes, length);
}

/* ---- reading ------------------------------------------------------------------------ */

/* The whole file in memory to be freed, or NULL with the reason. */
static char *
read_file(Size *size, const char **problem)
{
	FILE	   *file = AllocateFile(SAVE_FILE, PG_BINARY_R);
	struct stat st;
	char	   *data = NULL;

	*problem = NULL;
	if (file == NULL)
	{
		if (errno != ENOENT)
			*problem = "it could not be opened";
		return NULL;
	}
	if (fstat(fileno(file), &st) != 0)
		*problem = "its size could not be read";
	else if (st.st_size < (off_t) sizeof(PpSaveHeader))
		*problem = "it is too short";
	else
	{
		*size = (Size) st.st_size;
		data = MemoryContextAllocExtended(CurrentMemoryContext, *size,
										  MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
		if (data == NULL)
			*problem = "there is not enough memory for it";
		else if (fread(data, *size, 1, file) != 1)
			*problem = "it could not be read whole";
	}
	FreeFile(file);
	return data;
}

static const char *
check_header(const char *data, Size size)
{
	PpSaveHeader header;
	pg_crc32c	crc;

	memcpy(&header, data, sizeof(header));
	if (memcmp(header.magic, SAVE_MAGIC, sizeof(header.magic)) != 0)
		return "it is not a file of pool_perf";
	if (header.version != SAVE_VERSION)
		return "it was written by another version of pool_perf";
	if (header.length != size - sizeof(header))
		return "its length is wrong";
	INIT_CRC32C(crc);
	COMP_CRC32C(crc, data + sizeof(header), size - sizeof(header));
	FIN_CRC32C(crc);
	if (!EQ_CRC32C(crc, header.crc))
		return "its checksum is wrong";
	return NULL;
}

/* Has its module load a section; one that nobody can read is left out. */
static void
load_section(uint32 number, const char *data, Size length)
{
	for (int i = 0; i < lengthof(sections); i++)
		if (sections[i]->number == number &&
			sections[i]->load(data, length))
			return;
	ereport(LOG,
			(errmsg("section %u of file \"%s\" is not usable", number,
					SAVE_FILE),
			 errdetail("What it is about starts empty; everything else was loaded.")));
}

static void
read_section(Input *in, bool load)
{
	uint32		number = (uint32) get_limited(in, PG_UINT32_MAX);
	Size		length = (Size) get_limited(in, in->end - in->at);

	/* the limit was that of before the length itself */
	if (in->end - in->at < (ptrdiff_t) length)
		in->good = false;
	if (!in->good)
		return;
	if (load)
		load_section(number, in->at, length);
	in->at += length;
}

/*
 * Goes through all rows and sections; if told so, loads them, and counts the
 * rows that make no sense.  False: they cannot be read.
 */
static bool
read_contents(const char *data, Size size, PpQueryRow *row, bool load,
			  int *left_out)
{
	Input		in = {data + sizeof(PpSaveHeader), data + size, true};
	TimestampTz reset_at = get_limited(&in, MAX_NUMBER);

	while (get_limited(&in, A_ROW) == A_ROW)
	{
		get_row(&in, row);
		if (!in.good)
			return false;
		if (!load)
			continue;
		if (!makes_sense(row))
		{
			(*left_out)++;
			continue;
		}
		pp_query_stats_load(row);
		pg_atomic_fetch_add_u64(&shared->calls, row->totals.calls);
	}
	while (in.good && in.at < in.end)
		read_section(&in, load);
	if (in.good && load)
		pp_queries_set_reset_at(reset_at);
	return in.good;
}

/*
 * Loads the saved statistics into the empty table.  In the postmaster, before
 * any other process has the shared memory; raises nothing above LOG.
 */
void
pp_save_load(void)
{
	const char *problem;
	Size		size;
	char	   *data = read_file(&size, &problem);
	PpQueryRow *row;
	int			left_out = 0;

	if (data != NULL && problem == NULL)
		problem = check_header(data, size);
	if (data != NULL && problem == NULL)
	{
		row = MemoryContextAllocExtended(CurrentMemoryContext, sizeof(*row),
										 MCXT_ALLOC_NO_OOM);
		if (row == NULL)
			problem = "there is not enough memory for it";
		else if (!read_contents(data, size, row, false, &left_out))
			problem = "its contents make no sense";
		else
			read_contents(data, size, row, true, &left_out);
		if (row != NULL)
			pfree(row);
	}
	if (data != NULL)
		pfree(data);
	if (left_out > 0)
		ereport(LOG,
				(errmsg_plural("%d row of query statistics was not loaded",
							   "%d rows of query statistics were not loaded",
							   left_out, left_out),
				 errdetail("Numbers in file \"%s\" contradict each other.",
						   SAVE_FILE)));
	if (problem == NULL)
		return;

	(void) rename(SAVE_FILE, SAVE_ASIDE);
	ereport(LOG,
			(errmsg("query statistics start empty: file \"%s\" is not usable",
					SAVE_FILE),
			 errdetail("The file is kept as \"%s\": %s.", SAVE_ASIDE,
					   problem)));
}
