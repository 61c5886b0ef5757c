# Together with pg_stat_statements and auto_explain, loaded before and after them:
# calls - failed_calls and rows are what pg_stat_statements shows.
#
# Where the two differ, and why that is right:
#
# - Utility statements have an id of pool_perf's own where pg_stat_statements is
#   called first and clears it (it is listed last), and on 15, where the id is a
#   hash of the text with its literals.  They are compared by fingerprint here.
# - pg_stat_statements never counts what failed, nor PREPARE, nor (up to 16)
#   DEALLOCATE, nor statements without a query id, as (up to 17) the query of
#   CREATE TABLE AS and DECLARE CURSOR.
# - It counts no utility statement of the extended protocol that is executed again
#   without a new Parse (pgbench -M prepared: BEGIN and COMMIT), since it clears the
#   query id in the cached plan.
# - It masks names of savepoints and cursors, from 16 or 18 on.
# - It counts the query of EXPLAIN without ANALYZE, which is not executed.
# - It counts a COMMIT that fails, since its hook has returned by then.
# - It takes role and nesting level from when a statement ends: SET ROLE and RESET
#   ROLE belong to the new role there; a deferred trigger's statements at COMMIT, and
#   cursors that COMMIT closes, are at top level there, and nested in pool_perf.
# - Statements in functions that the planner evaluates are at top level there, up to
#   16.
# - Up to 15 it has only the rows of the last Run of an execution that runs in steps.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use PoolPerf;
use PostgreSQL::Test::Utils;
use Test::More;

my @orders = (
	[ 'pool_perf_first', 'pool_perf, pg_stat_statements, auto_explain', 0 ],
	[ 'pool_perf_last', 'pg_stat_statements, auto_explain, pool_perf', 1 ],
	[ 'pool_perf_between', 'auto_explain, pool_perf, pg_stat_statements', 0 ]);

# What application code does, in one session; it ends with all errors handled
my $setup = <<'EOSQL';
CREATE ROLE regress_pp_app SUPERUSER;
CREATE TABLE parents (id int PRIMARY KEY, name text);
CREATE TABLE children (id serial PRIMARY KEY, parent int REFERENCES parents ON DELETE CASCADE, n int CHECK (n >= 0));
CREATE TABLE audited (id int, at text);
CREATE TABLE deferred (id int UNIQUE DEFERRABLE INITIALLY DEFERRED);
CREATE MATERIALIZED VIEW totals AS SELECT parent, sum(n) AS n FROM children GROUP BY parent;
CREATE VIEW some_parents AS SELECT * FROM parents WHERE id < 100;
CREATE TABLE ruled (a int);
CREATE RULE also AS ON INSERT TO ruled DO ALSO INSERT INTO audited VALUES (new.a, 'rule');
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO audited VALUES (new.id, TG_OP); RETURN new; END $$;
CREATE TRIGGER audit AFTER INSERT OR UPDATE ON children FOR EACH ROW EXECUTE FUNCTION audit();
CREATE FUNCTION twice(i int) RETURNS int LANGUAGE sql STABLE AS 'SELECT i * 2 FROM parents WHERE id = i LIMIT 1';
CREATE FUNCTION many(n int) RETURNS SETOF int LANGUAGE plpgsql AS $$
DECLARE r record;
BEGIN
  FOR r IN SELECT id FROM parents ORDER BY id LIMIT n LOOP RETURN NEXT r.id; END LOOP;
