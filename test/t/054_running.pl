# What runs now: severity by each session's thresholds, waits and blockers; what
# only looks as if it ran; who may see it; a worker that is off, or gone

use strict;
use warnings FATAL => 'all';

use Cwd qw(abs_path);
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PoolPerf;
use PostgreSQL::Test::Utils;
use RawClient;
use Test::More;

my $node = PoolPerf::cluster(
	'main',
	create => 1,
	conf => qq(
autovacuum = off
max_connections = 150
max_prepared_transactions = 5
track_activity_query_size = 200
));
plan skip_all => 'needs Unix sockets' unless -S $node->host . '/.s.PGSQL.' . $node->port;

$node->safe_psql(
	'postgres', q{
	CREATE TABLE t AS SELECT i AS id, 0 AS v FROM generate_series(0, 10) AS i;
	CREATE TABLE u (id int, secret text);
	CREATE ROLE patient LOGIN;
	ALTER ROLE patient SET pool_perf.log_min_duration = '1h';
	ALTER ROLE patient SET pool_perf.alert_min_duration = '2h';
	ALTER ROLE patient SET pool_perf.critical_min_duration = '3h';
	CREATE ROLE hasty LOGIN;
	ALTER ROLE hasty SET pool_perf.log_min_duration = 0;
	ALTER ROLE hasty SET pool_perf.alert_min_duration = 0;
	ALTER ROLE hasty SET pool_perf.critical_min_duration = 0;
	CREATE ROLE mild LOGIN;
	ALTER ROLE mild SET pool_perf.log_min_duration = 0;
	ALTER ROLE mild SET pool_perf.alert_min_duration = '1h';
	ALTER ROLE mild SET pool_perf.critical_min_duration = '1h';
	CREATE ROLE untracked LOGIN;
	ALTER ROLE untracked SET pool_perf.track = none;
	ALTER ROLE untracked SET pool_perf.alert_min_duration = 0;
	CREATE ROLE no_utility LOGIN;
	ALTER ROLE no_utility SET pool_perf.track_utility = off;
	ALTER ROLE no_utility SET pool_perf.alert_min_duration = 0;
	CREATE ROLE usual LOGIN;
	CREATE ROLE plain LOGIN;
	CREATE ROLE monitor LOGIN IN ROLE pg_monitor;
	GRANT SELECT, INSERT, UPDATE ON t, u TO PUBLIC;
});

sub client
{
	my (%options) = @_;
	return RawClient->new($node, %options);
}

sub value
{
	my ($query, @options) = @_;
	return $node->safe_psql('postgres', $query, @options);
}

# Becomes true
sub becomes
{
	my ($query, $name) = @_;
	ok($node->poll_query_until('postgres', $query), $name)
	  or diag(value('SELECT * FROM pool_perf.running_queries'));
}

# A statement, blocked by these, the root being that
sub blocked
{
	my ($client, $blockers, $root) = @_;
	return qq{EXISTS (SELECT FROM pool_perf.running_queries WHERE pid = $client->{pid} AND blocked_by = '{$blockers}' AND root_blocker = $root)};
}

# Ends what they do
sub cancel
{
	my (@clients) = @_;
	foreach my $client (@clients)
	{
		value("SELECT pg_cancel_backend($client->{pid})");
		like($client->answer, qr/57014$/, 'cancelled');
	}
}

# The worker has looked twice from now on: a statement that sleeps until then was
# seen, and reported
my $looked_at;

sub looked
{
	$looked_at //= client(user => 'hasty', application_name => 'looked at');
	foreach my $n (1 .. 2)
	{
		$looked_at->send("SELECT pg_sleep(1003) AS looked_$n");
		ok($node->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM pool_perf.alerts WHERE pid = $looked_at->{pid} AND is_open)"), 'looked');
		value("SELECT pg_cancel_backend($looked_at->{pid})");
		$looked_at->answer;
		$node->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT FROM pool_perf.alerts WHERE pid = $looked_at->{pid} AND is_open)");
	}
}

# Nothing stays of this in shared memory, as far as it can be seen
sub is_secret
{
	my ($word) = @_;
	is(value("SELECT count(*) FROM pool_perf.running_queries AS r WHERE r.query ~ '$word' AND pid <> pg_backend_pid()"), 0, "$word is not shown");
}

#
# A statement that sleeps, with the thresholds of four roles
#

