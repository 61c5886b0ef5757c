# What queries wait for: samples go to the right query, the table is bounded and
# no sample of it is lost, and a statement's own session gets its profile

use strict;
use warnings FATAL => 'all';

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
max_connections = 60
pool_perf.sample_interval = 20
pool_perf.max_queries = 100
));
plan skip_all => 'needs Unix sockets' unless -S $node->host . '/.s.PGSQL.' . $node->port;

$node->safe_psql(
	'postgres', q{
	CREATE TABLE t AS SELECT i AS id, 0 AS v FROM generate_series(0, 10) AS i;
	CREATE TABLE u (id int);
	CREATE ROLE plain LOGIN;
	CREATE ROLE monitor LOGIN IN ROLE pg_monitor;
	GRANT SELECT, INSERT, UPDATE ON t, u TO PUBLIC;
	GRANT SELECT ON pool_perf.query_waits TO plain;
});

sub value
{
	my ($query, @options) = @_;
	return $node->safe_psql('postgres', $query, @options);
}

sub becomes
{
	my ($query, $name) = @_;
	ok($node->poll_query_until('postgres', $query), $name) or diag(value('SELECT * FROM pool_perf.query_waits'));
}

# The waits of the queries whose text is like that, with at least so many samples
sub waits
{
	my ($pattern, $samples) = @_;
	return qq{(SELECT string_agg(DISTINCT concat_ws(' ', u.rolname, w.wait_event_type, w.wait_event), ', ')
		FROM pool_perf.query_waits AS w JOIN pool_perf.queries(true) AS q USING (dbid, userid, queryid) JOIN pg_roles AS u ON u.oid = w.userid
		WHERE q.query LIKE '$pattern' AND q.toplevel AND w.samples >= $samples)};
}

#
# One that sleeps, one that waits for a row, one that computes, one that waits for
# a table before it has an id
#

my $holder = RawClient->new($node);
$holder->ask('BEGIN; UPDATE t SET v = 1 WHERE id = 1; LOCK TABLE u');
my $sleeper = RawClient->new($node, user => 'plain');
my $row = RawClient->new($node);
my $computing = RawClient->new($node);
my $table = RawClient->new($node);
my $failing = RawClient->new($node);
$sleeper->send('SELECT pg_sleep(1003) AS sleeping');
$row->send('UPDATE t SET v = 2 WHERE id = 1');
$computing->send('SELECT count(*) AS computing FROM generate_series(1, 100000000000)');
$table->send('SELECT id AS from_table FROM u');
$failing->send('SELECT no_such_column FROM u');

# what runs has samples while it runs; queries has the row when it has ended
becomes(q{SELECT count(*) = 3 FROM pool_perf.query_waits AS w JOIN pool_perf.running_queries() AS r USING (queryid)
	WHERE samples >= 5 AND w.wait_event IN ('PgSleep', 'transactionid', 'CPU') AND pid <> pg_backend_pid()}, 'those that run have samples');
is(value(qq{SELECT count(*) FROM pool_perf.running_queries WHERE pid IN ($table->{pid}, $failing->{pid}) AND queryid IS NULL}), 2, 'two are in parse analysis');
is(value(qq{SELECT count(*) FROM pool_perf.query_waits WHERE wait_event = 'relation'}), 0, 'and their samples are held back');

foreach my $client ($sleeper, $computing)
{
	value("SELECT pg_cancel_backend($client->{pid})");
	like($client->answer, qr/57014$/, 'cancelled');
}
$holder->ask('COMMIT');
like($row->answer, qr/C$/, 'the row is there');
like($table->answer, qr/C$/, 'the table is there');
like($failing->answer, qr/42703$/, 'the column is not');
becomes('SELECT ' . waits('SELECT pg_sleep%sleeping', 5) . q{ = 'plain Timeout PgSleep'}, 'PgSleep goes to the one that sleeps, and its user');
becomes('SELECT ' . waits('UPDATE t%', 5) . qq{ = '$row->{user} Lock transactionid'}, 'a lock to the one that waits for a row');
becomes('SELECT ' . waits('%computing%', 5) . q{ LIKE '%CPU CPU%'}, 'CPU to the one that computes');
becomes('SELECT ' . waits('%from_table%', 5) . qq{ = '$table->{user} Lock relation'}, 'a lock in parse analysis to the statement that came of it');
becomes(qq{SELECT count(*) = 1 AND bool_and(samples >= 5) FROM pool_perf.query_waits WHERE wait_event = 'relation' AND queryid IS NULL}, 'to none if it failed');
is(value('SELECT bool_and(abs(percent - 100) < 1e-6) FROM (SELECT sum(wait_percent) AS percent FROM pool_perf.query_waits GROUP BY dbid, userid, queryid) AS s'),
	't', 'shares are of each query');

