/*
 * histogram_test.c
 *	  Test of src/histogram.c and src/histogram.h without a server.
 *
 * Prints TAP, exits with 1 if a test fails.  Build and run from the top:
 *
 *	  cc -O2 -Wall -Wextra -Werror -Isrc -o histogram_test \
 *		 test/unit/histogram_test.c src/histogram.c -lm && prove ./histogram_test
 *
 * What is expected comes from computations of its own, in long double or with
 * whole numbers; the table under test is compared with them first.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "histogram.h"

#define MAX_ERROR		0.044	/* promised for quantiles */
#define MICROSECOND		INT64_C(1000)
#define DAY				INT64_C(86400000000000)
#define MS				1e6		/* nanoseconds */

static int	tests = 0;
static int	failures = 0;

static void
ok(bool passed, const char *name)
{
	tests++;
	if (!passed)
		failures++;
	printf("%sok %d - %s\n", passed ? "" : "not ", tests, name);
}

/* Reports the place of the first failure of a sweep. */
static bool
check(bool passed, const char *what, int64_t value)
{
	if (!passed)
		printf("# %s: %lld\n", what, (long long) value);
	return passed;
}

/* xorshift64*, the same numbers in each run */
static uint64_t
next_random(void)
{
	static uint64_t state = UINT64_C(0x9E3779B97F4A7C15);

	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * UINT64_C(2685821657736338717);
}

/* a positive number whose logarithm is about evenly distributed */
static int64_t
next_duration(void)
{
	return (int64_t) (next_random() >> (1 + next_random() % 63));
}

static int
expected_bucket(int64_t ns)
{
	int			k;

	if (ns <= 0)
		return 0;
	k = (int) ceill(8 * log2l(ns / 1e9L));
	if (k < PP_HISTOGRAM_MIN_K)
		k = PP_HISTOGRAM_MIN_K;
	if (k > PP_HISTOGRAM_MAX_K)
		k = PP_HISTOGRAM_MAX_K;
	return k - PP_HISTOGRAM_MIN_K;
}

static int
expected_class(int64_t ns)
{
	static const int milliseconds[PP_WITHIN_THRESHOLDS] = {
		50, 100, 200, 500, 1000, 5000
	};
	int			i = 0;

	while (i < PP_WITHIN_THRESHOLDS &&
		   ns > (int64_t) milliseconds[i] * 1000 * 1000)
		i++;
	return i;
}

static bool
bucket_is_right(int64_t ns)
{
	return check(pp_histogram_bucket(ns) == expected_bucket(ns),
				 "wrong bucket for", ns);
}

static void
test_edges(void)
{
	bool		exact = true;
	bool		ascending = true;
	bool		times = true;

	for (int i = 0; i < PP_HISTOGRAM_BUCKETS; i++)
	{
		long double seconds = exp2l((i + PP_HISTOGRAM_MIN_K) / 8.0L);
		double		upper = pp_histogram_upper_time(i);
		double		lower = pp_histogram_lower_time(i);

		exact &= check(pp_histogram_edges[i] == (int64_t) floorl(seconds * 1e9L),
					   "wrong edge", i);
		if (i > 0)
		{
			ascending &= pp_histogram_edges[i - 1] < pp_histogram_edges[i];
			times &= check(lower == pp_histogram_upper_time(i - 1),
						   "gap below bucket", i);
		}
		if (i < PP_HISTOGRAM_BUCKETS - 1)
			times &= check(fabs(upper / (double) (seconds * 1e3L) - 1) < 1e-15,
						   "wrong upper time", i);
	}
	ok(exact, "each edge is 2^(k/8) s, rounded down to nanoseconds");
	ok(ascending, "edges ascend");
	ok(times, "edges in milliseconds are 2^(k/8) s, without gaps");
	ok(pp_histogram_lower_time(0) == 0 &&
	   isinf(pp_histogram_upper_time(PP_HISTOGRAM_BUCKETS - 1)),
	   "the outer edges are 0 and infinite");
	ok(pp_histogram_edges[160] == 1000000000 &&
	   pp_histogram_upper_time(160) == 1000 &&
	   pp_histogram_upper_time(152) == 500,
	   "k = 0 ends at 1 s, k = -8 at 0.5 s");
	ok(PP_HISTOGRAM_FIRST_EDGE == pp_histogram_edges[0] &&
	   PP_HISTOGRAM_LAST_EDGE == pp_histogram_edges[PP_HISTOGRAM_BUCKETS - 2],
	   "the constants of the outer edges are those of the table");
}

