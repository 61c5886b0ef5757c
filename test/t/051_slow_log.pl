# The log line about a slow execution: its form, its limits, where the server writes
# its own; and what pgBadger makes of it

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use JSON::PP;
use PoolPerf;
use PostgreSQL::Test::Utils;
use Test::More;

my $prefix = '%m [%p] %q%u@%d,app=%a ';
my $node = PoolPerf::cluster(
	'main',
	conf => "log_line_prefix = '$prefix'\nlog_statement = none\nlog_min_error_statement = panic\nlog_connections = off\nlog_disconnections = off\n"
	  . "pool_perf.log_rate = -1\npool_perf.log_rate_total = -1\nmax_prepared_transactions = 2\n",
	create => 1);

sub value { return $node->safe_psql('postgres', $_[0]) }

my $seen = 0;

# What was logged since the last call
sub logged
{
	my $log = slurp_file($node->logfile, $seen);
	$seen = -s $node->logfile;
	return $log;
}

# The lines about slow executions in it
sub lines { return grep { /LOG:  duration: / } split(/\n/, logged()) }

# Runs SQL in a session in which all statements are slow
sub slow { return $node->safe_psql('postgres', "SET pool_perf.track_utility = off; SET pool_perf.log_min_duration = 0; $_[0]") }

sub settings
{
	my (%settings) = @_;
	value("ALTER SYSTEM SET pool_perf.$_ = $settings{$_}") foreach sort keys %settings;
	$node->reload;
	foreach my $name (sort keys %settings)
	{
		$node->poll_query_until('postgres', "SELECT current_setting('pool_perf.$name') = '$settings{$name}'") or die "no $name";
	}
	logged();
	return;
}

#
# Form
#
logged();
slow("SELECT 'hush7x', 1;\nSELECT count(*)\nFROM pg_class WHERE relname = 'hush7x';");
my $log = logged();
my $number = qr/-?\d+/;
my $ms = qr/\d+\.\d{3} ms/;
like(
	$log,
	qr/^\S+ \S+ \S+ \[\d+\] \S+\@postgres,app=\S+ LOG:  duration: $ms  statement: SELECT \$1, \$2\n\S+ \S+ \S+ \[\d+\] \S+ DETAIL:  severity: info, outcome: ok, slow_query_id: 1, queryid: $number, rows: 1, before: $ms, planning: $ms, execution: $ms, shared blocks hit: \d+, read: \d+, temp blocks written: 0, WAL: \d+ bytes, application: \S+\n/m,
	'message and detail');
like($log, qr/LOG:  duration: $ms  statement: SELECT count\(\*\)\n\tFROM pg_class WHERE relname = \$1\n\S+ \S+ \S+ \[\d+\] \S+ DETAIL:  severity: /, 'a text of several lines');
unlike($log, qr/hush7x|STATEMENT:|CONTEXT:/, 'neither literals nor statement nor context');
is(join(',', map { /duration: (\S+) ms/ } grep { /LOG:  duration/ } split(/\n/, $log)),
	value(q{SELECT string_agg(to_char(total_time, 'FM99999990.000'), ',' ORDER BY slow_query_id) FROM pool_perf.slow_queries}), 'the durations are those of slow_queries');

slow("SET pool_perf.log_parameters = on; SELECT 'shown', 2;");
like(logged(), qr/statement: SELECT 'shown', 2\n/, 'literals where they are asked for');
slow("SET pool_perf.log_min_duration = -1; SET pool_perf.alert_min_duration = 0; SELECT 3, 3, 3;");
unlike(logged(), qr/SELECT \$1, \$2, \$3/, 'no line with log_min_duration = -1');
is(value('SELECT count(*) FROM pool_perf.slow_queries WHERE query = $$SELECT $1, $2, $3$$ AND severity = $$warning$$'), 1, 'but a place in slow_queries');

# no client sees anything of it
my ($rc, $out, $err) = $node->psql('postgres', 'SET client_min_messages = debug5; SET pool_perf.log_min_duration = 0; SELECT 4');
unlike($err, qr/duration/, 'no message reaches the client');

# failed ones
$node->psql('postgres', "SET pool_perf.log_min_duration = 10; SET statement_timeout = 20; SELECT pg_sleep(600), 'hush7x'");
like(logged(), qr/LOG:  duration: $ms  statement: SELECT pg_sleep\(\$1\), \$2\n\S+ \S+ \S+ \[\d+\] \S+ DETAIL:  severity: info, outcome: (?!ok)\w+, /, 'a timeout');

