--
-- What is an execution: what is counted, how often, where, with how many rows
--
-- Statements are told apart by a label, a name in quotes.  Those that run inside
-- of CREATE TABLE AS and the like have no query id before PostgreSQL 18, and are
-- shown alike: "inside".
--
\set VERBOSITY terse
CREATE VIEW shown AS
SELECT label, level, calls, failed_calls AS failed, rows, plans
FROM (SELECT *, CASE WHEN toplevel THEN 'top' ELSE 'nested' END AS level,
        CASE WHEN NOT toplevel AND (query = '<no query id>' OR query LIKE '%"inside"%') THEN 'inside'
          ELSE coalesce(substring(query FROM '"([^"]+)"'), query) END AS label
      FROM pool_perf.queries) q
WHERE datname = current_database() AND query !~ 'pool_perf'
ORDER BY label COLLATE "C", level DESC, calls, rows;

-- Statistics begin anew, and are looked at, without leaving a trace in them
\set none 'SET pool_perf.track = none;'
\set reset 'SET pool_perf.track = none; DO ''BEGIN PERFORM pool_perf.reset(); END'';'
\set top :reset ' SET pool_perf.track = top;'
\set all :reset ' SET pool_perf.track = ''all'';'
\set show 'SET pool_perf.track = none; SELECT * FROM shown;'

:none
CREATE TABLE numbers (id int);
INSERT INTO numbers SELECT generate_series(1, 10);
CREATE TABLE target (id int PRIMARY KEY, n int);
CREATE TABLE log (id int);

--
-- Rows
--
:top
SELECT id AS "SELECT" FROM numbers \g /dev/null
SELECT id AS "SELECT" FROM numbers WHERE id < 0 \g /dev/null
SELECT id AS "SELECT LIMIT" FROM numbers LIMIT 3 \g /dev/null
INSERT INTO target AS "INSERT" SELECT id FROM numbers;
INSERT INTO target VALUES (11), (12) RETURNING id AS "INSERT RETURNING" \g /dev/null
INSERT INTO target AS "INSERT ON CONFLICT" SELECT id FROM generate_series(10, 13) id ON CONFLICT DO NOTHING;
UPDATE target AS "UPDATE" SET n = 1 WHERE id <= 4;
DELETE FROM target AS "DELETE" WHERE id > 11;
MERGE INTO target AS "MERGE" USING numbers s ON "MERGE".id = s.id + 5
  WHEN MATCHED THEN UPDATE SET n = 2 WHEN NOT MATCHED THEN INSERT VALUES (s.id + 100);
VALUES (1), (2) \g /dev/null
TABLE "numbers" \g /dev/null
WITH w AS (INSERT INTO log SELECT id FROM numbers RETURNING id) SELECT count(*) AS "modifying CTE" FROM w;
WITH w AS (DELETE FROM log) INSERT INTO target AS "CTE of two writes" VALUES (200);
TRUNCATE "log";
:show

--
-- Statements of one message
--
:top
SELECT 1 AS "first"\; SELECT 2 AS "second", 2\; SELECT 1 AS "first";
SELECT 1 AS "before", 2, 3, 4\; SELECT 1 / 0 AS "fails"\; SELECT 1 AS "after", 2, 3, 4, 5;
BEGIN\; INSERT INTO log AS "written" VALUES (1)\; COMMIT\; SELECT 1 AS "after COMMIT", 2, 3;
;
:show

--
-- EXECUTE is counted as what it executes, PREPARE as a utility statement
--
:top
PREPARE p(int) AS SELECT $1 AS "prepared" FROM numbers;
EXECUTE p(1) \g /dev/null
EXECUTE p(2) \g /dev/null
DEALLOCATE p;
-- of these only the last fails in the query
EXECUTE "missing";
PREPARE p(int) AS SELECT 1 / $1 AS "prepared again";
EXECUTE p;
EXECUTE p(1, 2);
EXECUTE p('no number');
EXECUTE p(1 / 0);
EXECUTE p(1) \g /dev/null
EXECUTE p(0);
SET pool_perf.track = none;
SELECT * FROM shown WHERE label ~ 'prepared';
SELECT sum(calls) AS calls, sum(failed) AS failed FROM shown WHERE label ~ 'EXECUTE|missing';
DEALLOCATE p;