/*
 * The bucket's first guess changes only where the exponent or one of the first
 * eight bits of the mantissa does, and the right bucket only at edges; so what
 * holds on both sides of all these places holds everywhere.
 */
static void
test_buckets(void)
{
	bool		passed = true;
	int			before = 0;

	for (int i = 0; i < PP_HISTOGRAM_BUCKETS; i++)
	{
		int64_t		edge = pp_histogram_edges[i];
		int			next = i < PP_HISTOGRAM_BUCKETS - 1 ? i + 1 : i;

		passed &= check(pp_histogram_bucket(edge - 1) == i, "edge - 1 of", i);
		passed &= check(pp_histogram_bucket(edge) == i, "edge of", i);
		passed &= check(pp_histogram_bucket(edge + 1) == next, "edge + 1 of", i);
		for (int64_t ns = edge - 1; ns <= edge + 1; ns++)
			passed &= bucket_is_right(ns);
	}
	ok(passed, "each edge is in its bucket, and 1 ns more in the next one");

	passed = true;
	for (int exponent = 8; exponent < 63; exponent++)
		for (int64_t mantissa = 256; mantissa < 512; mantissa++)
			for (int64_t off = -1; off <= 1; off++)
				passed &= bucket_is_right((mantissa << (exponent - 8)) + off);
	ok(passed, "right bucket where the guess changes");

	passed = true;
	for (int64_t ns = -2000; ns <= 300000; ns++)
		passed &= bucket_is_right(ns);
	ok(passed, "right bucket for each nanosecond up to 300 us");

	passed = true;
	for (int i = 0; i < 1000000; i++)
		passed &= bucket_is_right(next_duration());
	ok(passed, "right bucket for a million random durations");

	passed = true;
	for (int64_t ns = 1; ns < INT64_MAX / 2; ns += ns / 1000 + 1)
	{
		int			bucket = pp_histogram_bucket(ns);

		passed &= check(bucket >= before, "bucket goes down at", ns);
		before = bucket;
	}
	ok(passed && before == PP_HISTOGRAM_BUCKETS - 1,
	   "a longer duration is never in an earlier bucket");

	ok(pp_histogram_bucket(INT64_MIN) == 0 && pp_histogram_bucket(-1) == 0 &&
	   pp_histogram_bucket(0) == 0 && pp_histogram_bucket(1) == 0,
	   "zero and negative durations are in the first bucket");
	ok(pp_histogram_bucket(INT64_MAX) == PP_HISTOGRAM_BUCKETS - 1 &&
	   pp_histogram_bucket(2 * DAY) == PP_HISTOGRAM_BUCKETS - 1,
	   "what is above all edges is in the last bucket");
}

static void
test_classes(void)
{
	static const int64_t thresholds[PP_WITHIN_THRESHOLDS] = {
		PP_WITHIN_50MS, PP_WITHIN_100MS, PP_WITHIN_200MS,
		PP_WITHIN_500MS, PP_WITHIN_1S, PP_WITHIN_5S
	};
	bool		passed = true;

	for (int i = 0; i < PP_WITHIN_THRESHOLDS; i++)
		passed &= check(expected_class(thresholds[i]) == i &&
						pp_within_class(thresholds[i] - 1) == i &&
						pp_within_class(thresholds[i]) == i &&
						pp_within_class(thresholds[i] + 1) == i + 1,
						"border of class", i);
	ok(passed, "each threshold is inclusive, and 1 ns more the next class");

	passed = pp_within_class(INT64_MIN) == 0 && pp_within_class(0) == 0 &&
		pp_within_class(INT64_MAX) == PP_WITHIN_THRESHOLDS;
	for (int i = 0; i < 1000000; i++)
	{
		int64_t		ns = next_duration();

		passed &= check(pp_within_class(ns) == expected_class(ns),
						"wrong class for", ns);
	}
	ok(passed, "right class for the extremes and a million random durations");
}