my @sleeping = map { client(user => $_, application_name => "$_ one") } qw(patient hasty mild usual);
$_->send("SELECT pg_sleep(1003), 'hidden' AS word") foreach @sleeping;
my $pids = join(', ', map { $_->{pid} } @sleeping);
becomes(qq{SELECT count(*) = 4 FROM pool_perf.running_queries WHERE pid IN ($pids) AND wait_event = 'PgSleep'}, 'four sleep');
becomes(qq{SELECT severity = 'warning' FROM pool_perf.running_queries WHERE pid = $sleeping[3]{pid}}, 'after a second: warning');
is( value(
		qq{SELECT string_agg(concat_ws(' ', datname, usename, application_name, client_addr IS NULL, query, coalesce(severity, '-'), state, wait_event_type, wait_event,
		                               elapsed_time >= 1000, started_at <= clock_timestamp() - interval '1 s', blocked_by IS NULL, root_blocker IS NULL), E'\n' ORDER BY usename)
		   FROM pool_perf.running_queries WHERE pid IN ($pids)}),
	join("\n",
		'postgres hasty hasty one t SELECT pg_sleep($1), $2 AS word critical active Timeout PgSleep t t t t',
		'postgres mild mild one t SELECT pg_sleep($1), $2 AS word info active Timeout PgSleep t t t t',
		'postgres patient patient one t SELECT pg_sleep($1), $2 AS word - active Timeout PgSleep t t t t',
		'postgres usual usual one t SELECT pg_sleep($1), $2 AS word warning active Timeout PgSleep t t t t'),
	'what they run, and how bad it is');
is_secret('hidden');
is_secret('1003');

# Who may see it
$node->safe_psql('postgres', 'GRANT SELECT ON pool_perf.running_queries, pool_perf.query_waits TO plain');
my $other = client(user => 'plain', application_name => 'plain one');
$other->send('SELECT pg_sleep(1003), 1');
becomes(qq{SELECT count(*) = 1 FROM pool_perf.running_queries WHERE pid = $other->{pid}}, 'a fifth');
is( value(
		qq{SELECT string_agg(DISTINCT concat_ws('|', r.pid IN ($pids), usename IN ('patient', 'hasty', 'mild', 'usual'), query, num_nonnulls(application_name, client_addr, queryid, started_at, elapsed_time, severity, state, wait_event_type, wait_event, blocked_by, root_blocker)), ' ')
		   FROM pool_perf.running_queries AS r WHERE pid IN ($pids)},
		extra_params => [ '-U', 'plain' ]),
	't|t|<insufficient privilege>|0', 'others are hidden from those without pg_read_all_stats');
is( value(qq{SELECT query, application_name, queryid IS NOT NULL FROM pool_perf.running_queries WHERE pid = $other->{pid}}, extra_params => [ '-U', 'plain' ]),
	'SELECT pg_sleep($1), $2|plain one|t', 'its own are not');
is( value(qq{SELECT count(*) FROM pool_perf.running_queries WHERE pid IN ($pids, $other->{pid}) AND query LIKE 'SELECT pg_sleep(%' AND queryid IS NOT NULL}, extra_params => [ '-U', 'monitor' ]),
	5, 'pg_monitor sees all');
cancel(@sleeping, $other);
is(value(qq{SELECT count(*) FROM pool_perf.running_queries WHERE pid IN ($pids, $other->{pid})}), 0, 'and what has ended is gone');
is(value('SELECT count(*), bool_and(pid = pg_backend_pid()) FROM pool_perf.running_queries'), '1|t', 'what reads is there too');

#
# A chain: three wait for rows, and the first in it idles in its transaction
#

my @chain = map { client(application_name => "chain $_") } 0 .. 3;
$chain[$_]->ask("BEGIN; UPDATE t SET v = 7654 WHERE id = $_") foreach 0 .. 3;
$chain[$_]->send('UPDATE t SET v = 7654 WHERE id = ' . ($_ - 1)) foreach 1 .. 3;
my $root = $chain[0]{pid};
becomes('SELECT ' . join(' AND ', map { blocked($chain[$_], $chain[ $_ - 1 ]{pid}, $root) } 1 .. 3), 'three wait in a chain, for its root');
is( value(
		qq{SELECT count(*), string_agg(DISTINCT concat_ws(' ', query, wait_event_type, wait_event, root_blocker_state), ','), bool_and(root_blocker_xact_time > elapsed_time),
		          bool_and(blocked_by = pg_blocking_pids(pid))
		   FROM pool_perf.running_queries WHERE root_blocker = $root}),
	'3|UPDATE t SET v = $1 WHERE id = $2 Lock transactionid idle in transaction|t|t', 'and it idles in a transaction that is older');
