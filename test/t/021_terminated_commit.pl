# A COMMIT that is terminated while a subtransaction is open in one of its
# deferred triggers: the abort of the subtransaction comes first, and the record
# of COMMIT must outlive it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PoolPerf;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PoolPerf::cluster('commit', create => 1);

$node->safe_psql('postgres', q{
	CREATE TABLE t (i int);
	CREATE TABLE part (a int, b int) PARTITION BY LIST (a);
	CREATE TABLE p1 PARTITION OF part FOR VALUES IN (1);
	CREATE TABLE p2 PARTITION OF part FOR VALUES IN (2);
	CREATE TABLE p3 PARTITION OF part FOR VALUES IN (3);
	INSERT INTO part SELECT 1 + i % 3, i FROM generate_series(1, 3000) i;
	ANALYZE part;
	CREATE FUNCTION wait_in_block() RETURNS trigger LANGUAGE plpgsql AS $$
	DECLARE n int;
	BEGIN
		BEGIN
			FOR i IN 1..8 LOOP
				SELECT count(*) INTO n FROM pg_am WHERE oid = i;
			END LOOP;
			PERFORM pg_sleep(600);
		EXCEPTION WHEN division_by_zero THEN NULL;
		END;
		RETURN NULL;
	END $$;
	CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON t DEFERRABLE
		INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait_in_block();
});

# The prepared statement is planned twice for one execution, so that a plan is
# left over when COMMIT begins
my $session = q{
	PREPARE p (int) AS SELECT count(*) FROM part WHERE a = $1;
	BEGIN;
	EXECUTE p (1); EXECUTE p (1); EXECUTE p (1);
	EXECUTE p (1); EXECUTE p (1); EXECUTE p (1);
	INSERT INTO t VALUES (1);
	COMMIT;
};
my $started = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');

foreach my $track ('top', 'all')
{
	my ($out, $err) = ('', '');
	my $failed = q{SELECT coalesce(sum(calls), 0), coalesce(sum(failed_calls), 0)
		FROM pool_perf.queries WHERE query ILIKE 'commit'};

	$node->safe_psql('postgres', 'SELECT pool_perf.reset()');
	my $script = $node->basedir . "/session_$track.sql";
	append_to_file($script, "SET pool_perf.track = '$track'; $session");
	my $client = IPC::Run::start(
		[ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', $script ],
		'<', \undef, '>', \$out, '2>', \$err);
	$node->poll_query_until('postgres', q{SELECT count(*) = 1
		FROM pg_stat_activity WHERE wait_event = 'PgSleep'});
	$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid)
		FROM pg_stat_activity WHERE wait_event = 'PgSleep'});
	$client->finish;
	like($err, qr/terminating connection/, "track = $track: COMMIT is terminated");
	$node->poll_query_until('postgres', q{SELECT count(*) = 0
		FROM pg_stat_activity WHERE wait_event = 'PgSleep'});
	is($node->safe_psql('postgres', $failed), '1|1',
		"track = $track: COMMIT is counted once, as failed");
}
is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'),
	$started, 'the server has not restarted');
unlike(slurp_file($node->logfile), qr/was terminated by signal/,
	'no process has crashed');

$node->stop;
done_testing();
