# Texts: no secret is ever in one, long ones are cut with a mark, and one that was
# lost with its row comes back

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use PoolPerf;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PoolPerf::cluster(
	'main',
	conf => "pool_perf.track = all\nlog_statement = none\nlog_min_error_statement = panic\nwal_level = logical\n",
	create => 1);

# Utility statements that hold a secret: as it is said in SQL, when they succeed, when
# they fail, among others in a message, prepared, in functions and blocks
my $secret = 'hush7x';
my @secrets = (
	"CREATE ROLE r1 LOGIN PASSWORD 'SECRET'",
	"ALTER ROLE r1 WITH ENCRYPTED PASSWORD 'SECRET' VALID UNTIL 'infinity'",
	"alter user r1 password E'SECRET\\n'",
	"ALTER ROLE r1 PASSWORD U&'SECRET\\0041'",
	"ALTER ROLE r1 PASSWORD \$\$SECRET\$\$",
	"ALTER ROLE r1 PASSWORD \$tag\$SECRET\$tag\$",
	"ALTER ROLE r1 PASSWORD 'a'\n'SECRET'",
	"ALTER ROLE r1 PASSWORD /* 'SECRET' */ 'SECRET' -- SECRET\n",
	"ALTER ROLE nobody_of_this_name PASSWORD 'SECRET'",
	"CREATE ROLE r1 PASSWORD 'SECRET'",
	"ALTER ROLE r1 SET search_path = 'SECRET'",
	"SET application_name = 'SECRET'",
	"COMMENT ON ROLE r1 IS 'SECRET'",
	"CREATE SUBSCRIPTION s CONNECTION 'host=localhost password=SECRET' PUBLICATION p WITH (connect = false)",
	"CREATE SUBSCRIPTION s2 CONNECTION 'host=/nowhere password=SECRET' PUBLICATION p",
	"ALTER SUBSCRIPTION s CONNECTION 'host=localhost password=SECRET'",
	"CREATE FOREIGN DATA WRAPPER w OPTIONS (password 'SECRET')",
	"CREATE SERVER srv FOREIGN DATA WRAPPER w OPTIONS (token 'SECRET')",
	"CREATE USER MAPPING FOR CURRENT_USER SERVER srv OPTIONS (user 'u', password 'SECRET')",
	"ALTER USER MAPPING FOR CURRENT_USER SERVER srv OPTIONS (SET password 'SECRET')",
	"CREATE FUNCTION f() RETURNS text LANGUAGE sql AS \$f\$SELECT 'SECRET'\$f\$",
	"CREATE FUNCTION f2() RETURNS text LANGUAGE sql RETURN 'SECRET'",
	"CREATE FUNCTION f3() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT 'SECRET'; END",
	"CREATE FUNCTION f4(a text DEFAULT 'SECRET') RETURNS text LANGUAGE sql AS 'SELECT a'",
	"CREATE TABLE d (a text DEFAULT 'SECRET' CHECK (a <> 'SECRET'))",
	"CREATE VIEW v AS SELECT 'SECRET' AS a",
	"CREATE TABLE ctas AS SELECT 'SECRET' AS a",
	"SELECT 'SECRET' AS a INTO selected",
	"CREATE MATERIALIZED VIEW mv AS SELECT 'SECRET'::text AS a",
	"PREPARE p AS SELECT 'SECRET' WHERE 'SECRET' = \$1",
	"EXECUTE p('SECRET')",
	"EXPLAIN SELECT 'SECRET'",
	"EXPLAIN ANALYZE SELECT 'SECRET'",
	"EXPLAIN EXECUTE p('SECRET')",
	"CREATE TABLE ctas2 AS EXECUTE p('SECRET')",
	"BEGIN; DECLARE c CURSOR FOR SELECT 'SECRET'; FETCH c; CLOSE c; COMMIT",
	"COPY (SELECT 'SECRET') TO STDOUT",
	"COPY d FROM PROGRAM 'echo SECRET'",
	"COPY d FROM '/nowhere/SECRET'",
	"DO \$\$BEGIN PERFORM 'SECRET'; EXECUTE 'ALTER ROLE r1 PASSWORD ''SECRET'''; END\$\$",
	"DO 'BEGIN RAISE ''SECRET''; END'",
	"DO LANGUAGE plpgsql \$\$BEGIN EXECUTE 'ALTER ROLE nobody_of_this_name PASSWORD ''SECRET'''; EXCEPTION WHEN OTHERS THEN NULL; END\$\$",
	"CALL nothing('SECRET')",
	"NOTIFY n, 'SECRET'",
	"SECURITY LABEL FOR none ON ROLE r1 IS 'SECRET'",
	"PREPARE TRANSACTION 'SECRET'",
	"CREATE TYPE t AS ENUM ('SECRET')",
	"CREATE RULE ru AS ON INSERT TO d DO ALSO NOTIFY n, 'SECRET'",
	"CREATE PUBLICATION pub FOR TABLE d WHERE (a = 'SECRET')",
	"CREATE EVENT TRIGGER e ON ddl_command_end WHEN TAG IN ('SECRET') EXECUTE FUNCTION f()",
	"ALTER TABLE d ADD COLUMN b text DEFAULT 'SECRET'",
	"ALTER SYSTEM SET archive_command = 'SECRET'",
	# queries
	"SELECT 'SECRET'", "SELECT \$\$SECRET\$\$, E'SECRET', U&'SECRET', N'SECRET', B'1', X'1F'",
	"SELECT pg_sleep(0) WHERE 'SECRET' = 'a' OR 'x' IN ('SECRET', 'SECRET')",
	"SELECT 'SECRET'::name, name 'SECRET', CAST('SECRET' AS text), 'SECRET' COLLATE \"C\"",
	"INSERT INTO d VALUES ('SECRET'), ('SECRET')",
	"INSERT INTO nowhere VALUES ('SECRET')",
	"SELECT 1 / 0, 'SECRET'",
	"SELECT encode('SECRET', 'nonsense')",
	"VALUES ('SECRET')",
	"SET standard_conforming_strings = off; SELECT 'a\\'SECRET', 'SECRET'",
	"SET standard_conforming_strings = off; ALTER ROLE r1 PASSWORD 'a\\'SECRET'",
	"SELECT 1; ALTER ROLE r1 PASSWORD 'SECRET'; SELECT 'SECRET'",
	"ALTER ROLE r1 PASSWORD 'SECRET',");