-- plans
:top
SET plan_cache_mode = force_custom_plan;
PREPARE p(int) AS SELECT id AS "custom" FROM numbers WHERE id = $1;
EXECUTE p(1) \g /dev/null
EXECUTE p(2) \g /dev/null
EXECUTE p(3) \g /dev/null
SET plan_cache_mode = force_generic_plan;
PREPARE q(int) AS SELECT id AS "generic" FROM numbers WHERE id = $1 AND id > 0;
EXECUTE q(1) \g /dev/null
EXECUTE q(2) \g /dev/null
EXECUTE q(3) \g /dev/null
SET pool_perf.track = none;
RESET plan_cache_mode;
DEALLOCATE ALL;
SELECT * FROM shown WHERE label IN ('custom', 'generic');

-- a statement that a parameter runs is not what is executed
:none
CREATE FUNCTION fails() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 AS "in fails";
  RAISE EXCEPTION 'failed';
END $$;
PREPARE p(int) AS SELECT $1 AS "prepared";
:all
EXECUTE p(fails());
SET pool_perf.track = none;
SELECT label, calls, failed FROM shown;
DEALLOCATE p;

--
-- EXPLAIN does not execute, EXPLAIN ANALYZE does
--
:all
EXPLAIN SELECT 1 AS "explained" \g /dev/null
EXPLAIN INSERT INTO log AS "explained too" VALUES (1) \g /dev/null
EXPLAIN ANALYZE SELECT 1 AS "analysed" FROM numbers \g /dev/null
EXPLAIN SELECT 1 / 0 AS "fails", 'EXPLAIN';
EXPLAIN ANALYZE SELECT 1 / (id - 5) AS "fails" FROM numbers;
:show
:top
EXPLAIN ANALYZE SELECT 1 AS "analysed" FROM numbers \g /dev/null
PREPARE p AS SELECT 1 AS "prepared";
EXPLAIN ANALYZE EXECUTE p \g /dev/null
EXPLAIN EXECUTE p \g /dev/null
DEALLOCATE p;
:show

--
-- Cursors
--
:all
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id AS "inside" FROM numbers;
FETCH 3 FROM c \g /dev/null
FETCH 3 FROM c \g /dev/null
MOVE 1 FROM c;
FETCH ALL FROM c \g /dev/null
FETCH NEXT FROM c \g /dev/null
CLOSE c;
COMMIT;
SET pool_perf.track = none;
SELECT * FROM shown WHERE NOT (label = 'inside' AND level = 'top');
-- interleaved; one is open at COMMIT, one is held
:all
BEGIN;
DECLARE a CURSOR FOR SELECT id AS "inside" FROM numbers;
DECLARE b CURSOR WITH HOLD FOR SELECT id AS "inside" FROM numbers;
FETCH 2 FROM a \g /dev/null
FETCH 2 FROM b \g /dev/null
FETCH 2 FROM a \g /dev/null
COMMIT;
FETCH 2 FROM b \g /dev/null
CLOSE b;
SET pool_perf.track = none;
SELECT level, sum(calls) AS calls, sum(failed) AS failed, sum(rows) AS rows
FROM shown WHERE label = 'inside' GROUP BY level ORDER BY level;
:top
BEGIN;
DECLARE c CURSOR FOR SELECT id AS "declared" FROM numbers;
FETCH 2 FROM "c" \g /dev/null
ROLLBACK;
:show

