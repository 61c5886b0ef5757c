# With as little memory as can be set, 20,000 statement shapes and more texts
# than there is room for: nothing fails, every run is counted.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use IPC::Run;
use PoolPerf;
use PostgreSQL::Test::Utils;
use Test::More;

my $columns = 142;
my $clients = 8;

my $node = PoolPerf::cluster('small_memory', create => 1, conf => q(
max_connections = 40
fsync = off
autovacuum = off
log_statement = none
pool_perf.max_queries = 100
pool_perf.text_memory = 256kB
));

sub value
{
	my ($query) = @_;
	return $node->safe_psql('postgres', $query);
}

sub script
{
	my ($name, $text) = @_;
	my $file = "$PostgreSQL::Test::Utils::tmp_check/$name.pgbench";

	append_to_file($file, $text);
	return $file;
}

# Starts pgbench in a database
sub begin_load
{
	my ($database, @arguments) = @_;
	my %load = (out => '', err => '');

	$load{run} = IPC::Run::start [ $node->installed_command('pgbench'), '-n', '-j', '2', '-c', $clients,
		'-D', 'n=0', @arguments, $node->connstr($database) ],
	  '>', \$load{out}, '2>', \$load{err};
	return \%load;
}

# Waits for the end and returns what pgbench says that it ran.
sub end_load
{
	my ($load) = @_;

	$load->{run}->finish or die "pgbench failed: $load->{out}$load->{err}";
	$load->{out} =~ /^number of transactions actually processed: (\d+)/m
	  or die "pgbench did not say what it ran: $load->{out}$load->{err}";
	return $1;
}

my @databases = qw(one two three four);
$node->safe_psql('postgres', 'CREATE DATABASE one');
$node->safe_psql('one', 'CREATE TABLE wide ('
	  . join(', ', map { "c$_ int DEFAULT $_" } 0 .. $columns - 1)
	  . '); INSERT INTO wide DEFAULT VALUES; ANALYZE wide');
$node->safe_psql('postgres', "CREATE DATABASE $_ TEMPLATE one") for @databases[ 1 .. 3 ];

my $numbers = qq(
\\set n :n + 1
\\set i :n * $clients + :client_id
\\set x (:i / $columns) % $columns
\\set y :i % $columns
);
my $all = join(', ', map { "c$_" } 0 .. $columns - 1);
my $short = script('short', $numbers . "SELECT c:x, c:y FROM wide;\n");
# about 700 bytes, three chunks; and more than the 4 kB that are kept
my $long = script('long', $numbers . "SELECT $all, c:x, c:y FROM wide;\n");
my $longest = script('longest', $numbers . 'SELECT c:x, c:y, ' . join(', ', ($all) x 7) . " FROM wide;\n");

# More databases than have <other> rows of their own when there is so little
# room: the sum over all is exact, that of each database can only be less.
value('SELECT pool_perf.reset()');
my @loads = map { begin_load($_, '-t', $_ eq 'one' ? 2600 : 300, '-f', "$short\@8", '-f', "$long\@3", '-f', "$longest\@1") }
  @databases;
my @processed = map { end_load($_) } @loads;
my $processed = 0;
$processed += $_ for @processed;

# The reset itself is the one execution that came on top
is(value('SELECT sum(calls) FROM pool_perf.queries'), $processed + 1, 'sum of calls is what pgbench ran');
is(value('SELECT sum(pool_perf.calls(histogram)) FROM pool_perf.queries(false)'), $processed + 2, 'in histograms too');
is(value('SELECT sum(calls) FROM pool_perf.databases'), $processed + 3, 'in the view databases too');
is(value("SELECT sum(failed_calls) FROM pool_perf.queries"), 0, 'nothing failed');
for my $i (0 .. $#databases)
{
	cmp_ok(value("SELECT sum(calls) FROM pool_perf.queries(false) WHERE datname = '$databases[$i]'"), '<=', $processed[$i],
		"no foreign calls in database $databases[$i]");
}
is( value(q(SELECT count(*) FROM pool_perf.queries
	WHERE pool_perf.calls(histogram) <> calls OR within_5s > calls OR p999_time > max_time OR min_exec_time > mean_exec_time)),
	0, 'no row contradicts itself');

cmp_ok(value('SELECT evictions FROM pool_perf.info'), '>', 15_000, 'nearly everything was evicted');
cmp_ok(value('SELECT queries FROM pool_perf.info'), '<=', 100 + 32 * 9, 'as many rows as there is room');
cmp_ok(value('SELECT texts_dropped FROM pool_perf.info'), '>', 0, 'dropped texts are counted');
cmp_ok(value('SELECT texts_cut FROM pool_perf.info'), '>', 0, 'cut texts are counted');
is(value('SELECT events_dropped FROM pool_perf.info'), 0, 'no execution was dropped');
is(value("SELECT count(*) FROM pool_perf.memory WHERE used_bytes > max_bytes OR entries > max_entries"),
	0, 'no component is more than full');
is( value(q(SELECT dropped = (SELECT texts_dropped FROM pool_perf.info) FROM pool_perf.memory WHERE component = 'texts')),
	't', 'the view memory counts the same');

# A statement that runs has its text, however full the memory is
for my $i (1 .. 40)
{
	$node->safe_psql('one', "SELECT c$i AS again, c0, now() FROM wide");
	is(value("SELECT count(*) FROM pool_perf.queries WHERE query = 'SELECT c$i AS again, c0, now() FROM wide'"),
		1, "text of statement $i is there")
	  or last;
}

# Nobody was told of anything
unlike(slurp_file($node->logfile), qr/WARNING|ERROR|PANIC|FATAL/, 'nothing in the log');

# What is evicted comes and goes with a restart, the sum does not
my $sum = 'SELECT sum(calls) FROM pool_perf.queries(false)';
my $before = value($sum);
$node->restart;
is(value($sum), $before + 1, 'a restart keeps the sum');

$node->stop;
done_testing();
