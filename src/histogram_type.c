/*
 * histogram_type.c
 *	  The SQL type pool_perf.histogram, its operators, aggregate and functions.
 *
 * A value holds the nonempty buckets of a latency histogram, so that users can
 * add up rows, windows and servers, and take quantiles of the sum.  There is
 * one form of each value: buckets ascend, no count is zero, and all counts
 * together fit into 63 bits; so no sum of buckets overflows, and equal
 * histograms are equal bytes.  Every value that comes in, from text, from
 * binary messages or from disk, is checked for this.
 *
 * Work is done on PpHistogramSum, with a count for each bucket.  It is also the
 * aggregate's state and then lives in the aggregate's memory context; all else
 * is in the caller's.  Nothing is kept between calls.
 */
#include "postgres.h"

#include <errno.h>

#include "access/htup_details.h"
#include "common/int.h"
#include "fmgr.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "parser/scansup.h"
#include "utils/builtins.h"

#include "histogram.h"
#include "compat.h"
#include "histogram_type.h"

/* bytes of ",-160:9223372036854775807" */
#define MAX_PAIR_LENGTH	25

/*
 * A value of the type.  The numbers k of the buckets follow the counts, since
 * pairs would be padded to 16 bytes each.
 */
typedef struct PpHistogram
{
	int32		vl_len_;		/* varlena header, not to be touched */
	int16		scale;			/* buckets per doubling, PP_HISTOGRAM_SCALE */
	int16		nbuckets;		/* nonempty buckets */
	int64		counts[FLEXIBLE_ARRAY_MEMBER];	/* calls, each above 0 */
} PpHistogram;

#define HISTOGRAM_SIZE(n) \
	(offsetof(PpHistogram, counts) + (n) * (sizeof(int64) + sizeof(int16)))
#define HISTOGRAM_KEYS(h)		((int16 *) &(h)->counts[(h)->nbuckets])
#define PG_GETARG_HISTOGRAM(n)	get_histogram(PG_GETARG_DATUM(n))

/* Counts of all buckets, from k = PP_HISTOGRAM_MIN_K on. */
typedef struct PpHistogramSum
{
	int64		total;			/* of counts; guards them against overflow */
	uint64		counts[PP_HISTOGRAM_BUCKETS];
} PpHistogramSum;

StaticAssertDecl(PP_HISTOGRAM_MAX_K - PP_HISTOGRAM_MIN_K + 1 ==
				 PP_HISTOGRAM_BUCKETS, "range of k and number of buckets");

PP_FUNCTION(pp_histogram_type_in);
PP_FUNCTION(pp_histogram_type_out);
PP_FUNCTION(pp_histogram_type_recv);
PP_FUNCTION(pp_histogram_type_send);
PP_FUNCTION(pp_histogram_type_add);
PP_FUNCTION(pp_histogram_type_subtract);
PP_FUNCTION(pp_histogram_type_eq);
PP_FUNCTION(pp_histogram_type_ne);
PP_FUNCTION(pp_histogram_type_sum_accum);
PP_FUNCTION(pp_histogram_type_sum_combine);
PP_FUNCTION(pp_histogram_type_sum_result);
PP_FUNCTION(pp_histogram_type_sum_deserialize);
PP_FUNCTION(pp_histogram_type_quantile);
PP_FUNCTION(pp_histogram_type_calls);
PP_FUNCTION(pp_histogram_type_buckets);

static void
too_many_calls(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("histogram has too many calls"),
			 errdetail("The calls of all buckets together must not exceed " INT64_FORMAT ".",
					   PG_INT64_MAX),
			 errhint("Add up fewer histograms at a time.")));
}

/*
 * A histogram value with the nonempty ones of the buckets first .. last of
 * counts, palloc'd; an empty one if first exceeds last.  Raises an error if
 * the counts together exceed 63 bits.
 */