/* Counts one duration and returns how far the quantile is from it. */
static double
single_error(int64_t ns, double fraction)
{
	static uint64_t counts[PP_HISTOGRAM_BUCKETS];
	int			bucket = pp_histogram_bucket(ns);
	double		result;

	counts[bucket] = 1;
	result = pp_histogram_quantile(counts, bucket, bucket, fraction);
	counts[bucket] = 0;
	return fabs(result * MS / (double) ns - 1);
}

static void
test_single_values(void)
{
	double		worst = 0;
	bool		passed = true;

	for (int64_t ns = MICROSECOND; ns <= DAY; ns += ns / 5000 + 1)
		for (int fraction = 0; fraction <= 2; fraction++)
		{
			double		error = single_error(ns, fraction / 2.0);

			passed &= check(error <= MAX_ERROR, "quantile far from", ns);
			worst = fmax(worst, error);
		}
	for (int i = 0; i < PP_HISTOGRAM_BUCKETS; i++)
		for (int64_t ns = pp_histogram_edges[i]; ns <= pp_histogram_edges[i] + 1; ns++)
			if (ns >= MICROSECOND && ns <= DAY)
				worst = fmax(worst, single_error(ns, 0.5));
	printf("# largest error: %.3f %%\n", worst * 100);
	ok(passed && worst <= MAX_ERROR,
	   "quantile within 4.4 % of single values from 1 us to 24 h");
}

static int
compare_durations(const void *a, const void *b)
{
	int64_t		left = *(const int64_t *) a;
	int64_t		right = *(const int64_t *) b;

	return (left > right) - (left < right);
}

/*
 * Compares the quantiles of n durations, at 1001 fractions, with the durations
 * themselves.
 */
static bool
quantiles_are_right(int64_t *durations, int n)
{
	uint64_t	counts[PP_HISTOGRAM_BUCKETS] = {0};
	double		fractions[1001];
	double		results[1001];
	int			first;
	int			last;
	bool		passed = true;

	qsort(durations, n, sizeof(int64_t), compare_durations);
	for (int i = 0; i < n; i++)
		counts[pp_histogram_bucket(durations[i])]++;
	first = pp_histogram_bucket(durations[0]);
	last = pp_histogram_bucket(durations[n - 1]);

	for (int i = 0; i <= 1000; i++)
		fractions[i] = i / 1000.0;
	pp_histogram_quantiles(counts, first, last, fractions, 1001, results);

	for (int i = 0; i <= 1000; i++)
	{
		int64_t		rank = ((int64_t) i * n + 999) / 1000;
		double		truth = (double) durations[rank > 0 ? rank - 1 : 0];

		passed &= check(fabs(results[i] * MS / truth - 1) <= MAX_ERROR,
						"wrong quantile at a fraction of 1000", i);
		passed &= check(i == 0 || results[i] >= results[i - 1],
						"quantile goes down at", i);
		passed &= check(results[i] ==
						pp_histogram_quantile(counts, 0, PP_HISTOGRAM_BUCKETS - 1,
											  fractions[i]),
						"wrong alone, or for all buckets, at", i);
	}
	return passed;
}

static void
test_distributions(void)
{
	static int64_t durations[20000];
	int			n = sizeof(durations) / sizeof(durations[0]);
	bool		passed = true;

	for (int i = 0; i < n; i++)
		durations[i] = (i + 1) * INT64_C(1000000);
	ok(quantiles_are_right(durations, n), "quantiles of 1 .. 20000 ms");

	for (int i = 0; i < n; i++)
		durations[i] = i < n - n / 100 ? 2 * MICROSECOND : DAY;
	ok(quantiles_are_right(durations, n), "quantiles of two far values");

	for (int i = 0; i < n; i++)
		durations[i] = pp_histogram_edges[100] + 1;
	ok(quantiles_are_right(durations, n), "quantiles of a bucket's lowest value");

	for (int i = 0; i < n; i++)
		durations[i] = pp_histogram_edges[101];
	ok(quantiles_are_right(durations, n), "quantiles of a bucket's highest value");

	for (int round = 0; round < 50; round++)
	{
		int			size = 1 + (int) (next_random() % 1000);

		for (int i = 0; i < size; i++)
		{
			do
				durations[i] = next_duration();
			while (durations[i] < MICROSECOND || durations[i] > DAY);
		}
		passed &= quantiles_are_right(durations, size);
	}
	ok(passed, "quantiles of 50 random distributions");
}

