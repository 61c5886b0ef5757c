/* pool_perf 1.0: the SQL objects.  A released script is never edited. */

\echo Use "CREATE EXTENSION pool_perf" to load this file. \quit

GRANT USAGE ON SCHEMA pool_perf TO PUBLIC;

-- Latency histograms as values: the type, its operators, its aggregate.

CREATE TYPE pool_perf.histogram;

CREATE FUNCTION pool_perf.histogram_in(cstring)
RETURNS pool_perf.histogram
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pp_histogram_type_in';
COMMENT ON FUNCTION pool_perf.histogram_in(cstring) IS
'Reads a histogram from text: bucket:calls pairs in braces, as in {-40:3,-39:17}. Buckets are whole numbers from -160 to 135, in any order; one that occurs again is added to the first, one without calls is left out. Anything else is an error that says where.';

CREATE FUNCTION pool_perf.histogram_out(pool_perf.histogram)
RETURNS cstring
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pp_histogram_type_out';
COMMENT ON FUNCTION pool_perf.histogram_out(pool_perf.histogram) IS
'Writes a histogram as text: bucket:calls pairs in braces, ascending, as in {-40:3,-39:17}; {} without calls.';

CREATE FUNCTION pool_perf.histogram_recv(internal)
RETURNS pool_perf.histogram
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pp_histogram_type_recv';
COMMENT ON FUNCTION pool_perf.histogram_recv(internal) IS
'Reads a histogram from the form that histogram_send writes, and refuses any other.';

CREATE FUNCTION pool_perf.histogram_send(pool_perf.histogram)
RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pp_histogram_type_send';
COMMENT ON FUNCTION pool_perf.histogram_send(pool_perf.histogram) IS
'Binary form, in network byte order: the scale 3 and the number of pairs as int16, then for each bucket, ascending, its number as int16 and its calls, above 0, as int64.';

CREATE TYPE pool_perf.histogram (
    INPUT = pool_perf.histogram_in,
    OUTPUT = pool_perf.histogram_out,
    RECEIVE = pool_perf.histogram_recv,
    SEND = pool_perf.histogram_send,
    INTERNALLENGTH = VARIABLE,
    ALIGNMENT = double,
    STORAGE = extended
);
COMMENT ON TYPE pool_perf.histogram IS
'Latency histogram: calls by duration. Bucket k, from -160 to 135, holds the durations above 2^((k-1)/8) and up to 2^(k/8) seconds, from 0.95 microseconds to 33 hours; the first and the last bucket also hold what is beyond. These are the buckets of an OpenTelemetry exponential histogram of scale 3 and of a Prometheus native histogram of schema 3. Histograms of rows, windows and servers add up with + and sum(), and an earlier one is taken off a later one with -.';

CREATE FUNCTION pool_perf.histogram_add(pool_perf.histogram, pool_perf.histogram)
RETURNS pool_perf.histogram
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pp_histogram_type_add';
COMMENT ON FUNCTION pool_perf.histogram_add(pool_perf.histogram, pool_perf.histogram) IS
'The calls of both histograms; what the operator + does. An error if they exceed the range of bigint.';

CREATE FUNCTION pool_perf.histogram_subtract(pool_perf.histogram, pool_perf.histogram)
RETURNS pool_perf.histogram
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pp_histogram_type_subtract';
COMMENT ON FUNCTION pool_perf.histogram_subtract(pool_perf.histogram, pool_perf.histogram) IS
'The calls of a later histogram, on the left, that are not in an earlier one of the same statistics; what the operator - does. An error if a bucket would be negative, as after a reset.';

CREATE FUNCTION pool_perf.histogram_eq(pool_perf.histogram, pool_perf.histogram)
RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pp_histogram_type_eq';
COMMENT ON FUNCTION pool_perf.histogram_eq(pool_perf.histogram, pool_perf.histogram) IS
'Whether all buckets have the same calls; what the operator = does.';

CREATE FUNCTION pool_perf.histogram_ne(pool_perf.histogram, pool_perf.histogram)
RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pp_histogram_type_ne';
COMMENT ON FUNCTION pool_perf.histogram_ne(pool_perf.histogram, pool_perf.histogram) IS
'Whether the calls of any bucket differ; what the operator <> does.';

CREATE OPERATOR pool_perf.+ (
    LEFTARG = pool_perf.histogram,
    RIGHTARG = pool_perf.histogram,
    FUNCTION = pool_perf.histogram_add,
    COMMUTATOR = OPERATOR(pool_perf.+)
);
COMMENT ON OPERATOR pool_perf.+ (pool_perf.histogram, pool_perf.histogram) IS
'The calls of both histograms.';

CREATE OPERATOR pool_perf.- (
    LEFTARG = pool_perf.histogram,
    RIGHTARG = pool_perf.histogram,
    FUNCTION = pool_perf.histogram_subtract
);
COMMENT ON OPERATOR pool_perf.- (pool_perf.histogram, pool_perf.histogram) IS
'The calls of the later histogram, on the left, that are not in the earlier one.';

CREATE OPERATOR pool_perf.= (
    LEFTARG = pool_perf.histogram,
    RIGHTARG = pool_perf.histogram,
    FUNCTION = pool_perf.histogram_eq,
    COMMUTATOR = OPERATOR(pool_perf.=),
    NEGATOR = OPERATOR(pool_perf.<>),
    RESTRICT = pg_catalog.eqsel,
    JOIN = pg_catalog.eqjoinsel
);
COMMENT ON OPERATOR pool_perf.= (pool_perf.histogram, pool_perf.histogram) IS
'All buckets have the same calls.';

CREATE OPERATOR pool_perf.<> (
    LEFTARG = pool_perf.histogram,
    RIGHTARG = pool_perf.histogram,
    FUNCTION = pool_perf.histogram_ne,
    COMMUTATOR = OPERATOR(pool_perf.<>),
    NEGATOR = OPERATOR(pool_perf.=),
    RESTRICT = pg_catalog.neqsel,
    JOIN = pg_catalog.neqjoinsel
);
COMMENT ON OPERATOR pool_perf.<> (pool_perf.histogram, pool_perf.histogram) IS
'The calls of some bucket differ.';

CREATE FUNCTION pool_perf.histogram_sum_accum(internal, pool_perf.histogram)
RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pp_histogram_type_sum_accum';
COMMENT ON FUNCTION pool_perf.histogram_sum_accum(internal, pool_perf.histogram) IS
'Part of the aggregate sum(histogram): adds a value to the state.';

CREATE FUNCTION pool_perf.histogram_sum_combine(internal, internal)
RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pp_histogram_type_sum_combine';
COMMENT ON FUNCTION pool_perf.histogram_sum_combine(internal, internal) IS
'Part of the aggregate sum(histogram): adds a parallel worker''s state.';

CREATE FUNCTION pool_perf.histogram_sum_serialize(internal)
RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pp_histogram_type_sum_result';
COMMENT ON FUNCTION pool_perf.histogram_sum_serialize(internal) IS
'Part of the aggregate sum(histogram): a parallel worker''s state as it is sent.';

CREATE FUNCTION pool_perf.histogram_sum_deserialize(bytea, internal)
RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pp_histogram_type_sum_deserialize';
COMMENT ON FUNCTION pool_perf.histogram_sum_deserialize(bytea, internal) IS
'Part of the aggregate sum(histogram): a parallel worker''s state as it arrives.';

CREATE FUNCTION pool_perf.histogram_sum_final(internal)
RETURNS pool_perf.histogram
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pp_histogram_type_sum_result';
COMMENT ON FUNCTION pool_perf.histogram_sum_final(internal) IS
'Part of the aggregate sum(histogram): its result.';

