# A reset by key, by database and of all, in the middle of load: no count from
# before it stays, no count from after it and of others is lost.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use IPC::Run;
use PoolPerf;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $columns = 142;
my $clients = 8;

# PP_ROUNDS: to run it for longer
my $rounds = $ENV{PP_ROUNDS} // 3;

# for sessions that stay all the time
my $patience = (2 + $rounds) * $PostgreSQL::Test::Utils::timeout_default;
my $endless = 100_000_000;

# How often the sessions run a statement: less than a batch, a part of the next
# one, exactly one, and several.
my @runs = (3, 17, 32, 75);
my $per_round = 0;
$per_round += $_ for @runs;

my $node = PoolPerf::cluster('reset', create => 1, conf => q(
max_connections = 60
fsync = off
autovacuum = off
log_statement = none
pool_perf.max_queries = 1000
pool_perf.save_interval = -1
));

sub value
{
	my ($query) = @_;
	return $node->safe_psql('postgres', $query);
}

# The rows of a database that match, or of all for a true condition
sub calls_of
{
	my ($database, $condition) = @_;
	return value("SELECT coalesce(sum(calls), 0) FROM pool_perf.queries WHERE datname = '$database' AND "
		  . ($condition // 'true'));
}

sub script
{
	my ($name, $text) = @_;
	my $file = "$PostgreSQL::Test::Utils::tmp_check/$name.pgbench";

	append_to_file($file, $text);
	return $file;
}

# Starts pgbench and returns when it is under way.
sub begin_load
{
	my ($database, $transactions, $script) = @_;
	my $before = calls_of($database);
	my %load = (database => $database, transactions => $transactions, out => '', err => '');

	$load{run} = IPC::Run::start [ $node->installed_command('pgbench'), '-n', '-j', '2', '-c', $clients,
		'-t', $transactions, '-D', 'n=0', '-f', $script, $node->connstr($database) ],
	  '>', \$load{out}, '2>', \$load{err};
	$node->poll_query_until('postgres',
		"SELECT sum(calls) > $before FROM pool_perf.queries(false) WHERE datname = '$database'")
	  or die 'pgbench does not run';
	return \%load;
}

# Waits for the end and returns what pgbench says that it ran.  A load without
# end is ended by taking its table away: its last statements fail in analysis,
# and are no executions.
sub end_load
{
	my ($load) = @_;
	my $ended_here = $load->{transactions} == $endless;

	my @uncounted = (connstr => $node->connstr($load->{database}) . " options='-c pool_perf.track=none'");

	$node->safe_psql('', 'ALTER TABLE wide RENAME TO hidden', @uncounted)
	  if $ended_here;
	$load->{run}->finish;
	$node->safe_psql('', 'ALTER TABLE hidden RENAME TO wide', @uncounted)
	  if $ended_here;
	$load->{out} =~ /^number of transactions actually processed: (\d+)/m
	  or die "pgbench failed: $load->{out}$load->{err}";
	return $1;
}

# Runs a statement in all sessions, in each as often as @runs says
sub run_in_sessions
{
	my ($statement, @sessions) = @_;

	for my $i (0 .. $#sessions)
	{
		$sessions[$i]->query_safe("$statement\n" x $runs[$i]);
	}
}

my $x = 'SELECT k + 1 FROM keyed WHERE k = 1;';
my $y = 'SELECT k - 1 FROM keyed WHERE k = 1;';
my $is_x = q(query = 'SELECT k + $1 FROM keyed WHERE k = $2');
my $is_y = q(query = 'SELECT k - $1 FROM keyed WHERE k = $2');

$node->safe_psql('postgres', 'CREATE ROLE pp_tester LOGIN SUPERUSER');
$node->safe_psql('postgres', 'CREATE DATABASE keyed');
$node->safe_psql('keyed', 'CREATE TABLE keyed (k int); INSERT INTO keyed VALUES (1); '
	  . 'CREATE TABLE wide (' . join(', ', map { "c$_ int DEFAULT $_" } 0 .. $columns - 1) . '); '
	  . 'INSERT INTO wide DEFAULT VALUES');
# Copies, so that a statement has the same id in all of them
$node->safe_psql('postgres', "CREATE DATABASE $_ TEMPLATE keyed") for qw(load bystander);

# 100 shapes fit; $columns squared do not
my $few = script('few', qq(
\\set n :n + 1
\\set x (:n + :client_id) % 100
SELECT c:x FROM wide;
));
my $many = script('many', qq(
\\set n :n + 1
\\set i :n * $clients + :client_id
\\set x (:i / $columns) % $columns
\\set y :i % $columns
SELECT c:x, c:y FROM wide;
));

# These sessions stay: what they count is partly in their own lines
my @sessions = map { $node->background_psql('keyed', timeout => $patience) } @runs;
my $as_tester = $node->background_psql('keyed', timeout => $patience, extra_params => [ '-U', 'pp_tester' ]);
my $in_bystander = $node->background_psql('bystander', timeout => $patience);

# Both have the key of X but for one part
$as_tester->query_safe("$x\n" x 21);
$in_bystander->query_safe("$x\n" x 22);

# The tester's row, and that of the other database
my $other_x = "SELECT string_agg(calls::text, ' ' ORDER BY datname) FROM pool_perf.queries "
  . "WHERE $is_x AND (datname = 'bystander' OR usename = 'pp_tester')";
#
# By key
#
my $reset_of_all = value('SELECT pool_perf.reset()');
$sessions[0]->query_safe($x);
my $key = value("SELECT format('%s, %s, %s', userid, dbid, queryid) FROM pool_perf.queries WHERE $is_x AND datname = 'keyed'");
like($key, qr/^\d+, \d+, -?\d+$/, 'the row has a key');
is(value('SELECT stats_reset FROM pool_perf.info'), $reset_of_all, 'stats_reset is what a reset of all returned');
is(value($other_x), '', 'the reset of all left nothing of the others');
$as_tester->query_safe("$x\n" x 21);
$in_bystander->query_safe("$x\n" x 22);
is(value($other_x), '22 21', 'the same statement in another database, of another user');

my $load = begin_load('load', $endless, $few);
for my $round (1 .. $rounds)
{
	run_in_sessions($x, @sessions);
	run_in_sessions($y, @sessions);
	my $asked_at = value('SELECT clock_timestamp()');
	my $reset_at = value("SELECT pool_perf.reset($key)");
	my $done_at = value('SELECT clock_timestamp()');

	is(value("SELECT '$reset_at' BETWEEN timestamptz '$asked_at' AND timestamptz '$done_at'"), 't',
		"by key, round $round: returns the time of the reset");
	is(calls_of('keyed', "$is_x AND usename <> 'pp_tester'"), 0, 'nothing from before the reset');
	run_in_sessions($x, @sessions);
	is(value("SELECT format('%s %s %s %s %s', calls, rows, plans, pool_perf.calls(histogram), first_seen >= '$reset_at')
			FROM pool_perf.queries WHERE $is_x AND datname = 'keyed' AND usename <> 'pp_tester'"),
		"$per_round $per_round $per_round $per_round t", 'all from after it, and its text');
	is(calls_of('keyed', $is_y), $round * $per_round, 'another statement of the same sessions is as it was');
	is(value($other_x), '22 21', 'so is this one of another user, and in another database');
}
my $processed = end_load($load);
is(calls_of('load', q(query ~ '^SELECT c\d+ FROM wide')), $processed, 'nothing of the load is lost');
is(value('SELECT evictions FROM pool_perf.info'), 0, 'no eviction took part');
is(value('SELECT stats_reset FROM pool_perf.info'), $reset_of_all, 'no reset of all');

# A part of the key
my ($userid, $dbid, $queryid) = split(/, /, $key);
run_in_sessions($x, @sessions);
value("SELECT pool_perf.reset(userid => (SELECT oid FROM pg_roles WHERE rolname = 'pp_tester'))");
is(value($other_x), '22', 'by user: his rows alone');
is(calls_of('keyed', $is_x), 2 * $per_round, 'the rest is there');
$as_tester->query_safe("$x\n" x 5);
value("SELECT pool_perf.reset(dbid => $dbid, queryid => $queryid)");
is(calls_of('keyed', $is_x), 0, 'by query and database: of all users');
is(value($other_x), '22', 'not of other databases');
is(calls_of('keyed', $is_y), $rounds * $per_round, 'nor of other queries');
$as_tester->query_safe("$x\n" x 7);
run_in_sessions($x, @sessions);
value("SELECT pool_perf.reset(queryid => $queryid)");
is(value("SELECT count(*) FROM pool_perf.queries WHERE $is_x"), 0, 'by query: everywhere');
is(calls_of('keyed', $is_y), $rounds * $per_round, 'no other query');
$as_tester->query_safe("$x\n" x 6);
value("SELECT pool_perf.reset(userid => 0)");
value("SELECT pool_perf.reset(dbid => 1)");
value("SELECT pool_perf.reset(queryid => 12345)");
is(value($other_x), '6', 'a key of which there is nothing');
is(calls_of('keyed', $is_y), $rounds * $per_round, 'changes nothing');

#
# By database, with more statements than there is room for
#
my $bystander = calls_of('bystander');
my $load_before = calls_of('load');
$load = begin_load('load', $endless, $many);
for my $round (1 .. $rounds)
{
	my $before_reset = end_load(begin_load('keyed', 100, $many));

	run_in_sessions($x, @sessions);
	value("SELECT pool_perf.reset(dbid => $dbid)");
	is(value("SELECT count(*) FROM pool_perf.queries(false) WHERE dbid = $dbid"),
		0, "by database, round $round: nothing from before, neither of $before_reset shapes nor <other>");
	run_in_sessions($x, @sessions);
	is(calls_of('keyed'), $per_round, 'all from after it');
	my $after_reset = end_load(begin_load('keyed', 50, $many));
	is(calls_of('keyed'), $per_round + $after_reset, 'evicted or not');
}
$processed = end_load($load);
is(calls_of('load'), $load_before + $processed, 'nothing of the load is lost');
is(calls_of('bystander'), $bystander, 'nothing of another database');
cmp_ok(value('SELECT evictions FROM pool_perf.info'), '>', 2000, 'evictions took part');
is(value('SELECT stats_reset FROM pool_perf.info'), $reset_of_all, 'no reset of all');

#
# Of all
#
$load_before = calls_of('load');
$load = begin_load('load', $endless, $many);
my $gone = 0;
for my $round (1 .. $rounds)
{
	end_load(begin_load('keyed', 100, $many));
	run_in_sessions($x, @sessions);
	$in_bystander->query_safe("$x\n" x 23);
	$gone = calls_of('load') if $round == 1;
	my $reset_at = value('SELECT pool_perf.reset()');
	is(value("SELECT count(*) FROM pool_perf.queries(false) WHERE datname IN ('keyed', 'bystander')"),
		0, "of all, round $round: nothing from before");
	is(value('SELECT stats_reset FROM pool_perf.info'), $reset_at, 'stats_reset is the time that it returned');
	run_in_sessions($x, @sessions);
	$in_bystander->query_safe("$x\n" x 24);
	is(calls_of('keyed'), $per_round, 'all from after it');
	is(calls_of('bystander'), 24, 'in other databases too');
}
$processed = end_load($load);
cmp_ok(calls_of('load'), '<=', $processed + $load_before - $gone, 'what the load had run before is gone');
value('SELECT pool_perf.reset()');
is(calls_of('load'), 0, 'nothing comes later');
$processed = end_load(begin_load('load', 200, $many));
is(calls_of('load'), $processed, 'and all counts again');
is(value('SELECT events_dropped FROM pool_perf.info'), 0, 'nothing was dropped');

#
# Who may, and what is not undone
#
$node->safe_psql('postgres', 'CREATE ROLE pp_plain LOGIN');
$in_bystander->query_safe("$x\n" x 5);
my ($rc, $out, $err) = $node->psql('postgres', 'SELECT pool_perf.reset()', extra_params => [ '-U', 'pp_plain' ]);
like($err, qr/permission denied for function reset/, 'not for everybody');
is(calls_of('bystander'), 5, 'and nothing is reset');
$node->safe_psql('postgres', 'BEGIN; SELECT pool_perf.reset(); ROLLBACK');
is(calls_of('bystander'), 0, 'a reset in a transaction that is rolled back');
$_->quit for @sessions, $as_tester, $in_bystander;

#
# A reset is saved soon
#
$node->restart;
$node->safe_psql('keyed', "$x\n" x 40);
$node->safe_psql('bystander', "$y\n" x 41);
$node->restart;
is(calls_of('keyed', $is_x), 40, 'counts survive a restart');
is(calls_of('bystander', $is_y), 41, 'in all databases');
my $reset_at = value("SELECT pool_perf.reset(dbid => $dbid)");
$node->poll_query_until('postgres', "SELECT saved_at > '$reset_at' FROM pool_perf.info") or die 'not saved';
$node->stop('immediate');
$node->start;
is(calls_of('keyed'), 0, 'what was reset by database is not back after a crash');
is(calls_of('bystander', $is_y), 41, 'the rest is');

$reset_at = value('SELECT pool_perf.reset()');
$node->poll_query_until('postgres', "SELECT saved_at > '$reset_at' FROM pool_perf.info") or die 'not saved';
$node->safe_psql('keyed', "$x\n" x 5);
PoolPerf::kill9($node);
$node->start;
is(calls_of('bystander'), 0, 'nor what was reset with all, after kill -9');
is(calls_of('keyed', $is_x), 0, 'nor what came after the save');
is(value('SELECT stats_reset FROM pool_perf.info'), $reset_at, 'stats_reset is kept');

$node->stop;
done_testing();