struct varlena *
pp_histogram_build(const uint64 *counts, int first, int last)
{
	PpHistogram *histogram;
	int16	   *keys;
	uint64		total = 0;
	int			n = 0;

	for (int i = first; i <= last; i++)
	{
		if (counts[i] == 0)
			continue;
		if (counts[i] > PG_INT64_MAX - total)
			too_many_calls();
		total += counts[i];
		n++;
	}

	histogram = (PpHistogram *) palloc(HISTOGRAM_SIZE(n));
	SET_VARSIZE(histogram, HISTOGRAM_SIZE(n));
	histogram->scale = PP_HISTOGRAM_SCALE;
	histogram->nbuckets = n;
	keys = HISTOGRAM_KEYS(histogram);

	n = 0;
	for (int i = first; i <= last; i++)
	{
		if (counts[i] == 0)
			continue;
		histogram->counts[n] = (int64) counts[i];
		keys[n++] = i + PP_HISTOGRAM_MIN_K;
	}
	return (struct varlena *) histogram;
}

/*
 * Whether a key and a count may stand after the buckets seen so far.  Adds the
 * count to *total and stores the key in *last_key.
 */
static bool
next_bucket_is_valid(int k, int64 calls, int *last_key, int64 *total)
{
	if (k <= *last_key || k > PP_HISTOGRAM_MAX_K || calls <= 0)
		return false;
	*last_key = k;
	return !pg_add_s64_overflow(*total, calls, total);
}

/* The detoasted value.  Raises an error if its bytes are none of ours. */
static PpHistogram *
get_histogram(Datum datum)
{
	PpHistogram *histogram = (PpHistogram *) PG_DETOAST_DATUM(datum);
	Size		size = VARSIZE(histogram);
	int			last_key = PP_HISTOGRAM_MIN_K - 1;
	int64		total = 0;
	bool		valid;

	valid = size >= HISTOGRAM_SIZE(0) &&
		histogram->scale == PP_HISTOGRAM_SCALE &&
		histogram->nbuckets >= 0 &&
		size == HISTOGRAM_SIZE(histogram->nbuckets);

	for (int i = 0; valid && i < histogram->nbuckets; i++)
		valid = next_bucket_is_valid(HISTOGRAM_KEYS(histogram)[i],
									 histogram->counts[i],
									 &last_key, &total);

	if (!valid)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("invalid value of type %s", "pool_perf.histogram"),
				 errdetail("Its %zu bytes are not those of a histogram of scale %d.",
						   size, PP_HISTOGRAM_SCALE)));
	return histogram;
}

/* Adds calls, at least 0, to bucket k.  Raises an error on overflow. */
static void
sum_add_calls(PpHistogramSum *sum, int k, int64 calls)
{
	if (pg_add_s64_overflow(sum->total, calls, &sum->total))
		too_many_calls();
	sum->counts[k - PP_HISTOGRAM_MIN_K] += calls;
}

static void
sum_add_histogram(PpHistogramSum *sum, const PpHistogram *histogram)
{
	const int16 *keys = HISTOGRAM_KEYS(histogram);

	for (int i = 0; i < histogram->nbuckets; i++)
		sum_add_calls(sum, keys[i], histogram->counts[i]);
}

static struct varlena *
sum_histogram(const PpHistogramSum *sum)
{
	return pp_histogram_build(sum->counts, 0, PP_HISTOGRAM_BUCKETS - 1);
}

/* Raises the error of histogram_in; the detail is a full sentence. */
static void
invalid_text(const char *input, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s: \"%s\"",
					"pool_perf.histogram", input),
			 errdetail("%s", detail),
			 errhint("Write bucket:calls pairs in braces, as in {-40:3,-39:17}, where the upper edge of bucket k is 2^(k/8) seconds and k is from %d to %d.",
					 PP_HISTOGRAM_MIN_K, PP_HISTOGRAM_MAX_K)));
}

static const char *
skip_space(const char *position)
{
	while (scanner_isspace(*position))
		position++;
	return position;
}

/*
 * The integer at *position, between min and max, with spaces around it; moves
 * *position behind it.  Raises an error if there is none.
 */
