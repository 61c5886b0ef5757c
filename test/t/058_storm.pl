# A storm of slow statements, 200 a second, no two of them alike, a third of which
# fail: the log, the memory and the tables stay as large as they may be, what is not
# kept is counted, and those who read meanwhile see sums that never go down

use strict;
use warnings FATAL => 'all';

use FindBin;
use IO::Select;
use lib "$FindBin::RealBin/../perl";
use PoolPerf;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;
use Time::HiRes qw(sleep time);

my $clients = 8;
my $rate = 200;
my $warm_up = 900;
my $storm = 20 * $rate;

# Only the sessions of the storm have slow statements
my $node = PoolPerf::cluster(
	'main',
	create => 1,
	conf => "autovacuum = off\nlog_statement = none\nlog_min_error_statement = panic\n"
	  . join('', map { "pool_perf.${_}_min_duration = -1\n" } qw(log alert critical)));
plan skip_all => 'needs Unix sockets' unless -S $node->host . '/.s.PGSQL.' . $node->port;
$node->safe_psql('postgres', 'CREATE DATABASE storm');

sub value { return $node->safe_psql('postgres', $_[0]) }

# The n-th statement: signs and casts are part of a query, values are not
sub statement
{
	my ($n) = @_;
	my $shape = join('', map { $n >> $_ & 1 ? ' + 1' : ' - 1' } 0 .. 12);
	return "SELECT pg_sleep(0.005), " . ($n % 3 == 0 ? '1 / length(version()) / 0' : 1) . "$shape AS n$n";
}

my @storming = map { Session->new($node, database => 'storm', settings => [ map { "pool_perf.${_}_min_duration=0" } qw(log alert) ]) } 1 .. $clients;

# What readers see: numbers that never go down, and whether the rest makes sense
my %reads = (
	queries => q{SELECT sum(calls), sum(failed_calls), bool_and(calls >= failed_calls) FROM pool_perf.queries WHERE datname = 'storm'},
	errors => q{SELECT sum(errors), bool_and(sqlstate = '22012' OR query = '<other>') FROM pool_perf.errors WHERE datname = 'storm'},
	slow_queries => q{SELECT bool_and(query ~ '^SELECT pg_sleep\(\$1\), .* AS n\d+$' AND datname = 'storm' AND (outcome = 'ok') = (sqlstate IS NULL) AND total_time >= exec_time)
		AND count(*) = count(DISTINCT slow_query_id) AND count(*) <= 1000 AND sum(length(plan)) >= 0 FROM pool_perf.slow_queries},
	alerts => q{SELECT max(alert_id), count(*) = count(DISTINCT alert_id) AND count(*) <= 500 AND bool_and((severity = 'warning' OR kind = 'error_rate') AND evidence IS NOT NULL) FROM pool_perf.alerts},
	memory => q{SELECT dropped FROM pool_perf.memory ORDER BY component},
	info => q{SELECT lock_waits, max_lock_wait_time, evictions, flushes, events_dropped, log_lines_suppressed, slow_query_errors FROM pool_perf.info},
	running_queries => q{SELECT count(*) >= 0 FROM pool_perf.running_queries});
my @order = sort keys %reads;
my @readers = map { { session => Session->new($node), next => $_ * 3 } } 0, 1;
my (%seen, %times_read, @wrong);