is(value("SELECT count(*) FROM pool_perf.running_queries WHERE pid = $root"), 0, 'a session that idles in its transaction runs nothing');
is_secret('7654');

# Many behind one row: the server queues them behind the first
my @queue = map { client() } 1 .. 3;
$_->send('UPDATE t SET v = 7654 WHERE id = 0 + 2') foreach @queue;
becomes("SELECT count(*) = 6 FROM pool_perf.running_queries WHERE root_blocker = $root", 'those in a queue have the same root');
is(value("SELECT root_blocker FROM pool_perf.running_queries WHERE pid = $root"), '', 'which waits for nobody');

# The root goes on: the next one is
$chain[0]->ask('COMMIT');
like($chain[1]->answer, qr/C$/, 'the first goes on');
becomes("SELECT count(*) = 5 FROM pool_perf.running_queries WHERE root_blocker = $chain[1]{pid}", 'then the next is the root');
foreach my $client (@chain[ 1 .. 3 ])
{
	$client->ask('COMMIT');
	$chain[ $_ + 1 ]->answer foreach grep { $chain[$_] == $client && $_ < 3 } 1 .. 3;
}
$_->answer foreach @queue;
becomes('SELECT count(*) = 0 FROM pool_perf.running_queries WHERE blocked_by IS NOT NULL', 'and at last nobody waits');

#
# One hundred sessions behind one lock: the first waits for it as DDL, the others
# in parse analysis, most of them with their first statement
#

my $holder = client(application_name => 'holder');
$holder->ask("BEGIN; INSERT INTO u VALUES (1, 'x')");
my $ddl = client(application_name => 'ddl');
$ddl->send('ALTER TABLE u ADD COLUMN more int');
becomes('SELECT ' . blocked($ddl, $holder->{pid}, $holder->{pid}), 'DDL waits for a transaction');
my @hundred = map { client(application_name => 'web') } 1 .. 100;
$_->send("SELECT id FROM u WHERE secret = 'sesame' AND id = 7654") foreach @hundred;
becomes("SELECT count(*) = 101 FROM pool_perf.running_queries WHERE root_blocker = $holder->{pid}", 'a hundred wait behind the DDL, for one root');
is( value(
		qq{SELECT count(*), count(DISTINCT pid), string_agg(DISTINCT concat_ws('|', query, queryid, state, wait_event_type, wait_event, root_blocker_state), ','),
		          bool_and(blocked_by[1] = $ddl->{pid}), bool_and(cardinality(blocked_by) = 1)
		   FROM pool_perf.running_queries WHERE application_name = 'web'}),
	'100|100|SELECT id FROM u WHERE secret = $1 AND id = $2|active|Lock|relation|idle in transaction|t|t', 'though no execution has begun');
is_secret('sesame');
is_secret('7654');
# a text that the server has cut inside of a literal
my $long = client();
$long->send("SELECT id FROM u WHERE secret = '" . 'sesame' x 60 . "'");
becomes("SELECT query = '<text not recorded>' FROM pool_perf.running_queries WHERE pid = $long->{pid}", 'a text that was cut inside of a string is not shown');
my $columns = client();
$columns->send('SELECT id' . ', id' x 100 . ' FROM u');
becomes("SELECT query LIKE 'SELECT id, id, id, % [...]' FROM pool_perf.running_queries WHERE pid = $columns->{pid}", 'one that was cut elsewhere is, with a mark');
$holder->ask('ROLLBACK');
$_->answer foreach $ddl, @hundred, $long, $columns;
$_->close foreach @hundred;

#
# What ends in parse analysis is slow too, and so does its alert end
#