--
-- Utility statements that execute a query: it is nested
--
:all
CREATE TABLE "made" AS SELECT id AS "inside" FROM numbers;
SELECT id AS "inside" INTO "selected" FROM numbers;
SET pool_perf.track = none;
SELECT level, sum(calls) AS calls, sum(rows) AS rows, sum(plans) AS plans FROM shown GROUP BY level ORDER BY level;
:all
CREATE TABLE "never made" AS SELECT 1 / 0 AS "inside";
:show
CREATE MATERIALIZED VIEW seen AS SELECT id AS "inside" FROM numbers WITH NO DATA;
:all
REFRESH MATERIALIZED VIEW "seen";
:show
:all
COPY (SELECT id AS "copied" FROM numbers WHERE id < 3) TO STDOUT;
COPY "numbers" TO STDOUT;
COPY "log" FROM STDIN;
1
2
3
\.
COPY "log"(id) FROM STDIN;
4
no number
\.
:show
:top
CREATE TABLE "made again" AS SELECT id AS "inside" FROM numbers;
COPY (SELECT id AS "copied" FROM numbers WHERE id < 3) TO STDOUT;
:show

--
-- DO, CALL, functions
--
:none
CREATE FUNCTION inlined(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1 AS "in inlined"';
CREATE FUNCTION inlined_rows() RETURNS SETOF int LANGUAGE sql STABLE AS 'SELECT id AS "in inlined_rows" FROM numbers';
CREATE FUNCTION called() RETURNS bigint LANGUAGE sql VOLATILE AS $$
  INSERT INTO log AS "in called" VALUES (1), (2);
  SELECT count(*) AS "last in called" FROM numbers
$$;
CREATE FUNCTION many() RETURNS int LANGUAGE sql AS $$
  SELECT 1 AS "m01"; SELECT 1, 2 AS "m02"; SELECT 1, 2, 3 AS "m03"; SELECT 1, 2, 3, 4 AS "m04";
  SELECT 1, 2, 3, 4, 5 AS "m05"; SELECT 1, 2, 3, 4, 5, 6 AS "m06"; SELECT 1, 2, 3, 4, 5, 6, 7 AS "m07";
  SELECT 1, 2, 3, 4, 5, 6, 7, 8 AS "m08"; SELECT 1, 2, 3, 4, 5, 6, 7, 8, 9 AS "m09"; SELECT 1 + 1 AS "m10"
$$;
CREATE FUNCTION looping(n int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  x int;
BEGIN
  FOR i IN 1..n LOOP
    SELECT id AS "in loop" INTO x FROM numbers WHERE id = i;
  END LOOP;
  FOR x IN SELECT id AS "FOR query" FROM numbers ORDER BY id LOOP
    EXIT WHEN x = 3;
  END LOOP;
  EXECUTE 'SELECT 1 AS "dynamic", 2, 3, 4, 5' INTO x;
  x := n + 1;
  RETURN x;
END $$;
CREATE PROCEDURE writing() LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1..3 LOOP
    INSERT INTO log AS "in procedure" VALUES (i);
    IF i = 2 THEN ROLLBACK; ELSE COMMIT; END IF;
  END LOOP;
END $$;
:all
SELECT inlined(id) AS "calls inlined" FROM numbers \g /dev/null
SELECT * FROM inlined_rows() AS "calls inlined_rows" \g /dev/null
SELECT called() AS "calls called" \g /dev/null
SELECT looping(4) AS "calls looping" \g /dev/null
DO $$ BEGIN PERFORM 1 AS "in DO", 2; END $$;
CALL "writing"();
:show
:all
SELECT many() AS "calls many", 1 \g /dev/null
SET pool_perf.track = none;
SELECT level, count(*), sum(calls) AS calls, sum(plans) AS plans FROM shown GROUP BY level ORDER BY level;
:top
SELECT called() AS "calls called" \g /dev/null
SELECT looping(4) AS "calls looping" \g /dev/null
DO $$ BEGIN PERFORM 1 AS "in DO", 2; END $$;
CALL "writing"();
:show

-- PL/pgSQL's simple expressions are no statements
:all
DO $$
DECLARE
  x int;
  withdrawn int := 1 + 1;
BEGIN
  BEGIN x := 1 / 0; EXCEPTION WHEN division_by_zero THEN NULL; END;
  BEGIN x := (1 / 0); EXCEPTION WHEN division_by_zero THEN NULL; END;
  BEGIN withdrawn := withdrawn / 0; EXCEPTION WHEN division_by_zero THEN NULL; END;
  BEGIN IF (1 / 0) = 1 THEN NULL; END IF; EXCEPTION WHEN division_by_zero THEN NULL; END;
  BEGIN IF withdrawn / 0 = 1 THEN NULL; END IF; EXCEPTION WHEN division_by_zero THEN NULL; END;
  BEGIN PERFORM 1 / 0 AS "a statement"; EXCEPTION WHEN division_by_zero THEN NULL; END;
  RAISE EXCEPTION 'simple: %', x / 0;
END $$;
:show

--
-- Triggers and rules
--
:none
CREATE TABLE triggered (id int);
CREATE FUNCTION row_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM id AS "in row trigger" FROM numbers WHERE id = NEW.id;
  RETURN NEW;
END $$;
CREATE FUNCTION statement_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM count(*) AS "in statement trigger" FROM numbers;
  RETURN NULL;
END $$;
CREATE TRIGGER before_row BEFORE INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION row_trigger();
CREATE TRIGGER after_row AFTER INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION row_trigger();
CREATE TRIGGER after_statement AFTER INSERT ON triggered FOR EACH STATEMENT EXECUTE FUNCTION statement_trigger();
CREATE TABLE deferred (id int);
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON deferred DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION row_trigger();
CREATE TABLE ruled (id int);
CREATE RULE also AS ON INSERT TO ruled DO ALSO INSERT INTO log VALUES (NEW.id);
CREATE RULE instead AS ON UPDATE TO ruled DO INSTEAD DELETE FROM log;
CREATE RULE nothing AS ON DELETE TO ruled DO INSTEAD NOTHING;
:all
INSERT INTO triggered AS "fires triggers" SELECT id FROM numbers WHERE id <= 3;
COPY "triggered" FROM STDIN;
4
5
\.
SET pool_perf.track = none;
SELECT label, level, calls, failed, rows FROM shown;
-- what a deferred trigger runs is inside of COMMIT
:all
BEGIN;
INSERT INTO deferred AS "defers" VALUES (1), (2);
COMMIT;
SET pool_perf.track = none;
SELECT label, level, calls, failed, rows FROM shown;
:top
BEGIN;
INSERT INTO deferred AS "defers" VALUES (1), (2);
SET CONSTRAINTS ALL IMMEDIATE;
COMMIT;
:show
:none
TRUNCATE log;
:top
INSERT INTO ruled AS "two queries" VALUES (1), (2);
UPDATE ruled AS "another query" SET id = 1;
DELETE FROM ruled AS "no query";
:show

--
-- Transactions
--
:top
BEGIN;
SAVEPOINT s;
SELECT 1 / 0 AS "fails";
ROLLBACK TO s;
RELEASE s;
COMMIT;
BEGIN;
BEGIN;
ROLLBACK;
COMMIT;
ROLLBACK;
BEGIN;
COMMIT AND CHAIN;
ROLLBACK AND CHAIN;
ROLLBACK;
COMMIT AND CHAIN;
:show
-- a failed transaction
:top
BEGIN;
SELECT 1 / 0 AS "fails";
SELECT 1 AS "refused";
COMMIT;
START TRANSACTION;
SELECT 1 / 0 AS "fails";
ROLLBACK;
:show
:top
BEGIN;
INSERT INTO log AS "one" VALUES (1);
PREPARE TRANSACTION 'x1';
BEGIN;
PREPARE TRANSACTION 'x2';
COMMIT PREPARED 'x1';
ROLLBACK PREPARED 'x2';
COMMIT PREPARED 'x2';
PREPARE TRANSACTION 'x3';
:show

--
-- Which statements are measured
--
:reset
SELECT 1 AS "track = none", 2, 3, 4, 5, 6, 7;
SELECT 1 / 0 AS "track = none", 2, 3, 4, 5, 6, 7;
:show
:all
SET pool_perf.track_utility = off;
DO $$ BEGIN PERFORM 1 AS "in DO", 2; END $$;
DO $$ BEGIN PERFORM 1 / 0 AS "in DO", 3, 3; END $$;
BEGIN;
SELECT 1 AS "no utility statement", 2, 3;
CREATE TABLE "not measured" AS SELECT id AS "inside" FROM numbers;
COMMIT;
:show
RESET pool_perf.track_utility;
:top
SET pool_perf.track_utility = off;
DO $$ BEGIN PERFORM 1 AS "in DO", 2; END $$;
PREPARE p AS SELECT 1 AS "executed", 2;
EXECUTE p \g /dev/null
DEALLOCATE p;
:show
RESET pool_perf.track_utility;

-- without query ids
:reset
SET compute_query_id = off;
SET pool_perf.track = top;
SELECT 1 AS "without id" \g /dev/null
SELECT count(*) AS "without id" FROM numbers \g /dev/null
INSERT INTO log VALUES (1), (2), (3);
SELECT 1 / 0;
SET CONSTRAINTS ALL IMMEDIATE;
:show
RESET compute_query_id;

-- parallel workers are part of their leader
:none
CREATE TABLE many_rows AS SELECT generate_series(1, 20000) AS id;
ANALYZE many_rows;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT set_config(CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'force_parallel_mode'
  ELSE 'debug_parallel_query' END, 'on', false);
:all
SELECT count(*) AS "in parallel" FROM many_rows;
SELECT id AS "gathered" FROM many_rows WHERE id % 2 = 0 \g /dev/null
SELECT sum(1 / (id - 5)) AS "fails in parallel" FROM many_rows;
:show
SELECT set_config(CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'force_parallel_mode'
  ELSE 'debug_parallel_query' END, 'off', false);
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

--
-- Blocks and WAL
--
:none
CREATE TABLE blocks (id int);
CREATE TEMP TABLE local_blocks (id int);
:top
INSERT INTO blocks AS "shared" SELECT generate_series(1, 1000);
INSERT INTO local_blocks AS "local" SELECT generate_series(1, 1000);
SELECT count(*) AS "read local" FROM local_blocks \g /dev/null
SET work_mem = '64kB';
SELECT id AS "spills" FROM many_rows ORDER BY id DESC \g /dev/null
RESET work_mem;
SELECT 1 AS "nothing", 2, 3, 4 \g /dev/null
CREATE INDEX ON "blocks" (id);
BEGIN;
INSERT INTO blocks VALUES (1);
COMMIT;
SET pool_perf.track = none;
SELECT label, shared_blks_hit + shared_blks_read > 0 AS shared, shared_blks_dirtied > 0 AS dirtied,
  local_blks_hit > 0 AS local, local_blks_dirtied > 0 AS local_dirtied,
  temp_blks_read > 0 AS temp_read, temp_blks_written > 0 AS temp_written
FROM (SELECT *, substring(query FROM '"([^"]+)"') AS label FROM pool_perf.queries WHERE datname = current_database()) q
WHERE label IN ('shared', 'spills', 'nothing') ORDER BY 1;
SELECT label, local_blks_hit > 0 AS local, local_blks_dirtied > 0 OR label <> 'local' AS local_dirtied
FROM (SELECT *, substring(query FROM '"([^"]+)"') AS label FROM pool_perf.queries WHERE datname = current_database()) q
WHERE label IN ('local', 'read local') ORDER BY 1;
SELECT label, wal_records > 0 AS wal_records, wal_bytes > 0 AS wal_bytes
FROM (SELECT *, coalesce(substring(query FROM '"([^"]+)"'), query) AS label
      FROM pool_perf.queries WHERE datname = current_database()) q
WHERE label IN ('shared', 'nothing', 'blocks', 'COMMIT') ORDER BY 1;

--
-- Who, and where
--
:none
CREATE ROLE regress_pool_perf_definer;
CREATE ROLE regress_pool_perf_caller;
GRANT CREATE, USAGE ON SCHEMA public TO regress_pool_perf_definer, regress_pool_perf_caller;
GRANT SELECT ON numbers TO regress_pool_perf_definer, regress_pool_perf_caller;
CREATE FUNCTION as_definer() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  RETURN (SELECT count(*) AS "in definer" FROM numbers);
END $$;
CREATE FUNCTION as_caller() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  n bigint;
BEGIN
  SELECT count(*) AS "in caller" INTO n FROM numbers WHERE id > 0;
  RETURN n;
END $$;
ALTER FUNCTION as_definer() OWNER TO regress_pool_perf_definer;
:all
SET ROLE regress_pool_perf_caller;
SELECT as_definer() AS "calls definer" \g /dev/null
SELECT as_caller() AS "calls caller" \g /dev/null
RESET ROLE;
SET pool_perf.track = none;
SELECT substring(query FROM '"([^"]+)"') AS label, toplevel, usename, calls FROM pool_perf.queries
WHERE query ~ '"(in|calls) (definer|caller)"' ORDER BY 1;
DROP OWNED BY regress_pool_perf_caller, regress_pool_perf_definer;
DROP ROLE regress_pool_perf_caller;
SELECT substring(query FROM '"([^"]+)"') AS label, userid IS NOT NULL AS userid, usename, calls FROM pool_perf.queries
WHERE query ~ '"(in|calls) caller"' ORDER BY 1;
DROP ROLE regress_pool_perf_definer;

-- databases
SELECT current_database() AS here \gset
CREATE DATABASE regress_pool_perf_gone;
\c regress_pool_perf_gone
SELECT count(*) AS "in another database" FROM pg_class WHERE oid = 0;
\c :here
SET pool_perf.track = none;
SELECT datname, calls, rows FROM pool_perf.queries WHERE query ~ '"in another database"' AND query !~ 'pool_perf';
DROP DATABASE regress_pool_perf_gone;
SELECT dbid IS NOT NULL AS dbid, datname, calls, rows FROM pool_perf.queries
WHERE query ~ '"in another database"' AND query !~ 'pool_perf';

--
-- What holds for all rows
--
SET pool_perf.track = 'all';
SELECT looping(id) AS "calls looping" FROM numbers \g /dev/null
SELECT 1 / (id - 5) AS "fails" FROM numbers;
SET pool_perf.track = none;
SELECT bool_and(first_seen <= last_seen) AS seen,
  bool_and(failed_calls BETWEEN 0 AND calls AND calls > 0) AS calls,
  bool_and(min_exec_time <= mean_exec_time * 1.000001 AND mean_exec_time <= max_exec_time * 1.000001
    AND max_exec_time <= total_exec_time * 1.000001) AS exec,
  bool_and(min_plan_time <= mean_plan_time * 1.000001 AND mean_plan_time <= max_plan_time * 1.000001
    AND max_plan_time <= total_plan_time * 1.000001) AS plan,
  bool_and(stddev_exec_time >= 0 AND stddev_plan_time >= 0) AS stddev,
  bool_and(abs(total_time - total_before_time - total_plan_time - total_exec_time) < 0.001) AS total,
  bool_and(max_time <= total_time * 1.000001 AND max_exec_time <= max_time * 1.000001) AS max,
  bool_and(p50_time <= p95_time AND p95_time <= p99_time AND p99_time <= p999_time
    AND p999_time <= max_time * 1.000001) AS percentiles,
  bool_and(max_failed_time <= max_time AND total_failed_time <= total_time * 1.000001
    AND (failed_calls > 0) = (total_failed_time > 0)) AS failed,
  bool_and(within_50ms <= within_100ms AND within_100ms <= within_200ms AND within_200ms <= within_500ms
    AND within_500ms <= within_1s AND within_1s <= within_5s AND within_5s <= calls) AS within,
  bool_and(pool_perf.calls(histogram) = calls) AS histogram,
  bool_and(rows >= 0 AND plans >= 0) AS counts
FROM pool_perf.queries;

DROP VIEW shown;
SET client_min_messages = warning;
DROP FUNCTION inlined_rows;
DROP TABLE numbers, target, log, made, selected, "made again", triggered, deferred, ruled, "not measured",
  many_rows, blocks CASCADE;
DROP FUNCTION fails, inlined, called, many, looping, row_trigger, statement_trigger, as_caller;
DROP PROCEDURE writing;