static void
test_borders(void)
{
	uint64_t	counts[PP_HISTOGRAM_BUCKETS] = {0};
	double		unordered[] = {1, 0.5, 0, 0.75, 0.25};
	double		results[5];
	int			last = PP_HISTOGRAM_BUCKETS - 1;
	double		low;
	double		high;
	bool		passed = true;

	ok(isnan(pp_histogram_quantile(counts, 0, last, 0.5)) &&
	   isnan(pp_histogram_quantile(counts, 1, 0, 1)) &&
	   isnan(pp_histogram_quantile(counts, last + 1, -1, 0)),
	   "quantile of nothing is NaN");

	counts[10] = 3;
	low = pp_histogram_quantile(counts, 10, 10, 0.5);
	ok(low > pp_histogram_lower_time(10) && low < pp_histogram_upper_time(10) &&
	   pp_histogram_quantile(counts, 10, 10, 0) == low &&
	   pp_histogram_quantile(counts, 10, 10, 1) == low,
	   "all quantiles of one bucket are inside it and the same");

	counts[200] = 1;
	high = pp_histogram_quantile(counts, 10, 200, 1);
	ok(high > pp_histogram_lower_time(200) &&
	   high < pp_histogram_upper_time(200) &&
	   pp_histogram_quantile(counts, 10, 200, 0.75) == low &&
	   pp_histogram_quantile(counts, 10, 200, 0.7501) == high,
	   "the fraction's share of calls decides between two buckets");
	ok(pp_histogram_quantile(counts, 10, 199, 1) == low &&
	   pp_histogram_quantile(counts, 11, 200, 0) == high,
	   "buckets outside first .. last do not count");
	ok(pp_histogram_quantile(counts, 0, last, 0) == low &&
	   pp_histogram_quantile(counts, 0, last, -1) == low &&
	   pp_histogram_quantile(counts, 0, last, NAN) == low &&
	   pp_histogram_quantile(counts, 0, last, -INFINITY) == low &&
	   pp_histogram_quantile(counts, 0, last, 2) == high &&
	   pp_histogram_quantile(counts, 0, last, INFINITY) == high,
	   "fractions outside 0 .. 1 are those of the nearer end");

	pp_histogram_quantiles(counts, 0, last, unordered, 5, results);
	ok(results[0] == high && results[1] == low && results[2] == low &&
	   results[3] == low && results[4] == low,
	   "fractions in any order");

	for (int percent = 1; percent < 100; percent++)
	{
		memset(counts, 0, sizeof(counts));
		counts[10] = percent;
		counts[200] = 100 - percent;
		passed &= check(pp_histogram_quantile(counts, 0, last, percent / 100.0) == low,
						"rounded up at percent", percent);
	}
	ok(passed, "a whole share of calls is not rounded up");

	memset(counts, 0, sizeof(counts));
	counts[10] = INT64_MAX - 1;
	counts[200] = 1;
	ok(pp_histogram_quantile(counts, 10, 200, 0.999) == low &&
	   pp_histogram_quantile(counts, 10, 200, 1) == high,
	   "counts near the end of 64 bits");

	memset(counts, 0, sizeof(counts));
	counts[0] = counts[last] = 1;
	low = pp_histogram_quantile(counts, 0, last, 0);
	high = pp_histogram_quantile(counts, 0, last, 1);
	ok(low > 0 && low < pp_histogram_upper_time(0) &&
	   high > pp_histogram_lower_time(last) && isfinite(high),
	   "quantiles in the outer buckets are finite");
}

int
main(void)
{
	test_edges();
	test_buckets();
	test_classes();
	test_single_values();
	test_distributions();
	test_borders();
	printf("1..%d\n", tests);
	return failures > 0;
}