my $locker = client(application_name => 'locker');
my $times_out = client(user => 'hasty', application_name => 'times out');
my $cancelled = client(user => 'hasty', application_name => 'cancelled');
my $errors = 'SELECT coalesce(sum(errors), 0) FROM pool_perf.errors WHERE queryid IS NULL';
my $calls = "SELECT sum(calls) FROM pool_perf.queries WHERE usename = 'hasty'";
$times_out->ask("SET statement_timeout = '2 s'");
$locker->ask('BEGIN; LOCK TABLE u');
my ($errors_before, $calls_before) = (value($errors), value($calls));
$_->send("SELECT id FROM u WHERE secret = 'sesame'") foreach $times_out, $cancelled;
becomes("SELECT count(*) = 2 FROM pool_perf.alerts WHERE is_open AND pid IN ($times_out->{pid}, $cancelled->{pid})", 'two in parse analysis raise alerts');
cancel($cancelled);
like($times_out->answer, qr/57014$/, 'a timeout');
becomes("SELECT count(*) = 2 FROM pool_perf.alerts WHERE NOT is_open AND outcome IS NOT NULL AND pid IN ($times_out->{pid}, $cancelled->{pid})", 'the alerts end with them');
is( value(
		qq{SELECT string_agg(concat_ws('|', a.pid = $times_out->{pid}, a.outcome, a.subject = 'pid ' || a.pid, a.queryid IS NULL, a.value = s.total_time, a.value >= 2000, a.value = s.before_time, s.outcome, s.sqlstate, s.queryid IS NULL, s.application_name, s.waits @> '[{"wait_event": "relation"}]', s.query), E'\n' ORDER BY a.outcome)
		   FROM pool_perf.alerts AS a JOIN pool_perf.slow_queries AS s USING (pid) WHERE a.pid IN ($cancelled->{pid}, $times_out->{pid}) AND s.outcome <> 'ok'}),
	join("\n",
		'f|cancelled|t|t|t|' . value("SELECT value >= 2000 FROM pool_perf.alerts WHERE pid = $cancelled->{pid}") . '|t|cancelled|57014|t|cancelled|t|<no query id>',
		't|timeout|t|t|t|t|t|timeout|57014|t|times out|t|<no query id>'),
	'with their duration and outcome, as the slow queries have them');
is(value($errors) - $errors_before, 2, 'each is one error');
is(value($calls) - $calls_before, 0, 'and no call');
$locker->ask('ROLLBACK');
# what comes next is another statement
$times_out->ask('SET statement_timeout = 0');
$times_out->send('SELECT pg_sleep(1003) AS after_timeout');
becomes("SELECT count(*) = 1 FROM pool_perf.alerts WHERE is_open AND queryid IS NOT NULL AND pid = $times_out->{pid}", 'the next statement has an alert of its own');
cancel($times_out);
# a commit that fails is none that ends in parse analysis
$times_out->ask('CREATE TEMP TABLE d (k int UNIQUE DEFERRABLE INITIALLY DEFERRED)');
like($times_out->ask('INSERT INTO d VALUES (1), (1)'), qr/23505$/, 'a deferred constraint fails');
is(value("SELECT count(*), bool_and(queryid IS NOT NULL) FROM pool_perf.slow_queries WHERE pid = $times_out->{pid} AND query LIKE 'INSERT %' OR sqlstate = '23505'"), '1|t', 'its statement is recorded once');
$_->close foreach $times_out, $cancelled;

#
# A prepared transaction as the root
#

my $preparing = client();
$preparing->ask('BEGIN; UPDATE t SET v = 2 WHERE id = 5');
$preparing->ask("PREPARE TRANSACTION 'forgotten'");
my $waiting = client();
$waiting->send('UPDATE t SET v = 3 WHERE id = 5');
becomes('SELECT ' . blocked($waiting, 0, 0), 'a prepared transaction blocks');
is( value(
		qq{SELECT root_blocker_state, root_blocker_xact_time > 0 AND root_blocker_xact_time > elapsed_time,
		          (SELECT root_transaction = p.transaction FROM pool_perf.running_queries() AS f, pg_prepared_xacts AS p WHERE f.pid = r.pid)
		   FROM pool_perf.running_queries AS r WHERE pid = $waiting->{pid}}),
	'|t|t', 'and its age is known');
$node->restart;
$waiting = client();
$waiting->send('UPDATE t SET v = 3 WHERE id = 5');
becomes('SELECT ' . blocked($waiting, 0, 0), 'the same after a restart');
is(value(qq{SELECT root_blocker_xact_time > elapsed_time FROM pool_perf.running_queries AS r WHERE pid = $waiting->{pid}}), 't', 'with its age');
value("ROLLBACK PREPARED 'forgotten'");
like($waiting->answer, qr/C$/, 'it goes on');

#
# What does not run: a cursor and a portal that wait for the client
#

