# health and summary() of a server of their own: all in order as installed, and a
# row that says what to do for what is not

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use PoolPerf;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PoolPerf::cluster('main', start => 1);

# As installed
my ($rc, $stdout, $stderr) = $node->psql('postgres', 'CREATE EXTENSION pool_perf');
like($stderr, qr/NOTICE:  pool_perf is ready: begin with SELECT \* FROM pool_perf\.summary\(\);/, 'CREATE EXTENSION names where to begin');
is($node->safe_psql('postgres', q{SELECT check_name, status, message FROM pool_perf.health WHERE status NOT IN ('ok', 'unknown')}), '', 'health: all is in order');
is($node->safe_psql('postgres', q{SELECT check_name, value IS NULL FROM pool_perf.health WHERE status = 'unknown'}), 'cpu|t', 'but for what takes two readings');
is($node->safe_psql('postgres', q{SELECT check_name FROM pool_perf.health WHERE remedy IS NOT NULL}),
	'track_io_timing', 'and the one remedy is for what could be better');
is($node->safe_psql('postgres', q{SELECT status, message ~ '^all \d+ checks are in order$', look_at FROM pool_perf.summary() WHERE topic = 'health'}),
	'ok|t|SELECT * FROM pool_perf.health', 'summary: health');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pool_perf.summary() WHERE status NOT IN ('ok', 'unknown')}), 0, 'summary: nothing to worry about');
# the same where the extension is not, but for the row that is about it
$node->safe_psql('postgres', 'CREATE DATABASE other');

# Enough statements for an opinion
$node->safe_psql('postgres', 'SELECT pool_perf.reset()');
$node->safe_psql('postgres', join('', map { "SELECT $_;" } 1 .. 30));
# (of the machine's CPU it has none before the second reading, after 30 s)
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT status, ' ') FROM pool_perf.summary() WHERE topic <> 'cpu'}), 'ok', 'summary: 30 statements are enough');
$node->psql('postgres', join("\n", map { "SELECT 1 / 0 AS failing;" } 1 .. 10), on_error_stop => 0);
is( $node->safe_psql(
		'postgres',
		q{SELECT status, message ~ '^10 of \d+ calls failed', message LIKE '%; most often, 10 times: SELECT $1 / $2 AS failing'
		  FROM pool_perf.summary() WHERE topic = 'failures'}),
	'critical|t|t', 'summary: failures, and which query fails most');
$node->safe_psql('postgres', 'SELECT pool_perf.reset()');
$node->safe_psql('postgres', join('', map { "SELECT $_;" } 1 .. 90) . 'SET pool_perf.alert_min_duration = -1; SELECT pg_sleep(1.001);');
is($node->safe_psql('postgres', q{SELECT status, message FROM pool_perf.summary() WHERE topic = 'slow statements'}),
	'warning|1 over 500 ms, 1 of them over 1 s, 0 over 5 s', 'summary: slow statements');
is( $node->safe_psql(
		'postgres',
		q{SELECT message LIKE 'the most expensive query took %, in 1 calls: SELECT pg_sleep($1)' FROM pool_perf.summary() WHERE topic = 'time'}),
	't', 'summary: where the time goes');

# pool_perf.enabled = off
$node->append_conf('postgresql.conf', "pool_perf.enabled = off\n");
$node->reload;
ok($node->poll_query_until('postgres', q{SELECT NOT enabled FROM pool_perf.info}), 'info: enabled is off');
is($node->safe_psql('postgres', q{SELECT status, message LIKE '%; pool_perf.enabled is off' FROM pool_perf.summary() WHERE topic = 'statements'}),
	'warning|t', 'summary: pool_perf.enabled is off');
$node->append_conf('postgresql.conf', "pool_perf.enabled = on\n");

# No query ids, and no place to save to; the worker looks every 30 s
my $stat = $node->data_dir . '/pg_stat_tmp';
$node->append_conf('postgresql.conf', "compute_query_id = off\ntrack_io_timing = on\n");
$node->reload;
rename($stat, "$stat.away") or die "could not rename: $!";
$node->safe_psql('postgres', 'SELECT 1 AS unsaved; SELECT pool_perf.reset()');
ok( $node->poll_query_until(
		'postgres',
		q{SELECT count(*) = 2 AND bool_and(status = 'warning' AND remedy IS NOT NULL) FROM pool_perf.health WHERE check_name IN ('compute_query_id', 'save')}),
	'health: compute_query_id is off, saving fails');
ok( $node->poll_query_until(
		'postgres',
		q{SELECT status = 'ok' AND value BETWEEN 0 AND 100 AND remedy IS NULL AND message ~ '^the server used [0-9.]+ % of the machine''s CPU over the last \d+ s$'
		  FROM pool_perf.health WHERE check_name = 'cpu'}),
	'health: the share of the CPU is known by then');
