# What goes wrong while alerts are open and a client listens: the worker ends, the
# listener does not read or vanishes, somebody holds up NOTIFY, a standby is
# promoted.  The rest goes on, nothing is told twice, and health tells.

use strict;
use warnings FATAL => 'all';

use FindBin;
use JSON::PP;
use lib "$FindBin::RealBin/../perl";
use PoolPerf;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;
use Time::HiRes qw(usleep);

my $node = PoolPerf::cluster('main', allows_streaming => 1, create => 1, conf => qq(
autovacuum = off
pool_perf.sample_interval = 50
pool_perf.notify_database = 'listening'
) . join('', map { "pool_perf.${_}_min_duration = -1\n" } qw(log alert critical idle_in_transaction)));
plan skip_all => 'needs Unix sockets' unless -S $node->host . '/.s.PGSQL.' . $node->port;
$node->safe_psql('postgres', 'CREATE DATABASE listening');

sub value { return $node->safe_psql('postgres', $_[0]); }

sub configure
{
	my ($lines) = @_;
	$node->append_conf('postgresql.conf', $lines);
	$node->reload;
}

sub becomes
{
	my ($server, $sql, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($server->poll_query_until('postgres', $sql), $name) or diag($server->safe_psql('postgres', 'SELECT * FROM pool_perf.alerts ORDER BY alert_id DESC LIMIT 3'));
}

sub health
{
	my ($check, $condition, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	becomes($node, "SELECT $condition FROM pool_perf.health WHERE check_name = '$check'", "health: $name");
}

# A session whose statements are too slow after 300 ms
sub slow_session
{
	my ($server) = @_;
	return Session->new($server, settings => ['pool_perf.alert_min_duration=300']);
}

# As many alerts, of queries that no other call has
my $shapes = 0;
sub raise
{
	my ($n, $server) = @_;
	($server // $node)->safe_psql('postgres', "SET pool_perf.alert_min_duration = 0;\n"
		. join("\n", map { my $i = $shapes++; 'SELECT 4711' . join('', map { $i >> $_ & 1 ? '+1' : '-1' } 0 .. 10) . ';' } 1 .. $n));
}

sub listener
{
	my ($server) = @_;
	my $session = Session->new($server, database => 'listening');
	$session->rows('LISTEN pool_perf_alert');
	return { session => $session, heard => [] };
}

# Waits until there are as many events of an alert, and returns them all
sub hear
{
	my ($listener, $alert_id, $n) = @_;
	my @events;

	for (1 .. 20 * $PostgreSQL::Test::Utils::timeout_default)
	{
		my $session = $listener->{session};
		$session->send(Session::Query('SELECT 1'));
		while (my ($type, $body) = $session->message)
		{
			push @{ $listener->{heard} }, decode_json((split(/\0/, substr($body, 4)))[1]) if $type eq 'A';
			last if $type eq 'Z';
		}
		@events = grep { $_->{alert_id} == $alert_id } @{ $listener->{heard} };
		last if @events >= $n;
		usleep(50_000);
	}
	return join(' ', map { $_->{event} } @events);
}

sub worker { return (PoolPerf::processes($node, qr/pool_perf worker/))[0] // 0 }

#
# The worker ends while a statement runs, which ends before it is back
#
my $listener = listener($node);
my $client = slow_session($node);
$client->send(Session::Query("SELECT pg_sleep(600), 'runs on'"));
becomes($node, q{SELECT count(*) = 1 FROM pool_perf.alerts WHERE is_open AND kind = 'slow_query'}, 'a statement has its alert');
my $id = value(q{SELECT alert_id FROM pool_perf.alerts});
is(hear($listener, $id, 1), 'opened', 'and the listener knows');
health('worker', "status = 'ok' AND message LIKE 'the background worker took its last turn %'", 'the worker is there');
my $old = worker();
my $before = value(q{SELECT clock_timestamp()});
kill('TERM', $old);
health('worker', "status = 'warning' AND message LIKE 'the background worker has ended, %' AND remedy IS NOT NULL", 'the worker has ended');
value("SELECT pg_cancel_backend($client->{pid})");
is($client->answer->{error}, '57014', 'what runs can be cancelled');
raise(1);
is(worker(), 0, 'there was no worker');
is(value(qq{SELECT count(*), bool_and(is_open) FROM pool_perf.alerts}), '1|t', 'nor anybody who would tell of it');
is(value(q{SELECT count(*) FROM pool_perf.slow_queries WHERE query LIKE 'SELECT%'}), 2, 'but both are there to be told of');
health('worker', "status = 'ok'", 'it is back');
isnt(worker(), $old, 'as another process');
becomes($node, qq{SELECT NOT is_open AND outcome = 'cancelled' AND occurrences = 1 AND value = (SELECT total_time FROM pool_perf.slow_queries WHERE pid = $client->{pid})
	FROM pool_perf.alerts WHERE alert_id = $id}, 'the alert of the statement has its end');
is(hear($listener, $id, 2), 'opened closed', 'of which the listener knows, once');
is(hear($listener, $id + 1, 2), 'opened closed', 'and what began and ended meanwhile has its alert');

#
# A listener that does not read, and one that is gone
#
my $deaf = listener($node);
raise(100);
becomes($node, q{SELECT entries = 0 AND dropped = 0 FROM pool_perf.memory WHERE component = 'notifications'}, 'a listener that does not read holds up nothing');
$deaf->{session}->disconnect;
$listener->{session}->disconnect;
raise(5);
becomes($node, q{SELECT entries = 0 AND dropped = 0 FROM pool_perf.memory WHERE component = 'notifications'}, 'nor does one that has vanished');
health('notify', "status = 'ok'", 'which is in order');
$listener = listener($node);
my $last = value(q{SELECT max(alert_id) FROM pool_perf.alerts});
raise(1);
is(hear($listener, $last + 1, 2), 'opened closed', 'and the next one hears');

#
# Somebody holds the lock that NOTIFY takes: commits, and waits for a standby
#
$node->safe_psql('postgres', 'CREATE TABLE t (i int)');
configure("synchronous_standby_names = 'nobody'\nsynchronous_commit = on\n");
becomes($node, q{SELECT setting = 'nobody' FROM pg_settings WHERE name = 'synchronous_standby_names'}, 'commits wait for a standby that is not there');
my $notifier = Session->new($node);
$notifier->rows('BEGIN');
$notifier->rows($_) foreach 'INSERT INTO t VALUES (1)', 'NOTIFY something';
$notifier->send(Session::Query('COMMIT'));
becomes($node, "SELECT wait_event = 'SyncRep' FROM pg_stat_activity WHERE pid = $notifier->{pid}", 'one that holds the lock of NOTIFY');
$last = value(q{SELECT max(alert_id) FROM pool_perf.alerts});
raise(1);
health('notify', "status = 'warning' AND message LIKE '%another session holds the lock on committing notifications; 2 wait' AND remedy IS NOT NULL", 'nothing can be sent');
is(value(q{SELECT status FROM pool_perf.health WHERE check_name = 'worker'}), 'ok', 'but the worker goes on');
configure("synchronous_standby_names = ''\n");
is($notifier->answer->{error}, '', 'it is committed');
is(hear($listener, $last + 1, 2), 'opened closed', 'and the listener hears');
health('notify', "status = 'ok'", 'all is in order again');

#
# A standby is promoted while alerts of its own are open
#
$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'hot_standby_feedback = off');
$standby->start;
my $reader = slow_session($standby);
$reader->send(Session::Query("SELECT pg_sleep(600), 'reads on'"));
becomes($standby, q{SELECT count(*) = 1 FROM pool_perf.alerts WHERE is_open}, 'an alert is open on a standby');
my $open = $standby->safe_psql('postgres', 'SELECT alert_id, subject, pid, opened_at, occurrences FROM pool_perf.alerts');
($id) = split(/\|/, $open);
my ($process) = PoolPerf::processes($standby, qr/pool_perf worker/);
$standby->promote;
is($standby->safe_psql('postgres', 'SELECT alert_id, subject, pid, opened_at, occurrences FROM pool_perf.alerts WHERE is_open'), $open, 'and after it is promoted');
$listener = listener($standby);
my $promoted = $standby->safe_psql('postgres', 'SELECT clock_timestamp()');
becomes($standby, "SELECT is_open AND last_seen > '$promoted' FROM pool_perf.alerts WHERE alert_id = $id", 'by the worker, which looks on');
is((PoolPerf::processes($standby, qr/pool_perf worker/))[0], $process, 'the same one');
$standby->safe_psql('postgres', "SELECT pg_cancel_backend($reader->{pid})");
is($reader->answer->{error}, '57014', 'the statement ends');
is(hear($listener, $id, 1), 'closed', 'and the listener, who could not hear of its begin, hears of that');
becomes($standby, "SELECT NOT is_open AND outcome = 'cancelled' FROM pool_perf.alerts WHERE alert_id = $id", 'which the view has too');
is($standby->safe_psql('postgres', q{SELECT string_agg(check_name, ',') FROM pool_perf.health WHERE check_name IN ('worker', 'notify', 'save') AND status <> 'ok'}), '', 'health: in order');

$_->stop foreach $standby, $node;
unlike(slurp_file($_->logfile), qr/PANIC|TRAP|terminated by signal [4678]/, 'nothing crashed') foreach $node, $standby;
done_testing();
