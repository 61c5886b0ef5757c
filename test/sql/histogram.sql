--
-- The type pool_perf.histogram
--
SET search_path = public, pool_perf;

-- text form: any order, spaces, buckets again, buckets without calls
SELECT '{}'::histogram AS empty,
       '{-40:3,-39:17}'::histogram AS plain,
       E' { 135 : 1 ,\n-160:2 } '::histogram AS disordered,
       '{5:1,-3:0,5:2}'::histogram AS merged,
       '{0:9223372036854775807}'::histogram AS largest;

-- what is not one; all errors are of the same kind
CREATE TEMP TABLE not_histograms (id serial, input text);
INSERT INTO not_histograms (input) VALUES
  (''), ('1:2'), ('{'), ('{1}'), ('{1:}'), ('{:1}'), ('{1:2'), ('{1:2,}'), ('{1:2;3:4}'),
  ('{1:2} 3'), ('{1:2}}'), ('{+1:2}'), ('{1.5:2}'), ('{1:2e3}'), ('{- 1:2}'), ('{1:0x10}'),
  ('{-161:1}'), ('{136:1}'), ('{0:-1}'), ('{99999999999999999999:1}'), ('{0:9223372036854775808}'),
  ('{4294967296:1}'), ('null'), ('{1:2,1:9223372036854775807}');
DO $$
DECLARE
  n record;
  message text;
  detail text;
BEGIN
  FOR n IN SELECT * FROM not_histograms ORDER BY id LOOP
    BEGIN
      PERFORM n.input::pool_perf.histogram;
      RAISE EXCEPTION 'taken for a histogram: %', n.input;
    EXCEPTION WHEN data_exception THEN
      GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
      RAISE NOTICE '% | % | %', SQLSTATE, message, detail;
    END;
  END LOOP;
END $$;
SELECT '{136:1}'::histogram;

-- every bucket there and back
SELECT h::text::histogram = h AS same, calls(h), count(*) AS buckets
FROM (SELECT ('{' || string_agg(k || ':' || k + 200, ',' ORDER BY k DESC) || '}')::histogram AS h
      FROM generate_series(-160, 135) k) s, buckets(h)
GROUP BY 1, 2;

-- binary form
SELECT histogram_send('{}') AS empty, histogram_send('{-40:3,-39:17}') AS two;
CREATE TEMP TABLE received (h histogram);
\set SHOW_CONTEXT never
\copy received FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\030\000\003\000\002\377\330\000\000\000\000\000\000\000\003\377\331\000\000\000\000\000\000\000\021\377\377"' (FORMAT binary)
SELECT h, h = '{-40:3,-39:17}' AS same FROM received;
-- scale 2
\copy received FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\004\000\002\000\000\377\377"' (FORMAT binary)
-- -1 and 297 buckets
\copy received FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\004\000\003\377\377\377\377"' (FORMAT binary)
\copy received FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\004\000\003\001\051\377\377"' (FORMAT binary)
-- buckets 136 and -161
\copy received FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\016\000\003\000\001\000\210\000\000\000\000\000\000\000\003\377\377"' (FORMAT binary)
\copy received FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\016\000\003\000\001\377\137\000\000\000\000\000\000\000\003\377\377"' (FORMAT binary)
-- 0 and -1 calls
\copy received FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\016\000\003\000\001\000\001\000\000\000\000\000\000\000\000\377\377"' (FORMAT binary)
\copy received FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\016\000\003\000\001\000\001\377\377\377\377\377\377\377\377\377\377"' (FORMAT binary)
-- the same bucket twice
\copy received FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\030\000\003\000\002\377\330\000\000\000\000\000\000\000\003\377\330\000\000\000\000\000\000\000\021\377\377"' (FORMAT binary)
-- more calls than bigint holds
\copy received FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\030\000\003\000\002\377\330\177\377\377\377\377\377\377\377\377\331\000\000\000\000\000\000\000\021\377\377"' (FORMAT binary)
-- too short, too long
\copy received FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\004\000\003\000\001\377\377"' (FORMAT binary)
\copy received FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\005\000\003\000\000\000\377\377"' (FORMAT binary)
\set SHOW_CONTEXT errors
SELECT count(*) AS rows_received FROM received;

-- bytes that are none of ours: wrong size, scale, order, range, calls
CREATE FUNCTION pg_temp.raw_histogram(cstring) RETURNS histogram
LANGUAGE internal IMMUTABLE STRICT AS 'byteain';
DO $$
DECLARE
  bytes text;
BEGIN
  FOREACH bytes IN ARRAY ARRAY['\x', '\x0300', '\x03000100', '\x02000000', '\x0300ffff',
      '\x0300020001000000000000000100000000000000d8ffd8ff',
      '\x0300010001000000000000008800', '\x0300010001000000000000005fff',
      '\x030001000000000000000000d8ff', '\x03000100ffffffffffffffffd8ff',
      '\x03000200ffffffffffffff7f0100000000000000d8ffd9ff'] LOOP
    BEGIN
      PERFORM pool_perf.calls(pg_temp.raw_histogram(bytes::cstring));
      RAISE EXCEPTION 'taken for a histogram: %', bytes;
    EXCEPTION WHEN data_corrupted THEN
      RAISE NOTICE '%: %', bytes, SQLERRM;
    END;
  END LOOP;
END $$;
SELECT calls(pg_temp.raw_histogram('\x0300'));