my $cursor = client();
$cursor->ask('BEGIN; DECLARE c CURSOR FOR SELECT * FROM generate_series(1, 1000); FETCH 1 FROM c');
my $portal = client();
$portal->ask('BEGIN');
is($portal->portal('SELECT k FROM generate_series(1, 1000) AS k', 2), '1,2 s', 'a suspended portal');
is(value("SELECT count(*) FROM pool_perf.running_queries WHERE pid IN ($cursor->{pid}, $portal->{pid})"), 0, 'neither cursor nor portal runs');
$portal->send('SELECT pg_sleep(1003)');
becomes("SELECT query = 'SELECT pg_sleep(\$1)' FROM pool_perf.running_queries WHERE pid = $portal->{pid}", 'what runs beside a suspended portal does');
cancel($portal);
$_->ask('ROLLBACK') foreach $cursor, $portal;

# Portals that wait for the client without Sync: the server calls the session active.
# Those of hasty would be critical at once
$locker = client();
my $flushed = client(user => 'hasty');
is($flushed->flushed_portal('SELECT k FROM generate_series(1, 1000) AS k', 2), '1,2 s', 'a portal suspended by its row limit');
my $finished = client(user => 'hasty');
is($finished->flushed_portal('SELECT 1 AS k', 0), '1 C', 'one that has got all of its rows');
my $both = "pid IN ($flushed->{pid}, $finished->{pid})";
becomes("SELECT count(*) = 2 FROM pg_stat_activity WHERE $both AND state = 'active' AND wait_event = 'ClientRead'", 'both wait for the client');
looked();
is(value("SELECT count(*) FROM pool_perf.running_queries WHERE $both"), 0, 'neither runs');
is(value("SELECT count(*) FROM pool_perf.alerts WHERE $both AND is_open"), 0, 'nor raises an alert');
$locker->ask('BEGIN; LOCK TABLE u');
$flushed->messages('P', "other\0SELECT id FROM u\0" . pack('n', 0), 'H', '');
becomes("SELECT queryid IS NULL AND query = 'SELECT id FROM u' AND wait_event_type = 'Lock' FROM pool_perf.running_queries WHERE pid = $flushed->{pid}",
	'beside it another statement is in parse analysis');
$locker->ask('ROLLBACK');
$flushed->more(2);
is($flushed->answer('s'), '3,4 s', 'the portal goes on');
$flushed->messages('S', '');
$flushed->answer;
$finished->messages('S', '');
$finished->answer;
$flushed->flushed_portal('SELECT pg_sleep(CASE WHEN k > 1 THEN 1003 ELSE 0 END) FROM generate_series(1, 10) AS k', 1);
$flushed->more(1);
becomes("SELECT query LIKE 'SELECT pg_sleep(CASE %' AND queryid IS NOT NULL AND wait_event = 'PgSleep' FROM pool_perf.running_queries WHERE pid = $flushed->{pid}",
	'one that goes on runs');
value("SELECT pg_cancel_backend($flushed->{pid})");
$flushed->messages('S', '');
like($flushed->answer, qr/57014$/, 'until it is cancelled');
$_->close foreach $flushed, $finished;

#
# Statements that are not measured are not taken for parse analysis
#

my @unmeasured = map { client(user => $_) } qw(untracked untracked no_utility no_utility);
my $unmeasured_pids = join(', ', map { $_->{pid} } @unmeasured);
$locker->ask('BEGIN; LOCK TABLE u');
$unmeasured[0]->send("SELECT pg_sleep(1003), 'sesame'");
$unmeasured[1]->send('SELECT id FROM u');
$unmeasured[2]->send("DO 'BEGIN PERFORM pg_sleep(1003); END'");
$unmeasured[3]->send('BEGIN; LOCK TABLE u IN ROW EXCLUSIVE MODE');
becomes("SELECT count(wait_event) = 4 FROM pool_perf.running_queries WHERE pid IN ($unmeasured_pids)", 'four that are not measured');
looked();
is( value("SELECT string_agg(concat_ws('|', usename, query, coalesce(queryid, 0), wait_event, elapsed_time > 0, state), E'\n' ORDER BY usename, wait_event) FROM pool_perf.running_queries WHERE pid IN ($unmeasured_pids)"),
	join("\n",
		'no_utility|DO $1|0|PgSleep|t|active',
		'no_utility|BEGIN; LOCK TABLE u IN ROW EXCLUSIVE MODE|0|relation|t|active',
		'untracked|SELECT pg_sleep($1), $2|0|PgSleep|t|active',
		'untracked|SELECT id FROM u|0|relation|t|active'),
	'are shown');
