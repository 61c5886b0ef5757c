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
           min(q.first_seen) AS first_seen,
           max(q.last_seen) AS last_seen,
           pool_perf.sum(q.histogram) AS histogram
    FROM pool_perf.queries(false) AS q
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
COMMENT ON COLUMN pool_perf.databases.first_seen IS
'When the first call began.';
COMMENT ON COLUMN pool_perf.databases.last_seen IS
'When the latest call began.';
COMMENT ON COLUMN pool_perf.databases.histogram IS
'Distribution of server time over all calls; sum() and quantile() combine rows, windows and servers.';

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
    OUT sampled_worker_percent double precision
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
           i.sampled_worker_percent
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
'What the memory is for: queries, texts, pending (executions not handed in yet), control.';
COMMENT ON COLUMN pool_perf.memory.used_bytes IS
'Bytes in use.';
COMMENT ON COLUMN pool_perf.memory.max_bytes IS
'Bytes taken at server start; it never grows.';
COMMENT ON COLUMN pool_perf.memory.used_percent IS
'Share of it in use.';
COMMENT ON COLUMN pool_perf.memory.entries IS
'Entries in use: queries, chunks of text, backends.';
COMMENT ON COLUMN pool_perf.memory.max_entries IS
'Entries there is room for.';
COMMENT ON COLUMN pool_perf.memory.dropped IS
'What there was no room for, since server start: queries evicted, texts dropped, executions not measured.';

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
    pool_perf.info, pool_perf.memory, pool_perf.health TO pg_monitor;

DO $$
BEGIN
    -- a script runs with notices switched off; this ends with it
    PERFORM pg_catalog.set_config('client_min_messages', 'notice', true);
    RAISE NOTICE 'pool_perf is ready: begin with SELECT * FROM pool_perf.summary();';
END
$$;
