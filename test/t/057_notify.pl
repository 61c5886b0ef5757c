# Alerts reach a client that listens; what stands in the way of that holds up
# nothing else, and is told of

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use JSON::PP;
use PoolPerf;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

# What ends at once raises an alert where a session asks for it
my $node = PoolPerf::cluster('main', allows_streaming => 1, create => 1, conf => qq(
autovacuum = off
max_worker_processes = 8
pool_perf.sample_interval = 50
pool_perf.alert_min_duration = -1
pool_perf.critical_min_duration = -1
pool_perf.alert_cooldown = 0
));
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
	my ($sql, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($node->poll_query_until('postgres', $sql), $name);
}

# As many alerts, of queries that no other call has
my $shapes = 0;
sub raise
{
	my ($n) = @_;
	my $sql = "SET pool_perf.alert_min_duration = 0;\n";

	for (1 .. $n)
	{
		my $i = $shapes++;
		$sql .= 'SELECT 4711' . join('', map { $i >> $_ & 1 ? '+1' : '-1' } 0 .. 10) . " AS \"the 'name'\";\n";
	}
	$node->safe_psql('postgres', $sql);
}

# What has come so far, decoded; waits until there are as many
my ($listener, @heard);
sub listen_in
{
	my ($database) = @_;
	$listener = $node->background_psql($database, on_error_stop => 0, timeout => 600);
	$listener->query_safe('LISTEN pool_perf_alert');
}
sub hear
{
	my ($n) = @_;
	my @new;

	for (1 .. 20 * $PostgreSQL::Test::Utils::timeout_default)
	{
		my $out = $listener->query('SELECT 1');
		push @new, $1 while $out =~ /Asynchronous notification "pool_perf_alert" with payload "(.*)" received from server process with PID \d+\.$/mg;
		last if @new >= $n;
		usleep(50_000);
	}
	@heard = @new;
	return map { decode_json($_) } @new;
}

# ---- off ----------------------------------------------------------------------------

raise(1);
becomes(q{SELECT count(*) = 1 AND bool_and(NOT is_open) FROM pool_perf.alerts}, 'an alert');
is(value(q{SELECT entries, dropped FROM pool_perf.memory WHERE component = 'notifications'}), '0|0', 'nothing is sent where nobody wants it');
is(value(q{SELECT status, message FROM pool_perf.health WHERE check_name = 'notify'}), 'ok|pool_perf.notify_database is empty: alerts are not sent', 'which is in order');

# What is no client raises none, even if it has gone before anybody looks
configure("pool_perf.sample_interval = -1\n");
$node->safe_psql('postgres', "SET pool_perf.alert_min_duration = 0;\nSELECT 1, 2 AS walsender;", replication => 'database');
raise(1);
becomes(q{SELECT count(*) >= 2 FROM pool_perf.alerts}, 'a client that has gone');
is(value(q{SELECT count(*) FROM pool_perf.alerts a JOIN pool_perf.queries q USING (queryid) WHERE q.query LIKE '%walsender'}), 0, 'but no walsender');
configure("pool_perf.sample_interval = 50\n");

# ---- a client that listens ------------------------------------------------------------

configure("pool_perf.notify_database = 'listening'\n");
listen_in('listening');
my $before = value(q{SELECT max(alert_id) FROM pool_perf.alerts});
raise(1);
my @events = hear(2);
is(join(' ', map { $_->{event} } @events), 'opened closed', 'a client hears of an alert');
my $row = decode_json(value("SELECT to_json(a) FROM pool_perf.alerts a WHERE alert_id = $before + 1"));
is($events[1]{$_}, $row->{$_}, "as the view has it: $_") foreach qw(alert_id kind severity subject datname pid unit message remedy occurrences outcome);
is($events[1]{queryid}, value("SELECT queryid FROM pool_perf.alerts WHERE alert_id = $before + 1"), 'queryid') ;
like($heard[1], qr/"queryid":"-?\d+"/, 'ids are strings');
is($events[0]{schema_version}, 1, 'and it has a version');
is(value(qq{SELECT opened_at = '$events[1]{opened_at}' AND closed_at = '$events[1]{closed_at}' FROM pool_perf.alerts WHERE alert_id = $before + 1}), 't', 'times are times');
is($events[0]{closed_at}, undef, 'and NULL is null');