is(value("SELECT count(severity) FROM pool_perf.running_queries WHERE pid IN ($unmeasured_pids) AND usename = 'untracked'"), 0, 'without severity where nothing is measured');
is(value("SELECT count(*) FROM pool_perf.alerts WHERE pid IN ($unmeasured_pids)"), 0, 'they raise no alert');
cancel($unmeasured[2]);
$unmeasured[2]->send('SELECT id FROM u');
becomes("SELECT count(*) = 1 FROM pool_perf.alerts WHERE pid = $unmeasured[2]{pid} AND is_open", 'parse analysis does, where only utility statements are not measured');
$locker->ask('ROLLBACK');
$_->answer foreach @unmeasured[ 1, 2, 3 ];
cancel($unmeasured[0]);
$_->close foreach @unmeasured;

my $known = client(user => 'hasty');
$known->ask('SELECT 1');
$node->append_conf('postgresql.conf', "pool_perf.enabled = off\n");
$node->reload;
ok($node->poll_query_until('postgres', 'SHOW pool_perf.enabled', 'off'), 'nothing is measured');
my @off = ($known, client(user => 'hasty'));
$_->send('SELECT pg_sleep(1003)') foreach @off;
my $off_pids = join(', ', map { $_->{pid} } @off);
becomes("SELECT count(*) = 2 AND count(severity) = 0 AND count(queryid) = 0 FROM pool_perf.running_queries WHERE pid IN ($off_pids) AND query = 'SELECT pg_sleep(\$1)'", 'what runs has no severity');
$node->append_conf('postgresql.conf', "pool_perf.enabled = on\n");
$node->reload;
ok($node->poll_query_until('postgres', 'SHOW pool_perf.enabled', 'on'), 'it is again');
cancel(@off);
$_->send('SELECT pg_sleep(1003)') foreach @off;
becomes("SELECT count(*) = 2 AND count(queryid) = 2 FROM pool_perf.running_queries WHERE pid IN ($off_pids) AND severity = 'critical'", 'now it has');
cancel(@off);
$_->close foreach @off;

#
# No looks, and then looks again; the worker is gone, and back
#

sub worker_pid
{
	my $directory = abs_path($node->data_dir);

	foreach my $cwd (glob('/proc/[0-9]*/cwd'))
	{
		my ($pid) = $cwd =~ /(\d+)/;
		next if (readlink($cwd) // '') ne $directory;
		open(my $in, '<', "/proc/$pid/cmdline") or next;
		my $command = <$in> // '';
		close($in);
		return $pid if $command =~ /pool_perf worker/;
	}
	return 0;
}

$node->append_conf('postgresql.conf', "pool_perf.sample_interval = -1\n");
$node->reload;
my $first = client();
$first->ask('BEGIN; UPDATE t SET v = 4 WHERE id = 6');
my $second = client();
$second->send('UPDATE t SET v = 5 WHERE id = 6');
becomes("SELECT elapsed_time > 2500 FROM pool_perf.running_queries WHERE pid = $second->{pid}", 'without looks: what runs is there');
is(value("SELECT severity, wait_event_type, blocked_by IS NULL, root_blocker IS NULL FROM pool_perf.running_queries WHERE pid = $second->{pid}"),
	'warning|Lock|t|t', 'blockers are not');
$node->append_conf('postgresql.conf', "pool_perf.sample_interval = 100\n");
$node->reload;
becomes('SELECT ' . blocked($second, $first->{pid}, $first->{pid}), 'with looks: blockers');

my $worker = worker_pid();
cmp_ok($worker, '>', 0, 'the worker is there');
kill('TERM', $worker);
becomes("SELECT blocked_by IS NULL FROM pool_perf.running_queries WHERE pid = $second->{pid}", 'without a worker, what it saw is shown no longer than it is fresh');
becomes('SELECT ' . blocked($second, $first->{pid}, $first->{pid}), 'the worker is back, and looks');
my $next = worker_pid();
ok($next != 0 && $next != $worker, 'it is another process');
cancel($second);
$first->ask('ROLLBACK');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal|ERROR:(?!  canceling statement due to|  duplicate key)/, 'nothing crashed or failed');
done_testing();
