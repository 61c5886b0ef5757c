/*
 * histogram.h
 *	  Arithmetic of latency histograms: buckets, quantiles, threshold classes.
 *
 * Bucket i, for k = i - 160, holds the durations above 2^((k - 1) / 8) and up
 * to 2^(k / 8) seconds, upper edge inclusive.  These are the buckets of an
 * OpenTelemetry exponential histogram of scale 3 and of a Prometheus native
 * histogram of schema 3.  The first bucket also takes everything below it,
 * zero and negative durations too; the last one everything above it.
 *
 * This is plain C without the server's types, so that a test program can be
 * built from it alone.  It wants gcc's or clang's __builtin_clzll.
 */
#ifndef PP_HISTOGRAM_H
#define PP_HISTOGRAM_H

#include <stdint.h>

/* k of the first and of the last bucket, and how many there are */
#define PP_HISTOGRAM_MIN_K		(-160)
#define PP_HISTOGRAM_MAX_K		135
#define PP_HISTOGRAM_BUCKETS	296

/* buckets per doubling, as OpenTelemetry counts it: 2^3 of them */
#define PP_HISTOGRAM_SCALE		3

/* the first and the last bucket have no edge on one side: these are inside */
#define PP_HISTOGRAM_FIRST_EDGE	INT64_C(953)
#define PP_HISTOGRAM_LAST_EDGE	INT64_C(110217974940134)

/*
 * (8 * log2(1e9) - 160 - 0.9) * 32, for the unit nanosecond, bucket 0 and the
 * rounding, and 256 for the leading one of a mantissa; see
 * pp_histogram_bucket.
 */
#define PP_HISTOGRAM_OFFSET		2761

/* thresholds of the classes, inclusive, in nanoseconds */
#define PP_WITHIN_50MS			INT64_C(50000000)
#define PP_WITHIN_100MS			INT64_C(100000000)
#define PP_WITHIN_200MS			INT64_C(200000000)
#define PP_WITHIN_500MS			INT64_C(500000000)
#define PP_WITHIN_1S			INT64_C(1000000000)
#define PP_WITHIN_5S			INT64_C(5000000000)

/* the thresholds' number, and the class of what is above all of them */
#define PP_WITHIN_THRESHOLDS	6

/*
 * Upper edges of the buckets in nanoseconds, rounded down: a whole number of
 * nanoseconds is at most the edge exactly when it is at most this.  Hidden, so
 * that a shared library reads it without a detour through its offset table.
 */
extern __attribute__((visibility("hidden")))
const int64_t pp_histogram_edges[PP_HISTOGRAM_BUCKETS];

extern double pp_histogram_lower_time(int bucket);
extern double pp_histogram_upper_time(int bucket);
extern double pp_histogram_quantile(const uint64_t *counts, int first,
									int last, double fraction);
extern void pp_histogram_quantiles(const uint64_t *counts, int first,
								   int last, const double *fractions, int n,
								   double *results);

/*
 * Bucket of a duration in nanoseconds.
 *
 * The logarithm is taken as linear between powers of two, with eight bits of
 * mantissa.  That is at most 0.72 buckets too little and never too much, so
 * after rounding with 0.9 the guess is the bucket or the one before it, and the
 * table of edges decides.
 */
static inline int
pp_histogram_bucket(int64_t ns)
{
	uint64_t	v = (uint64_t) ns;
	unsigned int exponent;
	unsigned int guess;

	if (__builtin_expect(v - (PP_HISTOGRAM_FIRST_EDGE + 1) >=
						 PP_HISTOGRAM_LAST_EDGE - PP_HISTOGRAM_FIRST_EDGE, 0))
		return ns <= PP_HISTOGRAM_FIRST_EDGE ? 0 : PP_HISTOGRAM_BUCKETS - 1;

	exponent = (unsigned int) __builtin_clzll(v) ^ 63;
	guess = ((exponent << 8) + (unsigned int) (v >> (exponent - 8)) -
			 PP_HISTOGRAM_OFFSET) >> 5;

	return (int) guess + (ns > pp_histogram_edges[guess]);
}

/*
 * Class of a duration in nanoseconds: the number of the first threshold, from
 * 0 for 50 ms to 5 for 5 s, that it does not exceed; 6 if it exceeds them all.
 */
static inline int
pp_within_class(int64_t ns)
{
	if (__builtin_expect(ns <= PP_WITHIN_50MS, 1))
		return 0;
	if (ns <= PP_WITHIN_200MS)
		return ns <= PP_WITHIN_100MS ? 1 : 2;
	if (ns <= PP_WITHIN_1S)
		return ns <= PP_WITHIN_500MS ? 3 : 4;
	return ns <= PP_WITHIN_5S ? 5 : 6;
}

#endif							/* PP_HISTOGRAM_H */