static int64
parse_integer(const char **position, const char *input, const char *what,
			  int64 min, int64 max)
{
	const char *start = skip_space(*position);
	const char *digits = (*start == '-') ? start + 1 : start;
	char	   *end;
	long long	value;

	if (*digits < '0' || *digits > '9')
		invalid_text(input, psprintf("There is no %s at character %d.", what,
									 (int) (start - input) + 1));
	errno = 0;
	value = strtoll(start, &end, 10);
	if (errno == ERANGE || value < min || value > max)
		invalid_text(input,
					 psprintf("The %s \"%.*s\" is not from " INT64_FORMAT " to " INT64_FORMAT ".",
							  what, (int) (end - start), start, min, max));
	*position = skip_space(end);
	return value;
}

/* Moves *position behind the character that must stand there. */
static void
expect_character(const char **position, const char *input, char expected)
{
	if (**position != expected)
		invalid_text(input, psprintf("There is no \"%c\" at character %d.",
									 expected, (int) (*position - input) + 1));
	(*position)++;
}

/*
 * {bucket:calls,...}, with spaces anywhere between the tokens.  Buckets may
 * stand in any order; those that occur again are added up, and those without
 * calls are left out.
 */
Datum
pp_histogram_type_in(PG_FUNCTION_ARGS)
{
	const char *input = PG_GETARG_CSTRING(0);
	const char *position = skip_space(input);
	PpHistogramSum sum = {0};

	expect_character(&position, input, '{');
	position = skip_space(position);
	if (*position != '}')
	{
		for (;;)
		{
			int			k;
			int64		calls;

			k = (int) parse_integer(&position, input, "bucket",
									PP_HISTOGRAM_MIN_K, PP_HISTOGRAM_MAX_K);
			expect_character(&position, input, ':');
			calls = parse_integer(&position, input, "number of calls",
								  0, PG_INT64_MAX);
			sum_add_calls(&sum, k, calls);
			if (*position != ',')
				break;
			position++;
		}
	}
	expect_character(&position, input, '}');
	position = skip_space(position);
	if (*position != '\0')
		invalid_text(input, psprintf("There is something after the closing brace, at character %d.",
									 (int) (position - input) + 1));

	PG_RETURN_POINTER(sum_histogram(&sum));
}

Datum
pp_histogram_type_out(PG_FUNCTION_ARGS)
{
	PpHistogram *histogram = PG_GETARG_HISTOGRAM(0);
	char	   *output = palloc(histogram->nbuckets * MAX_PAIR_LENGTH + 3);
	char	   *end = output;

	*end++ = '{';
	for (int i = 0; i < histogram->nbuckets; i++)
	{
		if (i > 0)
			*end++ = ',';
		end += pg_ltoa(HISTOGRAM_KEYS(histogram)[i], end);
		*end++ = ':';
		end += pg_lltoa(histogram->counts[i], end);
	}
	*end++ = '}';
	*end = '\0';

	PG_RETURN_CSTRING(output);
}

/*
 * Binary form: the scale and the number of buckets, 16 bits each, then for each
 * bucket, ascending, k in 16 bits and its calls, above 0, in 64.
 */
Datum
pp_histogram_type_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	PpHistogramSum sum = {0};
	int			last_key = PP_HISTOGRAM_MIN_K - 1;
	int			scale = (int16) pq_getmsgint(message, 2);
	int			n = (int16) pq_getmsgint(message, 2);
	bool		valid;

	valid = scale == PP_HISTOGRAM_SCALE && n >= 0 && n <= PP_HISTOGRAM_BUCKETS;
	for (int i = 0; valid && i < n; i++)
	{
		int			k = (int16) pq_getmsgint(message, 2);
		int64		calls = pq_getmsgint64(message);

		valid = next_bucket_is_valid(k, calls, &last_key, &sum.total);
		if (valid)
			sum.counts[k - PP_HISTOGRAM_MIN_K] = calls;
	}
	if (!valid)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary form of type %s",
						"pool_perf.histogram"),
				 errdetail("Its scale must be %d, its buckets in ascending order from %d to %d, and their calls above 0 and together at most " INT64_FORMAT ".",
						   PP_HISTOGRAM_SCALE, PP_HISTOGRAM_MIN_K,
						   PP_HISTOGRAM_MAX_K, PG_INT64_MAX)));
	pq_getmsgend(message);

	PG_RETURN_POINTER(sum_histogram(&sum));
}