# Case by case, each by itself and as the second of a message
# (only blocks have a semicolon of their own, and the two that change how literals are read)
sub run
{
	$node->psql('postgres', join('', map { s/SECRET/$secret/gr . ";\nRESET standard_conforming_strings;\n" } @_), on_error_stop => 0);
	return;
}
run(@secrets);
run(map { "SELECT 2\\;" . s/;/\\;/gr } grep { !/^BEGIN/ } @secrets);

# with texts cut to all lengths
foreach my $length (64, 70, 80)
{
	$node->append_conf('postgresql.conf', "pool_perf.max_text_length = $length\n");
	$node->reload;
	$node->safe_psql('postgres', 'SELECT pool_perf.reset()');
	run(@secrets, map { "ALTER ROLE r1 PASSWORD '" . ('x' x $_) . "SECRET'" } 1 .. 60);
	is(shown(), '', "no secret is shown, cut to $length");
}
$node->append_conf('postgresql.conf', "pool_perf.max_text_length = 4kB\n");
$node->reload;
run(@secrets);

# Rows of any view or function that have it
sub shown
{
	return $node->safe_psql('postgres',
		join(';', map { "SELECT r::text FROM pool_perf.$_ AS r WHERE r::text LIKE '%hush%'" } ('queries', 'top_queries', 'databases', 'info', 'memory', 'health', 'summary()', 'queries(true)')));
}

