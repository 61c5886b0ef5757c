-- The rules by which a statement's text is normalised: each line is a rule's
-- example and the text that it must give.
CREATE TEMP TABLE example (
    id integer GENERATED ALWAYS AS IDENTITY,
    rule text,
    input text,
    expected text
);

INSERT INTO example (rule, input, expected) VALUES
-- constants
('constants', $q$SELECT 1, 1.5, .5, 1., 1e10, 1.5E-3$q$, 'SELECT $1, $2, $3, $4, $5, $6'),
('constants', $q$SELECT 'a', E'a\'b', N'a', n'a', B'01', x'FF', U&'d\0061'$q$, 'SELECT $1, $2, $3, $4, $5, $6, $7'),
('constants', $q$SELECT '', 'it''s', $$a$$, $t$a $$ b$t$$q$, 'SELECT $1, $2, $3, $4'),
('continued strings are one constant', E'SELECT ''a''\n  ''b'', ''c'' -- x\n ''d''', 'SELECT $1, $2'),
('UESCAPE belongs to its string', $q$SELECT U&'d!0061' UESCAPE '!', 1$q$, 'SELECT $1, $2'),
('UESCAPE belongs to its identifier', $q$SELECT U&"d!0061" UESCAPE '!', 1$q$, $q$SELECT U&"d!0061" UESCAPE '!', $1$q$),
('TRUE, FALSE, NULL are kept', 'SELECT true, FALSE, NULL, 1', 'SELECT true, FALSE, NULL, $1'),
('typmods are constants', 'SELECT a::varchar(10), b::numeric(10,2)', 'SELECT a::varchar($1), b::numeric($2,$3)'),
('types in front are kept', $q$SELECT date '2020-01-01', interval '1' day, interval(6) '1 day'$q$, 'SELECT date $1, interval $2 day, interval($3) $4'),
('subscripts are constants', 'SELECT a[1], b[1:2], c[-1]', 'SELECT a[$1], b[$2:$3], c[$4]'),
('LIMIT, OFFSET, FETCH are constants', 'SELECT a FROM t LIMIT 10 OFFSET 20', 'SELECT a FROM t LIMIT $1 OFFSET $2'),
('LIMIT, OFFSET, FETCH are constants', 'SELECT a FROM t FETCH FIRST 10 ROWS ONLY', 'SELECT a FROM t FETCH FIRST $1 ROWS ONLY'),
('digits in names are kept', 'SELECT t1.c2, "3" FROM t1', 'SELECT t1.c2, "3" FROM t1'),
-- signs
('a sign belongs to its number', 'SELECT a FROM t WHERE a = -5 AND b > - 5.5', 'SELECT a FROM t WHERE a = $1 AND b > $2'),
('a sign belongs to its number', 'SELECT -1, (-1), a * -1, f(-1, - 1), CASE WHEN -1 < a THEN -1 ELSE -1 END', 'SELECT $1, ($2), a * $3, f($4, $5), CASE WHEN $6 < a THEN $7 ELSE $8 END'),
('a sign belongs to its number', 'SELECT a FROM t WHERE a BETWEEN -1 AND -2 AND NOT -1 = b LIMIT - 1', 'SELECT a FROM t WHERE a BETWEEN $1 AND $2 AND NOT $3 = b LIMIT $4'),
('an operator does not', 'SELECT a - 5, a-5, a -5, 5 - 5, (a) - 5, a[1] - 5, f() -5, $1 - 5', 'SELECT a - $2, a-$3, a -$4, $5 - $6, (a) - $7, a[$8] - $9, f() -$10, $1 - $11'),
('an operator does not', 'SELECT "select" - 5, t.limit - 5, current_date - 5, CASE a WHEN 1 THEN 2 END - 5', 'SELECT "select" - $1, t.limit - $2, current_date - $3, CASE a WHEN $4 THEN $5 END - $6'),
('only the last sign does', 'SELECT - - 5, 5 - -5, -a, -(5), -$1', 'SELECT - $2, $3 - $4, -a, -($5), -$1'),
('plus signs are operators', 'SELECT +5, a + 5', 'SELECT +$1, a + $2'),
('a sign after a comment', 'SELECT - /* five */ 5, a - /* five */ 5', 'SELECT $1, a - $2'),
-- parameters
('parameters keep their number', 'SELECT $2, 1, $1, 2', 'SELECT $2, $3, $1, $4'),
('parameters keep their number', 'SELECT $1 FROM t WHERE a = $1', 'SELECT $1 FROM t WHERE a = $1'),
('but not beside a squashed list', 'SELECT $2, 1, $1, $2 FROM t WHERE a IN (1, 2) AND b = 3', 'SELECT $1, $2, $3, $4 FROM t WHERE a IN ($5 /*, ... */) AND b = $6'),
-- lists
('lists of constants are squashed', 'SELECT a FROM t WHERE a IN (1, 2, 3)', 'SELECT a FROM t WHERE a IN ($1 /*, ... */)'),
('lists of constants are squashed', $q$SELECT a FROM t WHERE a NOT IN ('a','b') AND b = 5$q$, 'SELECT a FROM t WHERE a NOT IN ($1 /*, ... */) AND b = $2'),
('lists of constants are squashed', 'SELECT a FROM t WHERE a in ( 1 , 2 )', 'SELECT a FROM t WHERE a in ($1 /*, ... */)'),
('lists of constants are squashed', 'SELECT a FROM t WHERE a = ANY (ARRAY[1, 2])', 'SELECT a FROM t WHERE a = ANY (ARRAY[$1 /*, ... */])'),
('lists of constants are squashed', $q$SELECT array['a', 'b']::text[]$q$, 'SELECT array[$1 /*, ... */]::text[]'),
('members may be parameters', 'SELECT a FROM t WHERE a IN ($1, $2)', 'SELECT a FROM t WHERE a IN ($1 /*, ... */)'),
('members may be parameters', 'SELECT a FROM t WHERE a IN ($1::int, 2, $2::int)', 'SELECT a FROM t WHERE a IN ($1 /*, ... */)'),
('members may have signs', 'SELECT a IN (-1, - 2, +3, -4::int)', 'SELECT a IN ($1 /*, ... */)'),
('members may be TRUE, FALSE, NULL', 'SELECT a IN (TRUE, false, NULL), 1', 'SELECT a IN ($1 /*, ... */), $2'),
('members may be cast', $q$SELECT a IN ('a'::text, 'b'::pg_catalog.varchar(10), '{}'::int[], '1'::double precision::"char")$q$, 'SELECT a IN ($1 /*, ... */)'),
('members may be cast', $q$SELECT a IN (CAST(1 AS int), CAST('a' AS varchar(10)), CAST($1 AS timestamp with time zone))$q$, 'SELECT a IN ($1 /*, ... */)'),
('members may be typed', $q$SELECT a IN (date '2020-01-01', timestamp with time zone '2020-01-01', interval '1' day, pg_catalog.int4 '1')$q$, 'SELECT a IN ($1 /*, ... */)'),
('members may be arrays of constants', 'SELECT ARRAY[[1,2],[3,4]], ARRAY[ARRAY[1],ARRAY[2]], a IN (ARRAY[1], ARRAY[2,3])', 'SELECT ARRAY[$1 /*, ... */], ARRAY[$2 /*, ... */], a IN ($3 /*, ... */)'),
('lists of one are not squashed', 'SELECT a IN (1), a IN ($2), a IN (NULL), ARRAY[1], ARRAY[[1]]', 'SELECT a IN ($3), a IN ($2), a IN (NULL), ARRAY[$4], ARRAY[[$5]]'),
('lists of one are not squashed', 'SELECT ARRAY[[1,2]]', 'SELECT ARRAY[[$1 /*, ... */]]'),
('empty arrays are kept', 'SELECT ARRAY[]::int[]', 'SELECT ARRAY[]::int[]'),
('lists with other members are kept', 'SELECT a IN (1, b), a IN (1 + 1, 2), a IN (f(1), 2), ARRAY[1, b]', 'SELECT a IN ($1, b), a IN ($2 + $3, $4), a IN (f($5), $6), ARRAY[$7, b]'),
('lists with other members are kept', $q$SELECT a IN (b AND 'c', 'd'), a IN (NOT 'b', 'c'), a IN ('b' COLLATE "C", 'c'), a IN (-$1, 2)$q$, 'SELECT a IN (b AND $2, $3), a IN (NOT $4, $5), a IN ($6 COLLATE "C", $7), a IN (-$1, $8)'),
('members in parentheses, rows: kept', 'SELECT a IN ((1), (2)), (a, b) IN ((1, 2), (3, 4))', 'SELECT a IN (($1), ($2)), (a, b) IN (($3, $4), ($5, $6))'),
('only the inner list is squashed', 'SELECT ARRAY[[1,2],[a,4]], a IN (b IN (1,2), TRUE)', 'SELECT ARRAY[[$1 /*, ... */],[a,$2]], a IN (b IN ($3 /*, ... */), TRUE)'),
('a subquery is no list', $q$SELECT a IN (SELECT 'b'), ARRAY(SELECT 1)$q$, 'SELECT a IN (SELECT $1), ARRAY(SELECT $2)'),
('arguments are no list', 'SELECT f(1, 2), "in"(1, 2), s.in(1, 2), ROW(1, 2), COALESCE(1, 2)', 'SELECT f($1, $2), "in"($3, $4), s.in($5, $6), ROW($7, $8), COALESCE($9, $10)'),
('VALUES is no list', $q$INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y')$q$, 'INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4)'),
('a normalised text stays', 'SELECT a IN ($1 /*, ... */), $2, ARRAY[$3 /*, ... */]', 'SELECT a IN ($1 /*, ... */), $2, ARRAY[$3 /*, ... */]'),
-- positions
('positions are kept', 'SELECT a, 1 FROM t GROUP BY 1, 2 ORDER BY 1 DESC, 2 NULLS LAST, 3 USING < LIMIT 5', 'SELECT a, $1 FROM t GROUP BY 1, 2 ORDER BY 1 DESC, 2 NULLS LAST, 3 USING < LIMIT $2'),
('positions are kept', 'SELECT a FROM t GROUP BY DISTINCT 1, ROLLUP (1, (2, 3)), CUBE (1, 2), GROUPING SETS ((1), (2, 3), ())', 'SELECT a FROM t GROUP BY DISTINCT 1, ROLLUP (1, (2, 3)), CUBE (1, 2), GROUPING SETS ((1), (2, 3), ())'),
('positions are kept', 'SELECT DISTINCT ON (1, 2) a FROM t ORDER BY 1, 2', 'SELECT DISTINCT ON (1, 2) a FROM t ORDER BY 1, 2'),
('so are integers that look like them', 'SELECT sum(a) OVER (PARTITION BY 1 ORDER BY 1 ROWS 5 PRECEDING), array_agg(a ORDER BY 1) FROM t', 'SELECT sum(a) OVER (PARTITION BY $1 ORDER BY 1 ROWS $2 PRECEDING), array_agg(a ORDER BY 1) FROM t'),
('expressions have no positions', $q$SELECT a FROM t GROUP BY a + 1, 1 + a, f(1), (1) ORDER BY 1::int, 1 IS NULL, -1, '1', 1.5, 12345, (1)$q$, 'SELECT a FROM t GROUP BY a + $1, $2 + a, f($3), ($4) ORDER BY $5::int, $6 IS NULL, $7, $8, $9, $10, ($11)'),
('a sort list ends', 'SELECT a FROM t GROUP BY 1 UNION SELECT 5, 6 ORDER BY 1', 'SELECT a FROM t GROUP BY 1 UNION SELECT $1, $2 ORDER BY 1'),
('a sort list ends', 'INSERT INTO t SELECT a FROM u ORDER BY 1 RETURNING 1, 2', 'INSERT INTO t SELECT a FROM u ORDER BY 1 RETURNING $1, $2'),
-- layout
('white space and letter case are kept', E'SELECT  A,\n\tb\nFROM t', E'SELECT  A,\n\tb\nFROM t'),
('ends are trimmed', E' \n ; /* x */ SELECT 1 -- y\n ; ; -- z', 'SELECT $1'),
('comments are removed', 'SELECT /* a */ b, c/* d */FROM t/**/u -- e', 'SELECT b, c FROM t u'),
('comments are removed', E'SELECT a, -- first\n       b  -- second\n  /* third\n */ FROM t', E'SELECT a,\n       b\n  FROM t'),
('comments are removed', 'SELECT /* a /* b */ c */ 1+/* - */-1', 'SELECT $1+ $2'),
('no comments in operators, quotes', $q$SELECT a #- b, '--', "/* x */" FROM t$q$, 'SELECT a #- b, $1, "/* x */" FROM t'),
('$1 is kept apart from words', $q$SELECT'a'AS b,'c'FROM t WHERE a='d'AND b<'e'$q$, 'SELECT $1 AS b,$2 FROM t WHERE a=$3 AND b<$4'),
-- utility statements
('utility: everything is masked', $q$CREATE ROLE r LOGIN PASSWORD 'secret' CONNECTION LIMIT 4711 VALID UNTIL '2030-01-01'$q$, 'CREATE ROLE r LOGIN PASSWORD $1 CONNECTION LIMIT $2 VALID UNTIL $3'),
('utility: everything is masked', $q$ALTER USER r WITH ENCRYPTED PASSWORD E'secr\u0065t' /* secret */$q$, 'ALTER USER r WITH ENCRYPTED PASSWORD $1'),
('utility: everything is masked', $q$DO $$BEGIN PERFORM dblink('password=secret'); END$$ LANGUAGE plpgsql$q$, 'DO $1 LANGUAGE plpgsql'),
('utility: everything is masked', $q$CREATE FUNCTION f(a int DEFAULT 4711) RETURNS text LANGUAGE sql COST 4711 AS $f$ SELECT 'secret' $f$$q$, 'CREATE FUNCTION f(a int DEFAULT $1) RETURNS text LANGUAGE sql COST $2 AS $3'),
('utility: everything is masked', $q$CREATE FUNCTION f() RETURNS text BEGIN ATOMIC SELECT 'secret'; SELECT 'secret'; END$q$, 'CREATE FUNCTION f() RETURNS text BEGIN ATOMIC SELECT $1; SELECT $2; END'),
('utility: everything is masked', $q$CREATE SUBSCRIPTION s CONNECTION 'host=h password=secret' PUBLICATION p WITH (slot_name = 'secret')$q$, 'CREATE SUBSCRIPTION s CONNECTION $1 PUBLICATION p WITH (slot_name = $2)'),
('utility: everything is masked', $q$CREATE USER MAPPING FOR u SERVER s OPTIONS (user 'u', password 'secret')$q$, 'CREATE USER MAPPING FOR u SERVER s OPTIONS (user $1, password $2)'),
('utility: everything is masked', $q$ALTER SYSTEM SET primary_conninfo = 'password=secret'$q$, 'ALTER SYSTEM SET primary_conninfo = $1'),
('utility: everything is masked', $q$SET my.setting TO 'secret', 4711$q$, 'SET my.setting TO $1, $2'),
('utility: everything is masked', $q$COMMENT ON TABLE t IS 'secret'$q$, 'COMMENT ON TABLE t IS $1'),
('utility: everything is masked', $q$EXECUTE p('secret', 4711, -4711)$q$, 'EXECUTE p($1, $2, $3)'),
('utility: everything is masked', $q$CALL p('secret', 4711)$q$, 'CALL p($1, $2)'),
('utility: everything is masked', $q$COPY t FROM PROGRAM 'secret' WITH (DELIMITER '|')$q$, 'COPY t FROM PROGRAM $1 WITH (DELIMITER $2)'),
('utility: everything is masked', $q$NOTIFY c, 'secret'$q$, 'NOTIFY c, $1'),
('utility: everything is masked', $q$PREPARE TRANSACTION 'secret'$q$, 'PREPARE TRANSACTION $1'),
('utility: everything is masked', $q$SECURITY LABEL ON ROLE r IS 'secret'$q$, 'SECURITY LABEL ON ROLE r IS $1'),
('utility: everything is masked', 'ALTER SEQUENCE s INCREMENT -4711 MINVALUE -4711 RESTART 4711', 'ALTER SEQUENCE s INCREMENT $1 MINVALUE $2 RESTART $3'),
('utility: everything is masked', $q$CREATE TABLE t (a varchar(4711) DEFAULT 'secret', CHECK (a <> U&'\0073ecret'))$q$, 'CREATE TABLE t (a varchar($1) DEFAULT $2, CHECK (a <> $3))'),
('utility: positions too', $q$EXPLAIN SELECT 'secret' FROM t ORDER BY 1$q$, 'EXPLAIN SELECT $1 FROM t ORDER BY $2'),
('utility: positions too', 'CREATE VIEW v AS SELECT a - 4711 FROM t GROUP BY 1', 'CREATE VIEW v AS SELECT a - $1 FROM t GROUP BY $2'),
('SELECT INTO is a utility statement', 'SELECT a INTO u FROM t UNION SELECT b FROM t ORDER BY 1', 'SELECT a INTO u FROM t UNION SELECT b FROM t ORDER BY $1'),
('utility: lists are squashed', $q$DECLARE c CURSOR FOR SELECT a FROM t WHERE a IN ('secret', 4711)$q$, 'DECLARE c CURSOR FOR SELECT a FROM t WHERE a IN ($1 /*, ... */)'),
('utility: lists are squashed', 'CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1, 2)', 'CREATE TABLE t1 PARTITION OF t FOR VALUES IN ($1 /*, ... */)'),
('utility: words and names are kept', 'SET search_path = a, "B"; ', 'SET search_path = a, "B"'),
('utility: words and names are kept', 'SET jit TO off', 'SET jit TO off'),
('utility: UESCAPE of an identifier', $q$COMMENT ON TABLE U&"d!0061" UESCAPE '!' IS 'secret'$q$, $q$COMMENT ON TABLE U&"d!0061" UESCAPE '!' IS $1$q$);

-- only what differs
SELECT rule, input, expected, pool_perf.normalize_query(input)
FROM example
WHERE pool_perf.normalize_query(input) IS DISTINCT FROM expected
ORDER BY id;

SELECT count(*) AS examples, count(DISTINCT rule) AS rules FROM example;

-- all of them, to be read
\pset format unaligned
\pset tuples_only on
SELECT CASE WHEN rule IS DISTINCT FROM lag(rule) OVER (ORDER BY id) THEN E'\n' || rule || E'\n' ELSE '' END
    || '    ' || input || E'\n    -> ' || pool_perf.normalize_query(input)
FROM example ORDER BY id;
\pset format aligned
\pset tuples_only off

-- No secret in any text, nor the number that stands for one.
SELECT count(*) AS secrets,
    count(*) FILTER (WHERE pool_perf.normalize_query(input) ~* 'secret|4711') AS shown
FROM example
WHERE input ~* 'secret|4711';

-- Normalised again, a text stays as it is, and so does its fingerprint, where
-- it can be parsed.
CREATE FUNCTION pg_temp.can_parse(query text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pool_perf.fingerprint(query);
    RETURN true;
EXCEPTION WHEN syntax_error THEN
    RETURN false;
END
$$;
SELECT input, expected
FROM example
WHERE CASE WHEN pg_temp.can_parse(expected)
    THEN pool_perf.normalize_query(expected) <> expected
        OR pool_perf.fingerprint(expected) <> pool_perf.fingerprint(input) END
ORDER BY id;
SELECT count(*) > 50 AS enough FROM example WHERE pg_temp.can_parse(expected);

-- Fingerprints: the statements of one array are one statement, those of two are
-- not.  Each row is one that breaks this.
CREATE TEMP TABLE same (id integer GENERATED ALWAYS AS IDENTITY, inputs text[]);
INSERT INTO same (inputs) VALUES
(ARRAY['SELECT a FROM t WHERE a = 1', 'select A from T where a=2 ;', $q$SELECT a FROM t WHERE a = 'x'$q$, 'SELECT a FROM t WHERE a = -1.5',
    'SELECT a FROM t WHERE a = $1', 'SELECT /* x */ a FROM t -- y' || E'\n WHERE a = $7', 'SELECT "a" FROM "t" WHERE U&"a" = 1', E'SELECT\ta\r\nFROM t WHERE a = $$x$$;;']),
(ARRAY['SELECT a FROM t WHERE a <> 1', 'SELECT a FROM t WHERE a != 1', 'SELECT a FROM t WHERE a!=1']),
(ARRAY['SELECT "A" FROM t WHERE a = 1']),
(ARRAY['SELECT a FROM t WHERE a = NULL']),
(ARRAY['SELECT a FROM t WHERE a = true']),
(ARRAY['SELECT a FROM t WHERE a = 1 + 1']),
(ARRAY['SELECT a FROM t WHERE a = - b']),
(ARRAY['SELECT a FROM t WHERE a = b']),
(ARRAY['SELECT a FROM t WHERE at = 1']),
(ARRAY['SELECT a, b', 'SELECT a,b']),
(ARRAY['SELECT a b']),
(ARRAY['SELECT a AS b']),
(ARRAY['SELECT a.b', 'SELECT a . b']),
(ARRAY['SELECT ab']),
(ARRAY['SELECT "a,b"']),
(ARRAY['SELECT "("']),
(ARRAY['SELECT a FROM t WHERE a IN (1)', 'SELECT a FROM t WHERE a IN (1, 2)', $q$SELECT a FROM t WHERE a IN ('a', 'b', 'c')$q$, 'SELECT a FROM t WHERE a IN ($1, $2)',
    'SELECT a FROM t WHERE a IN (-1::int)', 'SELECT a FROM t WHERE a IN (NULL)', 'SELECT a FROM t WHERE a IN (TRUE, 1)', 'SELECT a FROM t WHERE a IN ($1 /*, ... */)']),
(ARRAY['SELECT a FROM t WHERE a NOT IN (1)', 'SELECT a FROM t WHERE a NOT IN (1, 2)']),
(ARRAY['SELECT a FROM t WHERE a IN (b)']),
(ARRAY['SELECT a FROM t WHERE a IN (1, b)']),
(ARRAY['SELECT a FROM t WHERE a IN (1, 2, b)']),
(ARRAY['SELECT ARRAY[1]', 'SELECT ARRAY[1, 2, 3]', 'SELECT ARRAY[[1], [2]]', 'SELECT ARRAY[[1, 2, 3]]']),
(ARRAY['SELECT ARRAY[]']),
(ARRAY['INSERT INTO t VALUES (1)', $q$INSERT INTO t VALUES ('x')$q$]),
(ARRAY['INSERT INTO t VALUES (1), (2)']),
(ARRAY['INSERT INTO t VALUES (1, 2)']),
(ARRAY['SELECT a FROM t ORDER BY 1']),
(ARRAY['SELECT a FROM t ORDER BY 2']),
(ARRAY['SELECT a FROM t ORDER BY 1 DESC']),
(ARRAY['SELECT a FROM t ORDER BY 12']),
(ARRAY['SELECT a FROM t ORDER BY 1 + 1', 'SELECT a FROM t ORDER BY 2 + 2']),
(ARRAY[$q$SET work_mem = '4MB'$q$, $q$SET work_mem = '8MB'$q$, 'SET work_mem = 4096', 'SET "work_mem"= -1']),
(ARRAY['SET work_mem TO 4096']),
(ARRAY['SET jit = on']),
(ARRAY['SET jit = off']),
(ARRAY[$q$DO 'x'$q$, 'DO $$y$$']),
(ARRAY['SELECT a->>b']),
(ARRAY['SELECT a->b']);

WITH statement AS (
    SELECT id, input, pool_perf.fingerprint(input)
    FROM same, unnest(inputs) AS input
)
SELECT a.input, b.input, a.id = b.id AS should_be_equal
FROM statement a JOIN statement b ON a.input < b.input
WHERE (a.fingerprint = b.fingerprint) <> (a.id = b.id);

-- Stored fingerprints are compared across majors and machines: these values
-- must never change.
SELECT query, pool_perf.fingerprint(query) FROM (VALUES
    ('SELECT 1'),
    ('SELECT abalance FROM pgbench_accounts WHERE aid = $1'),
    ('UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2'),
    ('SELECT a FROM t WHERE a IN (1, 2) ORDER BY 1'),
    ('SELECT a_column_with_a_name_of_32_bytes, eightlet, sevenle FROM t WHERE x <> 1'),
    ('SET work_mem = 1')) v (query);

-- Words that are keywords in some majors only are words in all of them.
SELECT DISTINCT pool_perf.fingerprint(q) FROM (VALUES
    ('SELECT json_table, merge_action, vertex FROM t'),
    ('SELECT "json_table", "merge_action", "vertex" FROM t')) v (q);

-- long statements
SELECT pool_perf.normalize_query('SELECT ' || string_agg(i::text, '+') || ' + a IN (' || string_agg(i::text, ', ') || ')')
    = 'SELECT ' || string_agg('$' || i, '+') || ' + a IN ($10001 /*, ... */)' AS long
FROM generate_series(1, 10000) i;
SELECT pool_perf.normalize_query('SELECT a FROM t WHERE a IN (' || string_agg(i::text, ', ') || ')') AS long_list,
    pool_perf.fingerprint('SELECT a FROM t WHERE a IN (' || string_agg(i::text, ', ') || ')')
    = pool_perf.fingerprint('SELECT a FROM t WHERE a IN (0)') AS same_as_one
FROM generate_series(1, 100000) i;
SELECT pool_perf.normalize_query('SELECT ''' || repeat('x', 1000000) || ''' AS y') AS long_literal;
SELECT pool_perf.normalize_query('SELECT ' || repeat('(', 200) || '1' || repeat(')', 200))
    = 'SELECT ' || repeat('(', 200) || '$1' || repeat(')', 200) AS deep;
SELECT pool_perf.normalize_query('SELECT "' || repeat('ä€', 5) || '", ''' || repeat('ä€', 5000) || ''', ü FROM t')
    = 'SELECT "' || repeat('ä€', 5) || '", $1, ü FROM t' AS multibyte;

-- no statement, none known, several
SELECT pool_perf.normalize_query('') IS NULL AS a, pool_perf.fingerprint(' ; -- x') IS NULL AS b,
    pool_perf.normalize_query(NULL) IS NULL AS c;
SELECT pool_perf.normalize_query('SELEC 1');
SELECT pool_perf.fingerprint(E'SELECT 1\nFROM t WHERE a = ''x');
SELECT pool_perf.normalize_query('SELECT 1; SELECT 2;');
\echo :LAST_ERROR_SQLSTATE

SELECT proname, provolatile, proisstrict, proparallel,
    has_function_privilege('public', oid, 'EXECUTE') AS public,
    obj_description(oid, 'pg_proc') IS NOT NULL AS has_comment
FROM pg_proc
WHERE pronamespace = 'pool_perf'::regnamespace AND proname IN ('normalize_query', 'fingerprint')
ORDER BY proname;