# Who may see it
is( value(
		q{SELECT count(*) FILTER (WHERE queryid IS NOT NULL AND usename <> 'plain') = 0, count(*) FILTER (WHERE queryid IS NOT NULL AND usename = 'plain') > 0, sum(samples) > 10
		  FROM pool_perf.query_waits LEFT JOIN pg_user ON usesysid = userid}, extra_params => [ '-U', 'plain' ]),
	't|t|t', 'the ids of others are hidden from those without pg_read_all_stats');
is(value('SELECT count(DISTINCT queryid) >= 4 FROM pool_perf.query_waits', extra_params => [ '-U', 'monitor' ]), 't', 'pg_monitor sees them');

# Reset
value('SELECT pool_perf.reset(userid => (SELECT oid FROM pg_roles WHERE rolname = \'plain\'))');
is(value(q{SELECT count(*) FROM pool_perf.query_waits JOIN pg_roles AS r ON r.oid = userid WHERE rolname = 'plain'}), 0, 'reset of a user');
cmp_ok(value('SELECT sum(samples) FROM pool_perf.query_waits'), '>=', 15, 'the rest stays');
value('SELECT pool_perf.reset()');
is(value(q{SELECT count(*) FROM pool_perf.query_waits WHERE wait_event IN ('PgSleep', 'relation', 'transactionid')}), 0, 'reset of all');

#
# The profile of one statement: all that it was seen in, and no more than that
#

$holder->ask('BEGIN; UPDATE t SET v = 3 WHERE id = 3');
my $mixed = RawClient->new($node);
$mixed->ask('SELECT pg_sleep(0.2)');
my $profile = "SELECT jsonb_path_query_array(waits, '\$[*].wait_event') FROM pool_perf.running_queries WHERE pid = $mixed->{pid}";
$mixed->send(q{DO $$ BEGIN PERFORM pg_sleep(0.2); UPDATE t SET v = 4 WHERE id = 3; END $$});
becomes(qq{SELECT (SELECT (w ->> 'samples')::int >= 5 FROM jsonb_array_elements(waits) AS w WHERE w ->> 'wait_event' = 'transactionid')
	FROM pool_perf.running_queries WHERE pid = $mixed->{pid}}, 'a profile grows while its statement runs');
like(value($profile), qr/^\[(?:null, )?"PgSleep", (?:null, )?"transactionid"\]$/, 'and has all kinds of waits, in their order');
$holder->ask('ROLLBACK');
$mixed->answer;
$mixed->send('SELECT pg_sleep(1003) AS own');
becomes(qq{SELECT waits IS NOT NULL FROM pool_perf.running_queries WHERE pid = $mixed->{pid} AND query LIKE '%own'}, 'the next statement has a profile');
like(value($profile), qr/^\[(?:null, )?"PgSleep"\]$/, 'of its own');
value("SELECT pg_cancel_backend($mixed->{pid})");
$mixed->answer;