is($node->safe_psql('postgres', q{SELECT remedy FROM pool_perf.health WHERE check_name = 'track_io_timing'}), '', 'health: track_io_timing is on');
is( $node->safe_psql('postgres', q{SELECT changed_at > i.started_at, changed_at <= checked_at FROM pool_perf.health, pool_perf.info i WHERE check_name = 'compute_query_id'}),
	't|t', 'health: since when');
is($node->safe_psql('postgres', q{SELECT status, message FROM pool_perf.summary() WHERE topic = 'health'}),
	'warning|0 critical, 2 warning: compute_query_id, save', 'summary: health');
is($node->safe_psql('postgres', q{SELECT value >= warning_threshold AND value < critical_threshold FROM pool_perf.health WHERE check_name = 'save'}),
	't', 'health: a value that is over the threshold');
$node->safe_psql('postgres', 'SELECT 1 AS no_id');
$node->safe_psql('postgres', 'SELECT 1, 2 AS no_id');
is($node->safe_psql('postgres', q{SELECT count(*), bool_and(queryid IS NULL AND calls >= 2) FROM pool_perf.queries WHERE query = '<no query id>' AND toplevel AND datname = 'postgres'}),
	'1|t', 'statements without id share a row');
my @lines = slurp_file($node->logfile) =~ /LOG:  could not save /g;
is(scalar @lines, 1, 'a save that fails is reported once');
rename("$stat.away", $stat) or die "could not rename: $!";

# The table and the texts full, as seen after a restart
$node->append_conf('postgresql.conf', "compute_query_id = auto\npool_perf.max_queries = 100\npool_perf.text_memory = 256kB\npool_perf.max_text_length = 64kB\npool_perf.track = all\n");
$node->restart;
my $shapes = q{
	DO $$
	BEGIN
	  FOR i IN 1..2000 LOOP
	    EXECUTE 'SELECT ' || (SELECT string_agg(CASE WHEN i & (1 << b) > 0 THEN '1 + ' ELSE '1 - ' END, '') FROM generate_series(0, 10) b) || '1 AS "' || repeat('x', 60) || '"';
	  END LOOP;
	END $$};
$node->safe_psql('postgres', $shapes);
my $columns = join(', ', map { 'x' x 50 . $_ } 1 .. 70);
$node->safe_psql('postgres', join('', map { "CREATE TABLE t_$_ (" . join(', ', map { 'x' x 50 . $_ . ' int' } 1 .. 70) . ');' } 1 .. 64));
$node->safe_psql('postgres', join(";\n", map { "SELECT $columns FROM t_$_" } 1 .. 64));
is($node->safe_psql('postgres', q{SELECT evictions > 0, texts_dropped > 0 FROM pool_perf.info}), 't|t', 'info: evictions and texts dropped');
is($node->safe_psql('postgres', q{SELECT bool_and(used_percent BETWEEN 50 AND 100), bool_and(dropped > 0) FROM pool_perf.memory WHERE component IN ('queries', 'texts')}),
	't|t', 'memory: full, and what was dropped');
is($node->safe_psql('postgres', q{SELECT bool_and(entries BETWEEN 0 AND max_entries AND used_bytes <= max_bytes) FROM pool_perf.memory WHERE max_entries IS NOT NULL}),
	't', 'memory: never more than there is');
ok( $node->poll_query_until(
		'postgres',
		q{SELECT count(*) = 2 AND bool_and(status = 'warning') FROM pool_perf.health WHERE check_name IN ('query_table', 'evictions')}),
	'health: the query table is full, and evicts');
is( $node->safe_psql(
		'postgres',
		q{SELECT check_name, remedy LIKE '%pool_perf.max_queries (now 100)%', value BETWEEN warning_threshold AND coalesce(critical_threshold, 100), value <= 100 OR unit <> 'percent' FROM pool_perf.health
		  WHERE check_name IN ('query_table', 'evictions') ORDER BY check_name}),
	"evictions|t|t|t\nquery_table|t|t|t", 'health: what to do');

# The order of libraries
foreach my $order ([ 'pool_perf, pg_stat_statements', 't' ], [ 'pg_stat_statements, pool_perf', 'f' ])
{
	my ($preload, $advises) = @$order;
	$node->append_conf('postgresql.conf', "shared_preload_libraries = '$preload'\n");
	$node->restart;
	is($node->safe_psql('postgres', q{SELECT status, remedy IS NOT NULL FROM pool_perf.health WHERE check_name = 'load_order'}),
		"ok|$advises", "health: shared_preload_libraries = '$preload'");
}

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
