# Nothing waits for pool_perf: what a stopped worker or client would hold up,
# if it could, ends while it is stopped.  And nothing that is killed takes the
# server, or what was saved, with it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use IPC::Run;
use PoolPerf;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $timeout = $PostgreSQL::Test::Utils::timeout_default;
my $node = PoolPerf::cluster('main', allows_streaming => 'logical', create => 1, conf => qq(
autovacuum = off
deadlock_timeout = 1s
log_lock_waits = on
log_statement = none
max_connections = 30
restart_after_crash = on
pool_perf.max_queries = 200
pool_perf.save_interval = 1s
));

# Becomes true, if it ever does
sub becomes
{
	my ($condition) = @_;

	for (1 .. 10 * $timeout)
	{
		return 1 if $condition->();
		usleep(100_000);
	}
	return 0;
}

sub worker
{
	my ($server) = @_;
	my @pids;

	becomes(sub { @pids = PoolPerf::processes($server, qr/pool_perf worker/); @pids == 1 }) or die 'no worker';
	return $pids[0];
}

# Is it stopped, all of it?
sub is_stopped
{
	my ($pid) = @_;

	open(my $in, '<', "/proc/$pid/stat") or return 0;
	my $stat = <$in> // '';
	close($in);
	return $stat =~ /\) T /;
}

sub freeze
{
	my ($pid) = @_;

	kill('STOP', $pid) == 1 && becomes(sub { is_stopped($pid) }) or die "could not stop $pid";
}

# Ends, well, while what is stopped is stopped
sub ends
{
	my ($server, $database, $sql, $name) = @_;
	my ($rc, $out, $err, $late) = (1, '', '');

	$rc = $server->psql($database, $sql, stdout => \$out, stderr => \$err, on_error_stop => 1,
		timeout => $timeout, timed_out => \$late);
	ok(!$late && $rc == 0, $name) or diag($late ? 'it still waits' : $err);
	return $out;
}