Datum
pp_histogram_type_send(PG_FUNCTION_ARGS)
{
	PpHistogram *histogram = PG_GETARG_HISTOGRAM(0);
	StringInfoData message;

	pq_begintypsend(&message);
	pq_sendint16(&message, histogram->scale);
	pq_sendint16(&message, histogram->nbuckets);
	for (int i = 0; i < histogram->nbuckets; i++)
	{
		pq_sendint16(&message, HISTOGRAM_KEYS(histogram)[i]);
		pq_sendint64(&message, histogram->counts[i]);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

Datum
pp_histogram_type_add(PG_FUNCTION_ARGS)
{
	PpHistogramSum sum = {0};

	sum_add_histogram(&sum, PG_GETARG_HISTOGRAM(0));
	sum_add_histogram(&sum, PG_GETARG_HISTOGRAM(1));
	PG_RETURN_POINTER(sum_histogram(&sum));
}

/* What came between an earlier histogram, on the right, and a later one. */
Datum
pp_histogram_type_subtract(PG_FUNCTION_ARGS)
{
	PpHistogram *earlier = PG_GETARG_HISTOGRAM(1);
	PpHistogramSum sum = {0};

	sum_add_histogram(&sum, PG_GETARG_HISTOGRAM(0));
	for (int i = 0; i < earlier->nbuckets; i++)
	{
		int			k = HISTOGRAM_KEYS(earlier)[i];
		uint64	   *count = &sum.counts[k - PP_HISTOGRAM_MIN_K];

		if (earlier->counts[i] > (int64) *count)
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("difference of histograms would be negative"),
					 errdetail("Bucket %d has " INT64_FORMAT " calls on the left and " INT64_FORMAT " on the right.",
							   k, (int64) *count, earlier->counts[i]),
					 errhint("Subtract an earlier histogram from a later one of the same statistics, with no reset between them.")));
		*count -= earlier->counts[i];
	}
	PG_RETURN_POINTER(sum_histogram(&sum));
}

static bool
histograms_equal(const PpHistogram *left, const PpHistogram *right)
{
	return VARSIZE(left) == VARSIZE(right) &&
		memcmp(left, right, VARSIZE(left)) == 0;
}

Datum
pp_histogram_type_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(histograms_equal(PG_GETARG_HISTOGRAM(0),
									PG_GETARG_HISTOGRAM(1)));
}

Datum
pp_histogram_type_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!histograms_equal(PG_GETARG_HISTOGRAM(0),
									 PG_GETARG_HISTOGRAM(1)));
}

/*
 * The aggregate's state in argument 0; if there is none yet, a new one in the
 * aggregate's memory context.
 */
static PpHistogramSum *
get_sum_state(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "histogram aggregate called outside an aggregate");
	if (!PG_ARGISNULL(0))
		return (PpHistogramSum *) PG_GETARG_POINTER(0);
	return (PpHistogramSum *) MemoryContextAllocZero(context,
													 sizeof(PpHistogramSum));
}

/* The state stays NULL, and so does the result, as long as no value comes. */
Datum
pp_histogram_type_sum_accum(PG_FUNCTION_ARGS)
{
	PpHistogramSum *sum;

	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	sum = get_sum_state(fcinfo);
	sum_add_histogram(sum, PG_GETARG_HISTOGRAM(1));
	PG_RETURN_POINTER(sum);
}

