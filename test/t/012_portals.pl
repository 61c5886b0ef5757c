# Portals of the extended protocol that run in steps and interleaved, and
# sessions that end with open cursors.  The client is a socket, since psql and
# pgbench run each portal to its end.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use IO::Socket::UNIX;
use PoolPerf;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PoolPerf::cluster('portals', create => 1, conf => q(
fsync = off
autovacuum = off
log_statement = none
));
plan skip_all => 'needs Unix sockets' unless -S $node->host . '/.s.PGSQL.' . $node->port;

# A message of the protocol
sub message
{
	my ($type, $body) = @_;
	return $type . pack('N', 4 + length $body) . $body;
}

sub read_exactly
{
	my ($socket, $length) = @_;
	my $data = '';

	while (length $data < $length)
	{
		sysread($socket, $data, $length - length $data, length $data)
		  or die 'the server closed the connection';
	}
	return $data;
}

# Reads up to ReadyForQuery, or until there were so many completions of
# executions.  Returns the rows, and what else came, as letters: s for
# PortalSuspended, C for CommandComplete, and the SQLSTATE of an error.
sub answer
{
	my ($socket, $executions) = @_;
	my @rows;
	my @events;

	for (;;)
	{
		my ($type, $length) = unpack('a N', read_exactly($socket, 5));
		my $body = read_exactly($socket, $length - 4);

		push @rows, unpack('x2 N/a', $body) if $type eq 'D';
		push @events, $type if $type eq 's' || $type eq 'C';
		push @events, $body =~ /C([0-9A-Z]{5})\0/ if $type eq 'E';
		last if $type eq 'Z' || (defined $executions && @events == $executions);
	}
	return join(',', @rows) . ' ' . join('', @events);
}

sub connect_raw
{
	my ($database, %options) = @_;
	my $socket = IO::Socket::UNIX->new($node->host . '/.s.PGSQL.' . $node->port) or die "could not connect: $!";
	my $user = $node->safe_psql('postgres', 'SELECT current_user');
	my $body = pack('N', 196608) . join('', map { "$_\0" } ('user', $user, 'database', $database, %options)) . "\0";

	$socket->autoflush(1);
	syswrite($socket, pack('N', 4 + length $body) . $body);
	answer($socket);
	return $socket;
}

sub simple { return message('Q', "$_[0]\0"); }
sub parse { return message('P', "$_[0]\0$_[1]\0" . pack('n', 0)); }
sub bind_portal { return message('B', "$_[0]\0$_[1]\0" . pack('nnn', 0, 0, 0)); }
sub execute { return message('E', "$_[0]\0" . pack('N', $_[1])); }
sub close_portal { return message('C', "P$_[0]\0"); }
sub flush { return message('H', ''); }
sub sync { return message('S', ''); }

sub ask
{
	my ($socket, $executions, @messages) = @_;
	syswrite($socket, join('', @messages));
	return answer($socket, $executions);
}

# calls, failed calls and rows of the queries that match, by level
sub counted
{
	my ($pattern) = @_;
	return $node->safe_psql('postgres', qq(
		SELECT string_agg(format('%s: %s %s %s', CASE WHEN toplevel THEN 'top' ELSE 'nested' END, calls, failed, rows), ', '
		                  ORDER BY toplevel DESC)
		FROM (SELECT toplevel, sum(calls) AS calls, sum(failed_calls) AS failed, sum(rows) AS rows
		      FROM pool_perf.queries WHERE query ~ '$pattern' AND query !~ 'pool_perf' GROUP BY 1) q));
}