sub log_has
{
	my ($server, $regexp, $since) = @_;
	return slurp_file($server->logfile, $since // 0) =~ /$regexp/;
}

# A load that goes on until it is killed or its server is gone
my $script = "$PostgreSQL::Test::Utils::tmp_check/load.pgbench";
append_to_file($script, join('', map { "SELECT sum(i) @{[ '+ 1' x $_ ]} FROM t WHERE i < 5;\n" } 1 .. 20) . "INSERT INTO l VALUES (1);\n");

# Its sessions
my $loading = "FROM pg_stat_activity WHERE datname = 'load' AND query ~ '^(SELECT sum|INSERT INTO l)'";

sub victim { return $node->safe_psql('postgres', "SELECT pid $loading ORDER BY random() LIMIT 1"); }

sub load
{
	my ($out, $err) = ('', '');
	my $load = IPC::Run::start [ $node->installed_command('pgbench'), '-n', '-c', '4', '-T', '600', '-f', $script, $node->connstr('load') ],
	  '<', \undef, '>', \$out, '2>', \$err;

	$node->poll_query_until('postgres', "SELECT count(*) = 4 $loading") or die 'no load';
	return $load;
}

# Saves, and returns what is saved at least
sub saved_calls
{
	my $calls = $node->safe_psql('postgres', "SELECT sum(calls) FROM pool_perf.queries WHERE datname = 'load'");
	# forgets nothing, but asks for a save
	my $asked = $node->safe_psql('postgres', 'SELECT pool_perf.reset(0, 0, 0)');

	$node->poll_query_until('postgres', "SELECT saved_at > '$asked' FROM pool_perf.info") or die 'no save';
	return $calls;
}

$node->safe_psql('postgres', 'CREATE DATABASE load');
$node->safe_psql('load', 'CREATE TABLE t AS SELECT i FROM generate_series(1, 5) AS i; CREATE TABLE l (i int)');

#
# The worker ends
#

my $old = worker($node);
my $idle = $node->background_psql('load');
$idle->query_safe('SELECT 1');
my $since = -s $node->logfile;
kill('TERM', $old);
ends($node, 'postgres', 'SELECT count(*) FROM pool_perf.queries; SELECT pool_perf.reset(0, 0, 0); SELECT * FROM pool_perf.summary()',
	'readers and resets go on without a worker');
$node->wait_for_log(qr/background worker "pool_perf worker" \(PID $old\) exited with exit code 1/, $since);

#
# Databases and roles, while the worker is at work
#

sub databases_and_roles
{
	my ($when) = @_;

	$node->safe_psql('postgres', "SET allow_in_place_tablespaces = on; CREATE TABLESPACE elsewhere LOCATION ''");
	foreach my $i (1 .. 2)
	{
		$node->safe_psql('postgres', 'CREATE DATABASE one');
		$node->safe_psql('one', "CREATE ROLE passing LOGIN; CREATE TABLE t AS SELECT 1 AS i; SET ROLE passing; SELECT 1 + $i");
		$node->safe_psql('one', "SELECT 2", extra_params => [ '-U', 'passing' ]);
		ends($node, 'postgres', 'DROP ROLE passing', "DROP ROLE $when, $i");
		ends($node, 'postgres', 'CREATE DATABASE two TEMPLATE one STRATEGY wal_log; DROP DATABASE two', "CREATE DATABASE by WAL $when, $i");
		ends($node, 'postgres', 'CREATE DATABASE two TEMPLATE one STRATEGY file_copy', "CREATE DATABASE by copying $when, $i");
		$node->safe_psql('two', 'TABLE t');
		ends($node, 'postgres', 'ALTER DATABASE two RENAME TO three', "RENAME $when, $i");
		$node->safe_psql('three', 'TABLE t');
		ends($node, 'postgres', 'ALTER DATABASE three SET TABLESPACE elsewhere', "SET TABLESPACE $when, $i");
		$node->safe_psql('three', 'TABLE t');
		ends($node, 'postgres', 'DROP DATABASE one', "DROP DATABASE $when, $i");
		my $session = $node->background_psql('three');
		$session->query_safe('TABLE t');
		ends($node, 'postgres', 'DROP DATABASE three WITH (FORCE)', "DROP DATABASE, forced, $when, $i");
		$session->{run}->kill_kill;
	}
	ends($node, 'postgres', 'DROP TABLESPACE elsewhere', "DROP TABLESPACE $when");
	cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM pool_perf.queries WHERE datname IS NULL AND dbid IS NOT NULL'), '>=', 6,
		'the statistics of dropped databases are still there');
	cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM pool_perf.queries WHERE usename IS NULL AND userid IS NOT NULL'), '>=', 1,
		'those of dropped roles too');
}

databases_and_roles('without a worker or with a new one');
my $new;
ok(becomes(sub { ($new) = PoolPerf::processes($node, qr/pool_perf worker/); $new && $new != $old }), 'a worker that was ended comes again');
saved_calls();
pass('and saves');
$idle->quit;

#
# The worker is stopped
#

freeze($new);
databases_and_roles('with a stopped worker');
ends($node, 'load', join(';', map { "SELECT 1" . (' + 1' x $_) } 1 .. 300), 'more queries than the table holds');
ends($node, 'postgres', "SELECT * FROM pool_perf.$_", "$_ is read")
  foreach ('queries', 'top_queries', 'databases', 'info', 'memory', 'health', 'summary()');
ends($node, 'postgres', 'SELECT pool_perf.reset()', 'a reset');
is($node->safe_psql('postgres', "SELECT count(*) FROM pool_perf.queries WHERE datname = 'load'"), 0, 'has its effect');
ends($node, 'postgres', 'CHECKPOINT; VACUUM pg_class', 'a checkpoint');
ok(is_stopped($new), 'the worker was stopped all the while');
kill('CONT', $new);
saved_calls() if $node->safe_psql('load', 'SELECT 1');
is(worker($node), $new, 'and goes on');