END $$;
CREATE FUNCTION deep(n int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  IF n > 0 THEN RETURN (SELECT deep(n - 1) + count(*) FROM parents WHERE id = n); END IF;
  RETURN 0;
END $$;
CREATE FUNCTION swallow(n int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE caught int := 0;
BEGIN
  FOR i IN 1..n LOOP
    BEGIN
      PERFORM 1 / (p.id - p.id) FROM parents p LIMIT 1;
    EXCEPTION WHEN division_by_zero THEN caught := caught + 1 + (SELECT count(*) FROM parents WHERE id < 0);
    END;
  END LOOP;
  RETURN caught;
END $$;
CREATE PROCEDURE work(n int) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1..n LOOP
    INSERT INTO audited VALUES (i, 'work');
    IF i % 2 = 0 THEN COMMIT; ELSE ROLLBACK; END IF;
  END LOOP;
END $$;
EOSQL

my $work = <<'EOSQL';
INSERT INTO parents SELECT i, 'p' || i FROM generate_series(1, 200) i;
INSERT INTO children (parent, n) SELECT i % 50 + 1, i FROM generate_series(1, 100) i;
SELECT * FROM parents WHERE id = 1;
SELECT * FROM parents WHERE id = 2;
SELECT * FROM parents WHERE id IN (1, 2, 3);
SELECT * FROM some_parents ORDER BY id LIMIT 5;
SELECT twice(3), twice(4);
SELECT count(*) FROM many(7);
SELECT * FROM many(3) m JOIN parents p ON p.id = m;
SELECT deep(5);
WITH moved AS (DELETE FROM children WHERE id > 90 RETURNING *) SELECT count(*) FROM moved;
UPDATE children SET n = n + 1 WHERE id < 11 RETURNING id;
INSERT INTO ruled VALUES (1), (2);
MERGE INTO parents p USING (VALUES (1, 'x'), (1001, 'y')) v(id, name) ON p.id = v.id
  WHEN MATCHED THEN UPDATE SET name = v.name WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.name);
DELETE FROM parents WHERE id = 3;
VALUES (1), (2);
TABLE ruled;
SELECT 1 WHERE false;
SELECT 1; SELECT 2, 3; SELECT 4\;SELECT 5, 6\;SELECT 7;
PREPARE p1 AS SELECT * FROM parents WHERE id = $1;
EXECUTE p1(5); EXECUTE p1(6); EXECUTE p1(7); EXECUTE p1(8); EXECUTE p1(9); EXECUTE p1(10); EXECUTE p1(11);
PREPARE p2 AS INSERT INTO audited VALUES ($1, 'p2');
EXECUTE p2(1); EXECUTE p2(2);
EXPLAIN EXECUTE p1(5);
CREATE TEMP TABLE executed AS EXECUTE p1(5);
DEALLOCATE p1;
DEALLOCATE ALL;
BEGIN;
DECLARE c1 CURSOR FOR SELECT id FROM parents ORDER BY id;
FETCH 5 FROM c1; FETCH 10 FROM c1; MOVE 3 IN c1; FETCH ALL FROM c1; FETCH BACKWARD 2 FROM c1;
CLOSE c1;
COMMIT;
BEGIN; SAVEPOINT s; INSERT INTO audited VALUES (0, 's'); ROLLBACK TO s; RELEASE s; ROLLBACK;
COPY parents TO STDOUT;
COPY (SELECT * FROM parents WHERE id < 10) TO STDOUT;
COPY audited FROM STDIN;
1	a
2	b
3	c
\.
CREATE TABLE made AS SELECT * FROM parents WHERE id < 20;
SELECT * INTO made_too FROM parents WHERE id < 30;
REFRESH MATERIALIZED VIEW totals;
EXPLAIN SELECT * FROM parents;
EXPLAIN ANALYZE SELECT count(*) FROM children;
DO $$ BEGIN INSERT INTO audited VALUES (9, 'do'); PERFORM count(*) FROM parents; EXECUTE 'SELECT 1 + 1'; END $$;
DO $$ DECLARE c CURSOR FOR SELECT id FROM parents; r record; BEGIN
  OPEN c; FETCH c INTO r; FETCH c INTO r; CLOSE c; FOR r IN c LOOP EXIT; END LOOP; END $$;
CALL work(4);
SELECT swallow(20);
ANALYZE parents;
VACUUM audited;
SET work_mem = '8MB'; SHOW work_mem; RESET work_mem;
CREATE INDEX ON children (parent);
ALTER TABLE audited ADD COLUMN more int DEFAULT 1;
LOCK TABLE audited;
TRUNCATE audited;
DROP TABLE made;
COMMENT ON TABLE parents IS 'literal one';
COMMENT ON TABLE parents IS 'literal two';
LISTEN a; NOTIFY a; UNLISTEN *;
-- failures
SELECT 1 / 0;
SELECT 1 / (id - id) FROM parents;
INSERT INTO children (parent, n) VALUES (1, -1);
INSERT INTO children (parent, n) VALUES (5000, 1);
CREATE TABLE parents (a int);
BEGIN; INSERT INTO parents VALUES (1, 'again'); SELECT 1; ROLLBACK;
BEGIN; DECLARE c2 CURSOR FOR SELECT 1 / (4 - id) FROM parents ORDER BY id; FETCH 1 FROM c2; FETCH 5 FROM c2; COMMIT;
DO $$ BEGIN RAISE 'no'; END $$;
CALL work(NULL);
SET statement_timeout = '50ms';
SELECT pg_sleep(10);
RESET statement_timeout;
BEGIN; INSERT INTO deferred VALUES (1), (1); COMMIT;
SET ROLE regress_pp_app;
SELECT count(*) AS as_app FROM parents;
RESET ROLE;
EOSQL

my $pgbench = <<'EOSQL';
\set id random(1, 150)
SELECT name AS bench FROM parents WHERE id = :id;
BEGIN;
UPDATE parents SET name = 'b' WHERE id = :id AND id <> 3;
SELECT twice(:id);
INSERT INTO children (parent, n) SELECT id, :id FROM parents WHERE id = 1;
COMMIT;
SELECT count(*) FROM many(5);
EOSQL

my $utility = '^(ALTER|ANALYZE|BEGIN|CALL|CLOSE|COMMENT|COMMIT|COPY|CREATE|DEALLOCATE|DECLARE|DO|DROP|EXPLAIN|FETCH|LISTEN|LOCK|MOVE|NOTIFY|PREPARE|REFRESH|RELEASE|RESET|ROLLBACK|SAVEPOINT|SELECT [*] INTO|SET|SHOW|TRUNCATE|UNLISTEN|VACUUM)';

# Left out on both sides, as the head of this file says
my $legitimate = q{
	query ~* '^(PREPARE|DEALLOCATE|SET ROLE|RESET ROLE|BEGIN|COMMIT|SAVEPOINT|RELEASE|ROLLBACK TO)'
	OR query ~* '^EXPLAIN (SELECT|EXECUTE)' AND NOT toplevel};

# $by must be an expression over a row of pg_stat_statements; the result is empty
# if all is the same
sub differences
{
	my ($node, $is_utility, $column, $by) = @_;

	return $node->safe_psql('postgres', <<"EOSQL");
WITH pp AS (
  SELECT userid, $column AS id, toplevel, min(query) AS query, sum(calls - failed_calls) AS calls, sum(failed_calls) AS failed_calls, sum(rows) AS rows
  FROM pool_perf.queries
  WHERE datname = 'app' AND queryid IS NOT NULL AND query NOT LIKE '<%' AND (query ~* '$utility') = $is_utility AND NOT ($legitimate)
  GROUP BY 1, 2, 3 HAVING sum(calls - failed_calls) > 0
), s AS MATERIALIZED (
  SELECT *, regexp_replace(query, '^([[:space:]]|--[^\n]*\n)+', '') AS text
  FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
  WHERE datname = 'app' AND calls > 0
), pgss AS (
  SELECT userid, $by AS id, toplevel, min(query) AS query, sum(calls) AS calls, sum(rows) AS rows
  FROM s
  WHERE (text ~* '$utility') = $is_utility AND NOT ($legitimate)
  GROUP BY 1, 2, 3
)
SELECT coalesce(pp.toplevel, pgss.toplevel), pp.calls, pgss.calls, pp.rows, pgss.rows, pp.query, pgss.query
FROM pp FULL JOIN pgss USING (userid, id, toplevel)
WHERE pp.calls IS DISTINCT FROM pgss.calls
  OR pp.rows <> pgss.rows
     -- failed runs have rows too, which pg_stat_statements does not count
     AND pp.failed_calls = 0
     -- the query of a loop runs in steps
     AND NOT (pp.query ~ '^SELECT id FROM parents' AND current_setting('server_version_num')::int < 160000)
EOSQL
}

foreach my $order (@orders)
{
	my ($name, $preload, $is_last) = @$order;
	my $node = PoolPerf::cluster(
		$name,
		preload => $preload,
		conf => <<'EOCONF',
pg_stat_statements.track = 'all'
pg_stat_statements.track_planning = on
pool_perf.track = 'all'
auto_explain.log_min_duration = 0
auto_explain.log_nested_statements = on
auto_explain.log_analyze = on
auto_explain.log_buffers = on
auto_explain.log_triggers = on
autovacuum = off
max_prepared_transactions = 5
EOCONF
		create => 1);

	$node->safe_psql('postgres', 'CREATE EXTENSION pg_stat_statements; CREATE DATABASE app');
	# parameters in utility statements, as pg_stat_statements shows them, are no syntax
	$node->safe_psql('postgres', <<'EOSQL');
CREATE FUNCTION fingerprint_of(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  stand_in text;
BEGIN
  FOREACH stand_in IN ARRAY ARRAY['$\1', '1', '''x'''] LOOP
    BEGIN
      RETURN pool_perf.fingerprint(regexp_replace(query, '\$(\d+)', stand_in, 'g'));
    EXCEPTION WHEN syntax_error THEN NULL;
    END;
  END LOOP;
  RAISE 'no fingerprint: %', query;
END $$;
EOSQL
	is( $node->safe_psql('postgres',
			"SELECT status, message LIKE 'pg_stat_statements is loaded after pool_perf %', remedy LIKE 'List pool_perf last %' FROM pool_perf.health WHERE check_name = 'load_order'"),
		$is_last ? 'ok|f|' : 'ok|t|t', "$name: health says what the order costs");
	$node->safe_psql('app', $setup);
	$node->safe_psql('postgres', 'SELECT pg_stat_statements_reset(); SELECT pool_perf.reset()');

	for my $run (1 .. 2)
	{
		$node->psql('app', $work, on_error_stop => 0, stdout => \my $out, stderr => \my $err);
		my @errors = $err =~ /ERROR:/g;
		is(scalar @errors, 13, "$name: statements that fail") or diag($err);
		$node->safe_psql('app', 'TRUNCATE parents, children, ruled; DROP TABLE made_too; ALTER TABLE audited DROP more; DROP INDEX children_parent_idx') if $run == 1;
	}
	foreach my $mode ('simple', 'extended', 'prepared')
	{
		my $script = "$PostgreSQL::Test::Utils::tmp_check/$name.sql";
		append_to_file($script, $pgbench) unless -e $script;
		$node->command_ok([ 'pgbench', '-n', '-c', '2', '-t', '20', '-M', $mode, '-f', $script, '-h', $node->host, '-p', $node->port, 'app' ], "$name: pgbench -M $mode");
	}

	is(differences($node, 'false', 'queryid', 'queryid'), '', "$name: calls and rows of queries are those of pg_stat_statements");
	is(differences($node, 'true', 'fingerprint', 'fingerprint_of(query)'), '', "$name: calls and rows of utility statements are those of pg_stat_statements");

	# and there was something to compare
	is($node->safe_psql('postgres', "SELECT count(*) > 60 AND bool_or(NOT toplevel) FROM pool_perf.queries WHERE datname = 'app' AND calls > failed_calls"),
		't', "$name: many statements, at several levels");
	is($node->safe_psql('postgres', "SELECT count(*) >= 10, sum(failed_calls) >= 60 FROM pool_perf.queries WHERE datname = 'app' AND failed_calls > 0"),
		't|t', "$name: many failed");
	# 3 of 20 transactions each by 2 clients, those of the session
	is($node->safe_psql('postgres', "SELECT sum(calls), sum(failed_calls) FROM pool_perf.queries WHERE datname = 'app' AND toplevel AND query = 'BEGIN'"),
		'130|0', "$name: every BEGIN is counted");
	is($node->safe_psql('postgres', "SELECT sum(calls), sum(failed_calls) FROM pool_perf.queries WHERE datname = 'app' AND toplevel AND query = 'COMMIT'"),
		'126|2', "$name: every COMMIT is counted, and those that fail");
	is($node->safe_psql('postgres', "SELECT calls, failed_calls FROM pool_perf.queries WHERE datname = 'app' AND query LIKE 'PREPARE p1 AS %' AND toplevel AND rows = 0"),
		'2|0', "$name: PREPARE is counted, pg_stat_statements does not");
	is($node->safe_psql('postgres', "SELECT count(*) FROM pool_perf.queries WHERE query = '<text not recorded>' AND datname = 'app'"), 0, "$name: no text is missing");

	# utility statements have the ids of pg_stat_statements where it can be
	is( $node->safe_psql(
			'postgres',
			q{SELECT count(*) FROM pool_perf.queries q JOIN pg_stat_statements s USING (dbid, userid, queryid, toplevel)
			  WHERE q.query IN ('BEGIN', 'COMMIT', 'REFRESH MATERIALIZED VIEW totals', 'ANALYZE parents') AND s.query = q.query}),
		4, "$name: utility statements have their ids") if $is_last;
	is( $node->safe_psql(
			'postgres',
			q{SELECT bool_and(queryid IS NOT NULL AND queryid <> 0 AND fingerprint <> 0) FROM pool_perf.queries WHERE query IN ('BEGIN', 'COMMIT', 'ANALYZE parents')}),
		't', "$name: utility statements have ids");

	# auto_explain saw them all too
	like(slurp_file($node->logfile), qr/duration: .*plan:\s+Query Text: SELECT \* FROM parents WHERE id IN \(1, 2, 3\)/, "$name: auto_explain works");
	unlike(slurp_file($node->logfile), qr/PANIC|TRAP|pool_perf.*(?:WARNING|ERROR)/, "$name: nothing else in the log");

	# one is reset without the other
	$node->safe_psql('postgres', 'SELECT pg_stat_statements_reset()');
	is($node->safe_psql('postgres', "SELECT count(*) > 60 FROM pool_perf.queries WHERE datname = 'app'"), 't', "$name: keeps its own");
	$node->stop;
}

done_testing();
