# Failures: each is counted once, as failed, on the right query, with the time
# that it took; so is the time of what only waited.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

use PoolPerf;
use Session;

my $node = PoolPerf::cluster(
	'failures',
	create => 1,
	allows_streaming => 1,
	conf => q{
autovacuum = off
log_statement = none
max_prepared_transactions = 5
synchronous_commit = local
synchronous_standby_names = 'missing'
});

my $admin = Session->new($node, settings => ['pool_perf.track=none']);
my $holder = Session->new($node, settings => ['pool_perf.track=none']);

# Everything is recognised by a label in it, a name in quotes
$admin->rows(q{
	CREATE TABLE items (id int, n int);
	INSERT INTO items SELECT i, i FROM generate_series(0, 99) i;
	CREATE TABLE locked (id int);
	INSERT INTO locked VALUES (1);
	CREATE TABLE targets (id int PRIMARY KEY);
	INSERT INTO targets VALUES (0);
	CREATE TABLE plain (id int);
	INSERT INTO plain VALUES (1);
	CREATE ROLE nobody_special LOGIN;
	ALTER ROLE nobody_special SET pool_perf.track = 'all';

	-- waits while the holder has its lock
	CREATE FUNCTION wait_for_holder(int) RETURNS int LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM pg_advisory_xact_lock_shared(1) AS "the wait";
		RETURN $1;
	END $$;
	CREATE FUNCTION wait_while_planning(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
	BEGIN
		PERFORM pg_advisory_xact_lock_shared(1) AS "the wait";
		RETURN $1;
	END $$;
	CREATE FUNCTION wait_in_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM pg_advisory_xact_lock_shared(1) AS "the wait";
		RETURN NULL;
	END $$;
	CREATE FUNCTION fail_in_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		RAISE EXCEPTION 'no';
	END $$;

	CREATE TABLE triggered (id int);
	CREATE TRIGGER wait AFTER INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION wait_in_trigger();
	CREATE TABLE deferred (id int);
	CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON deferred DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW EXECUTE FUNCTION wait_in_trigger();
	CREATE TABLE raising (id int);
	CREATE TRIGGER fail AFTER INSERT ON raising FOR EACH ROW EXECUTE FUNCTION fail_in_trigger();
	CREATE TABLE referring (id int REFERENCES targets DEFERRABLE INITIALLY DEFERRED);
	CREATE TABLE uniques (id int UNIQUE DEFERRABLE INITIALLY DEFERRED);
	CREATE TABLE indexed (id int);
	INSERT INTO indexed VALUES (1);
	CREATE INDEX ON indexed (wait_while_planning(id));
	CREATE MATERIALIZED VIEW slow_view AS SELECT wait_for_holder(id) AS "inside" FROM plain;
	CREATE PROCEDURE slow_procedure() LANGUAGE plpgsql AS $$ BEGIN PERFORM wait_for_holder(1) AS "in procedure"; END $$;
});

sub reset_all
{
	$admin->rows('SELECT FROM pool_perf.reset()');
}

# Statements with a label and the level they run at.  Some that run inside of a
# utility statement have no query id before PostgreSQL 18; they are made alike.
my $statements = q{
	SELECT CASE WHEN NOT toplevel AND (query = '<no query id>' OR query LIKE '%"inside"%') THEN 'inside'
			ELSE coalesce(substring(query FROM '"([^"]+)"'), query) END AS label,
		CASE WHEN toplevel THEN 'top' ELSE 'nested' END AS level, calls, failed_calls, rows, plans,
		total_time, max_time, total_failed_time, max_failed_time, p50_time, query
	FROM pool_perf.queries WHERE query !~ 'pool_perf'};

sub failures
{
	return $admin->text(qq{
		SELECT label, level, calls, failed_calls FROM ($statements) s WHERE failed_calls > 0 ORDER BY label, level});
}

sub statement
{
	my ($label, $columns) = @_;
	$columns //= 'level, calls, failed_calls';
	return $admin->text(qq{SELECT $columns FROM ($statements) s 
		WHERE label = '$label' AND (label <> 'inside' OR level = 'nested') ORDER BY level DESC, failed_calls});
}


# Asks until the answer is true
sub wait_until
{
	my ($query) = @_;

	for (1 .. 100 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return if $admin->text($query) eq 't';
		select(undef, undef, undef, 0.01);
	}
	die "in vain: $query";
}

# Until a session waits (for a lock, unless told), and from then on for at least
# so many milliseconds of the server's clock.  Returns what they are by then.
sub hold
{
	my ($session, $time, $type) = @_;
	my $pid = $session->pid;
	$type //= 'Lock';
	wait_until("SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $pid AND wait_event_type = '$type'");
	return idle($time);
}

sub idle
{
	my ($time) = @_;
	my $since = $admin->text('SELECT clock_timestamp()');
	my $elapsed = "extract(epoch FROM clock_timestamp() - '$since')::float8 * 1000";
	wait_until("SELECT pg_sleep(($time - $elapsed) / 1000) IS NOT NULL AND $elapsed >= $time");
	return $admin->text("SELECT $elapsed");
}

sub gone
{
	my ($session) = @_;
	my $pid = $session->pid;
	wait_until("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid");
	$session->disconnect;
}

#
# Statements that wait: cancelled, out of time, terminated.  Given are the
# label, what is done before, the statement, and what fails beside it.  COMMIT is
# not subject to statement_timeout: there it is lock_timeout.
#
my $inner = 'the wait|nested|1|1';
my @waiting = (
	{ name => 'a query', label => 'query', run => 'SELECT wait_for_holder(1) AS "query"', more => [$inner] },
	{
		name => 'the planner',
		label => 'planner',
		run => 'SELECT wait_while_planning(1) AS "planner"',
		more => [$inner]
	},
	{ name => 'UPDATE of a row', label => 'updated', run => 'UPDATE plain AS "updated" SET id = 2' },
	{
		name => 'an AFTER trigger',
		label => 'inserted',
		run => 'INSERT INTO triggered AS "inserted" VALUES (1)',
		more => [$inner]
	},
	{
		name => 'an AFTER trigger, with RETURNING',
		label => 'inserted',
		run => 'INSERT INTO triggered VALUES (1) RETURNING id AS "inserted"',
		more => [$inner]
	},
	{ name => 'LOCK TABLE', label => 'locked', before => 'BEGIN', run => 'LOCK TABLE "locked"' },
	{ name => 'TRUNCATE', label => 'locked', run => 'TRUNCATE "locked"' },
	{ name => 'ALTER TABLE', label => 'locked', run => 'ALTER TABLE "locked" ADD x int' },
	{ name => 'VACUUM that waits for its table', label => 'locked', run => 'VACUUM "locked"' },
	{ name => 'CREATE INDEX that waits for its table', label => 'locked', run => 'CREATE INDEX ON "locked" (id)' },
	{
		name => 'VACUUM ANALYZE in its second transaction',
		label => 'indexed',
		run => 'VACUUM ANALYZE "indexed"',
		more => [$inner]
	},
	{
		name => 'CREATE INDEX while it builds',
		label => 'items',
		run => 'CREATE INDEX ON "items" (wait_while_planning(id))',
		more => [$inner]
	},
	{
		name => 'CREATE INDEX CONCURRENTLY while it builds',
		label => 'items',
		run => 'CREATE INDEX CONCURRENTLY ON "items" (wait_while_planning(id))',
		after => 'DROP INDEX IF EXISTS items_wait_while_planning_idx',
		more => [$inner]
	},
	{
		name => 'COMMIT',
		label => 'COMMIT',
		before => 'BEGIN; INSERT INTO deferred VALUES (1)',
		run => 'COMMIT',
		timeout => 'lock_timeout',
		more => [$inner]
	},
	{
		name => 'PREPARE TRANSACTION',
		label => 'PREPARE TRANSACTION $1',
		before => 'BEGIN; INSERT INTO deferred VALUES (1)',
		run => "PREPARE TRANSACTION 'one'",
		timeout => 'lock_timeout',
		more => [$inner]
	},
	{
		name => 'SET CONSTRAINTS',
		label => 'SET CONSTRAINTS ALL IMMEDIATE',
		before => 'BEGIN; INSERT INTO deferred VALUES (1)',
		run => 'SET CONSTRAINTS ALL IMMEDIATE',
		more => [$inner]
	},
	{
		name => 'CALL',
		label => 'slow_procedure',
		run => 'CALL "slow_procedure"()',
		more => [ 'in procedure|nested|1|1', $inner ]
	},
	{
		name => 'DO',
		label => 'DO $1',
		run => 'DO $$ BEGIN PERFORM wait_for_holder(1) AS "in block"; END $$',
		more => [ 'in block|nested|1|1', $inner ]
	},
	{
		name => 'COPY of a query',
		label => 'copied',
		run => 'COPY (SELECT wait_for_holder(1) AS "copied") TO STDOUT',
		more => [ 'copied|nested|1|1', $inner ]
	},
	{
		name => 'CREATE TABLE AS',
		label => 'made',
		run => 'CREATE TABLE "made" AS SELECT wait_for_holder(1) AS "inside"',
		more => [ 'inside|nested|1|1', $inner ]
	},
	{
		name => 'EXPLAIN ANALYZE',
		label => 'explained',
		run => 'EXPLAIN (ANALYZE) SELECT wait_for_holder(1) AS "explained"',
		more => [ 'explained|nested|1|1', $inner ]
	},
	{
		name => 'EXPLAIN, whose query is not executed,',
		label => 'explained',
		run => 'EXPLAIN SELECT wait_while_planning(1) AS "explained"',
		more => [$inner]
	},
	{
		name => 'REFRESH MATERIALIZED VIEW',
		label => 'slow_view',
		run => 'REFRESH MATERIALIZED VIEW "slow_view"',
		more => [ 'inside|nested|1|1', $inner ]
	},
	{
		name => 'EXECUTE, counted as what it executes,',
		label => 'executed',
		before => 'PREPARE p AS SELECT wait_for_holder(1) AS "executed"',
		run => 'EXECUTE p',
		more => [$inner]
	},
	{
		name => 'EXECUTE in the planner',
		label => 'executed',
		before => 'PREPARE p AS SELECT wait_while_planning(1) AS "executed"',
		run => 'EXECUTE p',
		more => [$inner]
	},
	{
		name => 'EXECUTE that waits for the lock of a table',
		label => 'later_locked',
		before => 'PREPARE "later_locked" AS SELECT * FROM later_locked',
		run => 'EXECUTE "later_locked"'
	},
	{
		name => 'FETCH',
		label => 'fetched',
		before => 'BEGIN; DECLARE fetched CURSOR FOR SELECT wait_for_holder(1) AS "inside"',
		run => 'FETCH "fetched"',
		more => [ 'inside|nested|1|1', $inner ]
	},
	{
		name => 'COMMIT with a cursor to be held',
		label => 'COMMIT',
		before => 'BEGIN; DECLARE held CURSOR WITH HOLD FOR SELECT wait_for_holder(1) AS "inside"',
		run => 'COMMIT',
		timeout => 'lock_timeout',
		more => [ 'inside|nested|1|1', $inner ]
	},
	{
		name => 'the second step of a portal',
		label => 'portal',
		before => sub {
			my ($session) = @_;
			$session->rows('BEGIN');
			$session->send(
				Session::Parse('',
					'SELECT CASE WHEN i < 3 THEN i ELSE wait_for_holder(i) END AS "portal" FROM generate_series(1, 9) i'),
				Session::Bind('steps', ''),
				Session::Execute('steps', 2),
				Session::Sync);
			return $session->answer;
		},
		messages => [ Session::Execute('steps'), Session::Sync ],
		more => [$inner]
	},
	{ name => 'parse analysis, no statement yet,', label => '', run => 'SELECT * FROM locked AS "analysed"' });

$admin->rows('CREATE TABLE later_locked (id int)');

sub lock_all
{
	$holder->rows('BEGIN');
	$holder->rows('SELECT pg_advisory_xact_lock(1)');
	$holder->rows('SELECT FROM plain FOR UPDATE');
	$holder->rows('LOCK TABLE locked');
	$holder->rows('LOCK TABLE later_locked');
}

foreach my $end ('cancelled', 'out of time', 'terminated')
{
	foreach my $case (@waiting)
	{
		my $name = "$case->{name} $end";
		my @settings = ('pool_perf.track=all');
		my $timeout = $case->{timeout} // 'statement_timeout';
		push @settings, "$timeout=150" if $end eq 'out of time';
		my $session = Session->new($node, settings => \@settings);
		my $waited = 150;

		reset_all();
		if (ref $case->{before}) { $case->{before}->($session) }
		elsif ($case->{before}) { $session->rows($case->{before}) }
		lock_all();
		$session->send($case->{messages} ? @{ $case->{messages} } : Session::Query($case->{run}));
		if ($end ne 'out of time')
		{
			my $function = $end eq 'cancelled' ? 'pg_cancel_backend' : 'pg_terminate_backend';
			$waited = hold($session, 20);
			$admin->rows("SELECT $function(" . $session->pid . ')');
		}
		my $answer = $session->answer;
		my $state = $end eq 'terminated' ? '57P01' : $end eq 'cancelled' || !$case->{timeout} ? '57014' : '55P03';
		is($answer->{error}, $state, "$name: SQLSTATE");
		$holder->rows('ROLLBACK');
		$session->disconnect;
		gone($session);

		my @expected = sort(($case->{label} ne '' ? "$case->{label}|top|1|1" : ()), @{ $case->{more} // [] });
		is(failures(), join("\n", @expected), "$name: counted once, and failed");
		my $which = $end eq 'out of time' ? "level = 'top'" : 'true';
		is( $admin->text(qq{
			SELECT bool_and(max_failed_time >= $waited AND max_time = max_failed_time AND total_failed_time = max_failed_time
				AND total_time = max_time)
			FROM ($statements) s WHERE failed_calls > 0 AND $which}),
			$case->{label} ne '' ? 't' : '',
			"$name: with the time that it waited");
		$admin->rows($case->{after}) if $case->{after};
	}
}


sub new_session { return Session->new($node, settings => [ 'pool_perf.track=all', @_ ]) }

# Ends a session; by then all that it has counted is to be seen for good
sub finish
{
	my ($session) = @_;
	$session->disconnect;
	gone($session);
}

#
# Errors that are raised at once
#
foreach my $case (
	{
		name => 'division by zero over a table in an EXCEPTION loop',
		run => q{DO $$ BEGIN
			FOR i IN 0..99 LOOP
				BEGIN
					PERFORM 1 / (n % 10) AS "division" FROM items WHERE id = i;
				EXCEPTION WHEN division_by_zero THEN NULL;
				END;
			END LOOP; END $$},
		failed => 'division|nested|100|10'
	},
	{
		name => 'the same in one statement',
		run => 'SELECT 1 / n AS "division" FROM items ORDER BY id DESC',
		error => '22012',
		failed => 'division|top|1|1'
	},
	{
		name => 'division by zero in the planner',
		run => 'SELECT 1 / 0 AS "planned"',
		error => '22012',
		failed => 'planned|top|1|1'
	},
	{
		name => 'division by zero in the planner, in an EXCEPTION loop',
		run => q{DO $$ BEGIN
			FOR i IN 1..50 LOOP
				BEGIN PERFORM 1 / 0 AS "planned"; EXCEPTION WHEN division_by_zero THEN NULL; END;
			END LOOP; END $$},
		failed => 'planned|nested|50|50'
	},
	{
		name => 'simple expressions, which are no statements,',
		run => q{DO $$ DECLARE x int; withdrawn int; BEGIN
			BEGIN x := 1 / 0; EXCEPTION WHEN division_by_zero THEN NULL; END;
			BEGIN withdrawn := 1 / 0; EXCEPTION WHEN division_by_zero THEN NULL; END;
			BEGIN x := (1 / 0); EXCEPTION WHEN division_by_zero THEN NULL; END;
			BEGIN IF (1 / 0) = 1 THEN NULL; END IF; EXCEPTION WHEN division_by_zero THEN NULL; END;
			RAISE EXCEPTION '%', 1 / 0; END $$},
		error => '22012',
		failed => 'DO $1|top|1|1'
	},
	{
		name => 'an error after a failed and swallowed one',
		run => q{DO $$ BEGIN
			BEGIN PERFORM 1 / 0 AS "swallowed"; EXCEPTION WHEN division_by_zero THEN NULL; END;
			PERFORM 2 AS "went well";
			PERFORM 1 / n AS "raised" FROM items; END $$},
		error => '22012',
		failed => "DO \$1|top|1|1\nraised|nested|1|1\nswallowed|nested|1|1"
	},
	{
		name => 'an error in a parallel worker',
		before => 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
			SET parallel_leader_participation = off',
		run => 'SELECT sum(1 / n) AS "parallel" FROM items',
		error => '22012',
		failed => 'parallel|top|1|1'
	},
	{
		name => 'an error in the second of three statements of a message',
		run => 'SELECT 1 AS "a"; SELECT 1 / 0 AS "b"; SELECT 2 AS "c"',
		error => '22012',
		failed => 'b|top|1|1',
		calls => "a|top|1|0\nb|top|1|1"
	},
	{
		name => 'an error in the middle of sending rows',
		run => 'SELECT 1 / (50 - i) AS "rows" FROM generate_series(1, 100) i',
		error => '22012',
		failed => 'rows|top|1|1'
	},
	{
		name => 'an AFTER trigger',
		run => 'INSERT INTO raising AS "raising" VALUES (1)',
		error => 'P0001',
		failed => 'raising|top|1|1'
	},
	{
		name => 'an AFTER trigger, with RETURNING',
		run => 'INSERT INTO raising VALUES (1) RETURNING id AS "raising"',
		error => 'P0001',
		failed => 'raising|top|1|1'
	},
	{
		name => 'an AFTER trigger of a modifying CTE',
		run => 'WITH w AS (INSERT INTO raising VALUES (1)) SELECT 1 AS "raising"',
		error => 'P0001',
		failed => 'raising|top|1|1'
	},
	{
		name => 'an AFTER trigger in an EXCEPTION block',
		run => q{DO $$ BEGIN
			INSERT INTO raising AS "raising" VALUES (1); EXCEPTION WHEN OTHERS THEN NULL; END $$},
		failed => 'raising|nested|1|1'
	},
	{
		name => 'a foreign key, at the end of the statement',
		before => 'SET CONSTRAINTS ALL IMMEDIATE; CREATE TEMP TABLE mine (id int PRIMARY KEY);
			CREATE TEMP TABLE theirs (id int REFERENCES mine)',
		run => 'INSERT INTO theirs AS "theirs" VALUES (1)',
		error => '23503',
		failed => 'theirs|top|1|1'
	},
	{
		name => 'a deferred constraint at an explicit COMMIT',
		before => 'BEGIN; INSERT INTO referring AS "referring" VALUES (1)',
		run => 'COMMIT',
		error => '23503',
		failed => 'COMMIT|top|1|1'
	},
	{
		name => 'a deferred unique constraint at COMMIT AND CHAIN',
		before => 'BEGIN; INSERT INTO uniques VALUES (1), (1)',
		run => 'COMMIT AND CHAIN',
		error => '23505',
		failed => 'COMMIT AND CHAIN|top|1|1'
	},
	{
		name => 'a deferred constraint at PREPARE TRANSACTION',
		before => 'BEGIN; INSERT INTO uniques VALUES (1), (1)',
		run => "PREPARE TRANSACTION 'never'",
		error => '23505',
		failed => 'PREPARE TRANSACTION $1|top|1|1'
	},
	{
		name => 'a deferred constraint at COMMIT in the message of its statement',
		run => 'BEGIN; INSERT INTO uniques AS "uniques" VALUES (1), (1); COMMIT; SELECT 1 AS "never"',
		error => '23505',
		failed => 'COMMIT|top|1|1',
		calls => "BEGIN|top|1|0\nCOMMIT|top|1|1\nuniques|top|1|0"
	},
	{
		name => 'a deferred constraint at an implicit COMMIT, whose statement went well,',
		run => 'INSERT INTO referring AS "referring" VALUES (1)',
		error => '23503',
		failed => '',
		calls => 'referring|top|1|0'
	},
	{
		name => 'a deferred constraint made immediate',
		before => 'BEGIN; INSERT INTO uniques VALUES (1), (1)',
		run => 'SET CONSTRAINTS ALL IMMEDIATE',
		error => '23505',
		failed => 'SET CONSTRAINTS ALL IMMEDIATE|top|1|1'
	},
	{
		name => 'PREPARE TRANSACTION with a name that is taken',
		before => q{BEGIN; PREPARE TRANSACTION 'taken'; BEGIN},
		run => "PREPARE TRANSACTION 'taken'",
		after => "ROLLBACK PREPARED 'taken'",
		error => '42710',
		failed => 'PREPARE TRANSACTION $1|top|2|1'
	},
	{
		name => 'COMMIT PREPARED of what is not there',
		run => "COMMIT PREPARED 'nowhere'",
		error => '42704',
		failed => 'COMMIT PREPARED $1|top|1|1'
	},
	{
		name => 'a cursor that COMMIT cannot hold',
		before => 'BEGIN; DECLARE held CURSOR WITH HOLD FOR SELECT 1 / n AS "inside" FROM items',
		run => 'COMMIT',
		error => '22012',
		failed => "COMMIT|top|1|1\ninside|nested|1|1"
	},
	{
		name => 'FETCH',
		before => 'BEGIN; DECLARE c CURSOR FOR SELECT 1 / (5 - i) AS "inside" FROM generate_series(1, 9) i;
			FETCH 2 FROM c',
		run => 'FETCH ALL FROM "c"',
		error => '22012',
		failed => "c|top|1|1\ninside|nested|1|1"
	},
	{
		name => 'a statement beside an open cursor, which is no failure,',
		before => 'BEGIN; DECLARE c CURSOR FOR SELECT id AS "inside" FROM items; FETCH 2 FROM c',
		run => 'SELECT 1 / 0 AS "beside"',
		error => '22012',
		failed => 'beside|top|1|1'
	},
	{
		name => 'COMMIT and ROLLBACK of a failed transaction, no failures,',
		before => 'BEGIN',
		run => 'SELECT 1 / 0 AS "failing"',
		after => 'COMMIT; BEGIN',
		error => '22012',
		failed => 'failing|top|1|1'
	},
	{
		name => 'permission denied for a query',
		user => 'nobody_special',
		run => 'SELECT id AS "denied" FROM items',
		error => '42501',
		failed => 'denied|top|1|1'
	},
	{
		name => 'permission denied for INSERT',
		user => 'nobody_special',
		run => 'INSERT INTO items AS "denied" VALUES (1)',
		error => '42501',
		failed => 'denied|top|1|1'
	},
	{
		name => 'permission denied for a function',
		user => 'nobody_special',
		run => q{SELECT pg_read_file('x') AS "denied"},
		error => '42501',
		failed => 'denied|top|1|1'
	},
	{
		name => 'permission denied for a utility statement',
		user => 'nobody_special',
		run => 'TRUNCATE "items"',
		error => '42501',
		failed => 'items|top|1|1'
	},
	{
		name => 'permission denied for COPY',
		user => 'nobody_special',
		run => 'COPY "items" TO STDOUT',
		error => '42501',
		failed => 'items|top|1|1'
	},
	{
		name => 'permission denied in an EXCEPTION block',
		user => 'nobody_special',
		run => q{DO $$ BEGIN
			PERFORM id AS "denied" FROM items; EXCEPTION WHEN insufficient_privilege THEN NULL; END $$},
		failed => 'denied|nested|1|1'
	},
	{ name => 'EXECUTE of nothing', run => 'EXECUTE "nothing"', error => '26000', failed => 'nothing|top|1|1' },
	{
		name => 'EXECUTE whose parameter fails',
		before => 'PREPARE "parameterised"(int) AS SELECT $1',
		run => 'EXECUTE "parameterised"(1 / 0)',
		error => '22012',
		failed => 'parameterised|top|1|1'
	},
	{
		name => 'EXECUTE whose query fails, counted as that,',
		before => 'PREPARE p(int) AS SELECT 1 / $1 AS "executed"',
		run => 'EXECUTE p(0)',
		error => '22012',
		failed => 'executed|top|1|1'
	},
	{
		name => 'EXPLAIN, whose query is not executed,',
		run => 'EXPLAIN SELECT 1 / 0 AS "explained"',
		error => '22012',
		failed => 'explained|top|1|1'
	},
	{
		name => 'EXPLAIN ANALYZE',
		run => 'EXPLAIN ANALYZE SELECT 1 / n AS "explained" FROM items',
		error => '22012',
		failed => "explained|nested|1|1\nexplained|top|1|1"
	},
	{
		name => 'a lock that cannot be had',
		before => 'BEGIN',
		held => 1,
		run => 'LOCK TABLE "locked" NOWAIT',
		error => '55P03',
		failed => 'locked|top|1|1'
	},
	{
		name => 'a row that cannot be had',
		held => 1,
		run => 'SELECT id AS "a row" FROM plain FOR UPDATE NOWAIT',
		error => '55P03',
		failed => 'a row|top|1|1'
	},
	{ name => 'a syntax error, no statement,', run => 'SELEC 1 AS "wrong"', error => '42601', failed => '', calls => '' },
	{
		name => 'an error of parse analysis, no statement,',
		run => 'SELECT missing AS "wrong" FROM items',
		error => '42703',
		failed => '',
		calls => ''
	})
{
	my $session = Session->new(
		$node,
		user => $case->{user},
		settings => $case->{user} ? [] : ['pool_perf.track=all']);

	reset_all();
	if ($case->{before}) { $session->rows($case->{before}) }
	lock_all() if $case->{held};
	is($session->error($case->{run}), $case->{error} // '', "$case->{name}: SQLSTATE");
	$holder->rows('ROLLBACK') if $case->{held};
	$session->rows($case->{after}) if $case->{after};
	is(failures(), $case->{failed}, "$case->{name}: counted once, and failed");
	if (defined $case->{calls})
	{
		is($admin->text("SELECT label, level, calls, failed_calls FROM ($statements) s
				WHERE level = 'top' AND query !~ 'FOR KEY SHARE' ORDER BY label"),
			$case->{calls}, "$case->{name}: beside it");
	}
	finish($session);
	is(failures(), $case->{failed}, "$case->{name}: and once after the session") if $case->{before};
}

# The same in the extended protocol: Bind plans, Execute executes
foreach my $query ('SELECT 1 / $1::int AS "bound"', 'SELECT n / ($1::int + n) AS "bound" FROM items')
{
	my $session = new_session();

	reset_all();
	foreach my $name ('', 'named')
	{
		$session->send(Session::Parse($name, $query), Session::Bind('', $name, 0), Session::Execute(''), Session::Sync);
		is($session->answer->{error}, '22012', "extended protocol: $query");
	}
	is(failures(), 'bound|top|2|2', 'counted once each, and failed');
	finish($session);
	is($admin->text("SELECT sum(calls) FROM ($statements) s"), 2, 'and nothing else');
}

# As in pg_stat_statements, rows are those of runs that went well
{
	my $session = new_session();
	reset_all();
	$session->error('SELECT 1 / (50 - i) AS "rows" FROM generate_series(1, 100) i');
	is(statement('rows', 'calls, failed_calls, rows'), '1|1|0', 'rows of a failed query');
	finish($session);
}

#
# Deadlock, and a failed serialization at COMMIT
#
{
	my ($one, $two) = map { new_session('deadlock_timeout=10') } 1 .. 2;

	reset_all();
	$_->rows('BEGIN') foreach $one, $two;
	$one->rows('UPDATE targets AS "first" SET id = 0');
	$two->rows('UPDATE plain AS "second" SET id = 1');
	$one->send(Session::Query('UPDATE plain AS "second" SET id = 1'));
	hold($one, 0);
	$two->send(Session::Query('UPDATE targets AS "first" SET id = 0'));
	my @errors = grep { $_ } map { $_->answer->{error} } $one, $two;
	is("@errors", '40P01', 'a deadlock');
	like(failures(), qr/^(first|second)\|top\|2\|1$/, 'a deadlock fails one statement');
	finish($_) foreach $one, $two;

	($one, $two) = map { new_session() } 1 .. 2;
	reset_all();
	$admin->rows('CREATE TABLE skewed (id int)');
	$_->rows('BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM skewed') foreach $one, $two;
	$_->rows('INSERT INTO skewed VALUES (1)') foreach $one, $two;
	is($one->error('COMMIT'), '', 'the first of two serializable transactions');
	is($two->error('COMMIT'), '40001', 'the second of them');
	is(failures(), 'COMMIT|top|2|1', 'its COMMIT has the failure');
	finish($_) foreach $one, $two;
}

#
# The time of a COMMIT that fails
#
{
	my $session = new_session();

	$admin->rows(q{
		CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			PERFORM pg_sleep(0.1);
			RAISE EXCEPTION 'late';
		END $$;
		CREATE TABLE late (id int);
		CREATE CONSTRAINT TRIGGER late AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED
			FOR EACH ROW EXECUTE FUNCTION late()});
	reset_all();
	$session->rows('BEGIN; INSERT INTO late AS "late" VALUES (1)');
	is($session->error('COMMIT'), 'P0001', 'a deferred trigger fails');
	is(statement('COMMIT', 'level, calls, failed_calls, max_failed_time >= 100, max_time = max_failed_time'),
		'top|1|1|t|t', 'COMMIT has the failure, and the time');
	is(statement('late', 'level, calls, failed_calls, max_time < 100'), 'top|1|0|t', 'its statement has neither');
	is($session->error('INSERT INTO late AS "late" VALUES (1)'), 'P0001', 'it fails without COMMIT');
	is(statement('late', 'level, calls, failed_calls'), 'top|2|0', 'the statement stays a success');
	is($session->text('SELECT 1'), 1, 'and the session goes on');
	finish($session);
}

#
# COMMIT that waits for a standby: cancelled or terminated, it has committed.
# The checkpointer tells all others that there is a standby to wait for.
#
$admin->rows('CHECKPOINT');
foreach my $function ('pg_cancel_backend', 'pg_terminate_backend')
{
	my $session = new_session('synchronous_commit=on');

	reset_all();
	$session->rows('BEGIN; UPDATE targets SET id = 0');
	$session->send(Session::Query('COMMIT'));
	my $waited = hold($session, 50, 'IPC');
	$admin->rows("SELECT $function(" . $session->pid . ')');
	$session->answer;
	finish($session);
	is(statement('COMMIT', "level, calls, failed_calls, max_time >= $waited"),
		'top|1|0|t', "$function: a COMMIT that waits for a standby");
	is(failures(), '', "$function: nothing failed");
}
#
# Clients that disconnect
#
foreach my $how ('closes its socket', 'says goodbye', 'is terminated', 'is idle in its transaction for too long')
{
	my $session = new_session($how =~ /idle/ ? 'idle_in_transaction_session_timeout=100' : ());

	reset_all();
	$session->rows('BEGIN; DECLARE c CURSOR FOR SELECT id AS "inside" FROM items; FETCH 5 FROM "c"');
	if ($how =~ /goodbye/) { $session->send('X') }
	elsif ($how =~ /is term/) { $admin->rows('SELECT pg_terminate_backend(' . $session->pid . ')') }
	$session->answer if $how =~ /^is/;
	finish($session);
	is(failures(), 'inside|nested|1|1', "a client with a cursor $how");
	is(statement('c', 'level, calls, failed_calls, rows'), 'top|1|0|5', "a client with a cursor $how: FETCH");
}

{
	my $session = new_session();

	reset_all();
	$session->rows('BEGIN; DECLARE "never fetched" CURSOR FOR SELECT id AS "inside" FROM items;
		DECLARE c CURSOR WITH HOLD FOR SELECT 1 AS "inside" FROM items');
	finish($session);
	is($admin->text("SELECT sum(calls), sum(failed_calls), sum(rows) FROM ($statements) s
		WHERE label = 'inside' AND level = 'nested'"),
		'2|2|0', 'a client with cursors from which nothing was fetched');

	# held ones have run to their end
	$session = new_session();
	reset_all();
	$session->rows('DECLARE c CURSOR WITH HOLD FOR SELECT id AS "inside" FROM items');
	$session->rows('FETCH 5 FROM c');
	finish($session);
	is(statement('inside', 'calls, failed_calls, rows'), '1|0|100', 'a client with a cursor that is held');

	foreach my $how ('ROLLBACK', 'COMMIT', 'CLOSE c')
	{
		$session = new_session();
		reset_all();
		$session->rows('BEGIN; DECLARE c CURSOR FOR SELECT id AS "inside" FROM items; FETCH 5 FROM c');
		$session->rows($how);
		is(statement('inside', 'calls, failed_calls, rows'), '1|0|5', "a cursor at $how");
		finish($session);
		is(failures(), '', "a cursor at $how is no failure");
	}
}

foreach my $block (0, 1)
{
	my $name = $block ? 'in a transaction block' : 'without a transaction block';
	my $session = new_session();

	reset_all();
	$session->rows('BEGIN') if $block;
	$session->send(
		Session::Parse('', 'SELECT id AS "portal" FROM items'),
		Session::Bind('p', ''),
		Session::Execute('p', 5),
		$block ? Session::Sync : Session::Flush);
	is(scalar @{ $session->answer($block ? 'Z' : 's')->{rows} }, 5, "rows of a portal $name");
	finish($session);
	is(failures(), 'portal|top|1|1', "a client with a portal $name");
}

{
	my $session = new_session();

	# does not read; the server notices when its buffers are full
	reset_all();
	$session->send(Session::Query(q{SELECT repeat('x', 10000) AS "lost" FROM generate_series(1, 1000000)}));
	my $pid = $session->pid;
	wait_until("SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $pid AND wait_event = 'ClientWrite'");
	finish($session);
	is(failures(), 'lost|top|1|1', 'a client that is gone while rows are sent');
}

#
# 1,000 errors, one inside of the other
#
$admin->rows(q{
	CREATE FUNCTION nested(n int, swallow boolean) RETURNS int LANGUAGE plpgsql AS $$
	BEGIN
		IF n = 0 THEN
			PERFORM 1 / 0 AS "innermost";
		ELSIF swallow THEN
			BEGIN
				PERFORM nested(n - 1, true) AS "error";
			EXCEPTION WHEN OTHERS THEN
				RAISE;
			END;
		ELSE
			PERFORM nested(n - 1, false) AS "error";
		END IF;
		RETURN 0;
	END $$});
foreach my $swallow ('false', 'true')
{
	# frames of sanitizers are several times as large
	my $session = new_session('max_stack_depth=' . ($ENV{SANITIZE} ? '30MB' : '6MB'));

	reset_all();
	is($session->error(qq{SELECT nested(999, $swallow) AS "outermost"}), '22012', 'nested errors');
	$session->rows('SELECT 1 AS "afterwards"');
	is(failures(), "error|nested|999|999\ninnermost|nested|1|1\noutermost|top|1|1",
		"a thousand nested errors" . ($swallow eq 'true' ? ', each caught' : ''));
	is(statement('afterwards'), 'top|1|0', 'what comes after them is at top level');
	finish($session);
	is($admin->text("SELECT sum(calls), sum(failed_calls) FROM ($statements) s"), '1002|1001',
		'nothing comes after the session');
}

#
# What waits for a lock in parse analysis, planning or Bind and then goes well
#
my $directory = PostgreSQL::Test::Utils::tempdir();
foreach my $protocol ('simple', 'extended', 'prepared')
{
	foreach my $script (
		[ 'SELECT count(*) AS "waited for" FROM locked', 'SELECT' ],
		[ 'UPDATE locked AS "waited for" SET id = id', 'UPDATE' ],
		[ 'PREPARE p AS SELECT count(*) AS "waited for" FROM locked', 'PREPARE' ])
	{
		my ($query, $kind) = @$script;
		next if $kind eq 'PREPARE' && $protocol ne 'simple';
		my ($out, $err) = ('', '');

		append_to_file("$directory/$protocol$kind.sql", "$query;\n" . ($kind eq 'PREPARE' ? "EXECUTE p;\n" : ''));
		reset_all();
		lock_all();
		local $ENV{PGAPPNAME} = 'pgbench';
		my $run = IPC::Run::start(
			[
				$node->installed_command('pgbench'), '-n', '-M', $protocol, '-c', 1, '-t', 1,
				'-f', "$directory/$protocol$kind.sql", $node->connstr('postgres')
			],
			'>', \$out, '2>', \$err);
		wait_until(
			"SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'pgbench' AND wait_event_type = 'Lock'");
		my $waited = idle(200);
		$holder->rows('COMMIT');
		ok($run->finish, "pgbench, $protocol protocol, $kind") or diag($err);
		if ($kind eq 'PREPARE')
		{
			is( $admin->text(qq{SELECT plans, calls, failed_calls, max_time >= $waited
				FROM ($statements) s WHERE label = 'waited for' ORDER BY plans}),
				"0|1|0|t\n1|1|0|f", 'PREPARE has waited, EXECUTE has not');
			next;
		}
		is( statement(
				'waited for',
				"calls, failed_calls, rows, max_time >= $waited, total_time = max_time, p50_time >= $waited * 0.956"),
			'1|0|1|t|t|t',
			"a wait for a lock, $protocol protocol, $kind: one call, and its time");
		is(failures(), '', "a wait for a lock, $protocol protocol, $kind: no failure");
	}
}

foreach my $statement ('SELECT count(*) AS "later" FROM later_locked', 'DELETE FROM later_locked AS "later"')
{
	my $session = new_session();

	$session->send(Session::Parse('named', $statement), Session::Sync)->answer;
	$session->rows("PREPARE \"by name\" AS $statement");
	reset_all();
	lock_all();
	$session->send(Session::Bind('', 'named'), Session::Execute(''), Session::Sync);
	my $waited = hold($session, 100);
	$holder->rows('COMMIT');
	is($session->answer->{error}, '', 'Bind waits for a lock');
	is(statement('later', "level, calls, failed_calls, max_time >= $waited"), 'top|1|0|t', 'its query has the time');

	reset_all();
	lock_all();
	$session->send(Session::Query('EXECUTE "by name"'));
	$waited = hold($session, 100);
	$holder->rows('COMMIT');
	is($session->answer->{error}, '', 'EXECUTE waits for a lock');
	is( $admin->text("SELECT level, calls, failed_calls, max_time >= $waited FROM ($statements) s"),
		'top|1|0|t', 'what it executes has the time');
	finish($session);
}

# Parse analyses what is in a utility statement
foreach my $statement ('CREATE TABLE "made" AS SELECT 1 AS one, id FROM locked', 'EXPLAIN SELECT id AS "made" FROM locked')
{
	my $session = new_session();

	reset_all();
	lock_all();
	$session->send(Session::Parse('', $statement), Session::Bind('', ''), Session::Execute(''), Session::Sync);
	my $waited = hold($session, 100);
	$holder->rows('COMMIT');
	is($session->answer->{error}, '', 'a utility statement waits in Parse');
	is($admin->text("SELECT calls, failed_calls, max_time >= $waited FROM ($statements) s WHERE level = 'top'"),
		'1|0|t', 'it has the time');
	finish($session);
}

#
# Time that belongs to no statement, or to another one
#
{
	my $session = new_session();

	# between the messages of a portal: those that Bind starts, and those that
	# Execute does
	foreach my $query ('SELECT id AS "slow client" FROM items', 'UPDATE plain AS "slow client" SET id = 1')
	{
		reset_all();
		$session->rows('BEGIN');
		$session->send(Session::Parse('', $query), Session::Bind('p', ''), Session::Flush)->answer('2');
		my $idle = idle(500);
		$session->send(Session::Execute('p', 5), Session::Flush)->answer($query =~ /SELECT/ ? 's' : 'C');
		idle(500) if $query =~ /SELECT/;
		$session->send(Session::Execute('p'), Session::Sync)->answer if $query =~ /SELECT/;
		$session->send(Session::Sync)->answer if $query !~ /SELECT/;
		$session->rows('COMMIT');
		is(statement('slow client', "level, calls, failed_calls, rows, max_time < $idle"),
			($query =~ /SELECT/ ? 'top|1|0|100|t' : 'top|1|0|1|t'),
			'a client that takes its time with a portal');
	}

	# a plan that the plan cache made and did not use
	$admin->rows(q{
		CREATE TABLE parts (a int, b int) PARTITION BY LIST (a);
		CREATE TABLE part_1 PARTITION OF parts FOR VALUES IN (1);
		CREATE TABLE part_2 PARTITION OF parts FOR VALUES IN (2);
		CREATE TABLE part_3 PARTITION OF parts FOR VALUES IN (3);
		INSERT INTO parts SELECT 1 + i % 3, i FROM generate_series(1, 9000) i;
		ANALYZE parts});
	$session->rows('PREPARE q(int) AS SELECT count(*) AS "parts" FROM parts WHERE a = $1');
	$session->rows('EXECUTE q(1)') foreach 1 .. 5;
	reset_all();
	$session->rows('BEGIN');
	$session->rows('EXECUTE q(1)');
	my $idle = idle(500);
	$session->rows('EXECUTE q(2)');
	idle(500);
	$session->rows('EXECUTE q(3)');
	$session->rows('COMMIT');
	is( $admin->text(qq{SELECT level, calls, failed_calls, plans, max_time < $idle
			FROM ($statements) s WHERE label = 'parts' AND rows > 0}),
		'top|3|0|3|t',
		'a plan that was made twice');
	finish($session);

	# another statement of the same message
	$session = new_session('pool_perf.track_utility=off');
	reset_all();
	$session->rows('DO $$ BEGIN PERFORM pg_sleep(0.3); END $$; SELECT 1 AS "second"');
	is(statement('second', 'level, calls, max_time < 300'), 'top|1|t',
		'the second statement of a message, after one that is not measured');
	is($admin->text("SELECT count(*) FROM ($statements) s WHERE level = 'top'"), 1, 'track_utility = off');
	is($admin->text("SELECT count(*) FROM ($statements) s WHERE level = 'nested'"), 1, 'what runs inside stays nested');
	finish($session);
	$session = new_session();
	reset_all();
	$session->rows('SELECT pg_sleep(0.3) AS "first"; SELECT 1 AS "second"');
	is(statement('second', 'level, calls, max_time < 300'), 'top|1|t', 'the second statement of a message');
	is(statement('first', 'level, calls, max_time >= 300'), 'top|1|t', 'the first statement of a message');
	finish($session);
}

#
# Off and on again, without a restart
#
{
	my $session = new_session();

	reset_all();
	$session->rows('BEGIN; DECLARE c CURSOR FOR SELECT id AS "inside" FROM items');
	foreach my $enabled ('off', 'on')
	{
		$admin->rows("ALTER SYSTEM SET pool_perf.enabled = $enabled");
		$node->reload;
		wait_until("SELECT current_setting('pool_perf.enabled') = '$enabled'");
		my $seen = '';
		for (1 .. 100 * $PostgreSQL::Test::Utils::timeout_default)
		{
			$seen = $session->text('SHOW pool_perf.enabled');
			last if $seen eq $enabled;
			select(undef, undef, undef, 0.01);
		}
		is($seen, $enabled, "pool_perf.enabled = $enabled");
		$session->rows("SELECT 1 AS \"when $enabled\"");
		$session->rows('FETCH 5 FROM c');
		$session->rows('SAVEPOINT s');
		$session->error("SELECT 1 / 0 AS \"when $enabled\"");
		$session->rows('ROLLBACK TO s');
	}
	$session->rows('COMMIT');
	is(statement('when off'), '', 'nothing is counted when pool_perf is off');
	is(statement('when on'), "top|1|0\ntop|1|1", 'all is when it is on again');
	is(statement('inside', 'calls, failed_calls'), '1|0', 'a cursor that was open meanwhile is counted once');
	is(statement('COMMIT'), 'top|1|0', 'so is COMMIT');
	is(failures(), 'when on|top|1|1', 'and only the failure is one');
	finish($session);
}

done_testing();