#
# A client is stopped
#

my $load = load();
foreach my $i (1 .. 4)
{
	my ($late, $victim, $out);

	# One in some thousand is caught while it holds a lock
	for (1 .. 2)
	{
		$victim = victim();
		freeze($victim);
		$late = 0;
		$node->psql('postgres', "SELECT count(*) FROM pool_perf.queries; SELECT pool_perf.reset(0, 0, 0); SELECT * FROM pool_perf.summary()",
			stdout => \$out, timeout => 20, timed_out => \$late);
		last if !$late;
		kill('CONT', $victim);
	}
	ok(!$late && is_stopped($victim), "readers and resets do not wait for a client that is stopped, $i");
	saved_calls();
	pass('nor does the worker');
	kill('CONT', $victim);
}

#
# Shutdown under load
#

$since = -s $node->logfile;
my $calls = saved_calls();
$node->stop('fast');
$load->kill_kill;
ok(log_has($node, qr/database system is shut down/, $since), 'a fast shutdown under load');
$node->start;
cmp_ok($node->safe_psql('postgres', "SELECT sum(calls) FROM pool_perf.queries WHERE datname = 'load'"), '>', $calls, 'saves what ran meanwhile');

# Walsenders stay until all others have left, and run a statement at their start
my ($decoded, $ignored) = ('', '');
$node->safe_psql('load', "CREATE PUBLICATION p; SELECT pg_create_logical_replication_slot('s', 'pgoutput')");
my $receiver = IPC::Run::start [ $node->installed_command('pg_recvlogical'), '-d', $node->connstr('load'), '--slot', 's', '--start',
	'--no-loop', '-o', 'proto_version=1', '-o', 'publication_names=p', '-f', '-' ], '<', \undef, '>', \$decoded, '2>', \$ignored;
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'") or die 'no walsender';
$idle = $node->background_psql('load');
$idle->query_safe('SELECT 1');
$since = -s $node->logfile;
$node->stop('fast');
my ($asked, $left) = slurp_file($node->logfile, $since) =~ /(\d+:\d+:[\d.]+) [^\n]*LOG:  received fast shutdown request.*?(\d+:\d+:[\d.]+) [^\n]*LOG:  background worker "pool_perf worker"/s;
my ($took) = map { $_ < 0 ? $_ + 86400 : $_ } seconds($left) - seconds($asked);
# The worker would wait five seconds for it
cmp_ok($took, '<', 4.5, 'the worker does not wait for a walsender to leave');
$receiver->finish;
$idle->{run}->kill_kill;