# the extended protocol
my $script = $node->basedir . '/extended.sql';
append_to_file($script, "\\set x 4711\nSELECT oid FROM pg_class WHERE relpages = :x;\n");
foreach my $mode ('extended', 'prepared')
{
	local $ENV{PGOPTIONS} = '-c pool_perf.log_min_duration=0 -c pool_perf.track_utility=off';
	logged();
	$node->command_ok([ 'pgbench', '-n', '-M', $mode, '-t', '1', '-f', $script, 'postgres' ], "pgbench -M $mode");
	my $name = $mode eq 'extended' ? '<unnamed>' : 'P_?0(?:_\d)?';
	like(logged(), qr/LOG:  duration: $ms  execute $name: SELECT oid FROM pg_class WHERE relpages = \$1/, "$mode: by name");
}
{
	local $ENV{PGOPTIONS} = '-c pool_perf.log_min_duration=0 -c pool_perf.log_parameters=on';
	$node->command_ok([ 'pgbench', '-n', '-M', 'extended', '-t', '1', '-f', $script, 'postgres' ], 'pgbench with parameters');
	like(logged(), qr/DETAIL:  severity: .*, parameters: \$1 = '4711'$/m, 'parameters');
}

#
# Where the server logs the statement itself
#
slow('SET log_min_duration_statement = 0; SELECT 5;');
$log = logged();
is(scalar(() = $log =~ /duration: $ms  statement: .*SELECT 5/g), 1, 'the server writes its own line');
unlike($log, qr/SELECT \$1/, 'and pool_perf none');
foreach my $sampled ('SET log_min_duration_sample = 0; SET log_statement_sample_rate = 1', 'SET log_transaction_sample_rate = 1')
{
	slow("$sampled; SELECT 5, 'sampled';");
	$log = logged();
	is(scalar(() = $log =~ /duration: $ms  statement: .*SELECT 5, 'sampled'/g), 1, "$sampled: the server writes its own line");
	unlike($log, qr/SELECT \$1, \$2/, 'and pool_perf none');
}
slow("SET log_min_duration_sample = 0; SET log_statement_sample_rate = 0; SELECT 5, 'not sampled';");
like(logged(), qr/duration: $ms  statement: SELECT \$1, \$2/, 'which it does not where nothing is chosen');
$node->psql('postgres', "SET log_min_duration_statement = 0; SET pool_perf.log_min_duration = 10; SET statement_timeout = 20; SELECT pg_sleep(600), 5, 5");
like(logged(), qr/duration: $ms  statement: SELECT pg_sleep\(\$1\), \$2, \$3/, 'which it does not for one that fails');
slow("SET log_min_duration_statement = '1h'; SELECT 6, 6, 6, 6;");
like(logged(), qr/duration: $ms  statement: SELECT \$1, \$2, \$3, \$4/, 'nor for a short one');
slow("SET pool_perf.track = 'all'; SET log_min_duration_statement = 0; DO \$\$BEGIN PERFORM 1, 2, 3, 4, 5 FROM pg_class; END\$\$");
like(logged(), qr/duration: $ms  statement: SELECT \$1, \$2, \$3, \$4, \$5 FROM pg_class/, 'nor for what runs inside another');

#
# Rate limits
#
settings(log_rate => 3);
slow('SELECT 7, 7;' x 5 . 'SELECT 8, 8, 8;');
my @lines = lines();
is(scalar(grep { /SELECT \$1, \$2$/ } @lines), 3, 'a query has its lines a minute');
is(scalar(grep { /SELECT \$1, \$2, \$3$/ } @lines), 1, 'others are not held back');
is(value('SELECT log_lines_suppressed FROM pool_perf.info'), 2, 'held back lines are counted');
settings(log_rate => -1);
slow('SELECT 7, 7;' x 2);
@lines = grep { /DETAIL:  severity/ } split(/\n/, logged());
like($lines[0], qr/, suppressed 2 since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d/, 'the next line tells of them');
unlike($lines[1], qr/suppressed/, 'once');
settings(log_rate => 0);
slow('SELECT 9;');
is(scalar(lines()), 0, 'a limit of 0 lets nothing through');
# those that it took from the minute before do not count: they had no limit
settings(log_rate => -1, log_rate_total => 4);
slow('SET pool_perf.log_plan = off;' . join('', map { 'SELECT ' . join(', ', (1) x $_) . ' FROM pg_am;' } 1 .. 10));
is(scalar(lines()), 4, 'all queries together have their lines a minute');
cmp_ok(value('SELECT log_lines_suppressed FROM pool_perf.info'), '==', 2 + 1 + 6, 'and the rest is counted');
is(value('SELECT count(*) FROM pool_perf.slow_queries WHERE query LIKE $$%FROM pg_am$$'), 10, 'slow_queries has all of them');
settings(log_rate_total => -1);
settings(log_rate_total => 7);
slow(join('', map { 'SELECT ' . join(', ', (1) x $_) . ' FROM pg_ts_dict;' } 1 .. 10));
is(scalar(() = logged() =~ /LOG:  (?:duration: |plan of a slow execution)/g), 7 - 4, 'their plans among them');

