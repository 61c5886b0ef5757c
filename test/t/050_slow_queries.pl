# The ring of slow executions: what is in it, for how long, who may see it, and that
# nothing of it is lost without being counted

use strict;
use warnings FATAL => 'all';

use Encode ();
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PoolPerf;
use PostgreSQL::Test::Utils;
use Test::More;

# Nothing is slow but in sessions that say so
my $quiet = "pool_perf.log_min_duration = -1\npool_perf.alert_min_duration = -1\npool_perf.critical_min_duration = -1\n";
my $node = PoolPerf::cluster(
	'main',
	conf => "${quiet}pool_perf.slow_query_history = 100\npool_perf.track_utility = off\npool_perf.log_rate = -1\npool_perf.log_rate_total = -1\n"
	  . "listen_addresses = '127.0.0.1'\nlog_statement = none\nlog_min_error_statement = panic\nlog_min_messages = log\n",
	create => 1);

# Runs SQL in a session in which all statements are of that severity
sub slow
{
	my ($sql, $severity, $db) = @_;
	my $setting = { info => 'log', warning => 'alert', critical => 'critical' }->{ $severity // 'info' };
	return $node->safe_psql($db // 'postgres', "SET pool_perf.${setting}_min_duration = 0; $sql");
}

sub fails
{
	my ($sql) = @_;
	my $rc = $node->psql('postgres', $sql);
	isnt($rc, 0, 'it fails');
	return;
}

sub value { return $node->safe_psql('postgres', $_[0]) }

# n-th of as many different queries as one wants
sub different { return 'SELECT ' . join(', ', (1) x ($_[0] + 1)) . ';' }

sub reset_all { return value('SELECT pool_perf.reset()') }

sub dropped { return value("SELECT dropped FROM pool_perf.memory WHERE component = 'slow_queries'") }

#
# One execution, all columns
#
is(value('SELECT count(*) FROM pool_perf.slow_queries'), 0, 'nothing is slow by itself');
slow("SET application_name = 'app'; SELECT 1 FROM pg_class WHERE relname = 'x';");
my $row = value(
	q{SELECT slow_query_id = 1, started_at < ended_at AND ended_at <= now(), severity, outcome, sqlstate IS NULL,
	         abs(total_time - before_time - plan_time - exec_time) < 0.001, total_time > 0, rows, pid > 0, datname,
	         usename = current_user, application_name, client_addr IS NULL, query, parameters IS NULL,
	         plan LIKE '%pg_class%', shared_blks_hit > 0, waits IS NULL, blocked_by IS NULL FROM pool_perf.slow_queries});
is($row, 't|t|info|ok|t|t|t|0|t|postgres|t|app|t|SELECT $1 FROM pg_class WHERE relname = $2|t|t|t|t|t', 'all columns');
is(value('SELECT count(*) FROM pool_perf.slow_queries s JOIN pool_perf.queries q USING (datname, usename, queryid, fingerprint, query)'),
	1, 'the query is found in queries');
is(value('SELECT s.total_time = q.total_time FROM pool_perf.slow_queries s JOIN pool_perf.queries q USING (queryid)'), 't', 'and its time is the same');
is($node->safe_psql(
		'postgres', 'SET pool_perf.log_min_duration = 0; SELECT $$by TCP$$, 1, 1, 1, 1; RESET pool_perf.log_min_duration; SELECT client_addr FROM pool_perf.slow_queries WHERE query LIKE $$SELECT $1, $2, $3, $4, $5$$',
		connstr => 'host=127.0.0.1 dbname=postgres port=' . $node->port) =~ /^127\.0\.0\.1$/m ? 1 : 0,
	1, 'the address of a client');
value('SELECT pool_perf.reset(NULL, NULL, queryid) FROM pool_perf.slow_queries WHERE client_addr IS NOT NULL');
slow('SELECT 2, 2;', 'warning');
slow('SELECT 2, 2, 2;', 'critical');
is(value('SELECT string_agg(severity, $$,$$ ORDER BY slow_query_id) FROM pool_perf.slow_queries'), 'info,warning,critical', 'severities');
is(value('SELECT string_agg(slow_query_id::text, $$,$$) FROM pool_perf.slow_queries'), '4,3,1', 'the newest first');

reset_all();
is(value('SELECT count(*) FROM pool_perf.slow_queries'), 0, 'reset() empties it');
is(dropped(), 0, 'which is no loss');
slow('SELECT 3; SELECT 3, 3;');
my $queryid = value(q{SELECT queryid FROM pool_perf.slow_queries WHERE query = 'SELECT $1'});
value("SELECT pool_perf.reset(NULL, NULL, $queryid)");
is(value('SELECT string_agg(query, $$;$$) FROM pool_perf.slow_queries'), 'SELECT $1, $2', 'reset() of one query empties its places');
reset_all();

#
# How many places a query has, and how many there are for what
#
my $before = dropped();
slow('SELECT 1;' x 25);
is(value('SELECT count(*), max(slow_query_id) - min(slow_query_id) FROM pool_perf.slow_queries'), '20|19', 'a query has its last 20');
is(dropped() - $before, 5, 'five fell out, and are counted');
slow('SELECT 1;' x 5, 'critical');
is(value('SELECT severity, count(*) FROM pool_perf.slow_queries GROUP BY 1 ORDER BY 1'), "critical|5\ninfo|15", 'critical ones are among the 20');
slow(join('', map { different($_) } 1 .. 90));
is(value('SELECT severity, count(*) FROM pool_perf.slow_queries GROUP BY 1 ORDER BY 1'), "critical|5\ninfo|80", 'others do not push out critical ones');
slow(join('', map { different($_) } 1 .. 30), 'critical');
is(value('SELECT severity, count(*) FROM pool_perf.slow_queries GROUP BY 1 ORDER BY 1'),
	"critical|30\ninfo|70", 'critical ones may have other places too');
is(value('SELECT count(DISTINCT query) FROM pool_perf.slow_queries WHERE severity = $$critical$$'), 30, 'the oldest fell out');
is(value("SELECT entries, max_entries, entries + dropped FROM pool_perf.memory WHERE component = 'slow_queries'"),
	'100|100|' . (25 + 5 + 90 + 30 + $before), 'what is there and what fell out is all there was');
slow(join('', map { different($_) } 1 .. 100));
is(value('SELECT severity, count(*) FROM pool_perf.slow_queries GROUP BY 1 ORDER BY 1'), "critical|20\ninfo|80", 'a fifth of the places is reserved for them');
reset_all();
$before = dropped();
slow(join('', map { different($_) } 1 .. 100), 'critical');
is(value('SELECT count(*) FROM pool_perf.slow_queries'), 100, 'where all are critical, all places are theirs');
is(dropped() - $before, 0, 'and none falls out before they are full');
reset_all();

#
# Executions that fail
#
fails(q{SET pool_perf.log_min_duration = 10; SET statement_timeout = '50ms'; SELECT pg_sleep(60), 'hush7x'});
fails(q{SET pool_perf.log_min_duration = 10; SELECT 1 / (length(pg_sleep(0.02)::text)), 'hush7x'});
fails(q{SET pool_perf.log_min_duration = 10; DO $$BEGIN PERFORM pg_sleep(0.02); RAISE 'hush7x'; END$$});

# cancelled and terminated by another session
foreach my $function ('pg_cancel_backend', 'pg_terminate_backend')
{
	my $session = IPC::Run::start(
		[
			'psql', '-XAt', '-d', $node->connstr('postgres'), map { ('-c', $_) } "SET application_name = '$function'",
			'SET pool_perf.log_min_duration = 0', "SELECT pg_sleep(600), 'hush7x', 1"
		],
		'<', '/dev/null', '>', \my $out, '2>', \my $err);

	ok( $node->poll_query_until(
			'postgres', "SELECT $function(pid) FROM pg_stat_activity WHERE application_name = '$function' AND wait_event = 'PgSleep'"),
		"a session is met by $function");
	$session->finish;
}
my $failures = q{SELECT query, count(*), bool_and(outcome IN ('error', 'cancelled', 'timeout', 'terminated')), min(total_time) > 0 FROM pool_perf.slow_queries GROUP BY 1 ORDER BY 2, 1};
ok( $node->poll_query_until('postgres', 'SELECT count(*) = 4 FROM pool_perf.slow_queries'),
	'timeout, error, cancel and terminated session; utility statements are not measured here');
is(value($failures), "SELECT \$1 / (length(pg_sleep(\$2)::text)), \$3|1|t|t\nSELECT pg_sleep(\$1), \$2|1|t|t\nSELECT pg_sleep(\$1), \$2, \$3|2|t|t", 'each has its row');
is(value(q{SELECT string_agg(outcome, ',') FROM pool_perf.slow_queries WHERE application_name = 'pg_terminate_backend'}), 'terminated', 'the terminated one says so');
reset_all();

# inside of an EXCEPTION block, and of a function that fails
slow(q{SET pool_perf.track = 'all'; DO $$BEGIN PERFORM 1 / (length(pg_sleep(0.01)::text)); EXCEPTION WHEN OTHERS THEN NULL; END$$});
is(value(q{SELECT outcome <> 'ok', query FROM pool_perf.slow_queries}), 't|SELECT $1 / (length(pg_sleep($2)::text))', 'one that an EXCEPTION block caught');
reset_all();

# utility statements
slow(q{SET pool_perf.track_utility = on; DO $$BEGIN PERFORM pg_sleep(0.01); END$$});
is(value(q{SELECT query, plan IS NULL, outcome FROM pool_perf.slow_queries WHERE query LIKE 'DO%'}), 'DO $1|t|ok', 'a utility statement');
reset_all();

#
# Who may see what
#
value(q{CREATE ROLE nobody LOGIN; CREATE ROLE own LOGIN; GRANT SELECT ON pool_perf.slow_queries TO own; CREATE ROLE monitor LOGIN; GRANT pg_monitor TO monitor;
	GRANT SET ON PARAMETER pool_perf.log_min_duration TO own});
slow(q{SELECT 'of the superuser'});
$node->safe_psql('postgres', q{SET pool_perf.log_min_duration = 0; SELECT 'of own', 1}, extra_params => [ '-U', 'own' ]);
my ($rc, $out, $err) = $node->psql('postgres', 'SELECT count(*) FROM pool_perf.slow_queries', extra_params => [ '-U', 'nobody' ]);
like($err, qr/permission denied/, 'without a grant nobody sees it');
my $seen = q{SELECT usename = current_user, query, pid IS NULL, application_name IS NULL, queryid IS NULL, fingerprint IS NULL, plan IS NULL, total_time > 0
	FROM pool_perf.slow_queries ORDER BY slow_query_id};
is($node->safe_psql('postgres', $seen, extra_params => [ '-U', 'own' ]),
	"f|<insufficient privilege>|t|t|t|t|t|t\nt|SELECT \$1, \$2|f|f|f|f|f|t", 'one sees what is one\'s own');
is($node->safe_psql('postgres', $seen, extra_params => [ '-U', 'monitor' ]),
	"f|SELECT \$1|f|f|f|f|f|t\nf|SELECT \$1, \$2|f|f|f|f|f|t", 'pg_monitor sees all');
reset_all();

#
# Texts in other encodings, cut between characters
#
value("CREATE DATABASE latin1 ENCODING 'LATIN1' TEMPLATE template0");
{
	my $alias = "\x{e9}" x 60;
	my $sql = 'SELECT ' . join(', ', map { "1 AS \"$alias$_\"" } 1 .. 30);

	local $ENV{PGCLIENTENCODING} = 'UTF8';
	slow(Encode::encode('UTF-8', $sql), 'info', $_) foreach ('postgres', 'latin1');
	is(value(q{SELECT datname, convert_from(convert_to(left(query, 20), 'UTF8'), 'UTF8'), right(query, 6), length(query) > 500 FROM pool_perf.slow_queries ORDER BY 1}),
		Encode::encode('UTF-8', join("\n", map { "$_|SELECT \$1 AS \"" . "\x{e9}" x 6 . '| [...]|t' } ('latin1', 'postgres'))),
		'texts of both databases, cut');
	$node->safe_psql('latin1', 'CREATE EXTENSION pool_perf');
	is($node->safe_psql('latin1', 'SELECT count(*), bool_and(query LIKE \'SELECT $1 AS%\') FROM pool_perf.slow_queries'), '2|t', 'and read from the other');
	value('DROP DATABASE latin1');
	is(value(q{SELECT count(*) FROM pool_perf.slow_queries WHERE datname IS NULL}), 1, 'a row outlives its database');
}

#
# Literals: nowhere but where they are asked for
#
my $all = q{SELECT count(*) FROM pool_perf.slow_queries AS s WHERE s::text LIKE '%hush7x%'};
reset_all();
slow(q{SET pool_perf.track_utility = on; CREATE ROLE r PASSWORD 'hush7x'; SELECT 'hush7x' FROM pg_class WHERE relname = 'hush7x' OR relpages = 4711; COMMENT ON ROLE r IS 'hush7x'; PREPARE p AS SELECT $1 || 'hush7x'; EXECUTE p('hush7x')});
cmp_ok(value('SELECT count(*) FROM pool_perf.slow_queries'), '>=', 5, 'there are texts');
is(value($all), 0, 'no literal is in any column');
unlike(slurp_file($node->logfile), qr/hush7x/, 'nor in the log');
reset_all();
slow(q{SET pool_perf.track_utility = on; SET pool_perf.log_parameters = on; ALTER ROLE r PASSWORD 'password7x'; SELECT 'shown7x'; SELECT 1; });
is(value(q{SELECT count(*) FROM pool_perf.slow_queries WHERE query = $$SELECT 'shown7x'$$}), 1, 'log_parameters shows them');
is(value(q{SELECT count(*) FROM pool_perf.slow_queries AS s WHERE s::text LIKE '%password7x%'}), 0, 'but not those of utility statements');
unlike(slurp_file($node->logfile), qr/password7x/, 'nor in the log');
reset_all();
$node->psql('postgres', $_) foreach (
	q{SET pool_perf.log_min_duration = 0; SET pool_perf.log_parameters = on; SET statement_timeout = '50ms'; SELECT pg_sleep(600), 'shown7x';},
	qq{SET pool_perf.log_min_duration = 0; SET pool_perf.log_parameters = on; SET statement_timeout = '50ms'; SELECT 'before7x', 'x'\\; SELECT pg_sleep(600), 'with others';});
is(value(q{SELECT string_agg(query, ',' ORDER BY slow_query_id) FROM pool_perf.slow_queries WHERE outcome <> 'ok'}),
	q{SELECT pg_sleep(600), 'shown7x';,SELECT pg_sleep($1), $2}, 'a failed statement, if it was the only one of its message');

my $script = $node->basedir . '/parameters.sql';
append_to_file($script, "\\set x 4711\nSELECT oid FROM pg_class WHERE relpages = :x;\n");
reset_all();
{
	local $ENV{PGOPTIONS} = '-c pool_perf.log_min_duration=0 -c pool_perf.log_parameters=on';
	$node->command_ok([ 'pgbench', '-n', '-M', 'extended', '-t', '1', '-f', $script, 'postgres' ], 'pgbench with parameters');
}
is(value(q{SELECT query, parameters FROM pool_perf.slow_queries WHERE query LIKE '%relpages%'}),
	q{SELECT oid FROM pg_class WHERE relpages = $1|$1 = '4711'}, 'parameters');
reset_all();

#
# Many at once: nothing is lost without being counted, no query has too many places
#
$before = value("SELECT entries + dropped FROM pool_perf.memory WHERE component = 'slow_queries'");
my @scripts;
foreach my $i (1 .. 12)
{
	my $file = $node->basedir . "/many$i.sql";
	append_to_file($file, different($i) . "\n");
	push @scripts, '-f', $file;
}
{
	local $ENV{PGOPTIONS} = '-c pool_perf.log_min_duration=0 -c pool_perf.log_plan=off -c log_min_messages=fatal';
	$node->command_ok([ 'pgbench', '-n', '-c', '8', '-j', '2', '-t', '500', @scripts, 'postgres' ], 'pgbench with eight clients');
}
is(value("SELECT entries + dropped - $before FROM pool_perf.memory WHERE component = 'slow_queries'"), 4000, 'each execution is there or counted');
is(value('SELECT count(*) FROM (SELECT queryid FROM pool_perf.slow_queries GROUP BY 1 HAVING count(*) > 20) AS s'), 0, 'no query has more than its share');
cmp_ok(value('SELECT count(*) FROM pool_perf.slow_queries'), '<=', 80, 'there are no more than there are places');
is(value('SELECT count(*) - count(DISTINCT slow_query_id) FROM pool_perf.slow_queries'), 0, 'ids are their own');
is(value('SELECT slow_query_errors FROM pool_perf.info'), 0, 'nothing went wrong on the way');

# what a crash leaves
PoolPerf::kill9($node);
$node->start;
is(value('SELECT count(*) FROM pool_perf.slow_queries'), 0, 'a new server begins with an empty ring');
$node->stop;
done_testing();