CREATE AGGREGATE pool_perf.sum(pool_perf.histogram) (
    SFUNC = pool_perf.histogram_sum_accum,
    STYPE = internal,
    SSPACE = 2376,
    FINALFUNC = pool_perf.histogram_sum_final,
    COMBINEFUNC = pool_perf.histogram_sum_combine,
    SERIALFUNC = pool_perf.histogram_sum_serialize,
    DESERIALFUNC = pool_perf.histogram_sum_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE pool_perf.sum(pool_perf.histogram) IS
'The calls of all histograms; NULL values are skipped, and the sum of none is NULL. An error if the calls exceed the range of bigint.';

CREATE FUNCTION pool_perf.quantile(histogram pool_perf.histogram, fraction double precision)
RETURNS double precision
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pp_histogram_type_quantile';
COMMENT ON FUNCTION pool_perf.quantile(pool_perf.histogram, double precision) IS
'The duration in milliseconds that the given fraction of the calls did not exceed: quantile(histogram, 0.95) is the 95th percentile. At most 4.4 % away from the exact value, between 1 microsecond and 24 hours. NULL if the histogram has no calls; an error if the fraction is not from 0 to 1.';

CREATE FUNCTION pool_perf.calls(histogram pool_perf.histogram)
RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pp_histogram_type_calls';
COMMENT ON FUNCTION pool_perf.calls(pool_perf.histogram) IS
'The calls of all buckets together.';

CREATE FUNCTION pool_perf.buckets(
    histogram pool_perf.histogram,
    OUT lower_time double precision,
    OUT upper_time double precision,
    OUT calls bigint
)
RETURNS SETOF record
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 30
AS 'MODULE_PATHNAME', 'pp_histogram_type_buckets';
COMMENT ON FUNCTION pool_perf.buckets(pool_perf.histogram) IS
'One row for each bucket that has calls, ascending: calls that took longer than lower_time and up to upper_time, in milliseconds. The first bucket begins at 0, the last one ends at Infinity.';

/* ---- one statement: its normalised text, its fingerprint ------------------ */

CREATE FUNCTION pool_perf.normalize_query(query text)
RETURNS text
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pp_normalize_query';

COMMENT ON FUNCTION pool_perf.normalize_query(text) IS
'The text that pool_perf records for a statement: constants are $1, $2, ..., lists of constants are squashed, comments are gone, and in utility statements every number and string is masked. Takes one statement, of any length, and does not run it; a semicolon at its end does no harm. NULL if the text holds no statement. Errors: syntax_error as for the statement itself; invalid_parameter_value if the text holds several statements.';

CREATE FUNCTION pool_perf.fingerprint(query text)
RETURNS bigint
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pp_fingerprint';

COMMENT ON FUNCTION pool_perf.fingerprint(text) IS
'The fingerprint of a statement: one number for all statements that differ only in constants, in the number of constants in a list, in letter case of unquoted words, in white space and in comments. It is the same on every server, database and major version, never 0, and that of the column fingerprint of pool_perf.queries: SELECT * FROM pool_perf.queries WHERE fingerprint = pool_perf.fingerprint(''SELECT ...''). NULL if the text holds no statement. Errors: as pool_perf.normalize_query.';

/* ---- statistics per query --------------------------------------------------- */

CREATE FUNCTION pool_perf.queries(
    showtext boolean DEFAULT true,
    OUT dbid oid,
    OUT datname name,
    OUT userid oid,
    OUT usename name,
    OUT toplevel boolean,
    OUT queryid bigint,
    OUT fingerprint bigint,
    OUT query text,
    OUT calls bigint,
    OUT failed_calls bigint,
    OUT rows bigint,
    OUT plans bigint,
    OUT total_plan_time double precision,
    OUT min_plan_time double precision,
    OUT max_plan_time double precision,
    OUT mean_plan_time double precision,
    OUT stddev_plan_time double precision,
    OUT total_exec_time double precision,
    OUT min_exec_time double precision,
    OUT max_exec_time double precision,
    OUT mean_exec_time double precision,
    OUT stddev_exec_time double precision,
    OUT total_before_time double precision,
    OUT total_time double precision,
    OUT max_time double precision,
    OUT p50_time double precision,
    OUT p95_time double precision,
    OUT p99_time double precision,
    OUT p999_time double precision,
    OUT total_failed_time double precision,
    OUT max_failed_time double precision,
    OUT within_50ms bigint,
    OUT within_100ms bigint,
    OUT within_200ms bigint,
    OUT within_500ms bigint,
    OUT within_1s bigint,
    OUT within_5s bigint,
    OUT shared_blks_hit bigint,
    OUT shared_blks_read bigint,
    OUT shared_blks_dirtied bigint,
    OUT shared_blks_written bigint,
    OUT local_blks_hit bigint,
    OUT local_blks_read bigint,
    OUT local_blks_dirtied bigint,
    OUT local_blks_written bigint,
    OUT temp_blks_read bigint,
    OUT temp_blks_written bigint,
    OUT shared_blk_read_time double precision,
    OUT shared_blk_write_time double precision,
    OUT local_blk_read_time double precision,
    OUT local_blk_write_time double precision,
    OUT temp_blk_read_time double precision,
    OUT temp_blk_write_time double precision,
    OUT wal_records bigint,
    OUT wal_fpi bigint,
    OUT wal_bytes bigint,
    OUT jit_functions bigint,
    OUT jit_generation_time double precision,
    OUT jit_inlining_count bigint,
    OUT jit_inlining_time double precision,
    OUT jit_optimization_count bigint,
    OUT jit_optimization_time double precision,
    OUT jit_emission_count bigint,
    OUT jit_emission_time double precision,
    OUT jit_deform_count bigint,
    OUT jit_deform_time double precision,
    OUT first_seen timestamp with time zone,
    OUT last_seen timestamp with time zone,
    OUT histogram pool_perf.histogram
)
RETURNS SETOF record
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 1000
AS 'MODULE_PATHNAME', 'pp_queries';
COMMENT ON FUNCTION pool_perf.queries(boolean) IS
'One row for each query, database, user and level, as the view of this name. queries(false) leaves the texts out, for those who poll numbers often. Never stale: what backends have not handed in yet is added. Error: object_not_in_prerequisite_state if the library is not preloaded, or of another version.';

CREATE VIEW pool_perf.queries AS
    SELECT * FROM pool_perf.queries(true);

COMMENT ON VIEW pool_perf.queries IS
'Where does the server spend its time? One row for each query, database, user and level. Counts and sums never go down but by a reset; what eviction removed stands in the <other> row of its database.';
COMMENT ON COLUMN pool_perf.queries.dbid IS
'OID of the database; NULL in the <other> row shared by databases beyond those that have one of their own: at most 64, and fewer where pool_perf.max_queries is small.';
COMMENT ON COLUMN pool_perf.queries.datname IS
'Name of the database; NULL if it was dropped.';
COMMENT ON COLUMN pool_perf.queries.userid IS
'OID of the user that the statement ran as; NULL in <other> rows.';
COMMENT ON COLUMN pool_perf.queries.usename IS
'Name of the user; NULL if it was dropped and in <other> rows.';
COMMENT ON COLUMN pool_perf.queries.toplevel IS
'true: a client sent the statement; false: it ran inside of another one.';
COMMENT ON COLUMN pool_perf.queries.queryid IS
'The server''s id of the query, as in pg_stat_activity; NULL in <other> rows, without a query id, and for those who may not see it. A utility statement without one, or with literals on PostgreSQL 15, has an id made from its masked text.';
COMMENT ON COLUMN pool_perf.queries.fingerprint IS
'64-bit hash of the normalised text: the same on every server, database and major version, and with any number of members in a list.';
COMMENT ON COLUMN pool_perf.queries.query IS
'Normalised text, cut after pool_perf.max_text_length; or <other>, <insufficient privilege>, <no query id>, <text not recorded>.';
COMMENT ON COLUMN pool_perf.queries.calls IS
'Executions that ended, well or not. All other figures of the row are over them.';
COMMENT ON COLUMN pool_perf.queries.failed_calls IS
'Calls that ended with an error, a cancel, a timeout or the end of their session.';
COMMENT ON COLUMN pool_perf.queries.rows IS
'Rows returned or affected.';
COMMENT ON COLUMN pool_perf.queries.plans IS
'Calls that were planned; the others used a cached plan.';
COMMENT ON COLUMN pool_perf.queries.total_plan_time IS
'Time spent planning, in milliseconds.';
COMMENT ON COLUMN pool_perf.queries.min_plan_time IS
'Shortest planning, in milliseconds; 0 without plans.';
COMMENT ON COLUMN pool_perf.queries.max_plan_time IS
'Longest planning, in milliseconds.';
COMMENT ON COLUMN pool_perf.queries.mean_plan_time IS
'Mean of plannings, in milliseconds.';
COMMENT ON COLUMN pool_perf.queries.stddev_plan_time IS
'Standard deviation of plannings, in milliseconds.';
COMMENT ON COLUMN pool_perf.queries.total_exec_time IS
'Time spent executing, the sending of rows included, in milliseconds.';
COMMENT ON COLUMN pool_perf.queries.min_exec_time IS
'Shortest execution, in milliseconds.';
COMMENT ON COLUMN pool_perf.queries.max_exec_time IS
'Longest execution, in milliseconds.';
COMMENT ON COLUMN pool_perf.queries.mean_exec_time IS
'Mean of executions, in milliseconds.';
COMMENT ON COLUMN pool_perf.queries.stddev_exec_time IS
'Standard deviation of executions, in milliseconds.';
COMMENT ON COLUMN pool_perf.queries.total_before_time IS
'Time from the arrival of the client''s message to planning or execution: parse analysis, its lock waits, start of the executor. In milliseconds.';
COMMENT ON COLUMN pool_perf.queries.total_time IS
'Server time: planning, execution and what came before, in milliseconds.';
COMMENT ON COLUMN pool_perf.queries.max_time IS
'Longest server time of a call, in milliseconds.';
COMMENT ON COLUMN pool_perf.queries.p50_time IS
'Median of server time, in milliseconds; within 4.4 %, as all percentiles.';
COMMENT ON COLUMN pool_perf.queries.p95_time IS
'95th percentile of server time over all calls, in milliseconds.';
COMMENT ON COLUMN pool_perf.queries.p99_time IS
'99th percentile of server time over all calls, in milliseconds.';
COMMENT ON COLUMN pool_perf.queries.p999_time IS
'99.9th percentile of server time over all calls, in milliseconds.';
COMMENT ON COLUMN pool_perf.queries.total_failed_time IS
'Server time of failed calls, in milliseconds.';
COMMENT ON COLUMN pool_perf.queries.max_failed_time IS
'Longest server time of a failed call, in milliseconds.';
COMMENT ON COLUMN pool_perf.queries.within_50ms IS
'Calls of at most 50 ms of server time; exact, as all of these.';
COMMENT ON COLUMN pool_perf.queries.within_100ms IS
'Calls of at most 100 ms.';
COMMENT ON COLUMN pool_perf.queries.within_200ms IS
'Calls of at most 200 ms.';
COMMENT ON COLUMN pool_perf.queries.within_500ms IS
'Calls of at most 500 ms.';
COMMENT ON COLUMN pool_perf.queries.within_1s IS
'Calls of at most 1 s.';
COMMENT ON COLUMN pool_perf.queries.within_5s IS
'Calls of at most 5 s.';
COMMENT ON COLUMN pool_perf.queries.shared_blks_hit IS
'Shared blocks found in the buffer cache.';
COMMENT ON COLUMN pool_perf.queries.shared_blks_read IS
'Shared blocks read.';
COMMENT ON COLUMN pool_perf.queries.shared_blks_dirtied IS
'Shared blocks dirtied.';
COMMENT ON COLUMN pool_perf.queries.shared_blks_written IS
'Shared blocks written.';
COMMENT ON COLUMN pool_perf.queries.local_blks_hit IS
'Blocks of temporary tables found in the local cache.';
COMMENT ON COLUMN pool_perf.queries.local_blks_read IS
'Blocks of temporary tables read.';
COMMENT ON COLUMN pool_perf.queries.local_blks_dirtied IS
'Blocks of temporary tables dirtied.';
COMMENT ON COLUMN pool_perf.queries.local_blks_written IS
'Blocks of temporary tables written.';
COMMENT ON COLUMN pool_perf.queries.temp_blks_read IS
'Temporary blocks (sorts, hashes) read.';
COMMENT ON COLUMN pool_perf.queries.temp_blks_written IS
'Temporary blocks (sorts, hashes) written.';
COMMENT ON COLUMN pool_perf.queries.shared_blk_read_time IS
'Time reading shared blocks, in milliseconds; 0 with track_io_timing off; before PostgreSQL 17 local blocks included.';
COMMENT ON COLUMN pool_perf.queries.shared_blk_write_time IS
'Time writing shared blocks, in milliseconds; likewise.';
COMMENT ON COLUMN pool_perf.queries.local_blk_read_time IS
'Time reading local blocks, in milliseconds; NULL before PostgreSQL 17.';
COMMENT ON COLUMN pool_perf.queries.local_blk_write_time IS
'Time writing local blocks, in milliseconds; NULL before PostgreSQL 17.';
COMMENT ON COLUMN pool_perf.queries.temp_blk_read_time IS
'Time reading temporary blocks, in milliseconds; 0 with track_io_timing off.';
COMMENT ON COLUMN pool_perf.queries.temp_blk_write_time IS
'Time writing temporary blocks, in milliseconds; likewise.';
COMMENT ON COLUMN pool_perf.queries.wal_records IS
'WAL records written.';
COMMENT ON COLUMN pool_perf.queries.wal_fpi IS
'Full page images in them.';
COMMENT ON COLUMN pool_perf.queries.wal_bytes IS
'WAL written, in bytes.';
COMMENT ON COLUMN pool_perf.queries.jit_functions IS
'Functions compiled just in time.';
COMMENT ON COLUMN pool_perf.queries.jit_generation_time IS
'Time generating them, in milliseconds.';
COMMENT ON COLUMN pool_perf.queries.jit_inlining_count IS
'Calls in which functions were inlined.';
COMMENT ON COLUMN pool_perf.queries.jit_inlining_time IS
'Time inlining, in milliseconds.';
COMMENT ON COLUMN pool_perf.queries.jit_optimization_count IS
'Calls in which code was optimised.';
COMMENT ON COLUMN pool_perf.queries.jit_optimization_time IS
'Time optimising, in milliseconds.';
COMMENT ON COLUMN pool_perf.queries.jit_emission_count IS
'Calls in which code was emitted.';
COMMENT ON COLUMN pool_perf.queries.jit_emission_time IS
'Time emitting, in milliseconds.';
COMMENT ON COLUMN pool_perf.queries.jit_deform_count IS
'Calls in which tuple deforming was compiled; NULL before PostgreSQL 17.';
COMMENT ON COLUMN pool_perf.queries.jit_deform_time IS
'Time compiling tuple deforming, in milliseconds; NULL before PostgreSQL 17.';
COMMENT ON COLUMN pool_perf.queries.first_seen IS
'When the first call began.';
COMMENT ON COLUMN pool_perf.queries.last_seen IS
'When the latest call began.';
COMMENT ON COLUMN pool_perf.queries.histogram IS
'Distribution of server time over all calls; sum() and quantile() combine rows, windows and servers.';

CREATE FUNCTION pool_perf.query_histogram(
    dbid oid,
    userid oid,
    queryid bigint,
    toplevel boolean DEFAULT true,
    OUT lower_time double precision,
    OUT upper_time double precision,
    OUT calls bigint
)
RETURNS SETOF record
LANGUAGE sql VOLATILE PARALLEL RESTRICTED ROWS 30
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT b.lower_time, b.upper_time, b.calls
    FROM pool_perf.queries(false) AS q,
         LATERAL pool_perf.buckets(q.histogram) AS b
    WHERE q.dbid IS NOT DISTINCT FROM $1
      AND q.userid IS NOT DISTINCT FROM $2
      AND q.queryid IS NOT DISTINCT FROM $3
      AND q.toplevel = $4
    ORDER BY b.lower_time
$$;
COMMENT ON FUNCTION pool_perf.query_histogram(oid, oid, bigint, boolean) IS
'How is the time of one query distributed? The buckets of its row that have calls: calls that took longer than lower_time and up to upper_time, in milliseconds. NULL finds the row whose column is NULL. No rows if there is no such row.';

CREATE VIEW pool_perf.top_queries AS
    SELECT round((100 * q.total_time / nullif(sum(q.total_time) FILTER (WHERE q.toplevel) OVER (), 0))::numeric, 1)::double precision AS time_percent,
           q.calls,
           q.failed_calls,
           round((q.total_time / q.calls)::numeric, 3)::double precision AS mean_time,
           round(q.p95_time::numeric, 3)::double precision AS p95_time,
           round(q.p99_time::numeric, 3)::double precision AS p99_time,
           round(q.max_time::numeric, 3)::double precision AS max_time,
           round(q.total_time::numeric, 1)::double precision AS total_time,
           round(q.rows::numeric / q.calls, 1)::double precision AS rows_per_call,
           round(100.0 * q.shared_blks_hit / nullif(q.shared_blks_hit + q.shared_blks_read, 0), 1)::double precision AS cache_hit_percent,
           q.datname,
           q.usename,
           q.queryid,
           CASE WHEN length(t.line) > 100 THEN left(t.line, 97) || '...' ELSE t.line END AS query
    FROM pool_perf.queries(true) AS q,
         LATERAL (SELECT btrim(regexp_replace(q.query, '\s+', ' ', 'g')) AS line) AS t
    ORDER BY q.total_time DESC;

COMMENT ON VIEW pool_perf.top_queries IS
'Which queries take the most time? As pool_perf.queries, made to be read: by total time, rounded, the text on one line.';
COMMENT ON COLUMN pool_perf.top_queries.time_percent IS
'Share of all server time of statements at top level; with pool_perf.track = all the time of nested ones is also in their parents.';
COMMENT ON COLUMN pool_perf.top_queries.calls IS
'Executions that ended, well or not. All other figures of the row are over them.';
COMMENT ON COLUMN pool_perf.top_queries.failed_calls IS
'Calls that ended with an error, a cancel, a timeout or the end of their session.';
COMMENT ON COLUMN pool_perf.top_queries.mean_time IS
'Mean server time of a call, in milliseconds.';
COMMENT ON COLUMN pool_perf.top_queries.p95_time IS
'95th percentile of server time over all calls, in milliseconds.';
COMMENT ON COLUMN pool_perf.top_queries.p99_time IS
'99th percentile of server time over all calls, in milliseconds.';
COMMENT ON COLUMN pool_perf.top_queries.max_time IS
'Longest server time of a call, in milliseconds.';
COMMENT ON COLUMN pool_perf.top_queries.total_time IS
'Server time: planning, execution and what came before, in milliseconds.';
COMMENT ON COLUMN pool_perf.top_queries.rows_per_call IS
'Rows returned or affected by a call.';
COMMENT ON COLUMN pool_perf.top_queries.cache_hit_percent IS
'Shared blocks found in the buffer cache, of all that were wanted; NULL if none was.';
COMMENT ON COLUMN pool_perf.top_queries.datname IS
'Name of the database; NULL if it was dropped.';
COMMENT ON COLUMN pool_perf.top_queries.usename IS
'Name of the user; NULL if it was dropped and in <other> rows.';
COMMENT ON COLUMN pool_perf.top_queries.queryid IS
'The server''s id of the query, as in pg_stat_activity; NULL in <other> rows, without a query id, and for those who may not see it. A utility statement without one, or with literals on PostgreSQL 15, has an id made from its masked text.';
COMMENT ON COLUMN pool_perf.top_queries.query IS
'The normalised text on one line, in 100 characters at most.';

CREATE FUNCTION pool_perf.failure_rates(
    OUT dbid oid,
    OUT failed_percent_1m double precision,
    OUT failed_percent_5m double precision,
    OUT failed_percent_15m double precision,
    OUT calls_5m bigint,
    OUT failed_calls_5m bigint,
    OUT expected_failures_5m bigint
)
RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10
AS 'MODULE_PATHNAME', 'pp_failure_rates';
COMMENT ON FUNCTION pool_perf.failure_rates() IS
'One row for each database that clients used in the last 15 minutes, up to 64: the share of their calls that failed in the last 1, 5 and 15 minutes, as in pool_perf.databases (NULL without calls), and calls, failed calls, and of these those that applications expect: constraint violations, raised exceptions, serialization failures and deadlocks, in the last 5 minutes.';

CREATE VIEW pool_perf.databases AS
    SELECT q.dbid,
           q.datname,
           sum(q.calls)::bigint AS calls,
           sum(q.failed_calls)::bigint AS failed_calls,
           sum(q.rows)::bigint AS rows,
           sum(q.plans)::bigint AS plans,
           sum(q.total_plan_time) AS total_plan_time,
           max(q.max_plan_time) AS max_plan_time,
           sum(q.total_exec_time) AS total_exec_time,
           max(q.max_exec_time) AS max_exec_time,
           sum(q.total_before_time) AS total_before_time,
           sum(q.total_time) AS total_time,
           max(q.max_time) AS max_time,
           least(pool_perf.quantile(pool_perf.sum(q.histogram), 0.5), max(q.max_time)) AS p50_time,
           least(pool_perf.quantile(pool_perf.sum(q.histogram), 0.95), max(q.max_time)) AS p95_time,
           least(pool_perf.quantile(pool_perf.sum(q.histogram), 0.99), max(q.max_time)) AS p99_time,
           least(pool_perf.quantile(pool_perf.sum(q.histogram), 0.999), max(q.max_time)) AS p999_time,
           sum(q.total_failed_time) AS total_failed_time,
           max(q.max_failed_time) AS max_failed_time,
           sum(q.within_50ms)::bigint AS within_50ms,
           sum(q.within_100ms)::bigint AS within_100ms,
           sum(q.within_200ms)::bigint AS within_200ms,
           sum(q.within_500ms)::bigint AS within_500ms,
           sum(q.within_1s)::bigint AS within_1s,
           sum(q.within_5s)::bigint AS within_5s,
           sum(q.shared_blks_hit)::bigint AS shared_blks_hit,
           sum(q.shared_blks_read)::bigint AS shared_blks_read,
           sum(q.shared_blks_dirtied)::bigint AS shared_blks_dirtied,
           sum(q.shared_blks_written)::bigint AS shared_blks_written,
           sum(q.local_blks_hit)::bigint AS local_blks_hit,
           sum(q.local_blks_read)::bigint AS local_blks_read,
           sum(q.local_blks_dirtied)::bigint AS local_blks_dirtied,
           sum(q.local_blks_written)::bigint AS local_blks_written,
           sum(q.temp_blks_read)::bigint AS temp_blks_read,
           sum(q.temp_blks_written)::bigint AS temp_blks_written,
           sum(q.shared_blk_read_time) AS shared_blk_read_time,
           sum(q.shared_blk_write_time) AS shared_blk_write_time,
           sum(q.local_blk_read_time) AS local_blk_read_time,
           sum(q.local_blk_write_time) AS local_blk_write_time,
           sum(q.temp_blk_read_time) AS temp_blk_read_time,
           sum(q.temp_blk_write_time) AS temp_blk_write_time,
           sum(q.wal_records)::bigint AS wal_records,
           sum(q.wal_fpi)::bigint AS wal_fpi,
           sum(q.wal_bytes)::bigint AS wal_bytes,
           sum(q.jit_functions)::bigint AS jit_functions,
           sum(q.jit_generation_time) AS jit_generation_time,
           sum(q.jit_inlining_count)::bigint AS jit_inlining_count,
           sum(q.jit_inlining_time) AS jit_inlining_time,
           sum(q.jit_optimization_count)::bigint AS jit_optimization_count,
           sum(q.jit_optimization_time) AS jit_optimization_time,
           sum(q.jit_emission_count)::bigint AS jit_emission_count,
           sum(q.jit_emission_time) AS jit_emission_time,
           sum(q.jit_deform_count)::bigint AS jit_deform_count,
           sum(q.jit_deform_time) AS jit_deform_time,
           max(r.failed_percent_1m) AS failed_percent_1m,
           max(r.failed_percent_5m) AS failed_percent_5m,
           max(r.failed_percent_15m) AS failed_percent_15m,
           min(q.first_seen) AS first_seen,
           max(q.last_seen) AS last_seen,
           pool_perf.sum(q.histogram) AS histogram
    FROM pool_perf.queries(false) AS q
    LEFT JOIN pool_perf.failure_rates() AS r ON r.dbid = q.dbid
    WHERE q.toplevel
    GROUP BY q.dbid, q.datname;

COMMENT ON VIEW pool_perf.databases IS
'How are the databases doing? Totals and percentiles of each, over statements at top level: the time of nested ones is inside of their parents.';
COMMENT ON COLUMN pool_perf.databases.dbid IS
'OID of the database; NULL in the <other> row shared by databases beyond those that have one of their own: at most 64, and fewer where pool_perf.max_queries is small.';
COMMENT ON COLUMN pool_perf.databases.datname IS
'Name of the database; NULL if it was dropped.';
COMMENT ON COLUMN pool_perf.databases.calls IS
'Executions that ended, well or not. All other figures of the row are over them.';
COMMENT ON COLUMN pool_perf.databases.failed_calls IS
'Calls that ended with an error, a cancel, a timeout or the end of their session.';
COMMENT ON COLUMN pool_perf.databases.rows IS
'Rows returned or affected.';
COMMENT ON COLUMN pool_perf.databases.plans IS
'Calls that were planned; the others used a cached plan.';
COMMENT ON COLUMN pool_perf.databases.total_plan_time IS
'Time spent planning, in milliseconds.';
COMMENT ON COLUMN pool_perf.databases.max_plan_time IS
'Longest planning, in milliseconds.';
COMMENT ON COLUMN pool_perf.databases.total_exec_time IS
'Time spent executing, the sending of rows included, in milliseconds.';
COMMENT ON COLUMN pool_perf.databases.max_exec_time IS
'Longest execution, in milliseconds.';
COMMENT ON COLUMN pool_perf.databases.total_before_time IS
'Time from the arrival of the client''s message to planning or execution: parse analysis, its lock waits, start of the executor. In milliseconds.';
COMMENT ON COLUMN pool_perf.databases.total_time IS
'Server time: planning, execution and what came before, in milliseconds.';
COMMENT ON COLUMN pool_perf.databases.max_time IS
'Longest server time of a call, in milliseconds.';
COMMENT ON COLUMN pool_perf.databases.p50_time IS
'Median of server time, in milliseconds; within 4.4 %, as all percentiles.';
COMMENT ON COLUMN pool_perf.databases.p95_time IS
'95th percentile of server time over all calls, in milliseconds.';
COMMENT ON COLUMN pool_perf.databases.p99_time IS
'99th percentile of server time over all calls, in milliseconds.';
COMMENT ON COLUMN pool_perf.databases.p999_time IS
'99.9th percentile of server time over all calls, in milliseconds.';
COMMENT ON COLUMN pool_perf.databases.total_failed_time IS
'Server time of failed calls, in milliseconds.';
COMMENT ON COLUMN pool_perf.databases.max_failed_time IS
'Longest server time of a failed call, in milliseconds.';
COMMENT ON COLUMN pool_perf.databases.within_50ms IS
'Calls of at most 50 ms of server time; exact, as all of these.';
COMMENT ON COLUMN pool_perf.databases.within_100ms IS
'Calls of at most 100 ms.';
COMMENT ON COLUMN pool_perf.databases.within_200ms IS
'Calls of at most 200 ms.';
COMMENT ON COLUMN pool_perf.databases.within_500ms IS
'Calls of at most 500 ms.';
COMMENT ON COLUMN pool_perf.databases.within_1s IS
'Calls of at most 1 s.';
COMMENT ON COLUMN pool_perf.databases.within_5s IS
'Calls of at most 5 s.';
COMMENT ON COLUMN pool_perf.databases.shared_blks_hit IS
'Shared blocks found in the buffer cache.';
COMMENT ON COLUMN pool_perf.databases.shared_blks_read IS
'Shared blocks read.';
COMMENT ON COLUMN pool_perf.databases.shared_blks_dirtied IS
'Shared blocks dirtied.';
COMMENT ON COLUMN pool_perf.databases.shared_blks_written IS
'Shared blocks written.';
COMMENT ON COLUMN pool_perf.databases.local_blks_hit IS
'Blocks of temporary tables found in the local cache.';
COMMENT ON COLUMN pool_perf.databases.local_blks_read IS
'Blocks of temporary tables read.';
COMMENT ON COLUMN pool_perf.databases.local_blks_dirtied IS
'Blocks of temporary tables dirtied.';
COMMENT ON COLUMN pool_perf.databases.local_blks_written IS
'Blocks of temporary tables written.';
COMMENT ON COLUMN pool_perf.databases.temp_blks_read IS
'Temporary blocks (sorts, hashes) read.';
COMMENT ON COLUMN pool_perf.databases.temp_blks_written IS
'Temporary blocks (sorts, hashes) written.';
COMMENT ON COLUMN pool_perf.databases.shared_blk_read_time IS
'Time reading shared blocks, in milliseconds; 0 with track_io_timing off; before PostgreSQL 17 local blocks included.';
COMMENT ON COLUMN pool_perf.databases.shared_blk_write_time IS
'Time writing shared blocks, in milliseconds; likewise.';
COMMENT ON COLUMN pool_perf.databases.local_blk_read_time IS
'Time reading local blocks, in milliseconds; NULL before PostgreSQL 17.';
COMMENT ON COLUMN pool_perf.databases.local_blk_write_time IS
'Time writing local blocks, in milliseconds; NULL before PostgreSQL 17.';
COMMENT ON COLUMN pool_perf.databases.temp_blk_read_time IS
'Time reading temporary blocks, in milliseconds; 0 with track_io_timing off.';
COMMENT ON COLUMN pool_perf.databases.temp_blk_write_time IS
'Time writing temporary blocks, in milliseconds; likewise.';
COMMENT ON COLUMN pool_perf.databases.wal_records IS
'WAL records written.';
COMMENT ON COLUMN pool_perf.databases.wal_fpi IS
'Full page images in them.';
COMMENT ON COLUMN pool_perf.databases.wal_bytes IS
'WAL written, in bytes.';
COMMENT ON COLUMN pool_perf.databases.jit_functions IS
'Functions compiled just in time.';
COMMENT ON COLUMN pool_perf.databases.jit_generation_time IS
'Time generating them, in milliseconds.';
COMMENT ON COLUMN pool_perf.databases.jit_inlining_count IS
'Calls in which functions were inlined.';
COMMENT ON COLUMN pool_perf.databases.jit_inlining_time IS
'Time inlining, in milliseconds.';
COMMENT ON COLUMN pool_perf.databases.jit_optimization_count IS
'Calls in which code was optimised.';
COMMENT ON COLUMN pool_perf.databases.jit_optimization_time IS
'Time optimising, in milliseconds.';
COMMENT ON COLUMN pool_perf.databases.jit_emission_count IS
'Calls in which code was emitted.';
COMMENT ON COLUMN pool_perf.databases.jit_emission_time IS
'Time emitting, in milliseconds.';
COMMENT ON COLUMN pool_perf.databases.jit_deform_count IS
'Calls in which tuple deforming was compiled; NULL before PostgreSQL 17.';
COMMENT ON COLUMN pool_perf.databases.jit_deform_time IS
'Time compiling tuple deforming, in milliseconds; NULL before PostgreSQL 17.';
COMMENT ON COLUMN pool_perf.databases.failed_percent_1m IS
'Share of the calls of the last minute that failed, as the worker saw it within the last 10 seconds; NULL without calls.';
COMMENT ON COLUMN pool_perf.databases.failed_percent_5m IS
'The same, over the last 5 minutes.';
COMMENT ON COLUMN pool_perf.databases.failed_percent_15m IS
'The same, over the last 15 minutes.';
COMMENT ON COLUMN pool_perf.databases.first_seen IS
'When the first call began.';
COMMENT ON COLUMN pool_perf.databases.last_seen IS
'When the latest call began.';
COMMENT ON COLUMN pool_perf.databases.histogram IS
'Distribution of server time over all calls; sum() and quantile() combine rows, windows and servers.';

/* ---- running statements ---------------------------------------------------------- */

CREATE FUNCTION pool_perf.running_queries(
    OUT pid integer,
    OUT dbid oid,
    OUT userid oid,
    OUT application_name text,
    OUT client_addr inet,
    OUT queryid bigint,
    OUT query text,
    OUT started_at timestamp with time zone,
    OUT elapsed_time double precision,
    OUT severity text,
    OUT state text,
    OUT wait_event_type text,
    OUT wait_event text,
    OUT waits jsonb,
    OUT blocked_by integer[],
    OUT root_blocker integer,
    OUT root_blocker_state text,
    OUT root_blocker_xact_time double precision,
    OUT root_transaction xid
)
RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 20
AS 'MODULE_PATHNAME', 'pp_running_queries';
COMMENT ON FUNCTION pool_perf.running_queries() IS
'What the view pool_perf.running_queries shows, with OIDs for names; root_transaction is that of the prepared transaction that is the root blocker.';

CREATE VIEW pool_perf.running_queries AS
    SELECT r.pid,
           d.datname,
           u.rolname AS usename,
           r.application_name,
           r.client_addr,
           r.queryid,
           r.query,
           r.started_at,
           r.elapsed_time,
           r.severity,
           r.state,
           r.wait_event_type,
           r.wait_event,
           r.waits,
           r.blocked_by,
           r.root_blocker,
           r.root_blocker_state,
           CASE WHEN r.root_transaction IS NULL THEN r.root_blocker_xact_time
                ELSE (SELECT extract(epoch FROM pg_catalog.clock_timestamp() - p.prepared) * 1000
                      FROM pg_catalog.pg_prepared_xacts AS p
                      WHERE p.transaction = r.root_transaction)::double precision
           END AS root_blocker_xact_time
    FROM pool_perf.running_queries() AS r
         LEFT JOIN pg_catalog.pg_database AS d ON d.oid = r.dbid
         LEFT JOIN pg_catalog.pg_roles AS u ON u.oid = r.userid;

COMMENT ON VIEW pool_perf.running_queries IS
'What runs now, what does it wait for, and who blocks it? One row for each session in which a statement runs.';
COMMENT ON COLUMN pool_perf.running_queries.pid IS
'Process id of the session.';
COMMENT ON COLUMN pool_perf.running_queries.datname IS
'Name of its database.';
COMMENT ON COLUMN pool_perf.running_queries.usename IS
'Name of the user who logged in.';
COMMENT ON COLUMN pool_perf.running_queries.application_name IS
'Its application_name; NULL if it has none.';
COMMENT ON COLUMN pool_perf.running_queries.client_addr IS
'Address of the client; NULL: a Unix socket.';
COMMENT ON COLUMN pool_perf.running_queries.queryid IS
'Id of the query, as in pool_perf.queries; NULL while the statement is in parse analysis, which can wait for the lock of a table, and without a query id.';
COMMENT ON COLUMN pool_perf.running_queries.query IS
'The normalised text; in parse analysis the whole message, masked.';
COMMENT ON COLUMN pool_perf.running_queries.started_at IS
'When its server time began.';
COMMENT ON COLUMN pool_perf.running_queries.elapsed_time IS
'Time since then, in milliseconds.';
COMMENT ON COLUMN pool_perf.running_queries.severity IS
'info, warning or critical, by the thresholds that hold in its session: pool_perf.log_min_duration and the like; NULL below them.';
COMMENT ON COLUMN pool_perf.running_queries.state IS
'As in pg_stat_activity.';
COMMENT ON COLUMN pool_perf.running_queries.wait_event_type IS
'Kind of what it waits for, as in pg_stat_activity; NULL: it does not wait.';
COMMENT ON COLUMN pool_perf.running_queries.wait_event IS
'What it waits for; NULL: it does not wait.';
COMMENT ON COLUMN pool_perf.running_queries.waits IS
'What it was seen waiting for since it began: objects with wait_event_type, wait_event (both null: it did not wait) and samples, one look every pool_perf.sample_interval; the first 6 kinds. NULL: not seen yet.';
COMMENT ON COLUMN pool_perf.running_queries.blocked_by IS
'Process ids of those who hold the lock that it waits for, the longest transaction first, and then of those ahead of it in the queue; 8 at most; 0 is a prepared transaction. NULL until it has waited for a second and pool_perf has looked.';
COMMENT ON COLUMN pool_perf.running_queries.root_blocker IS
'Process id at the end of the chain of first blockers: who waits for no lock; 0: a prepared transaction.';
COMMENT ON COLUMN pool_perf.running_queries.root_blocker_state IS
'State of that session, as in pg_stat_activity; NULL for a prepared transaction.';
COMMENT ON COLUMN pool_perf.running_queries.root_blocker_xact_time IS
'How long its transaction has been open, or prepared, in milliseconds.';

CREATE FUNCTION pool_perf.query_waits(
    OUT dbid oid,
    OUT userid oid,
    OUT queryid bigint,
    OUT wait_event_type text,
    OUT wait_event text,
    OUT samples bigint,
    OUT wait_percent double precision
)
RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 100
AS 'MODULE_PATHNAME', 'pp_query_waits';
COMMENT ON FUNCTION pool_perf.query_waits() IS
'What the view pool_perf.query_waits shows.';

CREATE VIEW pool_perf.query_waits AS
    SELECT * FROM pool_perf.query_waits();

COMMENT ON VIEW pool_perf.query_waits IS
'What do queries wait for? One row for each query at top level and wait event, from looks at the running statements, once every pool_perf.sample_interval.';
COMMENT ON COLUMN pool_perf.query_waits.dbid IS
'OID of the database.';
COMMENT ON COLUMN pool_perf.query_waits.userid IS
'OID of the user that the statement ran as.';
COMMENT ON COLUMN pool_perf.query_waits.queryid IS
'Id of the query, as in pool_perf.queries; NULL without one, and for those who may not see it.';
COMMENT ON COLUMN pool_perf.query_waits.wait_event_type IS
'Kind of what it waited for, as in pg_stat_activity; CPU: it did not wait.';
COMMENT ON COLUMN pool_perf.query_waits.wait_event IS
'What it waited for; CPU: it did not wait; <other>: samples that had to make room, of any query.';
COMMENT ON COLUMN pool_perf.query_waits.samples IS
'How often a running statement was seen in it.';
COMMENT ON COLUMN pool_perf.query_waits.wait_percent IS
'Share of the samples of this query; NULL in the row <other>.';

/* ---- errors --------------------------------------------------------------------- */

CREATE FUNCTION pool_perf.errors(
    OUT dbid oid,
    OUT userid oid,
    OUT queryid bigint,
    OUT query text,
    OUT sqlstate text,
    OUT condition text,
    OUT error_severity text,
    OUT outcome text,
    OUT errors bigint,
    OUT message text,
    OUT total_failed_time double precision,
    OUT max_failed_time double precision,
    OUT first_seen timestamp with time zone,
    OUT last_seen timestamp with time zone
)
RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 100
AS 'MODULE_PATHNAME', 'pp_errors';
COMMENT ON FUNCTION pool_perf.errors() IS
'What the view pool_perf.errors shows, without names and texts, for those who poll numbers often. query tells why there is no text to look up: <other>, <no query id>, <insufficient privilege>.';

CREATE VIEW pool_perf.errors AS
    SELECT e.dbid,
           d.datname,
           e.userid,
           r.rolname AS usename,
           e.queryid,
           coalesce(e.query, q.query, CASE WHEN e.queryid IS NOT NULL THEN '<text not recorded>' END) AS query,
           e.sqlstate,
           e.condition,
           e.error_severity,
           e.outcome,
           e.errors,
           e.message,
           e.total_failed_time,
           e.max_failed_time,
           e.first_seen,
           e.last_seen
    FROM pool_perf.errors() AS e
    LEFT JOIN pg_catalog.pg_database AS d ON d.oid = e.dbid
    LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = e.userid
    LEFT JOIN (SELECT t.dbid, t.userid, t.queryid, max(t.query) AS query
               FROM pool_perf.queries(true) AS t
               WHERE t.queryid IS NOT NULL AND t.query <> '<text not recorded>'
               GROUP BY t.dbid, t.userid, t.queryid) AS q
           ON q.dbid = e.dbid AND q.userid = e.userid AND q.queryid = e.queryid;

COMMENT ON VIEW pool_perf.errors IS
'What fails, how often, and in which query? One row for each database, user, query, SQLSTATE and outcome. Every error counts once, also one that an EXCEPTION block catches, whatever the log shows. What eviction removed stands in the <other> row of its database.';
COMMENT ON COLUMN pool_perf.errors.dbid IS
'OID of the database; NULL without one, and in the <other> row shared by databases beyond 64.';
COMMENT ON COLUMN pool_perf.errors.datname IS
'Name of the database; NULL if it was dropped.';
COMMENT ON COLUMN pool_perf.errors.userid IS
'OID of the user that the statement ran as; NULL in <other> rows.';
COMMENT ON COLUMN pool_perf.errors.usename IS
'Name of the user; NULL if it was dropped and in <other> rows.';
COMMENT ON COLUMN pool_perf.errors.queryid IS
'Id of the innermost measured query that ran, as in pool_perf.queries; NULL if none did, in <other> rows, and for those who may not see it.';
COMMENT ON COLUMN pool_perf.errors.query IS
'Its normalised text; NULL for errors before any query runs: of syntax, of names, of permissions in parse analysis, in an aborted transaction, of an idle session.';
COMMENT ON COLUMN pool_perf.errors.sqlstate IS
'SQLSTATE of the error; NULL in <other> rows.';
COMMENT ON COLUMN pool_perf.errors.condition IS
'Its name, as PL/pgSQL has it; NULL if it has none.';
COMMENT ON COLUMN pool_perf.errors.error_severity IS
'ERROR, or FATAL: it ended the session.';
COMMENT ON COLUMN pool_perf.errors.outcome IS
'error, cancelled (by request of a user), timeout (of statement, lock, transaction or idling), terminated (with its session).';
COMMENT ON COLUMN pool_perf.errors.errors IS
'How often it was raised.';
COMMENT ON COLUMN pool_perf.errors.message IS
'Format of the latest message: the text without the values, in English; at most 127 bytes. %s is a message that a function made itself. NULL if it is not known: of an error in a parallel worker.';
COMMENT ON COLUMN pool_perf.errors.total_failed_time IS
'Time from the beginning of the query to the error, in milliseconds; without a query, from the arrival of the client''s message.';
COMMENT ON COLUMN pool_perf.errors.max_failed_time IS
'The longest of these times, in milliseconds.';
COMMENT ON COLUMN pool_perf.errors.first_seen IS
'When it was raised first.';
COMMENT ON COLUMN pool_perf.errors.last_seen IS
'When it was raised last.';

/* ---- slow executions --------------------------------------------------------- */

CREATE FUNCTION pool_perf.slow_queries(
    OUT slow_query_id bigint,
    OUT started_at timestamp with time zone,
    OUT ended_at timestamp with time zone,
    OUT severity text,
    OUT outcome text,
    OUT sqlstate text,
    OUT total_time double precision,
    OUT before_time double precision,
    OUT plan_time double precision,
    OUT exec_time double precision,
    OUT rows bigint,
    OUT pid integer,
    OUT datname name,
    OUT usename name,
    OUT application_name text,
    OUT client_addr inet,
    OUT queryid bigint,
    OUT fingerprint bigint,
    OUT query text,
    OUT parameters text,
    OUT plan text,
    OUT shared_blks_hit bigint,
    OUT shared_blks_read bigint,
    OUT temp_blks_written bigint,
    OUT wal_bytes bigint,
    OUT waits jsonb,
    OUT blocked_by integer[]
)
RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 1000
AS 'MODULE_PATHNAME', 'pp_slow_queries';
COMMENT ON FUNCTION pool_perf.slow_queries() IS
'What the view pool_perf.slow_queries shows, in no order.';

CREATE VIEW pool_perf.slow_queries AS
    SELECT * FROM pool_perf.slow_queries() AS s ORDER BY s.slow_query_id DESC;

COMMENT ON VIEW pool_perf.slow_queries IS
'What was slow lately, why, and what was it? One row for each of the last executions that took at least pool_perf.log_min_duration (or a lower threshold of alerts), the newest first; failed and cancelled ones are among them. At most 20 for each queryid; a fifth of the places is for critical ones.';
COMMENT ON COLUMN pool_perf.slow_queries.slow_query_id IS
'Number of the slow execution, ascending since server start.';
COMMENT ON COLUMN pool_perf.slow_queries.started_at IS
'When it began.';
COMMENT ON COLUMN pool_perf.slow_queries.ended_at IS
'When it ended.';
COMMENT ON COLUMN pool_perf.slow_queries.severity IS
'info, warning or critical: by pool_perf.log_min_duration, alert_min_duration and critical_min_duration of its session.';
COMMENT ON COLUMN pool_perf.slow_queries.outcome IS
'ok, error, cancelled, timeout or terminated.';
COMMENT ON COLUMN pool_perf.slow_queries.sqlstate IS
'SQLSTATE of the error that ended it; NULL if none did, or if it is not known.';
COMMENT ON COLUMN pool_perf.slow_queries.total_time IS
'Server time in milliseconds: before_time, plan_time and exec_time.';
COMMENT ON COLUMN pool_perf.slow_queries.before_time IS
'From the arrival of the message until planning: parse analysis and its lock waits, in milliseconds.';
COMMENT ON COLUMN pool_perf.slow_queries.plan_time IS
'Planning, in milliseconds.';
COMMENT ON COLUMN pool_perf.slow_queries.exec_time IS
'Execution, with the sending of rows, in milliseconds.';
COMMENT ON COLUMN pool_perf.slow_queries.rows IS
'Rows returned or changed.';
COMMENT ON COLUMN pool_perf.slow_queries.pid IS
'Process of the session. NULL, as all that tells about the session and the text, without pg_read_all_stats, but for the reader''s own.';
COMMENT ON COLUMN pool_perf.slow_queries.datname IS
'Name of the database; NULL if it was dropped.';
COMMENT ON COLUMN pool_perf.slow_queries.usename IS
'Name of the user who ran it; NULL if dropped.';
COMMENT ON COLUMN pool_perf.slow_queries.application_name IS
'application_name of the session.';
COMMENT ON COLUMN pool_perf.slow_queries.client_addr IS
'Address of the client; NULL for a Unix socket.';
COMMENT ON COLUMN pool_perf.slow_queries.queryid IS
'Query id, as in pool_perf.queries.';
COMMENT ON COLUMN pool_perf.slow_queries.fingerprint IS
'Fingerprint, as in pool_perf.queries.';
COMMENT ON COLUMN pool_perf.slow_queries.query IS
'Up to 1 kB of the text: normalised, or with literals where pool_perf.log_parameters is on; that of utility statements is always normalised.';
COMMENT ON COLUMN pool_perf.slow_queries.parameters IS
'Values of the parameters, up to 1 kB, where pool_perf.log_parameters is on; NULL for failed ones.';
COMMENT ON COLUMN pool_perf.slow_queries.plan IS
'The plan, up to 8 kB. Literals are <value> where pool_perf.log_parameters is off. With actual rows if the query had been slow shortly before. A failed execution gets the plan of the next one, which begins with "Plan of a later execution".';
COMMENT ON COLUMN pool_perf.slow_queries.shared_blks_hit IS
'Shared blocks found in the buffer cache.';
COMMENT ON COLUMN pool_perf.slow_queries.shared_blks_read IS
'Shared blocks read.';
COMMENT ON COLUMN pool_perf.slow_queries.temp_blks_written IS
'Temporary blocks written: sorts and hashes that did not fit into work_mem.';
COMMENT ON COLUMN pool_perf.slow_queries.wal_bytes IS
'WAL generated, in bytes.';
COMMENT ON COLUMN pool_perf.slow_queries.waits IS
'What it was seen waiting for: an array of {wait_event_type, wait_event, samples}; null names stand for work on CPU. NULL if it was not seen.';
COMMENT ON COLUMN pool_perf.slow_queries.blocked_by IS
'Processes that held it up last, by a lock; 0 stands for a prepared transaction. NULL if none was seen.';

/* ---- pool_perf itself ---------------------------------------------------------- */

CREATE FUNCTION pool_perf.library_version()
RETURNS text
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pp_library_version';
COMMENT ON FUNCTION pool_perf.library_version() IS
'Version of the loaded library. Works without preload too.';

CREATE FUNCTION pool_perf.info(
    OUT library_version text,
    OUT started_at timestamp with time zone,
    OUT stats_reset timestamp with time zone,
    OUT enabled boolean,
    OUT queries bigint,
    OUT max_queries bigint,
    OUT evictions bigint,
    OUT evictions_per_minute double precision,
    OUT flushes bigint,
    OUT texts_dropped bigint,
    OUT texts_cut bigint,
    OUT events_dropped bigint,
    OUT lock_waits bigint,
    OUT max_lock_wait_time double precision,
    OUT torn_reads bigint,
    OUT saved_at timestamp with time zone,
    OUT save_time double precision,
    OUT save_bytes bigint,
    OUT sampled_hook_time double precision,
    OUT sampled_worker_percent double precision,
    OUT log_lines_suppressed bigint,
    OUT slow_query_errors bigint
)
RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 1
AS 'MODULE_PATHNAME', 'pp_info';
COMMENT ON FUNCTION pool_perf.info() IS
'What the view pool_perf.info shows, but for the version of the SQL objects.';

CREATE VIEW pool_perf.info AS
    SELECT i.library_version,
           (SELECT e.extversion FROM pg_catalog.pg_extension AS e WHERE e.extname = 'pool_perf') AS extension_version,
           i.started_at,
           i.stats_reset,
           i.enabled,
           i.queries,
           i.max_queries,
           i.evictions,
           i.evictions_per_minute,
           i.flushes,
           i.texts_dropped,
           i.texts_cut,
           i.events_dropped,
           i.lock_waits,
           i.max_lock_wait_time,
           i.torn_reads,
           i.saved_at,
           i.save_time,
           i.save_bytes,
           i.sampled_hook_time,
           i.sampled_worker_percent,
           i.log_lines_suppressed,
           i.slow_query_errors
    FROM pool_perf.info() AS i;

COMMENT ON VIEW pool_perf.info IS
'What is pool_perf doing, and what does it cost and drop? One row.';
COMMENT ON COLUMN pool_perf.info.library_version IS
'Version of the loaded library.';
COMMENT ON COLUMN pool_perf.info.started_at IS
'When the server started, or recovered from a crash; counters of this view begin then.';
COMMENT ON COLUMN pool_perf.info.stats_reset IS
'When all statistics were reset last; at first, when they began.';
COMMENT ON COLUMN pool_perf.info.enabled IS
'Whether statements are measured: pool_perf.enabled.';
COMMENT ON COLUMN pool_perf.info.queries IS
'Rows of pool_perf.queries now, <other> rows not counted.';
COMMENT ON COLUMN pool_perf.info.max_queries IS
'pool_perf.max_queries.';
COMMENT ON COLUMN pool_perf.info.evictions IS
'Queries that lost their row to the <other> row, since server start.';
COMMENT ON COLUMN pool_perf.info.evictions_per_minute IS
'The same, over the last minute.';
COMMENT ON COLUMN pool_perf.info.flushes IS
'How often a backend handed in what it had counted, up to 32 executions at a time.';
COMMENT ON COLUMN pool_perf.info.texts_dropped IS
'Texts that were not kept for want of text memory.';
COMMENT ON COLUMN pool_perf.info.texts_cut IS
'Texts longer than pool_perf.max_text_length.';
COMMENT ON COLUMN pool_perf.info.events_dropped IS
'Executions that were not measured, for want of backend memory.';
COMMENT ON COLUMN pool_perf.info.lock_waits IS
'How often a backend had to wait for pool_perf.';
COMMENT ON COLUMN pool_perf.info.max_lock_wait_time IS
'The longest of these waits, in milliseconds.';
COMMENT ON COLUMN pool_perf.info.torn_reads IS
'Lines that a reader took while they were being written, after 10,000 tries; each may be off by one execution in that one result.';
COMMENT ON COLUMN pool_perf.info.saved_at IS
'Last save to disk; NULL if there was none since server start.';
COMMENT ON COLUMN pool_perf.info.save_time IS
'How long it took, in milliseconds.';
COMMENT ON COLUMN pool_perf.info.save_bytes IS
'Size of the file, in bytes.';
COMMENT ON COLUMN pool_perf.info.sampled_hook_time IS
'pool_perf''s own time in a statement, in milliseconds: mean of one statement in 1,009.';
COMMENT ON COLUMN pool_perf.info.sampled_worker_percent IS
'CPU time of pool_perf''s worker since it began, in percent of one core.';
COMMENT ON COLUMN pool_perf.info.log_lines_suppressed IS
'Lines about slow executions that pool_perf.log_rate and pool_perf.log_rate_total held back.';
COMMENT ON COLUMN pool_perf.info.slow_query_errors IS
'Texts, parameters, plans and log lines of slow executions that could not be made because of an error, or because a catalogue was locked.';
COMMENT ON COLUMN pool_perf.info.extension_version IS
'Version of the SQL objects in this database.';

CREATE FUNCTION pool_perf.memory(
    OUT component text,
    OUT used_bytes bigint,
    OUT max_bytes bigint,
    OUT used_percent double precision,
    OUT entries bigint,
    OUT max_entries bigint,
    OUT dropped bigint
)
RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10
AS 'MODULE_PATHNAME', 'pp_memory';
COMMENT ON FUNCTION pool_perf.memory() IS
'What the view pool_perf.memory shows.';

CREATE VIEW pool_perf.memory AS
    SELECT * FROM pool_perf.memory();

COMMENT ON VIEW pool_perf.memory IS
'How much shared memory does pool_perf have, and how full is it? One row for each component.';
COMMENT ON COLUMN pool_perf.memory.component IS
'What the memory is for: queries, texts, pending (executions not handed in yet), sessions (what they run), waits, errors, slow_queries, alerts, notifications (that wait to be sent), control.';
COMMENT ON COLUMN pool_perf.memory.used_bytes IS
'Bytes in use.';
COMMENT ON COLUMN pool_perf.memory.max_bytes IS
'Bytes taken at server start; it never grows.';
COMMENT ON COLUMN pool_perf.memory.used_percent IS
'Share of it in use.';
COMMENT ON COLUMN pool_perf.memory.entries IS
'Entries in use: queries, chunks of text, backends, waits of queries, rows of errors, slow executions, alerts, notifications.';
COMMENT ON COLUMN pool_perf.memory.max_entries IS
'Entries there is room for.';
COMMENT ON COLUMN pool_perf.memory.dropped IS
'What there was no room for, since server start: queries evicted, texts dropped, executions not measured, waits, rows of errors and alerts evicted, notifications not sent, slow executions that fell out of pool_perf.slow_queries or found no place in it.';

CREATE FUNCTION pool_perf.health(
    extension_version text,
    OUT check_name text,
    OUT category text,
    OUT status text,
    OUT value double precision,
    OUT unit text,
    OUT warning_threshold double precision,
    OUT critical_threshold double precision,
    OUT message text,
    OUT remedy text,
    OUT checked_at timestamp with time zone,
    OUT changed_at timestamp with time zone
)
RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10
AS 'MODULE_PATHNAME', 'pp_health';
COMMENT ON FUNCTION pool_perf.health(text) IS
'What the view pool_perf.health shows; takes the version of the SQL objects in this database.';

CREATE VIEW pool_perf.health AS
    SELECT h.*
    FROM pool_perf.health((SELECT e.extversion FROM pg_catalog.pg_extension AS e WHERE e.extname = 'pool_perf')) AS h;

COMMENT ON VIEW pool_perf.health IS
'Is everything in order, and if not, what is to be done? One row for each check; they are run every 30 seconds, without anyone asking, and those that change fast also when they are read.';
COMMENT ON COLUMN pool_perf.health.check_name IS
'Name of the check.';
COMMENT ON COLUMN pool_perf.health.category IS
'availability, capacity, latency, errors or self (pool_perf itself).';
COMMENT ON COLUMN pool_perf.health.status IS
'ok, warning, critical or unknown.';
COMMENT ON COLUMN pool_perf.health.value IS
'What was measured, in the unit; NULL where there is nothing to measure.';
COMMENT ON COLUMN pool_perf.health.unit IS
'ms, percent, bytes, s, per_minute or none.';
COMMENT ON COLUMN pool_perf.health.warning_threshold IS
'The status is warning from this value on; NULL: does not depend on a value.';
COMMENT ON COLUMN pool_perf.health.critical_threshold IS
'The status is critical from this value on; NULL: never.';
COMMENT ON COLUMN pool_perf.health.message IS
'What was found.';
COMMENT ON COLUMN pool_perf.health.remedy IS
'What to do about it; NULL: nothing.';
COMMENT ON COLUMN pool_perf.health.checked_at IS
'When it was checked last.';
COMMENT ON COLUMN pool_perf.health.changed_at IS
'Since when it has this status, as the round every 30 seconds saw it; NULL if it has changed since then, and for version.';

CREATE FUNCTION pool_perf.reset(
    userid oid DEFAULT NULL,
    dbid oid DEFAULT NULL,
    queryid bigint DEFAULT NULL
)
RETURNS timestamp with time zone
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'pp_reset';
COMMENT ON FUNCTION pool_perf.reset(oid, oid, bigint) IS
'Forgets the statistics of a user, a database or a query, or of those that all given arguments match; NULL matches all. <other> rows are forgotten by database, or all together. Returns the time of the reset: every execution counted until then is gone.';
REVOKE ALL ON FUNCTION pool_perf.reset(oid, oid, bigint) FROM PUBLIC;

/* ---- alerts ---------------------------------------------------------------------- */

CREATE FUNCTION pool_perf.alerts(
    OUT alert_id bigint,
    OUT kind text,
    OUT severity text,
    OUT is_open boolean,
    OUT subject text,
    OUT datname text,
    OUT queryid bigint,
    OUT pid integer,
    OUT value double precision,
    OUT threshold double precision,
    OUT unit text,
    OUT message text,
    OUT remedy text,
    OUT opened_at timestamp with time zone,
    OUT last_seen timestamp with time zone,
    OUT closed_at timestamp with time zone,
    OUT occurrences bigint,
    OUT outcome text,
    OUT acknowledged_at timestamp with time zone,
    OUT acknowledged_by text,
    OUT silenced boolean,
    OUT evidence jsonb
)
RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 100
AS 'MODULE_PATHNAME', 'pp_alerts';

COMMENT ON FUNCTION pool_perf.alerts() IS
'What pool_perf.alerts shows: one row for each alert that is kept.';

CREATE VIEW pool_perf.alerts AS
    SELECT * FROM pool_perf.alerts();

COMMENT ON VIEW pool_perf.alerts IS
'What is wrong now, and what was? One row for each alert, open ones and the last that closed.';
COMMENT ON COLUMN pool_perf.alerts.alert_id IS
'Number of the alert; its log lines have it too.';
COMMENT ON COLUMN pool_perf.alerts.kind IS
'What it is about: slow_query, blocked, idle_in_transaction, long_transaction, error_rate or data_loss.';
COMMENT ON COLUMN pool_perf.alerts.severity IS
'warning or critical: the worst that it has been since it was opened or reopened.';
COMMENT ON COLUMN pool_perf.alerts.is_open IS
'Does it hold? It closes when it has been gone for pool_perf.alert_cooldown, slow_query when the statement ends.';
COMMENT ON COLUMN pool_perf.alerts.subject IS
'Which query, session or part of pool_perf; there is one open alert for a kind and subject. <insufficient privilege> for those who may not see it, as message and remedy.';
COMMENT ON COLUMN pool_perf.alerts.datname IS
'Name of the database; NULL if it is about none, or as long as the name is not known.';
COMMENT ON COLUMN pool_perf.alerts.queryid IS
'Id of the query, as in pool_perf.queries; NULL if it is about none, and for those who may not see it.';
COMMENT ON COLUMN pool_perf.alerts.pid IS
'Process of the session: the one that runs the statement, holds the lock or is in the transaction; NULL likewise.';
COMMENT ON COLUMN pool_perf.alerts.value IS
'What was measured last, in the unit. Of a statement: its duration so far, the final one once it ended.';
COMMENT ON COLUMN pool_perf.alerts.threshold IS
'The alert is raised from this value on.';
COMMENT ON COLUMN pool_perf.alerts.unit IS
'Unit of value and threshold: ms, percent or none.';
COMMENT ON COLUMN pool_perf.alerts.message IS
'What was found.';
COMMENT ON COLUMN pool_perf.alerts.remedy IS
'What to do about it, to be pasted where it is SQL.';
COMMENT ON COLUMN pool_perf.alerts.opened_at IS
'When it was raised first.';
COMMENT ON COLUMN pool_perf.alerts.last_seen IS
'When it was seen to hold last.';
COMMENT ON COLUMN pool_perf.alerts.closed_at IS
'When it closed; NULL while it is open.';
COMMENT ON COLUMN pool_perf.alerts.occurrences IS
'How often it was raised: what comes back within an hour reopens its alert. Of slow_query: executions.';
COMMENT ON COLUMN pool_perf.alerts.outcome IS
'How the statement ended: ok, error, cancelled, timeout or terminated; NULL if it is about none, it still runs, or its end was not seen.';
COMMENT ON COLUMN pool_perf.alerts.acknowledged_at IS
'When somebody took note of it; NULL if nobody did.';
COMMENT ON COLUMN pool_perf.alerts.acknowledged_by IS
'Who took note of it.';
COMMENT ON COLUMN pool_perf.alerts.silenced IS
'Is, or was when it closed, nobody told of it, because of a silence?';
COMMENT ON COLUMN pool_perf.alerts.evidence IS
'What the server was doing when it was raised first: running statements, who waits for whom, connections by application and state, the most frequent of the errors seen in the last 5 minutes. NULL without pg_read_all_stats.';

CREATE FUNCTION pool_perf.acknowledge_alert(alert_id bigint)
RETURNS boolean
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'pp_acknowledge_alert';
REVOKE ALL ON FUNCTION pool_perf.acknowledge_alert(bigint) FROM PUBLIC;

COMMENT ON FUNCTION pool_perf.acknowledge_alert(bigint) IS
'Takes note of an alert, with the name of the caller and the time; if it comes back, nobody is told. False if there is no such alert.';

CREATE FUNCTION pool_perf.silences(
    OUT silence_id bigint,
    OUT kind text,
    OUT subject_pattern text,
    OUT created_at timestamp with time zone,
    OUT created_by text,
    OUT expires_at timestamp with time zone,
    OUT silenced_alerts bigint
)
RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10
AS 'MODULE_PATHNAME', 'pp_silences';

COMMENT ON FUNCTION pool_perf.silences() IS
'What pool_perf.silences shows: one row for each silence.';

CREATE VIEW pool_perf.silences AS
    SELECT * FROM pool_perf.silences();

COMMENT ON VIEW pool_perf.silences IS
'Which alerts is nobody told of, since when, until when, and by whose order? Silences stay for a day after they expire.';
COMMENT ON COLUMN pool_perf.silences.silence_id IS
'Number of the silence.';
COMMENT ON COLUMN pool_perf.silences.kind IS
'Kind of the alerts; NULL: all kinds.';
COMMENT ON COLUMN pool_perf.silences.subject_pattern IS
'Subjects, as LIKE has them; <insufficient privilege> without pg_read_all_stats, as created_by.';
COMMENT ON COLUMN pool_perf.silences.created_at IS
'When it was made.';
COMMENT ON COLUMN pool_perf.silences.created_by IS
'Who made it.';
COMMENT ON COLUMN pool_perf.silences.expires_at IS
'When it ends.';
COMMENT ON COLUMN pool_perf.silences.silenced_alerts IS
'How often an alert that was raised, or was open, has come under it.';

CREATE FUNCTION pool_perf.add_silence(
    kind text,
    subject_pattern text,
    duration interval
)
RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'pp_add_silence';
REVOKE ALL ON FUNCTION pool_perf.add_silence(text, text, interval) FROM PUBLIC;

COMMENT ON FUNCTION pool_perf.add_silence(text, text, interval) IS
'Keeps alerts of a kind (NULL: all) whose subject is LIKE the pattern (NULL: all) from being told of, for so long; the number of the silence.';

CREATE FUNCTION pool_perf.drop_silence(silence_id bigint)
RETURNS boolean
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'pp_drop_silence';
REVOKE ALL ON FUNCTION pool_perf.drop_silence(bigint) FROM PUBLIC;

COMMENT ON FUNCTION pool_perf.drop_silence(bigint) IS
'Ends a silence; what it has kept quiet and still holds is told of. False if there is no such silence.';

/* ---- the front door -------------------------------------------------------------- */

CREATE FUNCTION pool_perf.summary(
    OUT status text,
    OUT topic text,
    OUT message text,
    OUT look_at text
)
RETURNS SETOF record
LANGUAGE sql VOLATILE PARALLEL RESTRICTED ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
    WITH q AS (
        SELECT * FROM pool_perf.queries(true) AS q WHERE q.toplevel
    ), total AS (
        SELECT coalesce(sum(q.calls), 0)::bigint AS calls,
               coalesce(sum(q.failed_calls), 0)::bigint AS failed_calls,
               coalesce(sum(q.total_time), 0) AS total_time,
               coalesce(sum(q.calls - q.within_500ms), 0)::bigint AS over_500ms,
               coalesce(sum(q.calls - q.within_1s), 0)::bigint AS over_1s,
               coalesce(sum(q.calls - q.within_5s), 0)::bigint AS over_5s,
               least(pool_perf.quantile(pool_perf.sum(q.histogram), 0.5), max(q.max_time)) AS p50_time,
               least(pool_perf.quantile(pool_perf.sum(q.histogram), 0.95), max(q.max_time)) AS p95_time,
               least(pool_perf.quantile(pool_perf.sum(q.histogram), 0.99), max(q.max_time)) AS p99_time
        FROM q
    ), top AS (
        SELECT q.total_time, q.calls, left(btrim(regexp_replace(q.query, '\s+', ' ', 'g')), 60) AS query
        FROM q
        ORDER BY q.total_time DESC
        LIMIT 1
    ), failing AS (
        SELECT q.failed_calls, left(btrim(regexp_replace(q.query, '\s+', ' ', 'g')), 60) AS query
        FROM q
        WHERE q.failed_calls > 0
        ORDER BY q.failed_calls DESC, q.total_failed_time DESC
        LIMIT 1
    ), worst AS (
        SELECT count(*) FILTER (WHERE h.status = 'critical') AS critical,
               count(*) FILTER (WHERE h.status = 'warning') AS warning,
               string_agg(h.check_name, ', ' ORDER BY h.check_name) FILTER (WHERE h.status IN ('critical', 'warning')) AS names,
               count(*) AS checks
        FROM pool_perf.health((SELECT e.extversion FROM pg_catalog.pg_extension AS e WHERE e.extname = 'pool_perf')) AS h
    )
    SELECT CASE WHEN i.enabled THEN 'ok' ELSE 'warning' END,
           'statements',
           CASE WHEN t.calls = 0 THEN format('no statement since %s', date_trunc('second', i.stats_reset))
                ELSE format('%s calls since %s: half within %s ms, 95 %% within %s ms, 99 %% within %s ms',
                            t.calls, date_trunc('second', i.stats_reset),
                            round(t.p50_time::numeric, 2), round(t.p95_time::numeric, 2), round(t.p99_time::numeric, 2)) END
           || CASE WHEN i.enabled THEN '' ELSE '; pool_perf.enabled is off' END,
           'SELECT * FROM pool_perf.databases'
    FROM total AS t, pool_perf.info() AS i
    UNION ALL
    SELECT CASE WHEN t.calls < 20 THEN 'unknown'
                WHEN t.over_5s >= 0.01 * t.calls THEN 'critical'
                WHEN t.over_1s >= 0.01 * t.calls THEN 'warning'
                ELSE 'ok' END,
           'slow statements',
           format('%s over 500 ms, %s of them over 1 s, %s over 5 s', t.over_500ms, t.over_1s, t.over_5s),
           'SELECT * FROM pool_perf.queries WHERE calls > within_500ms'
    FROM total AS t
    UNION ALL
    SELECT 'ok',
           'time',
           coalesce((SELECT format('the most expensive query took %s %% of all time, in %s calls: %s',
                                   round((100 * top.total_time / nullif(t.total_time, 0))::numeric, 1), top.calls,
                                   top.query)
                     FROM top), 'no statement yet'),
           'SELECT * FROM pool_perf.top_queries'
    FROM total AS t
    UNION ALL
    SELECT CASE WHEN t.calls < 20 THEN 'unknown'
                WHEN t.failed_calls >= 0.05 * t.calls THEN 'critical'
                WHEN t.failed_calls >= 0.01 * t.calls THEN 'warning'
                ELSE 'ok' END,
           'failures',
           format('%s of %s calls failed (%s %%)', t.failed_calls, t.calls,
                  round(coalesce(100.0 * t.failed_calls / nullif(t.calls, 0), 0), 2))
           || coalesce((SELECT format('; most often, %s times: %s', f.failed_calls, f.query)
                        FROM failing AS f), ''),
           'SELECT * FROM pool_perf.queries WHERE failed_calls > 0'
    FROM total AS t
    UNION ALL
    SELECT h.status,
           CASE h.check_name WHEN 'slow_queries' THEN 'recent slow statements' WHEN 'failures' THEN 'recent failures' ELSE h.check_name END,
           h.message,
           CASE h.check_name WHEN 'alerts' THEN 'SELECT * FROM pool_perf.alerts WHERE is_open'
                             WHEN 'slow_queries' THEN 'SELECT * FROM pool_perf.slow_queries'
                             WHEN 'failures' THEN 'SELECT * FROM pool_perf.errors'
                             ELSE 'SELECT * FROM pool_perf.running_queries' END
    FROM pool_perf.health(NULL) AS h
    WHERE h.check_name IN ('alerts', 'slow_queries', 'failures', 'blocking', 'cpu')
    UNION ALL
    SELECT CASE WHEN w.critical > 0 THEN 'critical' WHEN w.warning > 0 THEN 'warning' ELSE 'ok' END,
           'health',
           CASE WHEN w.names IS NULL THEN format('all %s checks are in order', w.checks)
                ELSE format('%s critical, %s warning: %s', w.critical, w.warning, w.names) END,
           'SELECT * FROM pool_perf.health'
    FROM worst AS w
$$;
COMMENT ON FUNCTION pool_perf.summary() IS
'How is the server doing? One line a topic: its status, what was found since the last reset, and the query that tells more. Slow statements: warning from 1 % over 1 s, critical from 1 % over 5 s. Failures: warning from 1 %, critical from 5 % of all calls. Unknown below 20 calls.';

/* ---- who may see it --------------------------------------------------------------- */

GRANT SELECT ON pool_perf.queries, pool_perf.top_queries, pool_perf.databases,
    pool_perf.info, pool_perf.memory, pool_perf.health,
    pool_perf.errors, pool_perf.running_queries, pool_perf.query_waits,
    pool_perf.alerts, pool_perf.silences TO pg_monitor;
GRANT SELECT ON pool_perf.slow_queries TO pg_monitor;

DO $$
BEGIN
    -- a script runs with notices switched off; this ends with it
    PERFORM pg_catalog.set_config('client_min_messages', 'notice', true);
    RAISE NOTICE 'pool_perf is ready: begin with SELECT * FROM pool_perf.summary();';
END
$$;
