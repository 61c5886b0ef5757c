# Errors: each is counted once, whoever catches it and whatever the log shows, with
# its SQLSTATE, its outcome, its query and the format of its message.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use PoolPerf;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;

my $node = PoolPerf::cluster(
	'errors',
	create => 1,
	allows_streaming => 'logical',
	conf => q{
autovacuum = off
log_statement = none
deadlock_timeout = 10ms
max_prepared_transactions = 2
pool_perf.max_errors = 100
});

my $admin = Session->new($node, settings => ['pool_perf.track=none']);
my $holder = Session->new($node, settings => ['pool_perf.track=none']);

$admin->rows(q{
	CREATE TABLE items (id int, n int);
	INSERT INTO items SELECT i, i FROM generate_series(0, 999) i;
	CREATE TABLE locked (id int);
	INSERT INTO locked VALUES (1);
	CREATE TABLE parents (id int PRIMARY KEY);
	INSERT INTO parents VALUES (0);
	CREATE TABLE children (id int REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
	CREATE TABLE triggered (id int);
	CREATE ROLE somebody LOGIN;
	ANALYZE items;

	CREATE FUNCTION fail_in_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM 1 / (NEW.id - NEW.id) AS "in the trigger";
		RETURN NULL;
	END $$;
	CREATE TRIGGER fail AFTER INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION fail_in_trigger();

	CREATE FUNCTION fail_while_planning(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
	BEGIN
		RAISE EXCEPTION 'the value is %', $1 USING ERRCODE = 'XY123';
	END $$;
	CREATE FUNCTION swallow(times int) RETURNS int LANGUAGE plpgsql AS $$
	BEGIN
		FOR i IN 1 .. times LOOP
			BEGIN
				PERFORM 1 / (i - i) AS "inside";
			EXCEPTION WHEN division_by_zero THEN NULL;
			END;
		END LOOP;
		RETURN times;
	END $$;
	CREATE FUNCTION throw_again(depth int) RETURNS int LANGUAGE plpgsql AS $$
	BEGIN
		IF depth = 0 THEN
			RETURN 1 / depth;
		END IF;
		RETURN throw_again(depth - 1);
	EXCEPTION WHEN division_by_zero THEN RAISE;
	END $$;
	CREATE FUNCTION throw_another(depth int) RETURNS int LANGUAGE plpgsql AS $$
	BEGIN
		IF depth = 0 THEN
			RETURN 1 / depth;
		END IF;
		RETURN throw_another(depth - 1);
	EXCEPTION WHEN OTHERS THEN RAISE EXCEPTION 'at depth %: %', depth, SQLERRM;
	END $$;
	CREATE FUNCTION recurse(n int) RETURNS int LANGUAGE plpgsql AS $$
	BEGIN
		RETURN recurse(n + 1);
	END $$;
	CREATE FUNCTION context() RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		stack text;
	BEGIN
		GET DIAGNOSTICS stack = PG_CONTEXT;
		RETURN stack;
	END $$;
	CREATE FUNCTION notices() RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		RAISE NOTICE 'a notice' USING ERRCODE = '22012';
		RAISE WARNING 'a warning' USING ERRCODE = '22012';
		RAISE LOG 'a line in the log' USING ERRCODE = '22012';
	END $$;
	CREATE PROCEDURE roll_back() LANGUAGE plpgsql AS $$
	BEGIN
		RAISE NOTICE 'a notice' USING ERRCODE = '22012';
		ROLLBACK;
	END $$;
});

# What is counted, one row a line
my $shown = q{
	SELECT string_agg(concat_ws('|', sqlstate, outcome, coalesce(substring(query from '"([^"]*)"'), query, '-'), errors,
	                            CASE error_severity WHEN 'FATAL' THEN error_severity END), E'\n' ORDER BY sqlstate, query, outcome)
	FROM pool_perf.errors};

sub hold { $holder->rows('BEGIN; LOCK TABLE locked') }
sub release { $holder->rows('ROLLBACK') }

# xml: needs a server with libxml; before, run, after: statements, each a message; error: what the client sees of run;
# rows: what is counted; top: the same with pool_perf.track = top, if it differs
my @cases = (
	{ name => 'no error', run => 'SELECT 1', rows => '' },
	{ name => 'division by zero', run => 'SELECT 1 / n AS "failing" FROM items', error => '22012', rows => '22012|error|failing|1' },
	{ name => 'an error in the planner', run => 'SELECT fail_while_planning(1) AS "planned"', error => 'XY123', rows => 'XY123|error|planned|1' },
	{
		name => 'an error in an EXCEPTION block',
		run => q{DO $$ BEGIN PERFORM 1 / 0 AS "inside"; EXCEPTION WHEN division_by_zero THEN NULL; END $$ /* "outside" */},
		rows => '22012|error|inside|1',
		top => '22012|error|DO $1|1'
	},
	{ name => '1,000 errors in EXCEPTION blocks', run => 'SELECT swallow(1000) AS "outside"', rows => '22012|error|inside|1000', top => '22012|error|outside|1000' },
	{ name => 'an error that 50 EXCEPTION blocks throw again', run => 'SELECT throw_again(50) AS "outside"', error => '22012', rows => '22012|error|throw_again(depth - $1)|1', top => '22012|error|outside|1' },
	{
		name => 'an error that 50 EXCEPTION blocks replace',
		run => 'SELECT throw_another(50) AS "outside"',
		error => 'P0001',
		rows => "22012|error|throw_another(depth - \$1)|1\nP0001|error|outside|2\nP0001|error|throw_another(depth - \$1)|49",
		top => "22012|error|outside|1\nP0001|error|outside|51"
	},
	{ name => 'a recursion without end', run => 'SELECT recurse(1) AS "outside"', error => '54001', rows => '54001|error|recurse(n + $1)|1', top => '54001|error|outside|1' },
	{ name => 'a syntax error', run => 'SELEC 1', error => '42601', rows => '42601|error|-|1' },
	{ name => 'two syntax errors in a row', run => 'SELEC 1', after => 'SELEC 2', error => '42601', rows => '42601|error|-|2' },
	{ name => 'five syntax errors in a row', before => [ ('SELEC 1') x 4 ], run => 'SELEC 2', error => '42601', rows => '42601|error|-|5' },
	{ name => 'a missing table', run => 'SELECT * FROM missing', error => '42P01', rows => '42P01|error|-|1' },
	{ name => 'a missing table in an EXCEPTION block', run => q{DO $$ BEGIN PERFORM * FROM missing; EXCEPTION WHEN undefined_table THEN NULL; END $$}, rows => '42P01|error|DO $1|1' },
	{ name => 'a missing table of a utility statement', run => 'DROP TABLE "missing"', error => '42P01', rows => '42P01|error|missing|1' },
	{ name => 'permission denied for a query', user => 'somebody', run => 'SELECT id AS "denied" FROM items', error => '42501', rows => '42501|error|denied|1' },
	{ name => 'permission denied for a utility statement', user => 'somebody', run => 'TRUNCATE "items"', error => '42501', rows => '42501|error|items|1' },
	{ name => 'a unique violation', run => 'INSERT INTO parents AS "again" VALUES (0)', error => '23505', rows => '23505|error|again|1' },
	{ name => 'an error in an AFTER trigger', run => 'INSERT INTO triggered AS "outside" VALUES (1)', error => '22012', rows => '22012|error|in the trigger|1', top => '22012|error|outside|1' },
	{ name => 'a deferred constraint at COMMIT', before => ['BEGIN', 'INSERT INTO children VALUES (7)'], run => 'COMMIT', error => '23503', rows => '23503|error|COMMIT|1' },
	{ name => 'a deferred constraint of a single statement', run => 'INSERT INTO children VALUES (7)', error => '23503', rows => '23503|error|-|1' },
	{ name => 'statements of an aborted transaction', before => ['BEGIN', 'SELECT 1 / n AS "failing" FROM items', ('SELECT 1') x 3], run => 'SELECT 2', after => 'ROLLBACK', error => '25P02', rows => "22012|error|failing|1\n25P02|error|-|4" },
	{ name => 'an error after a savepoint', before => ['BEGIN', 'SAVEPOINT s'], run => 'SELECT 1 / n AS "failing" FROM items', after => 'ROLLBACK TO s', error => '22012', rows => '22012|error|failing|1' },
	{ name => 'an error beside an open cursor', before => ['BEGIN', 'DECLARE c CURSOR FOR SELECT id AS "cursor" FROM items', 'FETCH 2 FROM c'], run => 'SELECT * FROM missing', error => '42P01', rows => '42P01|error|-|1' },
	{
		name => 'an error in a cursor',
		before => [ 'BEGIN', 'DECLARE c CURSOR FOR SELECT 1 / (10 - id) AS "cursor" FROM items', 'FETCH 10 FROM c' ],
		run => 'FETCH 1 FROM "c"',
		error => '22012',

		# majors differ in what has an id, and in what is masked
		rows => qr/^22012\|error\|(?:cursor|<no query id>)\|1$/,
		top => qr/^22012\|error\|(?:c|FETCH \$1 FROM c)\|1$/
	},
	{ name => 'EXECUTE of a query that fails', before => ['PREPARE p(int) AS SELECT 1 / $1 AS "executed"'], run => 'EXECUTE p(0)', error => '22012', rows => '22012|error|executed|1' },
	{ name => 'EXPLAIN, whose query fails in the planner,', run => 'EXPLAIN SELECT 1 / 0 AS "explained"', error => '22012', rows => '22012|error|explained|1' },
	{ name => 'statement timeout', settings => ['statement_timeout=20ms'], run => 'SELECT pg_sleep(60) AS "slow"', error => '57014', rows => '57014|timeout|slow|1' },
	{ name => 'lock timeout', hold => 1, settings => ['lock_timeout=20ms'], run => 'LOCK TABLE "locked"', before => ['BEGIN'], error => '55P03', rows => '55P03|timeout|locked|1' },
	{ name => 'lock timeout in parse analysis', hold => 1, settings => ['lock_timeout=20ms'], run => 'SELECT * FROM locked', error => '55P03', rows => '55P03|timeout|-|1' },
	{ name => 'NOWAIT', hold => 1, before => ['BEGIN'], run => 'LOCK TABLE "locked" NOWAIT', error => '55P03', rows => '55P03|error|locked|1' },
	{ name => 'idling in a transaction', settings => ['idle_in_transaction_session_timeout=20ms'], run => 'BEGIN', closed => 1, error => '25P03', rows => '25P03|timeout|-|1|FATAL' },
	{ name => 'idling', settings => ['idle_session_timeout=20ms'], run => 'SELECT 1', closed => 1, error => '57P05', rows => '57P05|timeout|-|1|FATAL' },
	{
		name => 'an error in a parallel worker',
		settings => [ 'min_parallel_table_scan_size=0', 'parallel_setup_cost=0', 'parallel_tuple_cost=0', 'parallel_leader_participation=off', 'max_parallel_workers_per_gather=1' ],
		run => 'SELECT sum(1 / n) AS "parallel" FROM items',
		error => '22012',
		rows => '22012|error|parallel|1'
	},
	{ name => 'GET DIAGNOSTICS PG_CONTEXT', run => 'SELECT context()', rows => '' },
	{ name => 'notices and warnings with an SQLSTATE of errors', run => 'SELECT notices()', rows => '' },
	{ name => 'a notice before a ROLLBACK', run => 'CALL roll_back()', rows => '' },
	{ name => 'CREATE TABLE IF NOT EXISTS', run => 'CREATE TABLE IF NOT EXISTS items ()', rows => '' },
	{ name => 'errors that code catches by itself', xml => 1, run => q{SELECT xml_is_well_formed('<a>'), xml_is_well_formed('<b>')}, after => 'ROLLBACK', rows => '' },
	{ name => 'the same, before a ROLLBACK', xml => 1, before => ['BEGIN'], run => q{SELECT xml_is_well_formed('<a>')}, after => 'ROLLBACK', rows => '' },
	{ name => 'the same, before an error', xml => 1, before => [q{SELECT xml_is_well_formed('<a>')}], run => 'SELEC', error => '42601', rows => '42601|error|-|1' },
	{ name => 'PREPARE TRANSACTION that fails', before => [ 'BEGIN', 'CREATE TEMP TABLE t ()' ], run => q{PREPARE TRANSACTION 'x'}, error => '0A000', rows => '0A000|error|PREPARE TRANSACTION $1|1' },
	{ name => 'a protocol error of a portal', messages => [ Session::Execute('nothing'), Session::Sync ], error => '34000', rows => '34000|error|-|1' },
	{ name => 'a parameter that is no number', messages => [ Session::Parse('', 'SELECT $1::int AS "bound"'), Session::Bind('', '', 'secret'), Session::Execute(''), Session::Sync ], error => '22P02', rows => '22P02|error|-|1' },
	{ name => 'an error of the extended protocol', messages => [ Session::Parse('', 'SELECT 1 / $1::int AS "bound"'), Session::Bind('', '', 0), Session::Execute(''), Session::Sync ], error => '22012', rows => '22012|error|bound|1' },
);

my $without_xml = $holder->error(q{SELECT xml_is_well_formed('<a/>')});

foreach my $mode ([ 'all', 'warning' ], [ 'top', 'panic' ])
{
	my ($track, $level) = @$mode;

	foreach my $case (@cases)
	{
		my $name = "$case->{name}, track = $track, log_min_messages = $level";
		my $rows = $track eq 'top' ? $case->{top} // $case->{rows} : $case->{rows};
		my $owner = $case->{user} // '';

		next if $case->{xml} && $without_xml;

		$admin->rows("ALTER ROLE somebody SET pool_perf.track = '$track'; ALTER ROLE somebody SET log_min_messages = '$level'");
		my $session = Session->new(
			$node,
			$owner ? (user => $owner) : (),
			settings => [ $owner ? () : ("pool_perf.track=$track", "log_min_messages=$level"), @{ $case->{settings} // [] } ]);
		hold() if $case->{hold};
		$admin->rows('SELECT pool_perf.reset()');
		$session->send(Session::Query($_))->answer foreach @{ $case->{before} // [] };
		my $answer = $session->send($case->{messages} ? @{ $case->{messages} } : Session::Query($case->{run}))->answer;
		$answer = $session->answer if $case->{closed};
		is($answer->{error}, $case->{error} // '', "$name: what the client sees");
		$session->send(Session::Query($case->{after}))->answer if $case->{after};
		release() if $case->{hold};
		ref $rows ? like($admin->text($shown), $rows, $name) : is($admin->text($shown), $rows, $name);
		$session->disconnect;
	}
}

# ---- several sessions ------------------------------------------------------------

sub reset_all { $admin->rows('SELECT pool_perf.reset()'); return }
sub session { return Session->new($node, settings => [ 'pool_perf.track=all', @_ ]) }

# Until a session waits for such an event
sub wait_until_waiting
{
	my ($session, $event) = @_;
	my $pid = $session->pid;

	$node->poll_query_until('postgres', "SELECT wait_event = '$event' FROM pg_stat_activity WHERE pid = $pid") or die "no wait for $event";
	return;
}

reset_all();
{
	my ($one, $two) = (session(), session());

	$one->rows('BEGIN; UPDATE items SET n = n WHERE id = 1');
	$two->rows('BEGIN; UPDATE items SET n = n WHERE id = 2');
	$one->send(Session::Query('UPDATE items AS "deadlock" SET n = n + 0 WHERE id = 2'));
	$two->send(Session::Query('UPDATE items AS "deadlock" SET n = n + 0 WHERE id = 1'));
	my @errors = sort map { $_->answer->{error} } $one, $two;
	is("@errors", ' 40P01', 'a deadlock has one victim');
	$_->disconnect foreach $one, $two;
	is($admin->text($shown), '40P01|error|deadlock|1', 'a deadlock');
}

reset_all();
{
	my ($one, $two) = (session(), session());

	$one->rows('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
	$two->rows('UPDATE items SET n = n WHERE id = 1');
	is($one->error('UPDATE items AS "serialized" SET n = n + 1 WHERE id = 1'), '40001', 'a serialization failure is seen');
	is($admin->text($shown), '40001|error|serialized|1', 'a serialization failure');
	$_->disconnect foreach $one, $two;
}

reset_all();
{
	my $session = session();

	$session->send(Session::Query('SELECT pg_sleep(60) AS "slept"'));
	wait_until_waiting($session, 'PgSleep');
	$admin->rows('SELECT pg_cancel_backend(' . $session->pid . ')');
	is($session->answer->{error}, '57014', 'a cancel is seen');
	is($admin->text($shown), '57014|cancelled|slept|1', 'a cancel');
	is($admin->text('SELECT message FROM pool_perf.errors'), 'canceling statement due to user request', 'and its message');
	$session->disconnect;
}

foreach my $level ('warning', 'panic')
{
	my $session = session("log_min_messages=$level");

	reset_all();
	$session->send(Session::Query('SELECT pg_sleep(60) AS "slept"'));
	wait_until_waiting($session, 'PgSleep');
	$admin->rows('SELECT pg_terminate_backend(' . $session->pid . ')');
	ok($session->answer->{closed}, 'a session is terminated');
	is($admin->text($shown), '57P01|terminated|slept|1|FATAL', "the end of a session, log_min_messages = $level");

	reset_all();
	$session = session("log_min_messages=$level");
	$admin->rows('SELECT pg_terminate_backend(' . $session->pid . ')');
	ok($session->answer->{closed}, 'an idle session is terminated');
	is($admin->text($shown), '57P01|terminated|-|1|FATAL', "the end of an idle session, log_min_messages = $level");
	is($admin->text('SELECT total_failed_time FROM pool_perf.errors'), '0', 'no statement took time');
}

# WAL senders, of a database and of none
reset_all();
foreach my $replication ('database', 'true')
{
	$node->psql('postgres', 'START_REPLICATION SLOT missing PHYSICAL 0/0', replication => $replication);
}
is( $admin->text(
		q{SELECT string_agg(concat_ws('|', sqlstate, coalesce(datname, '-'), errors), ' ' ORDER BY datname) FROM pool_perf.errors}),
	'42704|postgres|1 42704|-|1',
	'errors of WAL senders');

# A background worker: of a subscription
reset_all();
$node->safe_psql('postgres', 'CREATE DATABASE subscriber');
$node->safe_psql('postgres', q{CREATE PUBLICATION all_parents FOR TABLE parents; SELECT pg_create_logical_replication_slot('parents', 'pgoutput')});
$node->safe_psql(
	'subscriber', q{
	CREATE TABLE parents (id int PRIMARY KEY);
	INSERT INTO parents VALUES (5);
	CREATE SUBSCRIPTION parents CONNECTION '} . $node->connstr . q{ dbname=postgres' PUBLICATION all_parents
	WITH (create_slot = false, slot_name = 'parents', copy_data = false, disable_on_error = true)});
$node->safe_psql('postgres', 'INSERT INTO parents VALUES (5)');
$node->poll_query_until('subscriber', 'SELECT NOT subenabled FROM pg_subscription') or die 'no conflict';
is( $admin->text(q{SELECT string_agg(concat_ws('|', sqlstate, datname, coalesce(query, '-'), errors), ' ') FROM pool_perf.errors}),
	'23505|subscriber|-|1',
	'an error of a background worker');
$node->safe_psql('subscriber', 'DROP SUBSCRIPTION parents');

# Logins that fail are no sessions yet
reset_all();
$node->psql('postgres', 'SELECT 1', extra_params => [ '-U', 'nobody' ]);
$node->psql('missing', 'SELECT 1');
is($admin->text($shown), '', 'logins that fail are not counted here');

# Sessions that are at it all at once
reset_all();
my $script = "$PostgreSQL::Test::Utils::tmp_check/swallow.pgbench";
append_to_file($script, "SELECT swallow(3) AS \"outside\";\n");
$node->command_ok([ 'pgbench', '-n', '-c', 8, '-j', 2, '-t', 100, '-f', $script, $node->connstr('postgres') ], 'a storm of errors');
is($admin->text($shown), '22012|error|outside|2400', 'a storm of errors, each counted');

# ---- what is kept of it ------------------------------------------------------------

reset_all();
{
	my $session = session();
	my @secrets = (
		q{ALTER ROLE missing PASSWORD 'hush-1'},
		q{SELECT 'hush-2'::int},
		q{INSERT INTO parents VALUES ('hush-3')},
		q{DO $$ BEGIN RAISE EXCEPTION 'hush-4'; END $$},
		q{DO $$ BEGIN EXECUTE 'ALTER ROLE missing PASSWORD ''hush-5'''; END $$},
		q{CREATE USER MAPPING FOR CURRENT_USER SERVER missing OPTIONS (password 'hush-6')},
		q{SELECT * FROM "hush-7" WHERE 'x' = },
		q{SELECT 'hush-8' FROM items WHERE n / 0 = 0});

	$session->error($_) foreach @secrets;
	is($admin->text('SELECT sum(errors) FROM pool_perf.errors'), '8', 'eight errors with secrets');
	is($admin->text(q{SELECT count(*) FROM pool_perf.errors e WHERE e::text ~ 'hush'}), '0', 'no secret in errors');
	is($admin->text(q{SELECT count(*) FROM pool_perf.queries q WHERE q::text ~ 'hush'}), '0', 'nor in queries');
	is( $admin->text(q{SELECT string_agg(DISTINCT message, E'\n' ORDER BY message) FROM pool_perf.errors WHERE sqlstate IN ('22P02', '42704')}),
		qq{invalid input syntax for type %s: "%s"\nrole "%s" does not exist\nserver "%s" does not exist},
		'messages are formats');
	$session->disconnect;
}

# Times and names
reset_all();
{
	my $session = session('statement_timeout=50ms');

	$session->error('SELECT pg_sleep(60) AS "slept"') for 1 .. 2;
	is( $admin->text(
			q{
		SELECT e.datname = current_database() AND e.usename = current_user AND e.condition = 'query_canceled' AND e.errors = 2
		   AND e.max_failed_time BETWEEN 50 AND e.total_failed_time - 50
		   AND e.total_failed_time BETWEEN q.total_failed_time - 10 AND q.total_failed_time
		   AND e.first_seen < e.last_seen AND e.last_seen <= now() AND e.query = q.query
		FROM pool_perf.errors e JOIN pool_perf.queries q USING (dbid, userid, queryid)}),
		't',
		'names, times and the query of an error');
	$session->disconnect;
}

# Large messages leave no memory behind
reset_all();
{
	my $session = session();
	my $memory = q{SELECT total_bytes < 100000 FROM pg_backend_memory_contexts WHERE name = 'pool_perf errors'};

	is( $session->error(q{DO $$ BEGIN RAISE EXCEPTION '%', repeat('x', 20000000) USING DETAIL = repeat('y', 1000000); END $$}),
		'P0001', 'a message of 20 MB arrives');
	is($session->text($memory), 't', 'its memory is free again');
	is($admin->text($shown), 'P0001|error|DO $1|1', 'a message of 20 MB');
	$session->disconnect;
}

# No memory for anything
SKIP:
{
	skip 'no prlimit', 3 if system('prlimit --version >/dev/null 2>&1') != 0 || $ENV{SANITIZE};
	my $session = session('work_mem=1GB');

	reset_all();
	my ($size) = slurp_file('/proc/' . $session->pid . '/status') =~ /VmSize:\s+(\d+) kB/;
	system('prlimit', '--pid', $session->pid, '--as=' . ($size + 16384) * 1024) == 0 or die 'no limit';
	is($session->error(q{SELECT length(string_agg(repeat('x', 1000) || i, '')) AS "greedy" FROM generate_series(1, 100000) i}),
		'53200', 'out of memory');
	is($session->error('SELECT 1 / n AS "modest" FROM items'), '22012', 'little memory');
	is($admin->text($shown), "22012|error|modest|1\n53200|error|greedy|1", 'out of memory is counted');
	$session->disconnect;
}

# ---- who may see it ------------------------------------------------------------------

reset_all();
{
	my $session = session();
	my $somebody = Session->new($node, user => 'somebody');

	$session->error('SELECT 1 / n AS "mine" FROM items');
	$somebody->error('SELECT id AS "denied" FROM items');
	is($somebody->error('SELECT * FROM pool_perf.errors'), '42501', 'the view is for pg_monitor');
	is( $somebody->text(
			q{
		SELECT string_agg(concat_ws('|', sqlstate, coalesce(query, '-'), queryid IS NOT NULL), E'\n' ORDER BY sqlstate, queryid)
		FROM pool_perf.errors() WHERE sqlstate IN ('22012', '42501')}),
		"22012|<insufficient privilege>|f\n42501|-|t\n42501|-|t",
		'others see the numbers');
	$admin->rows('GRANT pg_monitor TO somebody');
	is($somebody->text(q{SELECT substring(query from '"(.*?)"') FROM pool_perf.errors WHERE sqlstate = '22012'}),
		'mine', 'pg_monitor sees texts');
	is($somebody->error('SELECT pool_perf.reset()'), '42501', 'and may not reset');
	$_->disconnect foreach $session, $somebody;
}

# ---- forgetting -----------------------------------------------------------------------

reset_all();
$node->safe_psql('postgres', 'CREATE DATABASE dropped');
{
	my $session = Session->new($node, database => 'dropped');

	$session->error('SELEC');
	$session->disconnect;
	$session = session();
	$session->error('SELECT 1 / n AS "first" FROM items');
	$session->error('SELECT 2 / n AS "second", 2 FROM items') for 1 .. 2;
	$session->disconnect;
}
my $dbid = $node->safe_psql('postgres', q{SELECT oid FROM pg_database WHERE datname = 'dropped'});
$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'dropped'}) or die;
$node->safe_psql('postgres', 'DROP DATABASE dropped');
is($admin->text("SELECT sqlstate FROM pool_perf.errors WHERE dbid = $dbid AND datname IS NULL"), '42601', 'errors of a dropped database stay');
$admin->rows("SELECT pool_perf.reset(dbid => $dbid)");
is($admin->text($shown), "22012|error|first|1\n22012|error|second|2", 'until they are reset');
$admin->rows(q{SELECT pool_perf.reset(queryid => queryid) FROM pool_perf.errors WHERE query ~ '"first"'});
is($admin->text($shown), '22012|error|second|2', 'one query is reset');
$admin->rows(q{SELECT pool_perf.reset(userid => 'somebody'::regrole)});
is($admin->text($shown), '22012|error|second|2', 'another user is reset');

# More kinds of errors than there is room for
reset_all();
{
	my $session = session();

	$session->rows(
		q{
		DO $$ BEGIN
			FOR i IN 1000 .. 1499 LOOP
				BEGIN
					RAISE EXCEPTION USING ERRCODE = 'X' || i;
				EXCEPTION WHEN OTHERS THEN NULL;
				END;
			END LOOP;
		END $$});
	is( $admin->text(q{SELECT sum(errors) || '|' || count(*) || '|' || sum(errors) FILTER (WHERE query = '<other>') FROM pool_perf.errors}),
		'500|101|400',
		'what is evicted is in the <other> row');
	is($admin->text(q{SELECT concat_ws('|', datname, userid, sqlstate, message, outcome) FROM pool_perf.errors WHERE query = '<other>'}),
		'postgres', 'which is of a database');
	is($admin->text(q{SELECT concat_ws('|', entries, max_entries, dropped >= 400) FROM pool_perf.memory WHERE component = 'errors'}),
		'100|100|t', 'memory tells of it');
	$session->disconnect;
}
reset_all();
is($admin->text('SELECT count(*) FROM pool_perf.errors'), '0', 'a reset leaves nothing');

# ---- restarts -----------------------------------------------------------------------

# When all sessions but the administrator's have left: the shutdown would end them
sub restart
{
	my $pid = $admin->pid;

	$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'session' AND pid <> $pid") or die 'sessions stay';
	$admin->disconnect;
	$node->restart;
	$admin = Session->new($node, settings => ['pool_perf.track=none']);
	return;
}

{
	my $session = session();
	my $all = 'SELECT string_agg(e::text, E\'\\n\' ORDER BY e::text) FROM pool_perf.errors e';

	# only errors: no statement is counted but these
	$session->error('SELEC');
	$session->error('SELECT 1 / n AS "saved" FROM items');
	$session->rows('SELECT swallow(3)');
	$session->rows(q{
		DO $$ BEGIN
			FOR i IN 1000 .. 1199 LOOP
				BEGIN
					RAISE EXCEPTION USING ERRCODE = 'X' || i;
				EXCEPTION WHEN OTHERS THEN NULL;
				END;
			END LOOP;
		END $$});
	$session->disconnect;
	my $before = $admin->text($all);

	$holder->disconnect;
	restart();
	is($admin->text($all), $before, 'errors survive a restart');
	is($admin->text('SELECT sum(errors) FROM pool_perf.errors'), '205', 'all of them');

	# a save that has nothing but an error of syntax to tell
	reset_all();
	$session = session();
	$session->error('SELEC');
	$session->disconnect;
	restart();
	is($admin->text($shown), '42601|error|-|1', 'so does one of syntax alone');
}

# ---- rates ------------------------------------------------------------------------------

$node->safe_psql('postgres', 'CREATE DATABASE rated');
$node->safe_psql('rated', 'CREATE TABLE parents (id int PRIMARY KEY); INSERT INTO parents VALUES (0)');
$dbid = $node->safe_psql('postgres', q{SELECT oid FROM pg_database WHERE datname = 'rated'});
reset_all();
{
	my $session = Session->new($node, database => 'rated');
	my $rates = "SELECT concat_ws('|', calls_5m >= 8, failed_calls_5m, expected_failures_5m) FROM pool_perf.failure_rates() WHERE dbid = $dbid";

	$session->rows('SELECT 1') for 1 .. 4;
	$session->rows(q{DO $$ BEGIN INSERT INTO parents VALUES (0); EXCEPTION WHEN unique_violation THEN NULL; END $$}) for 1 .. 2;
	$session->error('INSERT INTO parents VALUES (0)');
	$session->error('SELECT 1 / id FROM parents');
	$node->poll_query_until('postgres', $rates, 't|2|1') or die 'no rates: ' . $admin->text($rates);
	is( $admin->text(
			"SELECT round(200 / failed_percent_5m) = calls_5m AND failed_percent_5m = failed_percent_15m FROM pool_perf.failure_rates() WHERE dbid = $dbid"),
		't',
		'rates of calls');
	is( $admin->text(
			q{SELECT d.failed_percent_5m = r.failed_percent_5m FROM pool_perf.databases d JOIN pool_perf.failure_rates() r USING (dbid) WHERE datname = 'rated'}
		),
		't',
		'databases shows them');
	$session->disconnect;
}

$node->stop;
done_testing();
