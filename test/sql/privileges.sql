--
-- Who may see and do what, and that everything says what it is
--
SET search_path = pg_catalog;
SET client_min_messages = warning;
CREATE ROLE regress_pp_plain;
CREATE ROLE regress_pp_stats IN ROLE pg_read_all_stats;
CREATE ROLE regress_pp_monitor IN ROLE pg_monitor;
CREATE ROLE regress_pp_noinherit NOINHERIT IN ROLE pg_read_all_stats;
RESET client_min_messages;

-- all functions, and whether everybody may call them
SELECT p.oid::regprocedure AS function, has_function_privilege('public', p.oid, 'EXECUTE') AS public
FROM pg_proc p
WHERE p.pronamespace = 'pool_perf'::regnamespace
ORDER BY p.proname COLLATE "C", p.oid::regprocedure::text COLLATE "C";

-- all relations, and who may read them; nobody may write
SELECT c.relkind, c.oid::regclass AS relation,
       has_table_privilege('public', c.oid, 'SELECT') AS public,
       has_table_privilege('pg_read_all_stats', c.oid, 'SELECT') AS pg_read_all_stats,
       has_table_privilege('pg_monitor', c.oid, 'SELECT') AS pg_monitor,
       has_table_privilege('pg_monitor', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') AS writes
FROM pg_class c
WHERE c.relnamespace = 'pool_perf'::regnamespace
ORDER BY c.relname COLLATE "C";
SELECT has_schema_privilege('public', 'pool_perf', 'USAGE') AS usage,
       has_schema_privilege('public', 'pool_perf', 'CREATE') AS create;

-- no function runs with the rights of its owner; those in SQL pin the search path
SELECT p.oid::regprocedure AS function, p.prosecdef, p.proconfig
FROM pg_proc p
WHERE p.pronamespace = 'pool_perf'::regnamespace
  AND (p.prosecdef OR p.prolang <> (SELECT oid FROM pg_language WHERE lanname = 'c'))
ORDER BY 1;

-- everything there is to read, by all of them
CREATE TABLE public.privileges_tried (what text, role text, result text);
DO $$
DECLARE
  what text;
  role text;
  result text;
BEGIN
  FOREACH what IN ARRAY ARRAY['queries', 'top_queries', 'databases', 'info', 'memory', 'health',
      'running_queries', 'query_waits', 'running_queries()', 'query_waits()', 'queries()', 'queries(false)', 'info()', 'memory()', 'health(''1.0'')', 'library_version()', 'summary()',
      'query_histogram(0, 0, 0)', 'normalize_query(''SELECT 1'')', 'fingerprint(''SELECT 1'')',
      'reset(0, 0, 0)', 'reset(userid => 0)'] LOOP
    FOREACH role IN ARRAY ARRAY['plain', 'stats', 'monitor'] LOOP
      BEGIN
        EXECUTE format('SET LOCAL ROLE regress_pp_%s', role);
        EXECUTE format('SELECT count(*) FROM pool_perf.%s', what);
        result := 'yes';
      EXCEPTION WHEN insufficient_privilege THEN
        result := SQLERRM;
      END;
      RESET ROLE;
      INSERT INTO public.privileges_tried VALUES (what, role, result);
    END LOOP;
  END LOOP;
END $$;
SELECT what, max(result) FILTER (WHERE role = 'plain') AS plain,
       max(result) FILTER (WHERE role = 'stats') AS stats,
       max(result) FILTER (WHERE role = 'monitor') AS monitor
FROM public.privileges_tried GROUP BY what ORDER BY what COLLATE "C";
DROP TABLE public.privileges_tried;

-- each runs a statement, and looks at those of all
SET ROLE regress_pp_plain;
SELECT 1 AS privileges_of_plain;
SET ROLE regress_pp_stats;
SELECT 1, 2 AS privileges_of_stats;
SET ROLE regress_pp_monitor;
SELECT 1, 2, 3 AS privileges_of_monitor;
SET ROLE regress_pp_noinherit;
SELECT 1, 2, 3, 4 AS privileges_of_noinherit;
RESET ROLE;
SELECT 1, 2, 3, 4, 5 AS privileges_of_superuser;

PREPARE texts AS
SELECT current_user AS reader, query, calls, queryid IS NULL AS no_queryid, fingerprint IS NULL AS no_fingerprint
FROM pool_perf.queries(true)
WHERE query LIKE 'SELECT $1% AS privileges_of_%'
ORDER BY query COLLATE "C";
PREPARE hidden AS
SELECT current_user AS reader, bool_and(usename = current_user) AS own_rows_only,
       count(*) FILTER (WHERE usename <> current_user AND query <> '<insufficient privilege>') > 0 AS others_texts,
       count(*) FILTER (WHERE usename <> current_user AND (queryid IS NOT NULL OR fingerprint IS NOT NULL)) > 0 AS others_ids,
       count(*) FILTER (WHERE usename <> current_user AND query = '<insufficient privilege>') > 0 AS others_are_hidden,
       count(*) FILTER (WHERE usename = current_user AND query = '<insufficient privilege>') AS own_are_hidden
FROM pool_perf.queries(true)
WHERE query <> '<other>';
PREPARE ids AS
SELECT current_user AS reader,
       count(*) FILTER (WHERE usename <> current_user AND (queryid IS NOT NULL OR fingerprint IS NOT NULL)) > 0 AS others_ids,
       count(*) FILTER (WHERE usename = current_user AND (queryid IS NULL OR fingerprint IS NULL)) AS own_hidden,
       count(query) AS texts
FROM pool_perf.queries(false)
WHERE queryid IS NOT NULL OR usename <> current_user;
SET ROLE regress_pp_plain;
EXECUTE texts;
EXECUTE hidden;
EXECUTE ids;
SET ROLE regress_pp_noinherit;
EXECUTE texts;
EXECUTE hidden;
EXECUTE ids;
SET ROLE regress_pp_stats;
EXECUTE texts;
EXECUTE hidden;
EXECUTE ids;
SET ROLE regress_pp_monitor;
EXECUTE texts;
EXECUTE hidden;
EXECUTE ids;
SELECT count(*) AS in_view FROM pool_perf.queries WHERE query LIKE 'SELECT $1% AS privileges_of_%';
SELECT count(*) > 0 AS in_top_queries FROM pool_perf.top_queries WHERE query LIKE 'SELECT $1% AS privileges_of_%';
RESET ROLE;

-- own is what the role itself ran, not what roles ran that it is a member of
GRANT regress_pp_stats TO regress_pp_plain;
REVOKE pg_read_all_stats FROM regress_pp_stats;
SET ROLE regress_pp_plain;
EXECUTE texts;
RESET ROLE;

-- a function of its owner reads as its owner
CREATE FUNCTION public.privileges_all() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS
  $$SELECT count(*) FROM pool_perf.queries(true) WHERE query LIKE 'SELECT $1% AS privileges_of_%'$$;
SET ROLE regress_pp_plain;
SELECT public.privileges_all();
RESET ROLE;
DROP FUNCTION public.privileges_all();

-- nothing is forgotten by those who may not
SELECT sum(calls) FROM pool_perf.queries WHERE query LIKE 'SELECT $1% AS privileges_of_%';

-- reset can be granted
GRANT EXECUTE ON FUNCTION pool_perf.reset(oid, oid, bigint) TO regress_pp_monitor;
SET ROLE regress_pp_monitor;
SELECT pool_perf.reset('regress_pp_plain'::regrole, 0, 0) IS NOT NULL AS reset;
RESET ROLE;
REVOKE EXECUTE ON FUNCTION pool_perf.reset(oid, oid, bigint) FROM regress_pp_monitor;

-- every object says what it is (from 17 on, row and array types are members of their own)
SELECT pg_describe_object(d.classid, d.objid, 0) AS has_no_comment
FROM pg_depend d
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
  AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pool_perf')
  AND coalesce(obj_description(d.objid, d.classid::regclass::name), '') = ''
  AND NOT EXISTS (SELECT FROM pg_type t WHERE d.classid = 'pg_type'::regclass AND t.oid = d.objid AND (t.typrelid <> 0 OR t.typcategory = 'A'))
ORDER BY 1;
SELECT a.attrelid::regclass AS relation, a.attname AS has_no_comment
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = 'pool_perf'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
  AND coalesce(col_description(a.attrelid, a.attnum), '') = ''
ORDER BY a.attrelid, a.attnum;
SELECT count(*) >= 30 AS there_were_some
FROM pg_depend
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
  AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pool_perf');
-- the comment of a view begins with the question that it answers
SELECT c.oid::regclass AS view, obj_description(c.oid, 'pg_class') AS begins_with_no_question
FROM pg_class c
WHERE c.relnamespace = 'pool_perf'::regnamespace AND c.relkind = 'v'
  AND obj_description(c.oid, 'pg_class') !~ '^[A-Z][^.!?]*\?';
-- the same words stand for the same thing: an argument is named as the columns
SELECT p.oid::regprocedure AS function, p.proargnames[i] AS argument
FROM pg_proc p, generate_series(1, p.pronargs) i
WHERE p.proname IN ('reset', 'query_histogram') AND p.pronamespace = 'pool_perf'::regnamespace
  AND NOT EXISTS (SELECT FROM pg_attribute a
                  WHERE a.attrelid = 'pool_perf.queries'::regclass AND a.attname = p.proargnames[i]);

DEALLOCATE ALL;
RESET search_path;
DROP ROLE regress_pp_plain, regress_pp_stats, regress_pp_monitor, regress_pp_noinherit;
