# Alerts: what raises them, that there is one for each subject, how they go on and
# end, who may do what with them, and that they are still there afterwards

use strict;
use warnings FATAL => 'all';

use Cwd qw(abs_path);
use FindBin;
use IPC::Run;
use lib "$FindBin::RealBin/../perl";
use PoolPerf;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

# Durations are short, but alerts close when the test says so
my $node = PoolPerf::cluster('main', create => 1, conf => qq(
autovacuum = off
max_connections = 130
max_prepared_transactions = 2
restart_after_crash = on
pool_perf.sample_interval = 50
pool_perf.alert_min_duration = 200
pool_perf.critical_min_duration = 1200
pool_perf.blocked_min_duration = -1
pool_perf.idle_in_transaction_min_duration = -1
pool_perf.long_transaction_min_duration = -1
pool_perf.alert_cooldown = 1h
));

sub value { return $node->safe_psql('postgres', $_[0]); }

sub configure
{
	my ($lines) = @_;
	$node->append_conf('postgresql.conf', $lines);
	$node->reload;
}

# Waits until the query yields true
sub becomes
{
	my ($sql, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	ok($node->poll_query_until('postgres', $sql), $name);
}

# A session, and its pid
sub session
{
	my ($application, $database) = @_;
	my $session = $node->background_psql($database // 'postgres', on_error_stop => 0, timeout => 600);

	$session->query_safe("SET application_name = '$application'");
	return ($session, $session->query_safe('SELECT pg_backend_pid()'));
}

# Has a session begin with a statement, and does not wait for its end
sub begin
{
	my ($session, $statement) = @_;
	$session->query_until(qr/begins/, "\\echo begins\n$statement;\n");
}

# The worker connects to no database, so pg_stat_activity does not show it
sub worker
{
	my $directory = abs_path($node->data_dir);

	foreach my $cwd (glob('/proc/[0-9]*/cwd'))
	{
		my ($process) = $cwd =~ /(\d+)/;
		next if (readlink($cwd) // '') ne $directory;
		open(my $in, '<', "/proc/$process/cmdline") or next;
		my $command = <$in> // '';
		close($in);
		return $process if $command =~ /pool_perf worker/;
	}
	return 0;
}

# ---- a statement that runs ------------------------------------------------------------

my ($sleeper, $pid) = session('sleeper');
my $began = time;
begin($sleeper, 'SELECT pg_sleep(2.5)');
becomes("SELECT count(*) = 1 AND bool_and(is_open AND kind = 'slow_query' AND severity = 'warning' AND value BETWEEN 200 AND 1400 AND threshold = 200 AND unit = 'ms' AND outcome IS NULL AND closed_at IS NULL AND datname = 'postgres') FROM pool_perf.alerts WHERE pid = $pid",
	'a statement that runs raises its alert');
is(value("SELECT a.queryid = s.query_id FROM pool_perf.alerts a JOIN pg_stat_activity s USING (pid) WHERE pid = $pid"),
	't', 'which names the query');
becomes("SELECT is_open AND severity = 'critical' AND value >= 1200 AND threshold = 1200 FROM pool_perf.alerts WHERE pid = $pid", 'it becomes critical while it runs');
$sleeper->query_safe('SELECT 1');
my $took = 1000 * (time - $began);
becomes("SELECT NOT is_open AND closed_at >= opened_at + interval '2 s' FROM pool_perf.alerts WHERE pid = $pid", 'and with it the alert');
is(value("SELECT a.outcome, value >= 2500 AND value <= $took, value = total_time, occurrences, a.severity, acknowledged_at IS NULL, silenced FROM pool_perf.alerts a JOIN pool_perf.slow_queries s USING (pid, queryid) WHERE pid = $pid"),
	'ok|t|t|1|critical|t|f', 'with its final duration and outcome');

# An hour has not passed: the same query reopens the row, and is counted; cancelled this time
my $opened = value('SELECT alert_id, opened_at FROM pool_perf.alerts');
begin($sleeper, 'SELECT pg_sleep(600.0)');
becomes('SELECT is_open FROM pool_perf.alerts', 'what comes back within the hour');
is(value('SELECT alert_id, opened_at FROM pool_perf.alerts'), $opened, 'reopens its alert');
value("SELECT pg_cancel_backend($pid)");
becomes("SELECT NOT is_open AND outcome = 'cancelled' AND occurrences = 2 FROM pool_perf.alerts", 'which counts it');
is( value(
		q{SELECT h.message = format('%s queries took too long within the last 5 minutes, up to %s ms the last time; %s do now', count(*), round(max(a.value)), count(*) FILTER (WHERE a.is_open)) FROM pool_perf.health h, pool_perf.alerts a WHERE h.check_name = 'slow_queries' GROUP BY h.message}),
	't', 'health says how long the last executions took');
$sleeper->quit;
my $first_pid = $pid;
($sleeper, $pid) = session('sleeper');
# one that no look has seen while it ran
configure("pool_perf.sample_interval = -1\n");
$sleeper->query_safe("SET pool_perf.alert_min_duration = 0; SELECT 1, 2, 3, 4, 5 AS quick; SET pool_perf.alert_min_duration = '1h'");
becomes(q{SELECT count(*) = 1 AND bool_and(NOT is_open AND outcome = 'ok' AND occurrences = 1 AND value < 200 AND threshold = 0) FROM pool_perf.alerts
	JOIN pool_perf.queries q USING (queryid) WHERE q.query LIKE '% AS quick'}, 'a statement that ended before anybody looked');
configure("pool_perf.sample_interval = 50\n");

my $quick = value(q{SELECT alert_id FROM pool_perf.alerts JOIN pool_perf.queries q USING (queryid) WHERE q.query LIKE '% AS quick'});

# What may take its time
$sleeper->query_safe("SET pool_perf.alert_min_duration = 0");
my $known = value('SELECT count(*) FROM pool_perf.alerts');
$sleeper->query_safe('CREATE TABLE utility (i int); VACUUM utility;');
$sleeper->query_safe("SET application_name = 'pg_dump'");
$sleeper->query_safe('SELECT 1, 2 AS exempt');
$sleeper->query_safe("SET application_name = 'sleeper'");
$sleeper->query_safe('SELECT 1, 2, 3 AS not_exempt');
becomes(q{SELECT count(*) = 1 FROM pool_perf.alerts JOIN pool_perf.queries q USING (queryid) WHERE q.query LIKE '%not_exempt'}, 'a statement that ends later');
is(value(q{SELECT count(*) FROM pool_perf.alerts JOIN pool_perf.queries q USING (queryid) WHERE q.query LIKE '% exempt' OR q.query ~ 'utility|VACUUM'}), 0,
	'no alert for utility statements and exempt applications');
$sleeper->query_safe("SET pool_perf.alert_min_duration = '1h'; SET pool_perf.critical_min_duration = '1h'");

# What comes back is as severe as it is then; it is told of if that is worse
my $occurrences = 0;
foreach my $round ([ "'1h'", 'warning' ], [ 0, 'critical' ], [ "'1h'", 'warning' ], [ 0, 'critical' ])
{
	my ($critical, $severity) = @$round;

	$occurrences++;
	$sleeper->query_safe("SET pool_perf.alert_min_duration = 0; SET pool_perf.critical_min_duration = $critical; SELECT 1, 2, 3, 4 AS comes_back; SET pool_perf.alert_min_duration = '1h'; SET pool_perf.critical_min_duration = '1h'");
	becomes(qq{SELECT count(*) = 1 AND bool_and(NOT is_open AND occurrences = $occurrences AND severity = '$severity') FROM pool_perf.alerts JOIN pool_perf.queries q USING (queryid) WHERE q.query LIKE '%comes_back'},
		"it comes back: $severity");
}
my $back = value(q{SELECT alert_id FROM pool_perf.alerts JOIN pool_perf.queries q USING (queryid) WHERE q.query LIKE '%comes_back'});

# ---- transactions ------------------------------------------------------------------------

configure("pool_perf.idle_in_transaction_min_duration = 300\n");
$sleeper->query_safe('BEGIN');
becomes("SELECT is_open AND value >= 300 AND threshold = 300 AND message LIKE '%(application sleeper)%' AND remedy LIKE 'SELECT pg_terminate_backend($pid);%' FROM pool_perf.alerts WHERE kind = 'idle_in_transaction' AND subject = 'pid $pid'",
	'idle_in_transaction');
becomes("SELECT severity = 'critical' FROM pool_perf.alerts WHERE kind = 'idle_in_transaction'", 'which becomes critical after ten times that');
$sleeper->query_safe('COMMIT');
is(value("SELECT is_open FROM pool_perf.alerts WHERE kind = 'idle_in_transaction'"), 't', 'it does not close as long as it may come back');
configure("pool_perf.alert_cooldown = 0\n");
becomes("SELECT NOT is_open AND closed_at >= last_seen AND occurrences = 1 AND outcome IS NULL FROM pool_perf.alerts WHERE kind = 'idle_in_transaction'", 'and then does');
configure("pool_perf.alert_cooldown = 1h\npool_perf.idle_in_transaction_min_duration = -1\npool_perf.long_transaction_min_duration = 300\n");
$sleeper->query_safe('BEGIN');
becomes("SELECT is_open AND severity = 'warning' FROM pool_perf.alerts WHERE kind = 'long_transaction' AND pid = $pid", 'long_transaction');
$sleeper->query_safe('ROLLBACK');
configure("pool_perf.long_transaction_min_duration = -1\n");
is(value("SELECT count(*) FROM pool_perf.alerts WHERE kind IN ('idle_in_transaction', 'long_transaction') AND pid <> $pid"), 0, 'and nobody else');

# ---- a lock ---------------------------------------------------------------------------------

configure("pool_perf.blocked_min_duration = 1500\n");
$node->safe_psql('postgres', 'CREATE TABLE locked AS SELECT 1 AS i');
my ($holder, $holder_pid) = session('holder');
$holder->query_safe('BEGIN; UPDATE locked SET i = 2');
my $script = PostgreSQL::Test::Utils::tempdir() . '/update.sql';
PostgreSQL::Test::Utils::append_to_file($script, "SET pool_perf.alert_min_duration = '1h'; SET pool_perf.critical_min_duration = '1h';\nUPDATE locked SET i = i + 1;\n");
my $out = '';
my $crowd = IPC::Run::start [ $node->installed_command('pgbench'), '-n', '-c', '100', '-j', '2', '-t', '1', '-f', $script, $node->connstr('postgres') ], '>', \$out, '2>&1';
becomes("SELECT is_open AND pid = $holder_pid AND subject = 'pid $holder_pid' AND value >= 1500 AND message LIKE '100 sessions wait for pid $holder_pid (application holder), which has been idle in its transaction for %' AND remedy LIKE 'SELECT pg_terminate_backend($holder_pid);%' FROM pool_perf.alerts WHERE kind = 'blocked'",
	'100 sessions behind one lock make one alert, about who holds it');
is(value("SELECT count(*) FROM pool_perf.alerts WHERE kind = 'blocked'"), 1, 'one only');
is( value(
		"SELECT (evidence ->> 'waiting_sessions')::int BETWEEN 1 AND 100, evidence -> 'blocking' -> 0 ->> 'root_blocker' = '$holder_pid', evidence -> 'blocking' -> 0 ->> 'root_blocker_state', (evidence ->> 'sessions')::int >= 100, evidence -> 'connections' -> 0 ->> 'application_name', jsonb_array_length(evidence -> 'running') > 0 FROM pool_perf.alerts WHERE kind = 'blocked'"),
	't|t|idle in transaction|t|056_alerts.pl|t', 'with the evidence');
is(value(q{SELECT bool_and(length(evidence::text) < 4096 AND evidence::text !~ 'UPDATE|pg_sleep|SELECT') FROM pool_perf.alerts}), 't', 'which is small, and holds no text of a query');
$holder->query_safe('COMMIT');
ok($crowd->finish, 'they go on');

# Two that wait for each other, for longer than somebody who waits for a third
my @lovers = map { session("lover $_") } 1, 2;
$_->query_safe("SET deadlock_timeout = '1h'; SET pool_perf.alert_min_duration = '1h'; SET pool_perf.critical_min_duration = '1h'") foreach @lovers[0, 2];
$lovers[0]->query_safe('SELECT pg_advisory_lock(1)');
$lovers[2]->query_safe('SELECT pg_advisory_lock(2)');
begin($lovers[0], 'SELECT pg_advisory_lock(2)');
begin($lovers[2], 'SELECT pg_advisory_lock(1)');
becomes("SELECT count(*) = 2 FROM pool_perf.running_queries WHERE blocked_by IS NOT NULL AND pid IN ($lovers[1], $lovers[3])", 'two sessions wait for each other');
# and who waits for a session that is idle
$holder->query_safe('SELECT pg_advisory_lock(3)');
my ($waiter, $waiter_pid) = session('waiter');
begin($waiter, "SET pool_perf.alert_min_duration = '1h'; SET pool_perf.critical_min_duration = '1h'; SELECT pg_advisory_lock(3)");
becomes("SELECT value >= 1500 AND message LIKE '1 sessions wait for pid $holder_pid (application holder), which is idle and holds an advisory lock of its session; the longest for %' AND remedy LIKE '%pg_advisory_unlock()' FROM pool_perf.alerts WHERE kind = 'blocked' AND subject = 'pid $holder_pid'",
	'somebody waits for a session that is in no transaction');
is(value("SELECT count(*) FROM pool_perf.alerts WHERE kind = 'blocked' AND (subject LIKE 'prepared%' OR pid IN ($lovers[1], $lovers[3]))"), 0, 'and nobody is to blame for a deadlock');
$holder->query_safe('SELECT pg_advisory_unlock_all()');
value("SELECT pg_cancel_backend($lovers[1])");
$_->quit foreach $lovers[0], $lovers[2], $waiter;
configure("pool_perf.alert_cooldown = 0\npool_perf.blocked_min_duration = -1\n");
becomes("SELECT bool_and(NOT is_open) FROM pool_perf.alerts WHERE kind = 'blocked'", 'and the alert closes, though its setting is off');
configure("pool_perf.alert_cooldown = 1h\n");

# ---- failures --------------------------------------------------------------------------------

configure("pool_perf.error_rate_min_calls = 20\n");
$node->safe_psql('postgres', 'CREATE DATABASE failing');
# the first calls of a database have nothing to be compared with
sub fail_until
{
	my ($database, $sql, $condition, $name) = @_;
	my $done = 'f';

	for (1 .. $PostgreSQL::Test::Utils::timeout_default)
	{
		$node->psql($database, join("\n", map { $sql } 1 .. 30), on_error_stop => 0);
		$done = value($condition);
		last if $done eq 't';
		usleep(1_000_000);
	}
	is($done, 't', $name);
}
fail_until('failing', 'SELECT 1 / 0;', q{SELECT count(*) = 1 AND bool_and(is_open AND severity = 'critical' AND value BETWEEN 90 AND 100 AND threshold = 5 AND unit = 'percent') FROM pool_perf.alerts WHERE kind = 'error_rate'},
	'error_rate');
my $remedy = value(q{SELECT remedy FROM pool_perf.alerts WHERE kind = 'error_rate'});
unlike($remedy, qr/failing/, 'whose remedy, to be pasted, has no name in it that others chose');
$remedy =~ s/\*(.*);$/count(*) > 0 AND bool_and(datname = 'failing') FROM (SELECT *$1) e/;
is(value($remedy), 't', 'but finds the errors of the database');
$node->safe_psql('postgres', 'CREATE DATABASE normal');
$node->safe_psql('normal', 'CREATE TABLE t (i int PRIMARY KEY); INSERT INTO t VALUES (1)');
fail_until('normal', 'INSERT INTO t VALUES (1);', q{SELECT coalesce(bool_or(message LIKE '%without those that are normal%' AND value >= 5), false) AND
	(SELECT sum(e.errors) >= 60 FROM pool_perf.errors e WHERE e.datname = 'normal') FROM pool_perf.health WHERE check_name = 'failures'},
	'constraint violations fail too');
usleep(200_000);
is(value(q{SELECT count(*) FROM pool_perf.alerts WHERE kind = 'error_rate'}), 1, 'but are normal');

# Sessions whose names nobody has seen: while the worker stands still, they come and go, and others after them
$node->safe_psql('postgres', 'CREATE DATABASE brief');
my $brief = value(q{SELECT oid FROM pg_database WHERE datname = 'brief'});
my $visit = PostgreSQL::Test::Utils::tempdir() . '/visit.sql';
PostgreSQL::Test::Utils::append_to_file($visit, "SELECT 1;\n");
for (1 .. $PostgreSQL::Test::Utils::timeout_default)
{
	my $stopped = worker();

	kill('STOP', $stopped);
	$node->psql('brief', join("\n", map { 'SELECT 1 / 0;' } 1 .. 30), on_error_stop => 0);
	IPC::Run::run [ $node->installed_command('pgbench'), '-n', '-C', '-t', '140', '-f', $visit, $node->connstr('postgres') ], '>', \$out, '2>&1';
	kill('CONT', $stopped);
	last if value("SELECT count(*) FROM pool_perf.alerts WHERE kind = 'error_rate' AND remedy LIKE '%= $brief %'") == 1;
	usleep(1_000_000);
}
is(value("SELECT is_open, subject, datname IS NULL FROM pool_perf.alerts WHERE kind = 'error_rate' AND remedy LIKE '%= $brief %'"), "t|database $brief|t",
	'a database whose name is not known yet');
my ($visitor) = session('visitor', 'brief');
becomes("SELECT subject = 'database brief' AND datname = 'brief' AND message LIKE '% of database brief failed %' FROM pool_perf.alerts WHERE kind = 'error_rate' AND remedy LIKE '%= $brief %'",
	'has it as soon as it is');
$visitor->quit;

# ---- what people do ----------------------------------------------------------------------------

my $id = value(q{SELECT alert_id FROM pool_perf.alerts WHERE kind = 'error_rate' AND subject = 'database failing'});
value('CREATE ROLE keeper LOGIN; GRANT pg_monitor TO keeper; GRANT EXECUTE ON FUNCTION pool_perf.acknowledge_alert(bigint) TO keeper; CREATE ROLE nobody LOGIN');
sub as
{
	my ($role, $sql) = @_;
	my ($rc, $stdout, $stderr) = $node->psql('postgres', $sql, extra_params => [ '-U', $role ]);
	return $rc == 0 ? $stdout : $stderr =~ /(ERROR:.*)/ ? $1 : $stderr;
}
is(as('keeper', "SELECT pool_perf.acknowledge_alert($id)"), 't', 'somebody takes note of an alert');
is(value("SELECT acknowledged_by, acknowledged_at > opened_at, is_open FROM pool_perf.alerts WHERE alert_id = $id"), 'keeper|t|t', 'and it is known who and when');
is(value('SELECT pool_perf.acknowledge_alert(0)'), 'f', 'there is no such alert');
is(as('nobody', "SELECT pool_perf.acknowledge_alert($id)"), 'ERROR:  permission denied for function acknowledge_alert', 'not everybody may');
is(as('nobody', "SELECT pool_perf.add_silence(NULL, NULL, '1 h')"), 'ERROR:  permission denied for function add_silence', 'nor silence');
is(as('nobody', 'SELECT pool_perf.drop_silence(1)'), 'ERROR:  permission denied for function drop_silence', 'nor end that');
is(as('nobody', 'SELECT * FROM pool_perf.alerts'), 'ERROR:  permission denied for view alerts', 'nor read the view');
is( as('nobody', q{SELECT DISTINCT subject, message, remedy, queryid, pid, evidence, coalesce(acknowledged_by, '<insufficient privilege>') FROM pool_perf.alerts()}),
	'<insufficient privilege>|<insufficient privilege>|<insufficient privilege>||||<insufficient privilege>', 'nor what alerts are about');
isnt(as('keeper', q{SELECT count(*) FROM pool_perf.alerts WHERE subject LIKE 'pid %' AND evidence IS NOT NULL}), '0', 'pg_monitor sees it');

# Silences
sub quiet_log { my ($since) = @_; return slurp_file($node->logfile, $since) =~ /alert \d+ (?:opened|reopened), \w+, (?!slow_query)/ ? 0 : 1; }
my $silence = value(q{SELECT pool_perf.add_silence('idle_in_transaction', 'pid ' || '_%', '1 h')});
my $since = -s $node->logfile;
configure("pool_perf.idle_in_transaction_min_duration = 100\n");
my ($idler, $idler_pid) = session('idler');
$idler->query_safe('BEGIN');
becomes("SELECT is_open AND silenced FROM pool_perf.alerts WHERE kind = 'idle_in_transaction' AND pid = $idler_pid", 'a silenced alert opens');
becomes("SELECT severity = 'critical' FROM pool_perf.alerts WHERE kind = 'idle_in_transaction' AND pid = $idler_pid", 'and escalates');
ok(quiet_log($since), 'without a word in the log');
is( value(q{SELECT silence_id, kind, subject_pattern, created_by = current_user, expires_at = created_at + interval '1 h', silenced_alerts FROM pool_perf.silences}),
	"$silence|idle_in_transaction|pid _%|t|t|1", 'it is known who silenced it, and until when');
is(value("SELECT pool_perf.drop_silence($silence)"), 't', 'the silence ends');
$node->wait_for_log(qr/alert \d+ opened, critical, idle_in_transaction, pid $idler_pid \(application idler\)/, $since);
becomes("SELECT is_open AND NOT silenced FROM pool_perf.alerts WHERE kind = 'idle_in_transaction' AND pid = $idler_pid", 'and now the alert is told of');
is(value("SELECT pool_perf.drop_silence($silence)"), 'f', 'there is no such silence');
foreach my $bad ([ q{'nonsense', NULL, '1 h'}, 'there is no kind of alert "nonsense"' ], [ q{NULL, NULL, '-1 h'}, 'a silence must have a duration' ],
	[ q{NULL, NULL, NULL}, 'a silence must have a duration' ], [ q{NULL, repeat('x', 200), '1 h'}, 'the pattern of a subject must be shorter than 128 bytes' ],
	[ q{NULL, U&'\00E9', '1 h'}, 'the pattern of a subject must be printable ASCII' ])
{
	my ($rc, $stdout, $stderr) = $node->psql('postgres', "SELECT pool_perf.add_silence($bad->[0])");
	like($stderr, qr/ERROR:  \Q$bad->[1]\E/, "add_silence: $bad->[1]");
}
value(q{SELECT count(pool_perf.add_silence(NULL, 'x%', '1 ms')), count(pool_perf.add_silence(NULL, 'y%', '1 ms')) FROM generate_series(1, 50)});
becomes(q{SELECT count(*) = 100 AND max(expires_at) < clock_timestamp() FROM pool_perf.silences}, 'silences that are over can be seen');
my $oldest = value(q{SELECT silence_id FROM pool_perf.silences ORDER BY expires_at, silence_id LIMIT 1});
value(q{SELECT pool_perf.add_silence(NULL, 'z%', '1 h')});
is(value(qq{SELECT count(*), count(*) FILTER (WHERE subject_pattern = 'z%'), count(*) FILTER (WHERE silence_id = $oldest) FROM pool_perf.silences}), '100|1|0',
	'until their place is needed, that of the oldest first');
value(q{SELECT count(pool_perf.add_silence(NULL, 'x%', '1 h')) FROM generate_series(1, 99)});
my ($rc, $stdout, $stderr) = $node->psql('postgres', q{SELECT pool_perf.add_silence(NULL, NULL, '1 h')});
like($stderr, qr/ERROR:  there are 100 silences already/, 'silences are bounded');
value('SELECT count(pool_perf.drop_silence(silence_id)) FROM pool_perf.silences');
is(value('SELECT count(*) FROM pool_perf.silences'), 0, 'and gone');
value(q{SELECT pool_perf.add_silence(NULL, 'kept', '1 h')});

# ---- the log ------------------------------------------------------------------------------------

my $log = slurp_file($node->logfile);
like($log, qr/LOG:  alert 1 opened, warning, slow_query, pid $first_pid \(application sleeper\) has run a statement of database postgres for \d\.\d s\n.*DETAIL:  Subject: query -?\d+; database: postgres\.\n.*HINT:  SELECT/, 'log: opened');
like($log, qr/LOG:  alert 1 escalated, critical, slow_query, /, 'log: escalated');
like($log, qr/LOG:  alert 1 closed, critical, slow_query, pid $first_pid \(application sleeper\) ran a statement of database postgres for \d\.\d s; outcome: ok\n/, 'log: closed, with the statement');
like($log, qr/LOG:  alert \d+ closed, critical, idle_in_transaction, /, 'log: closed');
like($log, qr/LOG:  alert $quick opened, warning, slow_query, pid \d+ \(application sleeper\) ran a statement .*LOG:  alert $quick closed, warning, /s, 'log: what ended before it was seen');
is(join(' ', map { "@$_" } grep { $_->[0] ne 'closed' } map { [ split /, / ] } $log =~ /LOG:  alert $back (\w+, \w+), /g), 'opened warning reopened critical',
	'log: reopened is told of when it is worse, and not each time');

# ---- afterwards ----------------------------------------------------------------------------------

# of a worker that is killed nothing is lost, and nothing is told again
my $rows = q{SELECT alert_id, kind, severity, subject, datname, queryid, pid, unit, opened_at, acknowledged_at, acknowledged_by, evidence FROM pool_perf.alerts WHERE kind <> 'idle_in_transaction' ORDER BY 1};
my $before = value($rows);
my $old = worker();
$since = -s $node->logfile;
kill('TERM', $old);
my $new = 0;
for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
{
	$new = worker();
	last if $new != 0 && $new != $old;
	usleep(100_000);
}
ok($new != 0 && $new != $old, 'the worker is back');
my $back_at = value('SELECT clock_timestamp()');
becomes("SELECT last_seen > '$back_at' FROM pool_perf.alerts WHERE kind = 'idle_in_transaction' AND pid = $idler_pid", 'and looks after the alerts');
is(value($rows), $before, 'all are there');
ok(quiet_log($since), 'none is told of again');

# nor by a restart; who was in a transaction is no more
$idler->quit;
begin($sleeper, "SET pool_perf.alert_min_duration = 0; SELECT pg_sleep(600), 'runs at shutdown'");
becomes("SELECT count(*) = 1 FROM pool_perf.alerts WHERE kind = 'slow_query' AND is_open", 'one runs');
$before = value($rows);
$node->restart;
is(value($rows), $before, 'alerts are there after a restart');
is(value('SELECT subject_pattern, created_by = current_user FROM pool_perf.silences'), 'kept|t', 'and silences');
is(value(q{SELECT is_open, outcome FROM pool_perf.alerts WHERE kind = 'slow_query' AND closed_at > (SELECT started_at - interval '1 min' FROM pool_perf.info) ORDER BY closed_at DESC LIMIT 1}), 'f|terminated',
	'a statement that ran was terminated') ;
is(value(q{SELECT bool_and(is_open) FROM pool_perf.alerts WHERE kind = 'error_rate'}), 't', 'what else was open closes when it has been gone long enough');

# ---- the table is full ---------------------------------------------------------------------------

my $critical = value(q{SELECT string_agg(alert_id::text, ',' ORDER BY alert_id) FROM pool_perf.alerts WHERE severity = 'critical'});
value(q{SET pool_perf.alert_min_duration = 0; SET pool_perf.critical_min_duration = -1; DO $$ BEGIN NULL; END $$});
$since = -s $node->logfile;
foreach my $round (1 .. 6)
{
	$node->safe_psql('postgres', "SET pool_perf.alert_min_duration = 0; SET pool_perf.critical_min_duration = -1;\n"
		. join("\n", map { my $i = $_; 'SELECT 1' . join('', map { $i >> $_ & 1 ? '+1' : '-1' } 0 .. 10) . ';' } 100 * $round .. 100 * $round + 99));
	becomes('SELECT NOT EXISTS (SELECT FROM pool_perf.alerts WHERE is_open AND kind = \'slow_query\')', "round $round is over");
}
becomes(q{SELECT entries = 500 AND max_entries = 500 AND dropped > 100 FROM pool_perf.memory WHERE component = 'alerts'}, 'the table is full, and what fell out is counted');
is(value(q{SELECT count(*), count(DISTINCT alert_id) FROM pool_perf.alerts}), '500|500', 'it keeps 500');
is(value(q{SELECT string_agg(alert_id::text, ',' ORDER BY alert_id) FROM pool_perf.alerts WHERE severity = 'critical'}), $critical, 'and all critical ones');
# in two minutes at most
my $lines = () = slurp_file($node->logfile, $since) =~ /LOG:  alert \d+ \w+, \w+, slow_query/g;
cmp_ok($lines, '>=', 1, 'the log has lines about what has ended');
cmp_ok($lines, '<=', 60, 'but not about each');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal [4678]/, 'nothing crashed');
done_testing();