is(shown(), '', 'no secret is shown');
is($node->safe_psql('postgres', q{SELECT count(*) > 50 FROM pool_perf.queries}), 't', 'though there are texts');
is( $node->safe_psql('postgres',
		q{SELECT calls > 0, query FROM pool_perf.queries WHERE query LIKE 'CREATE ROLE r1 LOGIN PASSWORD%' OR query LIKE 'CREATE USER MAPPING%' OR query LIKE 'NOTIFY n,%' ORDER BY query COLLATE "C"}),
	"t|CREATE ROLE r1 LOGIN PASSWORD \$1\nt|CREATE USER MAPPING FOR CURRENT_USER SERVER srv OPTIONS (user \$1, password \$2)\nt|NOTIFY n, \$1",
	'the rest of the statement is');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pool_perf.queries WHERE query LIKE 'DO %' AND query <> 'DO $1' AND query <> 'DO LANGUAGE plpgsql $1'}), 0, 'a block is one constant');

# through the extended protocol
my $script = "$PostgreSQL::Test::Utils::tmp_check/secret.sql";
append_to_file($script, "ALTER ROLE r1 PASSWORD '$secret';\nSELECT '$secret';\nSET application_name = '$secret';\n");
foreach my $mode ('simple', 'extended', 'prepared')
{
	$node->command_ok([ 'pgbench', '-n', '-t', '3', '-M', $mode, '-f', $script, '-h', $node->host, '-p', $node->port, 'postgres' ], "pgbench -M $mode");
	is(shown(), '', "no secret is shown after -M $mode");
}

# neither in the file
$node->stop;
my $file = $node->data_dir . '/pg_stat_tmp/pool_perf.stat';
ok(-s $file, 'there is a file');
unlike(slurp_file($file), qr/hush/, 'no secret is saved');
unlike(slurp_file($node->logfile), qr/pool_perf.*hush/, 'no secret is logged by pool_perf');
$node->start;
is(shown(), '', 'no secret is shown after a restart');

# Long texts
$node->append_conf('postgresql.conf', "pool_perf.track = top\npool_perf.max_queries = 100\npool_perf.max_text_length = 1000\n");
$node->restart;
$node->safe_psql('postgres', 'SELECT pool_perf.reset()');
my $cut_before = $node->safe_psql('postgres', 'SELECT texts_cut FROM pool_perf.info');
my $long = 'SELECT ' . join(', ', map { "$_ AS column_$_" } 1 .. 100);
$node->safe_psql('postgres', $long);
is( $node->safe_psql('postgres', q{SELECT octet_length(query) BETWEEN 990 AND 1000, right(query, 6), left(query, 40), calls FROM pool_perf.queries WHERE query LIKE 'SELECT $1 AS column_1,%'}),
	't| [...]|SELECT $1 AS column_1, $2 AS column_2, $|1', 'a long text is cut, and shows it');