# Many of them come in batches
my $since = -s $node->logfile;
raise(60);
@events = hear(120);
is(scalar @events, 120, 'all of 60 alerts');
is(scalar(grep { length($_) >= 8000 } @heard), 0, 'each in less than 8,000 bytes');
unlike("@heard", qr/4711|the 'name/, 'and without a word of the query');
my @senders = slurp_file($node->logfile, $since) =~ /pool_perf notify/g;
is(scalar @senders, 0, 'the senders leave no trace in the log');
is(value(q{SELECT status FROM pool_perf.health WHERE check_name = 'notify'}), 'ok', 'all is in order');

# Nobody listens
$listener->quit;
raise(2);
becomes(q{SELECT entries = 0 FROM pool_perf.memory WHERE component = 'notifications'}, 'what nobody hears is sent all the same');
is(value(q{SELECT status FROM pool_perf.health WHERE check_name = 'notify'}), 'ok', 'which is in order');

# ---- the database ----------------------------------------------------------------------

# alerts all the time, and the database goes away
raise(30);
my $began = time;
$node->safe_psql('postgres', 'DROP DATABASE listening');
cmp_ok(time - $began, '<', 4, 'DROP DATABASE is not held up');
$since = -s $node->logfile;
raise(2);
becomes(q{SELECT status = 'warning' AND message LIKE '%the database does not exist%' AND remedy LIKE '%pool_perf.notify_database%' FROM pool_perf.health WHERE check_name = 'notify'}, 'health: the database is missing');
raise(2);
becomes(q{SELECT value >= 3 FROM pool_perf.health WHERE check_name = 'notify'}, 'it is tried again and again');
my @lines = slurp_file($node->logfile, $since) =~ /(could not send alerts to database "listening": the database does not exist|FATAL:|background worker "pool_perf notify")/g;
is("@lines", 'could not send alerts to database "listening": the database does not exist', 'and logged once');
$node->safe_psql('postgres', 'CREATE DATABASE another');
listen_in('another');
configure("pool_perf.notify_database = 'another'\n");
cmp_ok(scalar(hear(4)), '>=', 4, 'what has waited is sent where it can be');
becomes(q{SELECT status = 'ok' FROM pool_perf.health WHERE check_name = 'notify'}, 'and health knows');

# The backlog is bounded
configure("pool_perf.notify_database = 'missing'\n");
becomes(q{SELECT setting = 'missing' FROM pg_settings WHERE name = 'pool_perf.notify_database'}, 'another database');
raise(200);
becomes(q{SELECT entries = max_entries AND max_entries = 256 AND dropped >= 100 FROM pool_perf.memory WHERE component = 'notifications'}, 'the backlog is bounded, and what is lost is counted');
becomes(q{SELECT message LIKE '% notifications were dropped %' FROM pool_perf.alerts WHERE kind = 'data_loss' AND subject = 'notifications'}, 'data_loss');
configure("pool_perf.notify_database = 'another'\n");
@events = hear(256);
cmp_ok(scalar @events, '>=', 256, 'what was kept is sent');
cmp_ok($events[-1]{dropped}, '>=', 100, 'and tells how many were dropped');

# No free worker
# beside those that are there, of which pg_stat_activity does not show pool_perf's
my $workers = 1 + value(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'logical replication launcher'});
$listener->quit;
configure("max_worker_processes = $workers\n");
$node->restart;
$since = 0;
raise(1);
becomes(q{SELECT status = 'warning' AND message LIKE '%max_worker_processes%' FROM pool_perf.health WHERE check_name = 'notify'}, 'health: no free worker');
configure("max_worker_processes = 8\n");
$node->restart;

# ---- a standby ---------------------------------------------------------------------------

$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$standby->safe_psql('postgres', "SET pool_perf.alert_min_duration = 0;\nSELECT 1 AS on_standby;");
ok($standby->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pool_perf.alerts}), 'a standby has alerts of its own');
is($standby->safe_psql('postgres', q{SELECT entries, dropped FROM pool_perf.memory WHERE component = 'notifications'}), '0|0', 'and sends nothing');
is($standby->safe_psql('postgres', q{SELECT status, message FROM pool_perf.health WHERE check_name = 'notify'}), 'ok|nothing is sent in recovery', 'which is in order');
$standby->promote;
$listener = $standby->background_psql('another', on_error_stop => 0, timeout => 600);
$listener->query_safe('LISTEN pool_perf_alert');
$standby->safe_psql('postgres', "SET pool_perf.alert_min_duration = 0;\nSELECT 1, 2 AS promoted;");
cmp_ok(scalar(hear(2)), '>=', 2, 'until it is promoted');
$listener->quit;

$standby->stop;
$node->stop;
unlike(slurp_file($_->logfile), qr/PANIC|TRAP|terminated by signal [4678]/, 'nothing crashed') foreach $node, $standby;
done_testing();