for my $track (qw(top all))
{
	my $s = connect_raw('postgres', options => "-c pool_perf.track=$track");

	$node->safe_psql('postgres', 'SELECT pool_perf.reset()');
	is( ask($s, undef,
			parse('steps', 'SELECT k AS in_steps FROM generate_series(1, 10) k'),
			parse('more', 'SELECT -k AS interleaved FROM generate_series(1, 10) k'),
			parse('fails', 'SELECT 10 / (k - 5) AS fails_late FROM generate_series(1, 10) k'),
			parse('check', 'SELECT 0 AS nesting_level'),
			sync()),
		' ', "track = $track: statements are parsed");

	# one portal in steps, in one round trip
	is(ask($s, undef, bind_portal('', 'steps'), execute('', 3), execute('', 4), execute('', 5), sync()),
		'1,2,3,4,5,6,7,8,9,10 ssC', 'a portal in three steps');
	is(counted('in_steps'), 'top: 1 0 10', 'is one call');

	# with a round trip for each step
	ask($s, undef, simple('BEGIN'));
	is(ask($s, 1, bind_portal('a', 'steps'), execute('a', 3), flush()), '1,2,3 s', 'a step');
	is(counted('in_steps'), 'top: 1 0 10', 'is not counted before the end');
	is(ask($s, undef, sync()), ' ', 'Sync in a transaction');
	is(ask($s, undef, execute('a', 3), sync()), '4,5,6 s', 'the next step, in another message');

	# another one between the steps, and a simple query
	is(ask($s, undef, bind_portal('b', 'more'), execute('b', 2), sync()), '-1,-2 s', 'another portal between');
	is(ask($s, undef, execute('a', 1), execute('b', 1), execute('a', 1), sync()), '7,-3,8 sss', 'in turn');
	is(ask($s, undef, simple('SELECT 0 AS nesting_level')), '0 C', 'a simple query while both are open');
	is(ask($s, undef, close_portal('a'), sync()), ' ', 'the first is closed');
	is(counted('in_steps'), 'top: 2 0 18', 'and counted, with its rows so far');
	is(counted('interleaved'), '', 'the other one is not');
	is(ask($s, undef, execute('b', 0), sync()), '-4,-5,-6,-7,-8,-9,-10 C', 'it runs to its end');
	is(counted('interleaved'), '', 'its portal is open still');
	ask($s, undef, simple('COMMIT'));
	is(counted('interleaved'), 'top: 1 0 10', 'until COMMIT');
	is(ask($s, undef, bind_portal('', 'check'), execute('', 0), sync()), '0 C', 'after it');

	# open at ROLLBACK, which is no failure; bound and never run
	ask($s, undef, simple('BEGIN'));
	ask($s, undef, bind_portal('a', 'steps'), execute('a', 3), bind_portal('c', 'more'), sync());
	ask($s, undef, simple('ROLLBACK'));
	is(counted('in_steps'), 'top: 3 0 21', 'open at ROLLBACK');
	is(counted('interleaved'), 'top: 2 0 10', 'bound and never run');

	# the second step fails; another portal is dropped with it
	ask($s, undef, simple('BEGIN'));
	is(ask($s, undef, bind_portal('a', 'steps'), execute('a', 1), bind_portal('f', 'fails'), execute('f', 3), sync()),
		'1,-2,-3,-5 ss', 'a step that does not fail yet');
	is(ask($s, undef, execute('f', 3), execute('a', 1), sync()), '-10 22012', 'one that does');
	is(counted('fails_late'), 'top: 1 1 3', 'failed once, with the rows of the step that ended');
	is(counted('in_steps'), 'top: 4 0 22', 'the other portal has not failed');
	ask($s, undef, simple('ROLLBACK'));
	is(ask($s, undef, bind_portal('', 'check'), execute('', 0), sync()), '0 C', 'after it');

	# in a savepoint, with a portal that was opened before
	ask($s, undef, simple('BEGIN'));
	ask($s, undef, bind_portal('a', 'steps'), execute('a', 2), sync());
	ask($s, undef, simple('SAVEPOINT s'));
	ask($s, undef, bind_portal('b', 'more'), execute('b', 2), sync());
	ask($s, undef, bind_portal('f', 'fails'), execute('f', 0), sync());
	is(counted('fails_late'), 'top: 2 2 3', 'fails in a savepoint');
	is(counted('interleaved'), 'top: 3 0 12', 'which drops what was opened in it');
	is(counted('in_steps'), 'top: 4 0 22', 'and nothing else');
	ask($s, undef, simple('ROLLBACK TO s'));
	is(ask($s, undef, execute('a', 2), sync()), '3,4 s', 'which goes on');
	ask($s, undef, simple('COMMIT'));
	is(counted('in_steps'), 'top: 5 0 26', 'and is counted at COMMIT');

	# an unnamed portal is replaced by the next Bind
	ask($s, undef, simple('BEGIN'));
	ask($s, undef, bind_portal('', 'steps'), execute('', 1), bind_portal('', 'more'), execute('', 1), sync());
	is(counted('in_steps'), 'top: 6 0 27', 'an unnamed portal that is replaced');
	ask($s, undef, simple('COMMIT'));
	is(counted('interleaved'), 'top: 4 0 13', 'and what replaced it');

	# COMMIT while portals are suspended, in the same round trip
	ask($s, undef, parse('begin', 'BEGIN'), parse('commit', 'COMMIT'), sync());
	is( ask($s, undef, bind_portal('', 'begin'), execute('', 0), bind_portal('a', 'steps'), execute('a', 1),
			bind_portal('b', 'more'), execute('b', 1), bind_portal('', 'commit'), execute('', 0), sync()),
		'1,-1 CssC', 'BEGIN, two portals and COMMIT in one round trip');
	is(counted('in_steps'), 'top: 7 0 28', 'the first portal');
	is(counted('interleaved'), 'top: 5 0 14', 'the second');

	# the session ends with open portals and cursors, in each way that it can
	ask($s, undef, simple('BEGIN; DECLARE left_open CURSOR FOR SELECT k FROM generate_series(1, 10) k; FETCH 2 FROM left_open'));
	ask($s, undef, bind_portal('a', 'steps'), execute('a', 1), sync());
	ask($s, undef, bind_portal('', 'check'), execute('', 0), sync());
	close($s);
	$node->poll_query_until('postgres',
		"SELECT sum(calls) = 8 AND sum(rows) = 29 FROM pool_perf.queries WHERE query ~ 'in_steps'")
	  or diag(counted('in_steps'));
	is(counted('in_steps'), 'top: 8 1 29', 'open when the client is gone: failed');
	is(counted('^FETCH'), 'top: 1 0 2', 'its cursor');
	is(counted('nesting_level'), 'top: 4 0 4', 'one that had run to its end has not');

	$s = connect_raw('postgres', options => "-c pool_perf.track=$track");
	ask($s, undef, simple('BEGIN'));
	ask($s, undef, parse('steps', 'SELECT k AS in_steps FROM generate_series(1, 10) k'),
		bind_portal('a', 'steps'), execute('a', 1), sync());
	$node->safe_psql('postgres',
		q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'));
	$node->poll_query_until('postgres',
		"SELECT sum(calls) = 9 AND sum(rows) = 30 FROM pool_perf.queries WHERE query ~ 'in_steps'")
	  or diag(counted('in_steps'));
	is(counted('in_steps'), 'top: 9 2 30', 'open when the session is terminated: failed');
	close($s);
}

# What was counted by sessions that are gone is there after a restart
my $before = counted('in_steps');
$node->restart;
is(counted('in_steps'), $before, 'after a restart');

$node->stop;
done_testing();
