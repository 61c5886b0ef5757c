# The sums over pool_perf.queries are exact and never go down, while more
# statements than the table has room for run in many sessions.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use IPC::Run;
use PoolPerf;
use PostgreSQL::Test::Utils;
use Test::More;

# a statement of its own shape for each pair of columns
my $columns = 142;
my $shapes = $columns * $columns;
my $clients = 8;

# PP_ROUNDS: to run it for longer
my $rounds = $ENV{PP_ROUNDS} // 3;

# for sessions that stay all the time
my $patience = (2 + $rounds) * $PostgreSQL::Test::Utils::timeout_default;

my $node = PoolPerf::cluster('sums', create => 1, conf => qq(
max_connections = 40
fsync = off
autovacuum = off
log_statement = none
pool_perf.max_queries = 1000
));

# What pgbench says that it ran in a database
sub pgbench
{
	my ($database, @arguments) = @_;
	my ($out, $err);

	IPC::Run::run [ $node->installed_command('pgbench'), '-n', '-j', '2', @arguments, $node->connstr($database) ],
	  '>', \$out, '2>', \$err
	  or die "pgbench failed: $out$err";
	$out =~ /^number of transactions actually processed: (\d+)/m
	  or die "pgbench did not say what it ran: $out$err";
	return $1;
}

sub script
{
	my ($name, $text) = @_;
	my $file = "$PostgreSQL::Test::Utils::tmp_check/$name.pgbench";

	append_to_file($file, $text);
	return $file;
}

sub value
{
	my ($query) = @_;
	return $node->safe_psql('postgres', $query);
}

sub sum_of
{
	my ($what, $database) = @_;
	return value("SELECT coalesce(sum($what), 0) FROM pool_perf.queries(false) WHERE datname = '$database'");
}

$node->safe_psql('postgres', "CREATE DATABASE $_") for qw(shapes protocols reader);

my $wide = 'CREATE TABLE wide (' . join(', ', map { "c$_ int DEFAULT $_" } 0 .. $columns - 1) . ')';
$node->safe_psql($_, "$wide; INSERT INTO wide DEFAULT VALUES") for qw(shapes protocols);

# watch() reads the view until there is a row in stop.  It notes each row that
# contradicts itself, each sum that is less than at the read before, and in how
# many reads the sum of a database was less than at the end.
$node->safe_psql('reader', q{
CREATE EXTENSION pool_perf;
CREATE TABLE stop (at timestamptz);
CREATE TABLE problems (problem text);
CREATE TABLE watched (reads int, seen bigint[]);

CREATE FUNCTION contradictions() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT q::text FROM pool_perf.queries q
    WHERE NOT (calls > 0
        AND failed_calls BETWEEN 0 AND calls
        AND plans BETWEEN 0 AND calls
        AND rows >= 0
        AND pool_perf.calls(histogram) = calls
        AND within_50ms BETWEEN 0 AND within_100ms
        AND within_100ms <= within_200ms
        AND within_200ms <= within_500ms
        AND within_500ms <= within_1s
        AND within_1s <= within_5s
        AND within_5s <= calls
        AND (max_time > 50) = (within_50ms < calls)
        AND (max_time > 5000) = (within_5s < calls)
        AND min_plan_time BETWEEN 0 AND mean_plan_time
        AND mean_plan_time <= max_plan_time
        AND min_exec_time BETWEEN 0 AND mean_exec_time
        AND mean_exec_time <= max_exec_time
        AND stddev_plan_time >= 0
        AND stddev_exec_time >= 0
        AND max_exec_time <= max_time
        AND max_plan_time <= max_time
        AND p50_time BETWEEN 0 AND p95_time
        AND p95_time <= p99_time
        AND p99_time <= p999_time
        AND p999_time <= max_time
        AND abs(total_plan_time + total_exec_time + total_before_time - total_time) <= 1e-9 * total_time
        AND max_failed_time BETWEEN 0 AND max_time
        AND total_failed_time <= total_time
        AND first_seen <= last_seen
        AND query IS NOT NULL
        AND (query = '<other>') = (queryid IS NULL))
$$;

CREATE FUNCTION sums(OUT name text, OUT value numeric) RETURNS SETOF record LANGUAGE sql AS $$
    SELECT format('%s of %s', v.name, s.of), v.value
    FROM (SELECT CASE WHEN grouping(datname) = 0 THEN datname ELSE 'all databases' END AS of,
                 sum(calls) AS calls, sum(failed_calls) AS failed_calls, sum(rows) AS rows, sum(plans) AS plans,
                 sum(pool_perf.calls(histogram)) AS histogram, sum(within_50ms) AS within_50ms,
                 sum(within_100ms) AS within_100ms, sum(within_200ms) AS within_200ms,
                 sum(within_500ms) AS within_500ms, sum(within_1s) AS within_1s, sum(within_5s) AS within_5s,
                 sum(shared_blks_hit) AS shared_blks_hit, sum(wal_records) AS wal_records,
                 sum(wal_bytes) AS wal_bytes, max(max_time)::numeric AS max_time,
                 max(extract(epoch FROM last_seen)) AS last_seen
          FROM pool_perf.queries(false)
          GROUP BY ROLLUP (datname)) s,
         LATERAL (VALUES ('calls', calls), ('failed_calls', failed_calls), ('rows', rows), ('plans', plans),
                         ('histogram', histogram), ('within_50ms', within_50ms), ('within_100ms', within_100ms),
                         ('within_200ms', within_200ms), ('within_500ms', within_500ms), ('within_1s', within_1s),
                         ('within_5s', within_5s), ('shared_blks_hit', shared_blks_hit),
                         ('wal_records', wal_records), ('wal_bytes', wal_bytes), ('max_time', max_time),
                         ('last_seen', last_seen)) AS v(name, value)
$$;

CREATE FUNCTION watch() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    was jsonb = '{}';
    now jsonb;
    reads int = 0;
    seen bigint[] = '{}';
BEGIN
    WHILE NOT EXISTS (SELECT FROM stop) LOOP
        INSERT INTO problems SELECT * FROM contradictions();
        SELECT jsonb_object_agg(name, value) INTO now FROM sums();
        INSERT INTO problems
            SELECT format('%s was %s and is %s', key, w.value, n.value)
            FROM jsonb_each_text(was) w LEFT JOIN jsonb_each_text(now) n USING (key)
            WHERE n.value IS NULL OR n.value::numeric < w.value::numeric;
        was = now;
        reads = reads + 1;
        seen = seen || (now ->> 'calls of shapes')::bigint;
    END LOOP;
    INSERT INTO watched VALUES (reads, seen);
END $$;
});