sub seconds
{
	my ($hours, $minutes, $seconds) = split(/:/, $_[0] // die 'no line in the log');
	return 3600 * $hours + 60 * $minutes + $seconds;
}

$node->start;
$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('s')");
$idle = $node->background_psql('load');
$idle->query_safe('SELECT 1');
system_or_bail('pg_ctl', '-D', $node->data_dir, '-m', 'smart', '-W', 'stop');
$idle->query_safe('SELECT 1 + 1');
$idle->quit;
ok(becomes(sub { PoolPerf::processes($node) == 0 }), 'a smart shutdown ends when the last client has left');
$node->stop('fast', fail_ok => 1);
$node->start;
is($node->safe_psql('postgres', "SELECT calls FROM pool_perf.queries WHERE datname = 'load' AND query = 'SELECT \$1 + \$2'"), 1, 'and what it did last is saved');

freeze(worker($node));
$node->stop('immediate');
pass('an immediate shutdown with a stopped worker');
$node->start;

#
# Crashes under load
#

my $crashes = 0;
foreach my $i (1 .. 10)
{
	$load = load();
	$calls = saved_calls();
	my $victim = $i == 5 ? worker($node) :
	  victim();
	$since = -s $node->logfile;
	kill('KILL', $victim);
	$node->wait_for_log(qr/all server processes terminated; reinitializing/, $since);
	$load->kill_kill;
	$node->poll_query_until('postgres', 'SELECT true');
	$crashes++ if $node->safe_psql('postgres', "SELECT sum(calls) >= $calls FROM pool_perf.queries WHERE datname = 'load'") eq 't';
}
is($crashes, 10, 'after each crash the view is there, with what was saved');
ok(!log_has($node, qr/query statistics start empty/), 'no file was damaged');

#
# A standby is promoted
#

$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$standby->safe_psql('load', 'SELECT 1');
$node->safe_psql('postgres', 'CREATE DATABASE doomed');
$node->wait_for_catchup($standby);
$standby->safe_psql('doomed', 'SELECT 1');
$old = worker($standby);
freeze($old);
$node->safe_psql('postgres', 'DROP DATABASE doomed');
$node->wait_for_catchup($standby);
pass('a standby replays DROP DATABASE with a stopped worker');
$standby->promote;
pass('and is promoted');
ends($standby, 'load', 'CREATE TABLE written (i int)', 'is written to');
ends($standby, 'postgres', 'DROP DATABASE load', 'and drops a database');
ok(is_stopped($old), 'the worker was stopped all the while');
kill('CONT', $old);
my $now = $standby->safe_psql('postgres', 'SELECT pool_perf.reset()');
$standby->poll_query_until('postgres', "SELECT saved_at > '$now' FROM pool_perf.info");
is(worker($standby), $old, 'it lives through the promotion, and saves');
$standby->stop('fast');

#
# Other ways to run the server
#

sub output_of
{
	my ($input, @command) = @_;
	my ($out, $err) = ('', '');

	my $done = IPC::Run::run [ $node->installed_command($command[0]), @command[ 1 .. $#command ] ],
	  '<', \$input, '>', \$out, '2>', \$err, IPC::Run::timeout($timeout);
	return ($done, $out, $err);
}

$node->stop('fast');
my ($done, $out, $err) = output_of("SELECT count(*) > 0 AS measured FROM pool_perf.queries\nSELECT 1 / 0\nSELECT pool_perf.reset(0, 0, 0) IS NOT NULL AS forgotten\n",
	'postgres', '--single', '-D', $node->data_dir, 'postgres');
ok($done, 'single-user mode');
like($out, qr/measured = "t".*forgotten = "t"/s, 'has the views and the functions');
($done, $out, $err) = output_of('', 'postgres', '-C', 'shared_buffers', '-D', $node->data_dir);
ok($done && $out =~ /^\d+$/ && $err eq '', 'postgres -C') or diag($err);
($done, $out, $err) = output_of('', 'postgres', '-C', 'shared_memory_size', '-D', $node->data_dir);
ok($done && $out =~ /^\d+$/, 'postgres -C of what shared memory makes') or diag($err);

$node->append_conf('postgresql.conf', "max_worker_processes = 0\nmax_parallel_workers = 0");
$since = -s $node->logfile;
$node->start;
cmp_ok($node->safe_psql('postgres', "SELECT sum(calls) FROM pool_perf.queries WHERE datname = 'load'"), '>', 0, 'without room for a worker what was saved is loaded');
ends($node, 'load', 'SELECT 1', 'statements are run');
ends($node, 'postgres', "SELECT * FROM pool_perf.$_", "$_ is read")
  foreach ('queries', 'top_queries', 'databases', 'info', 'memory', 'health', 'summary()');
ends($node, 'postgres', 'SELECT pool_perf.reset()', 'a reset');
like($node->safe_psql('postgres', "SELECT status, remedy FROM pool_perf.health WHERE check_name = 'worker'"),
	qr/^(warning|critical)\|.*max_worker_processes/, 'and health says it');
$node->stop('fast');

ok(!log_has($_, qr/still waiting/), $_->name . ': nobody has waited for long') foreach $node, $standby;
ok(!log_has($_, qr/PANIC|TRAP/), $_->name . ': no crash of its own') foreach $node, $standby;

done_testing();