sub check_read
{
	my ($reader) = @_;
	my $answer = $reader->{session}->answer;
	my $what = delete $reader->{reads};
	my @now = map { split(/\|/, $_, -1) } @{ $answer->{rows} };
	my $before = $reader->{seen}{$what} //= [];

	push @wrong, "$what: $answer->{error} $answer->{message}" if $answer->{error};
	$times_read{$what}++;
	for my $i (0 .. $#now)
	{
		# nothing is there yet
		next if $now[$i] eq '' || $now[$i] eq 't';
		push @wrong, "$what: number $i is $now[$i]" . (defined $before->[$i] ? " after $before->[$i]" : '')
		  if $now[$i] eq 'f' || $now[$i] < ($before->[$i] // 0);
		$before->[$i] = $now[$i];
	}
}

# Runs so many statements, at the rate, while the readers read
my ($begun, $failed) = (0, 0);
sub run
{
	my ($count, $pace) = @_;
	my ($start, $done, $sent) = (time, 0, 0);
	my %busy;

	while ($done < $count)
	{
		my $due = $pace ? int((time - $start) * $pace) + 1 : $count;
		foreach my $client (grep { !$busy{$_} } @storming)
		{
			last if $sent >= $count || $sent >= $due;
			$client->send(Session::Query(statement($begun + $sent++)));
			$busy{$client} = 1;
		}
		foreach my $reader (grep { !defined $_->{reads} } @readers)
		{
			$reader->{reads} = $order[ $reader->{next}++ % @order ];
			$reader->{session}->send(Session::Query($reads{ $reader->{reads} }));
		}
		my $select = IO::Select->new(map { $_->{socket} } @storming, map { $_->{session} } @readers);
		my %ready = map { $_ => 1 } $select->can_read(0.002);
		foreach my $client (grep { $busy{$_} && $ready{ $_->{socket} } } @storming)
		{
			my $error = $client->answer->{error};
			$failed++ if $error eq '22012';
			push @wrong, "a statement: $error" if $error !~ /^(?:22012|)$/;
			delete $busy{$client};
			$done++;
		}
		check_read($_) foreach grep { $ready{ $_->{session}{socket} } } @readers;
	}
	$begun += $count;
	check_read($_) foreach grep { defined $_->{reads} } @readers;
	return time - $start;
}

# Memory of a process that is its own, in kB
sub own_memory
{
	my ($pid) = @_;
	return slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+) kB/m ? $1 : die "no RssAnon of $pid";
}

# Waits until the worker has heard of all that ended
sub settle
{
	$node->poll_query_until('postgres', q{SELECT NOT EXISTS (SELECT FROM pool_perf.alerts WHERE is_open AND kind = 'slow_query')}) or die 'alerts stay open';
	return;
}

my $shared = q{SELECT string_agg(name || ' ' || allocated_size, ',' ORDER BY name) FROM pg_shmem_allocations WHERE name <> '<anonymous>' AND name IS NOT NULL};
my $memory = q{SELECT string_agg(component || ' ' || max_bytes || ' ' || max_entries, ',' ORDER BY component) FROM pool_perf.memory};

sub shared_size { return slurp_file('/proc/' . $node->{_pid} . '/status') =~ /^VmSize:\s+(\d+) kB/m ? $1 : die 'no VmSize' }
my ($worker) = PoolPerf::processes($node, qr/pool_perf worker/);
my ($allocated, $maximum, $size) = (value($shared), value($memory), shared_size());

# Until all tables have been full
my $took = run($warm_up, 0);
settle();
my %own = map { $_ => own_memory($_) } $worker, map { $_->pid } @storming;
my $time = run($storm, $rate);
settle();
$took += $time;
note(sprintf('%d statements in %.1f s, read %s', $storm, $time, join(', ', map { "$_ $times_read{$_} times" } @order)));

is($begun, $warm_up + $storm, 'so many executions');
cmp_ok($failed, '>', $begun / 4, 'many of them failed');
is(join("\n", @wrong[ 0 .. ($#wrong < 9 ? $#wrong : 9) ]), '', 'readers read without an error, and what they saw never went down');
is(join(',', grep { $times_read{$_} < 2 } @order), '', 'all the time');

# Each execution is accounted for
is(value(q{SELECT sum(calls), sum(failed_calls) FROM pool_perf.queries WHERE datname = 'storm'}), "$begun|$failed", 'queries: each execution counted, each failure too');
cmp_ok(value(q{SELECT count(*) FROM pool_perf.queries WHERE datname = 'storm' AND query <> '<other>'}), '>', $begun * 0.8, 'hardly two of them alike');
is(value(q{SELECT sum(errors) FROM pool_perf.errors WHERE datname = 'storm'}), $failed, 'errors: each counted');
is(value(q{SELECT entries <= max_entries AND (dropped > 0) = (SELECT count(*) > 0 FROM pool_perf.errors WHERE query = '<other>') FROM pool_perf.memory WHERE component = 'errors'}), 't', 'in no more rows than there may be');
is(value(q{SELECT count(*) + (SELECT dropped FROM pool_perf.memory WHERE component = 'slow_queries') FROM pool_perf.slow_queries}), $begun, 'slow_queries: each is there or counted as dropped');
is(value(q{SELECT count(*) FROM pool_perf.slow_queries}), 800, 'the last 800, as none was critical');
is(value(q{SELECT count(*), max(alert_id) - count(*) = (SELECT dropped FROM pool_perf.memory WHERE component = 'alerts') FROM pool_perf.alerts}), '500|t', 'alerts: 500, and what fell out is counted');
# what found no place in the ring, or fell out before the worker's next look, raises none
my $raised = value(q{SELECT max(alert_id) - count(*) FILTER (WHERE kind <> 'slow_query') FROM pool_perf.alerts});
note("$raised statements raised an alert");
cmp_ok($raised, '<=', $begun, 'and none raised two');
is(value(q{SELECT max(occurrences) FROM pool_perf.alerts WHERE kind = 'slow_query'}), 1, 'or its own twice');
is(value(q{SELECT events_dropped, slow_query_errors FROM pool_perf.info}), '0|0', 'nothing else is lost');

# The log
my $log = slurp_file($node->logfile);
my $durations = () = $log =~ /LOG:  duration: /g;
my $plans = () = $log =~ /LOG:  plan of a slow execution/g;
my $alerts = () = $log =~ /LOG:  alert /g;
my $minutes = 1 + int($took / 60);
note("$durations lines about executions, $plans plans, $alerts about alerts, in $minutes minute(s)");
is($durations + value('SELECT log_lines_suppressed FROM pool_perf.info'), $begun, 'log: each has its line or is counted as suppressed');
cmp_ok($durations + $plans, '<=', 120 * $minutes, 'with plans no more lines than pool_perf.log_rate_total');
cmp_ok($durations, '>', 40, 'but some');
cmp_ok($alerts, '<=', 60 * $minutes, 'and few about alerts');

# Memory
is(value($shared), $allocated, 'shared memory is what it was');
is(value($memory), $maximum, 'and memory says the same');
is(shared_size(), $size, 'the postmaster has mapped no more');
is((PoolPerf::processes($node, qr/pool_perf worker/))[0], $worker, 'the worker is the same');
note('own memory, kB: ' . join(', ', map { "$own{$_} -> " . own_memory($_) } $worker, map { $_->pid } @storming));
cmp_ok(own_memory($worker) - $own{$worker}, '<', 2048, 'and has not grown by what 4,000 statements would leave');
is(join(',', grep { own_memory($_) - $own{$_} > 1024 } map { $_->pid } @storming), '', 'nor have the sessions grown');

# A figure of a busy machine
note('lock waits and the longest, ms: ' . value('SELECT lock_waits, max_lock_wait_time FROM pool_perf.info'));

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal [4678]/, 'nothing crashed');
done_testing();