is($node->safe_psql('postgres', "SELECT texts_cut - $cut_before FROM pool_perf.info"), 1, 'and counted');
is($node->safe_psql('postgres', "SELECT count(*) FROM pool_perf.queries WHERE fingerprint = pool_perf.fingerprint(\$q\$$long\$q\$)"), 1, 'its fingerprint is that of the whole');
# two that begin alike differ all the same
$node->safe_psql('postgres', "$long, 1 + 1 AS more");
is($node->safe_psql('postgres', q{SELECT count(DISTINCT fingerprint), count(DISTINCT query) FROM pool_perf.queries WHERE query LIKE 'SELECT $1 AS column_1,%'}), '2|1', 'two long texts that begin alike');
# texts of no more than the limit have no mark
is($node->safe_psql('postgres', q{SELECT count(*) FROM pool_perf.queries WHERE query LIKE '%[...]' AND query NOT LIKE 'SELECT $1 AS column_1,%' AND query NOT LIKE '%[...]%''' }), 0, 'no other has the mark');
# the setting reloads: what comes next is cut later
$node->append_conf('postgresql.conf', "pool_perf.max_text_length = 64\n");
$node->reload;
ok($node->poll_query_until('postgres', q{SELECT current_setting('pool_perf.max_text_length') = '64B'}), 'reloaded');
$node->safe_psql('postgres', "$long, 1 + 1 + 1 AS more");
is($node->safe_psql('postgres', q{SELECT octet_length(query) FROM pool_perf.queries WHERE query LIKE 'SELECT $1 AS column_1,%' ORDER BY 1 LIMIT 1}) <= 64, 1, 'cut to 64 bytes');
$node->append_conf('postgresql.conf', "pool_perf.max_text_length = 1MB\n");
$node->reload;
ok($node->poll_query_until('postgres', q{SELECT current_setting('pool_perf.max_text_length') = '1MB'}), 'reloaded');
my $huge = 'SELECT ' . join(', ', map { "$_ AS column_$_" } 1 .. 1600) . ' WHERE ' . join(' OR ', map { "$_ = $_" } 1 .. 3000);
$node->safe_psql('postgres', $huge);
is($node->safe_psql('postgres', q{SELECT max(octet_length(query)) > 60000, bool_and(query NOT LIKE '%[...]') FROM pool_perf.queries WHERE query LIKE '%column_1600%'}),
	't|t', 'a text of 60 kB is kept whole');
# What eviction takes comes back with its text, by any protocol
my @again = (
	'SELECT 1 AS again, 2, 3', 'CREATE TABLE IF NOT EXISTS again (a int)', "COMMENT ON TABLE again IS 'x'",
	"PREPARE again AS SELECT \$1::int, 'a', 4", 'EXECUTE again(1)');
my $evict = q{
	SET pool_perf.track = 'all';
	DO $$
	BEGIN
	  FOR i IN 1..2000 LOOP
	    EXECUTE 'SELECT ' || (SELECT string_agg(CASE WHEN i & (1 << b) > 0 THEN '1 + ' ELSE '1 - ' END, '') FROM generate_series(0, 10) b) || '1';
	  END LOOP;
	END $$;
	RESET pool_perf.track;};
my $shows = q{SELECT query FROM pool_perf.queries WHERE query ~ '(AS again,|TABLE IF NOT EXISTS again|ON TABLE again|PREPARE again|SELECT \$1::int)' AND query NOT LIKE '%pool_perf%' ORDER BY query COLLATE "C"};
my $session = join(";\n", @again) . ";\n";
# the prepared statement is still there when its row is not
my $all = "\\o /dev/null\nSET client_min_messages = error;\n$session\n\\o\n$shows;\n\\echo --\n\\o /dev/null\n$evict\n$evict\n\\o\n$shows;\n\\echo --\n\\o /dev/null\n"
  . join(";\n", grep { !/^PREPARE/ } @again) . ";\nSELECT 1;\n\\o\n$shows;\n\\echo --\n"
  . q{SELECT bool_and(calls = 1) FROM pool_perf.queries WHERE query ~ 'AS again,' AND query NOT LIKE '%pool_perf%';};
my ($before, $evicted, $back, $calls) = split(/\n?--\n/, $node->safe_psql('postgres', "SET pool_perf.track = 'top';\n" . $all));
cmp_ok(scalar(() = $before =~ /\n/g), '>=', 3, 'texts before') or diag($before);
is($evicted, '', 'all are evicted');
is(join("\n", grep { !/^PREPARE again AS SELECT \$1::int, \$2, \$3$/ } split(/\n/, $back)), join("\n", grep { !/^PREPARE again AS SELECT \$1::int, \$2, \$3$/ } split(/\n/, $before)), 'they come back');
is($calls, 't', 'with the calls since then');
is($node->safe_psql('postgres', q{SELECT sum(calls) > 4000 FROM pool_perf.queries WHERE query = '<other>'}), 't', 'the others are in <other>');

$node->stop;
done_testing();