Datum
pp_histogram_type_sum_combine(PG_FUNCTION_ARGS)
{
	PpHistogramSum *sum;
	PpHistogramSum *other;

	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	sum = get_sum_state(fcinfo);
	other = (PpHistogramSum *) PG_GETARG_POINTER(1);
	for (int i = 0; i < PP_HISTOGRAM_BUCKETS; i++)
		sum_add_calls(sum, i + PP_HISTOGRAM_MIN_K, (int64) other->counts[i]);
	PG_RETURN_POINTER(sum);
}

/*
 * The state as a value of the type: what the aggregate returns, and in what
 * form, as bytea, the state goes from one process of the server to another.
 */
Datum
pp_histogram_type_sum_result(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(sum_histogram((PpHistogramSum *) PG_GETARG_POINTER(0)));
}

Datum
pp_histogram_type_sum_deserialize(PG_FUNCTION_ARGS)
{
	PpHistogramSum *sum;

	sum = (PpHistogramSum *) palloc0(sizeof(PpHistogramSum));
	/* a bytea in a tuple is not aligned for the counts */
	sum_add_histogram(sum,
					  get_histogram(PointerGetDatum(PG_DETOAST_DATUM_COPY(PG_GETARG_DATUM(0)))));
	PG_RETURN_POINTER(sum);
}

/* In milliseconds; NULL for an empty histogram. */
Datum
pp_histogram_type_quantile(PG_FUNCTION_ARGS)
{
	PpHistogram *histogram = PG_GETARG_HISTOGRAM(0);
	float8		fraction = PG_GETARG_FLOAT8(1);
	const int16 *keys = HISTOGRAM_KEYS(histogram);
	PpHistogramSum sum = {0};

	if (!(fraction >= 0.0 && fraction <= 1.0))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("fraction %g of a quantile is out of range", fraction),
				 errdetail("A fraction is from 0, the fastest call, to 1, the slowest one."),
				 errhint("The 95th percentile is quantile(histogram, 0.95).")));
	if (histogram->nbuckets == 0)
		PG_RETURN_NULL();

	sum_add_histogram(&sum, histogram);
	PG_RETURN_FLOAT8(pp_histogram_quantile(sum.counts,
										   keys[0] - PP_HISTOGRAM_MIN_K,
										   keys[histogram->nbuckets - 1] - PP_HISTOGRAM_MIN_K,
										   fraction));
}

Datum
pp_histogram_type_calls(PG_FUNCTION_ARGS)
{
	PpHistogram *histogram = PG_GETARG_HISTOGRAM(0);
	int64		calls = 0;

	for (int i = 0; i < histogram->nbuckets; i++)
		calls += histogram->counts[i];
	PG_RETURN_INT64(calls);
}

/* One row (lower_time, upper_time, calls) for each nonempty bucket. */
Datum
pp_histogram_type_buckets(PG_FUNCTION_ARGS)
{
	FuncCallContext *context;
	PpHistogram *histogram;
	Datum		values[3];
	bool		nulls[3] = {false};
	int			bucket;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext old;
		TupleDesc	tupdesc;

		context = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(context->multi_call_memory_ctx);
		if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		context->tuple_desc = BlessTupleDesc(tupdesc);
		histogram = get_histogram(PointerGetDatum(PG_DETOAST_DATUM_COPY(PG_GETARG_DATUM(0))));
		context->user_fctx = histogram;
		context->max_calls = histogram->nbuckets;
		MemoryContextSwitchTo(old);
	}

	context = SRF_PERCALL_SETUP();
	if (context->call_cntr >= context->max_calls)
		SRF_RETURN_DONE(context);

	histogram = (PpHistogram *) context->user_fctx;
	bucket = HISTOGRAM_KEYS(histogram)[context->call_cntr] - PP_HISTOGRAM_MIN_K;
	values[0] = Float8GetDatum(pp_histogram_lower_time(bucket));
	values[1] = Float8GetDatum(pp_histogram_upper_time(bucket));
	values[2] = Int64GetDatum(histogram->counts[context->call_cntr]);
	SRF_RETURN_NEXT(context,
					HeapTupleGetDatum(heap_form_tuple(context->tuple_desc,
													  values, nulls)));
}