-- operators
SELECT '{1:2,3:4}'::histogram + '{-5:1,3:10}' AS plus,
       '{-5:1,1:2,3:14}'::histogram - '{-5:1,3:10}' AS minus,
       '{1:2}'::histogram - '{1:2}' AS nothing,
       '{1:2}'::histogram + '{}' AS same,
       '{1:2}'::histogram + NULL AS unknown;
SELECT a = b AS equal, a <> b AS different
FROM (VALUES ('{1:2,3:4}'::histogram, '{3:4,1:2}'::histogram), ('{1:2}', '{1:3}'),
             ('{1:2}', '{2:2}'), ('{1:2}', '{}'), ('{}', '{0:0}')) v(a, b);
SELECT '{1:2,3:4}'::histogram - '{1:2,3:5}';
SELECT '{1:2}'::histogram - '{2:1}';
SELECT '{1:9223372036854775807}'::histogram + '{2:1}';
SELECT '{1:9223372036854775806}'::histogram + '{1:1}' AS fits;

-- sum
CREATE TABLE histograms AS
  SELECT g, CASE WHEN g % 10 > 0 THEN format('{%s:%s,100:1}', g % 296 - 160, g)::histogram END AS h
  FROM generate_series(1, 5000) g;
SELECT sum(h) IS NULL AS none FROM histograms WHERE g < 0;
SELECT sum(h) IS NULL AS only_null FROM histograms WHERE g % 10 = 0;
SELECT sum(h) FROM histograms WHERE g < 5;
SELECT sum(h) AS two FROM (VALUES ('{}'::histogram), (NULL), ('{}')) v(h);
SELECT g % 3 AS third, calls(sum(h)) = sum(calls(h)) AS same FROM histograms GROUP BY 1 ORDER BY 1;
SELECT calls(sum(h)), sum(g) FILTER (WHERE g % 10 > 0) + count(h) AS expected FROM histograms;
SELECT g, sum(h) OVER (ORDER BY g) FROM histograms WHERE g < 4;
SELECT sum(h) FROM (VALUES ('{1:9223372036854775807}'::histogram), ('{2:1}')) v(h);

-- the same in parallel workers
CREATE FUNCTION pg_temp.plan_has(query text, word text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN ' || query LOOP
    IF line ~ word THEN
      RETURN true;
    END IF;
  END LOOP;
  RETURN false;
END $$;
ALTER TABLE histograms SET (parallel_workers = 2);
SELECT sum(h) AS serial_sum FROM histograms \gset
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT pg_temp.plan_has('SELECT pool_perf.sum(h) FROM public.histograms', 'Partial Aggregate');
SELECT sum(h) = :'serial_sum' AS same FROM histograms;
SELECT sum(h) IS NULL AS only_null FROM histograms WHERE g % 10 = 0;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

-- stored out of line
CREATE TEMP TABLE wide (h histogram);
ALTER TABLE wide ALTER COLUMN h SET STORAGE external;
INSERT INTO wide SELECT sum(h) FROM histograms;
SELECT h = :'serial_sum' AS same, pg_column_size(h) > 2500 AS large FROM wide;
DROP TABLE histograms;

-- quantiles: 4.4 % at most, the fraction's ends, one bucket, no calls
SELECT fraction,
       abs(quantile(h, fraction) / (1000 * fraction) - 1) <= 0.044 AS near
FROM (SELECT ('{' || string_agg(ceil(8 * ln(ms / 1000.0) / ln(2.0)) || ':1', ',') || '}')::histogram AS h
      FROM generate_series(1, 1000) ms) s,
     unnest(ARRAY[0.001, 0.01, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999, 1]) fraction;
SELECT q0 = q5 AND q5 = q10 AS same, q0 > lower_time AND q0 < upper_time AS inside
FROM (VALUES ('{0:3}'::histogram), ('{-160:1}'), ('{135:1}')) v(h), buckets(h),
     quantile(h, 0) q0, quantile(h, 0.5) q5, quantile(h, 1) q10;
SELECT quantile('{}', 0.5) IS NULL AS empty, quantile(NULL, 0.5) IS NULL AS unknown,
       quantile('{0:1}', NULL) IS NULL AS unknown_fraction;
SELECT quantile('{0:1}', 95);
SELECT quantile('{0:1}', -0.01);
SELECT quantile('{}', 'NaN');

-- calls and buckets
SELECT calls('{}') AS none, calls('{1:2,3:4}') AS six, calls('{1:9223372036854775806,2:1}') AS most;
SELECT * FROM buckets('{}');
SELECT round(lower_time::numeric, 6) AS lower_time, round(upper_time::numeric, 6) AS upper_time, calls
FROM buckets('{-8:1,0:2,1:3,80:4}');
SELECT lower_time, upper_time > 0.00095 AND upper_time < 0.00096 AS upper_is_right FROM buckets('{-160:1}');
SELECT lower_time > 30.6 * 3600000 AND lower_time < 30.7 * 3600000 AS lower_is_right, upper_time FROM buckets('{135:1}');
-- stopped before the end
SELECT calls FROM buckets('{-8:1,0:2,1:3}') LIMIT 2;

-- everyone may use them
CREATE ROLE regress_pool_perf_histogram;
GRANT USAGE ON SCHEMA pool_perf TO regress_pool_perf_histogram;
SET ROLE regress_pool_perf_histogram;
SELECT calls(sum(h + '{1:1}')), quantile(sum(h), 1) > 0 AS quantile FROM (VALUES ('{1:2}'::histogram)) v(h);
RESET ROLE;
REVOKE USAGE ON SCHEMA pool_perf FROM regress_pool_perf_histogram;
DROP ROLE regress_pool_perf_histogram;
