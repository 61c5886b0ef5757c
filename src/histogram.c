/*
 * histogram.c
 *	  The edges of the latency buckets, and what is computed from counts.
 *
 * Pure functions of their arguments: no server, no allocation, no lock, no
 * global state.  postgres.h is left out on purpose, so that the unit test links
 * this file without a server; the fixed-width types are those of C99.
 *
 * A quantile is a single representative of the bucket in which it falls, and
 * nothing is interpolated.  Of the bucket (a, b] the representative is
 * 2ab / (a + b), whose relative distance to both edges is the same:
 * (2^(1/8) - 1) / (2^(1/8) + 1) = 4.33 %.  Any interpolation would come close
 * to an edge for some distribution, and so be 9 % off at worst.
 */
#include <math.h>

#include "histogram.h"

/* the distance of a representative from its bucket's upper edge, as a factor */
#define REPRESENTATIVE		0.956705382500610821	/* 2 / (2^(1/8) + 1) */

/* for k = -160 ... 135, floor(2^(k / 8) * 1e9) */
const int64_t pp_histogram_edges[PP_HISTOGRAM_BUCKETS] = {
	953, 1039, 1134, 1236,
	1348, 1470, 1603, 1749,
	1907, 2079, 2268, 2473,
	2697, 2941, 3207, 3498,
	3814, 4159, 4536, 4947,
	5394, 5883, 6415, 6996,
	7629, 8319, 9072, 9894,
	10789, 11766, 12831, 13992,
	15258, 16639, 18145, 19788,
	21579, 23532, 25662, 27984,
	30517, 33279, 36291, 39576,
	43158, 47064, 51324, 55969,
	61035, 66559, 72583, 79152,
	86316, 94129, 102648, 111938,
	122070, 133118, 145166, 158305,
	172633, 188258, 205296, 223877,
	244140, 266237, 290333, 316611,
	345266, 376516, 410593, 447755,
	488281, 532474, 580667, 633222,
	690533, 753032, 821187, 895511,
	976562, 1064948, 1161335, 1266444,
	1381067, 1506065, 1642375, 1791023,
	1953125, 2129897, 2322670, 2532889,
	2762135, 3012130, 3284751, 3582047,
	3906250, 4259795, 4645340, 5065779,
	5524271, 6024261, 6569503, 7164094,
	7812500, 8519591, 9290680, 10131559,
	11048543, 12048522, 13139006, 14328188,
	15625000, 17039183, 18581361, 20263118,
	22097086, 24097044, 26278012, 28656376,
	31250000, 34078366, 37162722, 40526236,
	44194173, 48194088, 52556025, 57312752,
	62500000, 68156733, 74325444, 81052472,
	88388347, 96388176, 105112051, 114625505,
	125000000, 136313466, 148650889, 162104944,
	176776695, 192776353, 210224103, 229251010,
	250000000, 272626933, 297301778, 324209888,
	353553390, 385552706, 420448207, 458502021,
	500000000, 545253866, 594603557, 648419777,
	707106781, 771105412, 840896415, 917004043,
	1000000000, 1090507732, 1189207115, 1296839554,
	1414213562, 1542210825, 1681792830, 1834008086,
	2000000000, 2181015465, 2378414230, 2593679109,
	2828427124, 3084421650, 3363585661, 3668016172,
	4000000000, 4362030930, 4756828460, 5187358218,
	5656854249, 6168843301, 6727171322, 7336032345,
	8000000000, 8724061861, 9513656920, 10374716437,
	11313708498, 12337686603, 13454342644, 14672064691,
	16000000000, 17448123722, 19027313840, 20749432874,
	22627416997, 24675373206, 26908685288, 29344129382,
	32000000000, 34896247445, 38054627680, 41498865748,
	45254833995, 49350746413, 53817370576, 58688258765,
	64000000000, 69792494890, 76109255360, 82997731497,
	90509667991, 98701492826, 107634741152, 117376517530,
	128000000000, 139584989781, 152218510720, 165995462995,
	181019335983, 197402985652, 215269482304, 234753035060,
	256000000000, 279169979562, 304437021440, 331990925990,
	362038671967, 394805971304, 430538964609, 469506070120,
	512000000000, 558339959124, 608874042881, 663981851981,
	724077343935, 789611942608, 861077929219, 939012140241,
	1024000000000, 1116679918249, 1217748085762, 1327963703962,
	1448154687870, 1579223885217, 1722155858439, 1878024280483,
	2048000000000, 2233359836498, 2435496171525, 2655927407925,
	2896309375740, 3158447770435, 3444311716879, 3756048560966,
	4096000000000, 4466719672996, 4870992343051, 5311854815850,
	5792618751480, 6316895540870, 6888623433758, 7512097121932,
	8192000000000, 8933439345993, 9741984686102, 10623709631701,
	11585237502960, 12633791081741, 13777246867516, 15024194243865,
	16384000000000, 17866878691987, 19483969372204, 21247419263402,
	23170475005920, 25267582163483, 27554493735033, 30048388487730,
	32768000000000, 35733757383975, 38967938744409, 42494838526804,
	46340950011841, 50535164326967, 55108987470067, 60096776975461,
	65536000000000, 71467514767950, 77935877488818, 84989677053608,
	92681900023683, 101070328653934, 110217974940134, 120193553950922
};