# A storm of many clients: no more lines than there may be, and each is counted
settings(log_rate => 10, log_rate_total => 120);
my $before = value('SELECT log_lines_suppressed FROM pool_perf.info');
my @storm;
foreach my $i (1 .. 40)
{
	append_to_file($node->basedir . "/storm$i.sql", 'SELECT ' . join(', ', (1) x $i) . " FROM pg_database LIMIT 1;\n");
	push @storm, '-f', $node->basedir . "/storm$i.sql";
}
{
	local $ENV{PGOPTIONS} = '-c pool_perf.log_min_duration=0 -c pool_perf.log_plan=off -c pool_perf.track_utility=off';
	$node->command_ok([ 'pgbench', '-n', '-c', '8', '-j', '2', '-t', '500', @storm, 'postgres' ], 'a storm');
}
@lines = lines();
is(@lines + value('SELECT log_lines_suppressed FROM pool_perf.info') - $before, 4000, 'each line is written or counted');
cmp_ok(scalar(@lines), '>=', 100, 'lines are written');
# more than a minute of it would have lines of two
cmp_ok(scalar(@lines), '<=', 240, 'and not many');
settings(log_rate => -1, log_rate_total => -1);

#
# pgBadger, over the log of a server with the default thresholds
#
$node->append_conf('postgresql.conf', "log_statement = none\nstatement_timeout = '10s'\n");
value(q{CREATE TABLE t (a int);
CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(0.52); RETURN NULL; END$$;
CREATE CONSTRAINT TRIGGER w AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait()});
$node->stop;
unlink($node->logfile);
$node->start;
value('SELECT pool_perf.reset()');
my @sessions = map { [ 'psql', '-XAtq', '-d', $node->connstr('postgres'), map { ('-c', $_) } @$_ ] } (
	[ 'SELECT pg_sleep(0.51)', "SELECT 'quick'", "SELECT pg_sleep(0.53),\n 'two lines; -- of text'" ],
	[ "SET statement_timeout = '550ms'", 'SELECT pg_sleep(60), 1, 1' ],
	[ "DO \$\$BEGIN PERFORM pg_sleep(0.54); END\$\$", 'SELECT 1 / length(pg_sleep(0.55)::text)' ],
	[ 'BEGIN', 'INSERT INTO t VALUES (1)', 'COMMIT' ],
	[ 'PREPARE p AS SELECT pg_sleep($1), 1', 'EXECUTE p(0.56)', 'EXECUTE p(0)' ],
	[ 'BEGIN; SELECT pg_sleep(0.57), 1, 1, 1; COMMIT' ],
	[ "SELECT pg_sleep(1.1), 'a warning'" ]);
my @running = map { IPC::Run::start($_, '<', '/dev/null', '>', \my $o, '2>', \my $e) } @sessions;
{
	append_to_file($script . 2, "\\set x 0.58\nSELECT pg_sleep(:x) FROM pg_am LIMIT 1;\n");
	$node->command_ok([ 'pgbench', '-n', '-M', 'prepared', '-t', '2', '-f', $script . 2, 'postgres' ], 'the extended protocol too');
}
$_->finish foreach @running;

my $over = value('SELECT sum(calls - within_500ms) FROM pool_perf.queries');
cmp_ok($over, '>=', 11, 'so many statements took more than 500 ms');
is(value('SELECT count(*) FROM pool_perf.slow_queries'), $over, 'they are in slow_queries');
$node->poll_query_until('postgres', q{SELECT count(*) = 1 AND bool_and(NOT is_open) FROM pool_perf.alerts}) or die 'no alert';
my @durations = split(/\n/, value(q{SELECT to_char(total_time, 'FM99999990.000') FROM pool_perf.slow_queries ORDER BY total_time DESC}));
$node->stop;

my $json = $node->basedir . '/badger.json';
$node->command_ok([ 'pgbadger', '-q', '-f', 'stderr', '-p', $prefix, '-x', 'json', '-t', '100', '-o', $json, $node->logfile ], 'pgbadger reads the log');
my $report = decode_json(slurp_file($json));
is($report->{overall_stat}{postgres}{queries_number}, $over, 'pgbadger counts as many queries');
is(join(' ', map { $_->[0] } sort { $b->[0] <=> $a->[0] } @{ $report->{top_slowest}{postgres} }),
	join(' ', @durations), 'with these durations');
my $errors = $report->{error_info}{postgres};
is(join(',', sort grep { !/database system|canceling statement due to statement timeout|division by zero/ } keys %$errors), '', 'and no error but those that there were');
is(scalar(grep { /suppressed|severity|slow_query_id|cost=/ } map { $_->[2] } @{ $report->{top_slowest}{postgres} }),
	0, 'neither details nor plans are part of a query');
done_testing();
