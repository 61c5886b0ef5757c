--
-- health, info, memory, summary() and library_version() of a default installation
--
-- (whether there is room depends on what other tests ran: 045_health.pl)
SELECT check_name, category, CASE category WHEN 'self' THEN status END AS status, unit, warning_threshold, critical_threshold
FROM pool_perf.health
ORDER BY check_name COLLATE "C";
SELECT check_name, value IS NULL AS no_value, unit = 'none' AS no_unit
FROM pool_perf.health
WHERE (value IS NULL) <> (warning_threshold IS NULL OR status = 'unknown')
   OR value < 0 OR warning_threshold >= critical_threshold;
SELECT count(*) AS without_words FROM pool_perf.health WHERE coalesce(message, '') = '' OR remedy = '';
-- what is in order needs no remedy; one that would be better otherwise has one
SELECT check_name, status FROM pool_perf.health WHERE remedy IS NOT NULL AND status = 'ok';
SELECT bool_and(checked_at BETWEEN pg_postmaster_start_time() - interval '1 s' AND clock_timestamp()) AS checked,
       bool_and(changed_at IS NULL OR changed_at <= checked_at) AS changed_before
FROM pool_perf.health;

-- library and SQL of different versions: a row, no error
BEGIN;
UPDATE pg_extension SET extversion = '0.9' WHERE extname = 'pool_perf';
SELECT check_name, status, message LIKE '%of version 0.9' AS names_it, remedy LIKE '%ALTER EXTENSION pool_perf UPDATE%' AS says_what_to_do
FROM pool_perf.health
WHERE status <> 'ok' AND category = 'self';
SELECT extension_version, library_version <> extension_version AS differ FROM pool_perf.info;
SELECT status, message ~ 'version' AS message FROM pool_perf.summary() WHERE topic = 'health';
ROLLBACK;
SELECT status FROM pool_perf.health WHERE check_name = 'version';
SELECT status FROM pool_perf.health('99') WHERE check_name = 'version';
SELECT status FROM pool_perf.health(NULL) WHERE check_name = 'version';
-- a text as long as you like
SELECT status, length(message) < 1000 AS bounded FROM pool_perf.health(repeat(U&'\20AC', 10000)) WHERE check_name = 'version';

-- SQL objects of another version than the library: an error that says so, no crash
CREATE SCHEMA health_old;
DO $$
DECLARE
  library text;
  f text[];
BEGIN
  SELECT probin INTO library FROM pg_proc WHERE oid = 'pool_perf.info()'::regprocedure;
  FOREACH f SLICE 1 IN ARRAY ARRAY[
      ['info', '', 'pp_info'], ['memory', '', 'pp_memory'], ['health', 'text', 'pp_health'], ['queries', 'boolean', 'pp_queries']] LOOP
    EXECUTE format('CREATE FUNCTION health_old.%s(%s) RETURNS TABLE (a bigint, b bigint) LANGUAGE c AS %L, %L', f[1], f[2], library, f[3]);
    EXECUTE format('CREATE FUNCTION health_old.one_%s(%s) RETURNS SETOF bigint LANGUAGE c AS %L, %L', f[1], f[2], library, f[3]);
    EXECUTE format('CREATE FUNCTION health_old.plain_%s(%s) RETURNS bigint LANGUAGE c AS %L, %L', f[1], f[2], library, f[3]);
    EXECUTE format('CREATE FUNCTION health_old.any_%s(%s) RETURNS SETOF record LANGUAGE c AS %L, %L', f[1], f[2], library, f[3]);
  END LOOP;
END $$;
SELECT * FROM health_old.info();
SELECT * FROM health_old.memory();
SELECT * FROM health_old.health(NULL);
SELECT * FROM health_old.queries(true);
-- without the columns: these can only come from hand-made SQL
\set VERBOSITY sqlstate
SELECT * FROM health_old.one_info();
SELECT * FROM health_old.one_memory();
SELECT * FROM health_old.one_health('1');
SELECT * FROM health_old.one_queries(false);
SELECT health_old.plain_info();
SELECT health_old.plain_memory();
SELECT health_old.plain_health('1');
SELECT health_old.plain_queries(false);
SELECT * FROM health_old.any_info() AS (a bigint);
SELECT * FROM health_old.any_memory() AS (a bigint);
SELECT * FROM health_old.any_health('1') AS (a bigint);
SELECT * FROM health_old.any_queries(false) AS (a bigint);
SET client_min_messages = warning;
DROP SCHEMA health_old CASCADE;
RESET client_min_messages;
\set VERBOSITY default