# The session itself reads the profile of its statement when that ends slow
SKIP:
{
	skip 'there is no ring of slow executions', 8
	  unless value(q{SELECT count(*) FROM pg_views WHERE schemaname = 'pool_perf' AND viewname = 'slow_queries'});
	my $slow = sub {
		my ($query, $what) = @_;
		return qq{SELECT $what FROM pool_perf.slow_queries WHERE pid = $mixed->{pid} AND query LIKE '$query' ORDER BY slow_query_id DESC LIMIT 1};
	};

	$holder->ask('BEGIN; UPDATE t SET v = 5 WHERE id = 4; LOCK TABLE u');
	foreach my $case ([ 'UPDATE t SET v = 6 WHERE id = 4', 'UPDATE t%', 'transactionid' ], [ 'SELECT id AS slow_table FROM u', '%slow_table%', 'relation' ])
	{
		my ($sql, $query, $event) = @$case;

		$mixed->send($sql);
		becomes(qq{SELECT blocked_by = '{$holder->{pid}}' FROM pool_perf.running_queries WHERE pid = $mixed->{pid}}, "$event: the worker has seen who blocks it");
		value("SELECT pg_cancel_backend($mixed->{pid})");
		$mixed->answer;
		# only what got as far as an execution has a place in the ring
		next if $event eq 'relation';
		is(value($slow->($query, q{waits @> '[{"wait_event": "transactionid"}]', blocked_by})), "t|{$holder->{pid}}", "$event: and so has its own session");
	}
	$mixed->send('SELECT id AS slow_table FROM u');
	becomes(qq{SELECT elapsed_time > 1000 FROM pool_perf.running_queries WHERE pid = $mixed->{pid}}, 'it waits in parse analysis');
	$holder->ask('ROLLBACK');
	like($mixed->answer, qr/C$/, 'it goes on');
	is(value($slow->('%slow_table%', q{waits @> '[{"wait_event": "relation"}]', outcome})), 't|ok', 'relation: its session knows what it waited for before it began');
	$mixed->ask('SELECT pg_sleep(0.6)');
	is(value($slow->('SELECT pg_sleep%', q{waits @> '[{"wait_event": "PgSleep"}]', jsonb_path_exists(waits, '$[*] ? (@.wait_event == "relation")'), blocked_by IS NULL})),
		't|f|t', 'the next one has a profile of its own');
	is(value($slow->('SELECT pg_sleep%', q{(SELECT sum((w ->> 'samples')::int) BETWEEN 5 AND 31 FROM jsonb_array_elements(waits) AS w)})), 't', 'of as many samples as there were looks');
}
value('SELECT pool_perf.reset()');

#
# More waits than there is room for
#

is(value(q{SELECT max_entries, dropped FROM pool_perf.memory WHERE component = 'waits'}), '100|0', 'as many places as queries');
my @sleepers = map { RawClient->new($node) } 1 .. 20;
for my $round (0 .. 7)
{
	$sleepers[$_]->send('SELECT pg_sleep(1003)' . ', 1' x ($round * 20 + $_)) foreach 0 .. $#sleepers;
	my $pids = join(', ', map { $_->{pid} } @sleepers);
	# each of them is seen: it has a profile
	becomes(qq{SELECT count(DISTINCT w.queryid) = 20 FROM pool_perf.query_waits AS w JOIN pool_perf.running_queries() AS r USING (queryid)
		WHERE r.pid IN ($pids) AND w.wait_event = 'PgSleep'}, "round $round: each of 20 new queries is seen");
	value("SELECT pg_cancel_backend(pid) FROM unnest(ARRAY[$pids]) AS pid");
	$_->answer foreach @sleepers;
}
is( value(
		q{SELECT entries <= max_entries AND entries > 90, dropped >= 60, used_bytes <= max_bytes FROM pool_perf.memory WHERE component = 'waits'}),
	't|t|t', 'the table is full, and what made room is counted');
is(value(q{SELECT count(*) <= 101, count(*) FILTER (WHERE wait_event = '<other>' AND samples > 0 AND num_nonnulls(dbid, userid, queryid, wait_event_type, wait_percent) = 0) FROM pool_perf.query_waits}),
	't|1', 'and its samples are in one row');

# A sum never goes down
my $sum = 0;
for (1 .. 5)
{
	my $next = value('SELECT sum(samples) FROM pool_perf.query_waits');
	cmp_ok($next, '>=', $sum, 'sums never go down');
	$sum = $next;
}

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
