-- Cursors, savepoints, procedures and nested errors: each execution is counted
-- once, and the nesting level is 0 afterwards.
\set VERBOSITY terse
CREATE TABLE numbers (k int);
INSERT INTO numbers SELECT generate_series(1, 10);
CREATE TABLE copies AS SELECT * FROM numbers;
SET max_stack_depth = '6MB';

-- Counted only if the nesting level is 0, or then at top level
\set check 'SELECT 0 AS nesting_level;'
\set forget 'SELECT FROM pool_perf.reset(dbid => (SELECT oid FROM pg_database WHERE datname = current_database()));'
-- Before 18, the query of DECLARE CURSOR has no id; since 17, names and aliases
-- are no part of a utility statement's.  $1 is an expression of PL/pgSQL that
-- not every major runs as a query
\set show 'SELECT toplevel, sum(calls) AS calls, sum(failed_calls) AS failed, sum(rows) AS rows, shown AS query FROM pool_perf.queries, LATERAL (SELECT CASE WHEN NOT toplevel AND (query = \'<no query id>\' OR query ~ \' AS (in_steps|open_at|interleaved|scrolled|held|fetch_fails|declare|opened|fails_in_savepoint|explained|for_update|in_one_message|outer_query|deep_in_cursor|discarded)\') THEN \'(queries of DECLARE CURSOR)\' ELSE coalesce(substring(query FROM \'^(DECLARE [a-z_]+|SAVEPOINT|ROLLBACK TO|RELEASE)\'), query) END) AS s(shown) WHERE datname = current_database() AND query !~ \'pool_perf\' AND query <> \'$1\' GROUP BY toplevel, shown ORDER BY toplevel, shown COLLATE "C";'
\getenv abs_srcdir PG_ABS_SRCDIR
\cd :abs_srcdir

-- What happens
SET pool_perf.track = 'top';
:forget
\i sql/cursors.inc

-- What was counted: only what clients sent
:show

-- The same with all that is nested
SET pool_perf.track = 'all';
SET max_stack_depth = '6MB';
\set ECHO none
\o /dev/null
:forget
\i sql/cursors.inc
\o
\set ECHO all
:show

DROP TABLE numbers, copies;