-- the same where a function is called in the select list, or stopped early
SELECT count(*) FROM (SELECT pool_perf.memory()) m;
SELECT count(*) FROM (SELECT (pool_perf.queries(true)).calls LIMIT 1) q;
SELECT count(*) FROM (SELECT 1 FROM pool_perf.queries LIMIT 1) q;

-- info
SELECT library_version = pool_perf.library_version() AS library, extension_version = library_version AS extension,
       enabled, max_queries = current_setting('pool_perf.max_queries')::int AS max_queries,
       queries BETWEEN 1 AND max_queries + 32 * 32 AS queries,
       started_at >= pg_postmaster_start_time() - interval '1 s' AND started_at <= clock_timestamp() AS started,
       stats_reset <= clock_timestamp() AS reset,
       least(evictions, flushes, texts_dropped, texts_cut, events_dropped, lock_waits, torn_reads, save_bytes) >= 0 AS counters,
       least(evictions_per_minute, max_lock_wait_time, save_time, sampled_hook_time, sampled_worker_percent) >= 0 AS figures,
       saved_at IS NULL AND save_bytes = 0 OR saved_at >= started_at AS saved,
       (lock_waits > 0) = (max_lock_wait_time > 0) AS waits
FROM pool_perf.info;
SELECT queries = (SELECT count(*) FROM pool_perf.queries(false) WHERE userid IS NOT NULL) AS as_many_as_in_the_view
FROM pool_perf.info;
-- what is full is flushed
DO $$
DECLARE
  before bigint := (SELECT flushes FROM pool_perf.info);
BEGIN
  SET LOCAL pool_perf.track = 'all';
  FOR i IN 1..1000 LOOP PERFORM 1 AS health_flushes WHERE i > 0; END LOOP;
  RAISE NOTICE 'flushed between 1000/32 and 1000/16 times: %',
    (SELECT flushes - before BETWEEN 31 AND 100 FROM pool_perf.info);
END $$;

-- memory
SELECT component, used_bytes BETWEEN 0 AND max_bytes AS used, used_percent BETWEEN 0 AND 100 AS percent,
       abs(used_percent - 100.0 * used_bytes / max_bytes) < 0.01 AS fits, entries <= max_entries AS entries, dropped >= 0 AS dropped
FROM pool_perf.memory
ORDER BY component;
-- it is what the server gave, each piece aligned to at most 128 bytes
SELECT a.bytes BETWEEN m.bytes AND m.bytes + 128 * a.pieces AS is_all
FROM (SELECT sum(allocated_size) AS bytes, count(*) AS pieces FROM pg_shmem_allocations WHERE name LIKE 'pool\_perf%') a,
     (SELECT sum(max_bytes) AS bytes FROM pool_perf.memory) m;

-- summary
SELECT topic, status IN ('ok', 'warning', 'critical', 'unknown') AS status, message <> '' AS message, look_at
FROM pool_perf.summary();
-- where it says to look, there is something
DO $$
DECLARE
  place text;
BEGIN
  FOR place IN SELECT look_at FROM pool_perf.summary() LOOP
    EXECUTE place;
  END LOOP;
END $$;
-- without statements and with few of them
BEGIN;
SET LOCAL client_min_messages = error;
SELECT pool_perf.reset() IS NOT NULL AS reset;
SELECT status, topic, look_at FROM pool_perf.summary() WHERE topic IN ('slow statements', 'failures');
COMMIT;
SELECT queries BETWEEN 1 AND 20 AS few FROM pool_perf.info;
SELECT stats_reset BETWEEN now() - interval '1 h' AND now() AS reset_now FROM pool_perf.info;

-- a search path that leads elsewhere
CREATE SCHEMA health_trap;
CREATE FUNCTION health_trap.sum(bigint) RETURNS numeric LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''trapped''; END';
CREATE FUNCTION health_trap.round(numeric, int) RETURNS numeric LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''trapped''; END';
CREATE FUNCTION health_trap.format(text, VARIADIC text[]) RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''trapped''; END';
CREATE FUNCTION health_trap.regexp_replace(text, text, text, text) RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''trapped''; END';
CREATE VIEW health_trap.pg_extension AS SELECT 'pool_perf'::name AS extname, 'trapped' AS extversion;
SET search_path = health_trap, pg_catalog, pool_perf;
SELECT count(*) FROM pool_perf.summary() WHERE message LIKE '%trapped%';
SELECT count(*) FROM pool_perf.top_queries WHERE query = 'trapped';
SELECT count(*) FROM pool_perf.health WHERE message LIKE '%trapped%';
SELECT count(*) FROM pool_perf.databases WHERE datname = 'trapped';
SELECT extension_version FROM pool_perf.info WHERE extension_version = 'trapped';
RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA health_trap CASCADE;