/* 2^(k / 8) seconds in milliseconds */
static double
edge_time(int k)
{
	return exp2(k / 8.0) * 1000.0;
}

/* Lower edge of a bucket in milliseconds, exclusive; 0 for the first one. */
double
pp_histogram_lower_time(int bucket)
{
	if (bucket <= 0)
		return 0.0;
	return edge_time(bucket + PP_HISTOGRAM_MIN_K - 1);
}

/* Upper edge of a bucket in milliseconds; infinite for the last one. */
double
pp_histogram_upper_time(int bucket)
{
	if (bucket >= PP_HISTOGRAM_BUCKETS - 1)
		return INFINITY;
	return edge_time(bucket + PP_HISTOGRAM_MIN_K);
}

/*
 * The rank, from 1 to total, of a fraction: the smallest number of values that
 * makes up at least that part of all.  The tiny allowance keeps a product such
 * as 0.07 * 100, which comes out above 7, from counting as the eighth.
 */
static uint64_t
fraction_rank(double fraction, uint64_t total)
{
	double		rank;

	if (fraction >= 1.0)
		return total;
	if (!(fraction > 0.0))
		return 1;

	rank = fraction * (double) total;
	rank = ceil(rank - rank * 1e-15);
	if (rank >= (double) total)
		return total;
	return rank > 1.0 ? (uint64_t) rank : 1;
}

/*
 * Quantiles of the buckets first .. last of counts, in milliseconds, for n
 * fractions.  A result is at most 4.33 % away from the value that has the
 * fraction's rank, for values from 1 microsecond to 30 hours, whatever their
 * distribution.  Fractions outside 0 .. 1 count as the nearer end, and NaN as
 * 0.  Without any count (first may exceed last) the results are NaN.  Fractions
 * in ascending order are found in one pass.
 */
void
pp_histogram_quantiles(const uint64_t *counts, int first, int last,
					   const double *fractions, int n, double *results)
{
	uint64_t	total = 0;
	uint64_t	passed = 0;
	int			bucket = first;

	for (int i = first; i <= last; i++)
		total += counts[i];

	for (int i = 0; i < n; i++)
	{
		uint64_t	rank = fraction_rank(fractions[i], total);

		if (total == 0)
		{
			results[i] = NAN;
			continue;
		}
		if (rank <= passed)
		{
			bucket = first;
			passed = 0;
		}
		while (rank > passed + counts[bucket])
			passed += counts[bucket++];
		results[i] = edge_time(bucket + PP_HISTOGRAM_MIN_K) * REPRESENTATIVE;
	}
}

/* One quantile, as pp_histogram_quantiles computes it. */
double
pp_histogram_quantile(const uint64_t *counts, int first, int last,
					  double fraction)
{
	double		result;

	pp_histogram_quantiles(counts, first, last, &fraction, 1, &result);
	return result;
}