# Everything until here ran in sessions that are gone
$node->safe_psql('postgres', 'SELECT pool_perf.reset()');
is(sum_of('calls', 'shapes'), 0, 'nothing of the load is there before it');

my $reader = $node->background_psql('reader', timeout => $patience);
$reader->query_until(qr/begins/, "\\echo begins\nSELECT watch();\n");

my $distinct = script('distinct', qq(
\\set n :n + 1
\\set i (:n * $clients + :client_id) % $shapes
\\set x :i / $columns
\\set y :i % $columns
SELECT c:x, c:y FROM wide;
));
my $same = script('same', "SELECT c0 FROM wide WHERE c1 > -:client_id;\n");
my $processed = pgbench('shapes', '-c', $clients, '-t', 3400, '-D', 'n=0', '-f', "$distinct\@4", '-f', "$same\@1");

# A reader finds what is not handed in yet: no waiting here
is($processed, $clients * 3400, 'pgbench ran all');
is(sum_of('calls', 'shapes'), $processed, 'sum of calls is what pgbench ran');
is(sum_of('rows', 'shapes'), $processed, 'so are the rows');
is(sum_of('plans', 'shapes'), $processed, 'so are the plans');
is(sum_of('pool_perf.calls(histogram)', 'shapes'), $processed, 'so is the sum of the histograms');
is(sum_of('failed_calls', 'shapes'), 0, 'nothing failed');
is(value("SELECT calls FROM pool_perf.databases WHERE datname = 'shapes'"), $processed, 'the view databases says the same');

# sessions that come and go, and bring shapes back that were evicted
my $sum = $processed;
for my $round (1 .. $rounds)
{
	$sum += pgbench('shapes', '-c', $clients, '-t', 40, '-D', "n=$round", '-f', "$distinct\@4", '-f', "$same\@1");
	is(sum_of('calls', 'shapes'), $sum, "sum of calls, short sessions, round $round");
}

# other statements, in steps of their own and in transactions
my $transaction = script('transaction', q(
BEGIN;
UPDATE wide SET c0 = c0 + 1;
SELECT c1, c0 FROM wide WHERE c2 = 2;
COMMIT;
));
for my $protocol (qw(simple extended prepared))
{
	my $before = sum_of('calls', 'protocols');
	my $processed = pgbench('protocols', '-M', $protocol, '-c', 4, '-t', 50, '-f', $transaction);

	is(sum_of('calls', 'protocols') - $before, 4 * $processed, "sum of calls, $protocol protocol");
}
is( value(q(SELECT string_agg(format('%s %s %s', calls, rows, query), '; ' ORDER BY query COLLATE "C")
	FROM pool_perf.queries WHERE datname = 'protocols' AND query ~ '^(BEGIN|UPDATE|SELECT|COMMIT)' AND calls > 100)),
	'600 0 BEGIN; 600 0 COMMIT; 600 600 SELECT c1, c0 FROM wide WHERE c2 = $1; 600 600 UPDATE wide SET c0 = c0 + $1',
	'calls and rows of each statement, three protocols together');

$node->safe_psql('reader', 'INSERT INTO stop VALUES (now())');
$reader->quit;
is($node->safe_psql('reader', 'SELECT * FROM problems LIMIT 10'), '', 'no sum went down, no row contradicted itself');
is($node->safe_psql('reader', 'SELECT * FROM contradictions() LIMIT 10'), '', 'nor does one at the end');
cmp_ok($node->safe_psql('reader', "SELECT count(DISTINCT s) FROM watched, unnest(seen) s WHERE s < $processed"),
	'>=', 3, 'the reader saw the load under way')
  or diag($node->safe_psql('reader', 'SELECT * FROM watched'));

# The table was too small by far
cmp_ok(value('SELECT evictions FROM pool_perf.info'), '>', 0.9 * $shapes, 'nearly each shape was evicted');
cmp_ok(value('SELECT count(*) FROM pool_perf.queries(false)'), '<', 2000, 'the view has as many rows as there is room');
is(value("SELECT count(*) FROM pool_perf.queries WHERE datname = 'shapes' AND query = '<other>' AND toplevel AND userid IS NULL"),
	1, 'what was evicted stands in one row');
is(value("SELECT events_dropped FROM pool_perf.info"), 0, 'nothing was dropped');

# The rows of what was evicted are kept too
my $sums = q(SELECT jsonb_agg(s) FROM (
	SELECT datname, toplevel, sum(calls), sum(rows), sum(within_50ms), pool_perf.sum(histogram), max(max_time)
	FROM pool_perf.queries(false) WHERE datname IN ('shapes', 'protocols') GROUP BY 1, 2 ORDER BY 1, 2) s);
my $before = value($sums);
$node->restart;
is(value($sums), $before, 'a restart changes no sum');

$node->stop;
done_testing();
