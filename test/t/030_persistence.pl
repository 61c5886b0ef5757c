# What a restart, a crash, a bad file, a full disk and a copy of the server
# leave of the statistics.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use PoolPerf;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

# Nothing saves but a shutdown and what asks for it; the reader's database is
# left out of what is compared, since reading is counted too
my $node = PoolPerf::cluster('kept', allows_streaming => 1, start => 1, conf => qq(
autovacuum = off
log_statement = none
max_connections = 30
restart_after_crash = on
track_io_timing = on
work_mem = 64kB
pool_perf.max_queries = 500
pool_perf.save_interval = -1
pool_perf.track = 'all'
));
my $file = $node->data_dir . '/pg_stat_tmp/pool_perf.stat';
my $aside = "$file.damaged";
my $rows = "SELECT q::text FROM pool_perf.queries AS q WHERE q.datname IS DISTINCT FROM 'reader' ORDER BY 1";

$node->safe_psql('postgres', "CREATE DATABASE $_") foreach qw(reader app small1 small2 small3 small4);
$node->safe_psql('reader', 'CREATE EXTENSION pool_perf');

sub value
{
	my ($query, $server) = @_;
	return ($server // $node)->safe_psql('reader', $query);
}

# Statements of as many shapes
sub shapes
{
	my ($n) = @_;
	return join('', map { my $i = $_; 'SELECT 1' . join('', map { $i >> $_ & 1 ? '+1' : '-1' } 0 .. 10) . ";\n" } 1 .. $n);
}

# Are these the same lines, but for those that match?
sub same_rows
{
	my ($after, $before, $but, $name) = @_;
	my @after = grep { !/$but/ } split(/\n/, $after);
	my @before = grep { !/$but/ } split(/\n/, $before);
	my (%after, %before);

	@after{@after} = @before{@before} = ();
	my @gone = grep { !exists $after{$_} } @before;
	my @new = grep { !exists $before{$_} } @after;
	ok(@before > 0 && @gone == 0 && @new == 0, $name)
	  or diag(scalar(@before) . " rows before, " . scalar(@after) . " after\n",
		map { substr($_, 0, 400) . "\n" } (map { "- $_" } splice(@gone, 0, 5)), (map { "+ $_" } splice(@new, 0, 5)));
}

sub log_size { return -s $node->logfile; }

# How often this is in the log since then
sub logged
{
	my ($regexp, $since) = @_;
	my @found = slurp_file($node->logfile, $since) =~ /$regexp/g;
	return scalar(@found);
}

# Becomes true, if it ever does
sub becomes
{
	my ($condition) = @_;

	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return 1 if $condition->();
		usleep(100_000);
	}
	return 0;
}

# Waits until what was counted before is saved, where something saves
sub wait_for_save
{
	my ($server) = @_;
	my $now = value('SELECT clock_timestamp()', $server);

	($server // $node)->poll_query_until('reader', "SELECT saved_at > '$now' FROM pool_perf.info")
	  or die 'no save';
}

sub set_interval
{
	my ($interval) = @_;
	$node->safe_psql('reader', "ALTER SYSTEM SET pool_perf.save_interval = '$interval'");
	$node->reload;
}

#
# A restart
#

$node->safe_psql('app', q{
	CREATE ROLE someone;
	CREATE TABLE t AS SELECT i, md5(i::text) AS m FROM generate_series(1, 5000) AS i;
	SELECT count(*) FROM (SELECT m FROM t ORDER BY m) AS s;
	CREATE TEMP TABLE l AS SELECT * FROM t;
	DO $$ BEGIN FOR i IN 1 .. 3 LOOP BEGIN PERFORM 1 / (i - 2) FROM t LIMIT 1; EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END $$;
	SELECT i AS "é ü €" FROM t LIMIT 2;
	SET ROLE someone;
	SELECT current_user;
	SET jit = on;
	SET jit_above_cost = 0;
	SELECT sum(i) FROM generate_series(1, 10) AS i;
});
$node->psql('app', 'SELECT 1 / 0');
$node->safe_psql($_, "SELECT '$_'") foreach qw(small1 small2 small3 small4);
$node->safe_psql('app', shapes(2000));
my $idle = $node->background_psql('app');
$idle->query_safe('SELECT m FROM t LIMIT 0') for 1 .. 3;
my $active = $node->background_psql('app');
$active->query_until(qr/begun/, "\\echo begun\nSELECT pg_sleep(6000);\n");
$node->poll_query_until('reader',
	"SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep' AND wait_event = 'PgSleep'");

my $reset = value('SELECT stats_reset FROM pool_perf.info');
cmp_ok(value('SELECT evictions FROM pool_perf.info'), '>', 1000, 'the table overflows');
# The table is full: nothing new is run from here on
value($rows);
my $before = value($rows);
like($before, qr/<other>/, 'and has rows for what it evicted');
like($before, qr/SELECT m FROM t LIMIT|select m from t limit/i, 'what a session has not handed in is seen');
unlike($before, qr/pg_sleep/, 'a statement that runs is not counted yet');
ok(!-e $file, 'nothing was saved yet');

$node->stop('fast');
ok(-s $file, 'a shutdown saves');
my $since = log_size();
$node->start;
my $after = value($rows);
same_rows($after, $before, qr/pg_sleep/, 'a fast restart keeps every column of every row');
is(value("SELECT calls, failed_calls FROM pool_perf.queries WHERE query ~ 'pg_sleep'"), '1|1', 'and what it ended is there as failed');
is(value('SELECT stats_reset FROM pool_perf.info'), $reset, 'the time of the last reset too');
is(logged(qr/statistics/, $since), 0, 'and nothing is logged');
is(value(q{SELECT count(*) FROM pool_perf.queries WHERE pool_perf.calls(histogram) <> calls}), 0, 'no histogram is');
is(value(q{SELECT bool_and(last_seen >= first_seen AND first_seen > now() - interval '1 day') FROM pool_perf.queries}), 't', 'nor a time');

$before = value($rows);
$node->stop('smart');
$node->start;
same_rows(value($rows), $before, qr/^$/, 'a smart one does too');

$node->safe_psql('app', 'TABLE t LIMIT 3');
$node->stop('immediate');
$node->start;
same_rows(value($rows), $before, qr/^$/, 'an immediate one goes back to the last save');

# The sum as it is before this query has ended; a smaller table and less room
# for texts keep it, and so does more
my $sum = 'SELECT sum(calls) FROM pool_perf.queries(false)';
my $counted = value($sum);
foreach my $size ('100, 256kB', '1000, 8MB', '500, 8MB')
{
	my ($queries, $memory) = split(/, /, $size);

	$node->stop;
	$node->append_conf('postgresql.conf', "pool_perf.max_queries = $queries\npool_perf.text_memory = $memory");
	$node->start;
	is(value($sum), ++$counted, "no call is lost with room for $queries queries and $memory of texts");
}

# psql has seen its server go
$_->{run}->kill_kill foreach $idle, $active;

#
# When it saves
#

sub file_id { return join(' ', (stat $file)[ 1, 7, 9 ]); }

# Two intervals of a second, and some more
sub stays
{
	my $id = file_id();
	my $end = time + 2.5;

	while (time < $end)
	{
		return 0 if file_id() ne $id;
		usleep(100_000);
	}
	return 1;
}

my $id = file_id();
$node->safe_psql('app', 'TABLE t LIMIT 4');
ok(stays(), 'without an interval nothing is saved, though something changed');
set_interval('1s');
ok(becomes(sub { file_id() ne $id }), 'with an interval it is');

# The last save may have begun before the end of the last statement
$id = '';
becomes(sub { my $last = $id; $id = file_id(); usleep(1_500_000) if $id ne $last; $id eq $last; });
ok(stays(), 'nothing is written when nothing has changed');
$node->safe_psql('app', 'TABLE t LIMIT 5');
ok(becomes(sub { file_id() ne $id }), 'one statement is a change');
set_interval('-1');

$before = value("SELECT pool_perf.reset(NULL, oid) FROM pg_database WHERE datname = 'app'");
$node->poll_query_until('reader', "SELECT saved_at > '$before' FROM pool_perf.info");
pass('a reset is saved soon');

#
# Crashes
#

set_interval('1s');
foreach my $victim ('a backend', 'the worker', 'the postmaster')
{
	my $session = $node->background_psql('app');
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	$pid =~ s/\D//g;
	$session->query_safe('SELECT count(m), count(i) FROM t') for 1 .. 20;
	my $saved = value($rows);
	my $calls = value("SELECT sum(calls) FROM pool_perf.queries WHERE datname = 'app'");
	wait_for_save();
	$session->query_safe('VALUES (1, 2, 3), (4, 5, 6)');

	$since = log_size();
	if ($victim eq 'the postmaster')
	{
		PoolPerf::kill9($node);
		$node->start;
	}
	else
	{
		($pid) = PoolPerf::processes($node, qr/pool_perf worker/) if $victim eq 'the worker';
		is(kill('KILL', $pid), 1, "$victim is killed");
		$node->wait_for_log(qr/all server processes terminated; reinitializing/, $since);
	}
	$session->{run}->kill_kill;
	$node->poll_query_until('reader', 'SELECT true');
	same_rows(value($rows), $saved, qr/VALUES/i, "the crash of $victim loses nothing that was saved");
	cmp_ok(value("SELECT sum(calls) FROM pool_perf.queries WHERE datname = 'app'"), '>=', $calls, 'sums neither');
	is(logged(qr/statistics/, $since), 0, 'without a word');
}
set_interval('-1');

#
# Bad files
#

sub write_file
{
	my ($path, $contents) = @_;

	open(my $out, '>:raw', $path) or die "could not write $path: $!";
	print $out $contents;
	close($out) or die "could not write $path: $!";
}

sub read_file
{
	my ($path) = @_;

	open(my $in, '<:raw', $path) or die "could not read $path: $!";
	local $/;
	my $contents = <$in>;
	close($in);
	return $contents // '';
}

my @crc_table = map { my $c = $_; $c = $c & 1 ? $c >> 1 ^ 0x82F63B78 : $c >> 1 for 1 .. 8; $c } 0 .. 255;

sub crc32c
{
	my $crc = 0xFFFFFFFF;

	$crc = $crc_table[ ($crc ^ $_) & 0xFF ] ^ $crc >> 8 foreach unpack('C*', $_[0]);
	return $crc ^ 0xFFFFFFFF;
}

# A file with these contents and the right header for them
my $header_size = 24;
my ($magic, $version);

sub packed
{
	my ($contents) = @_;
	return pack('a8 L L Q', $magic, $version, crc32c($contents), length $contents) . $contents;
}

value('SELECT pool_perf.reset()');
$node->safe_psql('app', shapes(20) . qq{SELECT 'é' AS "é" FROM t;});
$before = value($rows);
$node->stop;
my $good = read_file($file);
($magic, $version) = unpack('a8 L', $good);
my $contents = substr($good, $header_size);
is(packed($contents), $good, 'the file has a checksum, CRC-32C');
cmp_ok(length $contents, '>', 1000, 'and contents');

sub flipped
{
	my ($data, $at) = @_;
	substr($data, $at, 1) = chr(ord(substr($data, $at, 1)) ^ 1 << int(rand(8)));
	return $data;
}

# What is in the file, and why it is not used
srand(42);
my @bad = (
	[ 'an empty file', '', 'it is too short' ],
	[ 'part of a header', substr($good, 0, $header_size - 1), 'it is too short' ],
	[ 'a header only', substr($good, 0, $header_size), 'its length is wrong' ],
	[ 'half a file', substr($good, 0, length($good) / 2), 'its length is wrong' ],
	[ 'all but a byte', substr($good, 0, -1), 'its length is wrong' ],
	[ 'a byte too much', "$good\0", 'its length is wrong' ],
	[ 'a foreign file', "#!/bin/sh\n" x 1000, 'it is not a file of pool_perf' ],
	[ 'zeros', "\0" x 10000, 'it is not a file of pool_perf' ],
	[ 'another version', pack('a8 L', $magic, $version + 1) . substr($good, 12), 'it was written by another version of pool_perf' ],
	[ 'another byte order', pack('a8 N', $magic, $version) . substr($good, 12), 'it was written by another version of pool_perf' ],
	(map { [ "a flipped bit in byte $_", flipped($good, $_), 'its checksum is wrong' ] }
		13, $header_size, length($good) - 1, map { $header_size + int(rand(length $contents)) } 1 .. 2),
	[ 'a right checksum over nothing', packed(''), 'its contents make no sense' ],
	[ 'a right checksum over an endless number', packed("\xFF" x 1000), 'its contents make no sense' ],
	[ 'a right checksum over a row cut off', packed(substr($contents, 0, -20)), 'its contents make no sense' ],
	# The first number is the time of the last reset; this one is after the last year there is
	[ 'a right checksum over a time that is none', packed("\xFE" . "\xFF" x 7 . "\x7F" . $contents =~ s/^[\x80-\xFF]*[\x00-\x7F]//r), 'its contents make no sense' ],
	[ 'a right checksum over noise', packed(join('', map { chr(int(rand(256))) } 1 .. 5000)), 'its contents make no sense' ]);

foreach my $case (@bad)
{
	my ($name, $data, $reason) = @$case;

	write_file($file, $data);
	$since = log_size();
	$node->start;
	is(value($rows), '', "$name: the server starts with empty statistics");
	is(logged(qr/query statistics start empty: file "pg_stat_tmp\/pool_perf.stat" is not usable/, $since), 1, 'it says so once');
	is(logged(qr/DETAIL:  The file is kept as "pg_stat_tmp\/pool_perf.stat.damaged": $reason/, $since), 1, 'and why');
	ok(!-e $file && read_file($aside) eq $data, 'the file is kept aside');
	$node->stop('immediate');
}

# A row with more failed calls than calls, behind its text's encoding, cut mark and fingerprint
my $number = qr/[\x80-\xFF]*[\x00-\x7F]/;
my $contradictory = $contents =~ s/( AS "é" FROM t(?:$number){3}\x01)\x00/$1\x02/r;
isnt($contradictory, $contents, 'one row is made to contradict itself');
write_file($file, packed($contradictory));
unlink $aside;
$since = log_size();
$node->start;
is(value("SELECT count(*) FROM pool_perf.queries WHERE query ~ 'é'"), 0, 'it is not loaded');
same_rows(value($rows), $before, qr/é/, 'all other rows are');
is(logged(qr/LOG:  1 row of query statistics was not loaded\n.*DETAIL:  Numbers in file "pg_stat_tmp\/pool_perf.stat" contradict each other\./, $since), 1, 'and one line says so');
ok(-e $file && !-e $aside, 'the file is not kept aside');
$node->stop('immediate');

# A bit of the contents may be plausible: then it is only a wrong number
foreach my $i (1 .. 5)
{
	write_file($file, packed(flipped($contents, int(rand(length $contents)))));
	$node->start;
	value("SELECT * FROM pool_perf.$_") foreach ('queries', 'top_queries', 'databases', 'info', 'summary()');
	pass("a right checksum over a flipped bit, $i");
	$node->stop('immediate');
}

unlink $file, $aside;
mkdir $file or die "could not make $file: $!";
$node->start;
is(value($rows), '', 'a directory in its place: the server starts with empty statistics');
$node->safe_psql('app', 'TABLE t LIMIT 6');
$node->stop;
$since = log_size();
$node->start;
is(logged(qr/not usable/, $since), 0, 'what is saved after that is good again');
is(value("SELECT sum(calls) FROM pool_perf.queries WHERE datname = 'app'"), 1, 'and loaded');

#
# A disk that is full
#

my $complaint = qr/could not save query statistics to file "pg_stat_tmp\/pool_perf.stat"/;

set_interval('1s');
wait_for_save();
$since = log_size();
if (-c '/dev/full')
{
	symlink '/dev/full', "$file.new" or die "could not link $file.new: $!";
	$node->wait_for_log(qr/$complaint: No space left on device/, $since) if value('SELECT true');
	pass('a full disk is reported');
	wait_for_save();
	pass('and got over');
}

# Here it does not get over it
$since = log_size();
becomes(sub { mkdir "$file.new" }) or die "could not make $file.new: $!";
$node->safe_psql('app', 'VALUES (7)');
$node->wait_for_log(qr/$complaint/, $since);
my $saved_at = value('SELECT saved_at FROM pool_perf.info');

#
# A copy of the server, meanwhile
#

$node->backup('copy');
is(join(' ', glob($node->backup_dir . '/copy/pg_stat_tmp/*')), '', 'a base backup leaves the file out');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
is(value($rows, $standby), '', 'a standby starts with empty statistics');
$standby->safe_psql('app', 'SELECT 8 AS only_on_standby') for 1 .. 3;
is(value("SELECT calls FROM pool_perf.queries WHERE datname = 'app'", $standby), 3, 'it measures its own queries');
is(value("SELECT count(*) FROM pool_perf.queries WHERE query ~ 'only_on_standby'"), 0, 'and only there');
cmp_ok(value("SELECT count(*) FROM pool_perf.$_", $standby), '>', 0, "$_ works there")
  foreach ('top_queries', 'databases', 'info', 'memory', 'health', 'summary()');
wait_for_save($standby);
pass('it saves');
$standby->stop('immediate');
$standby->start;
is(value("SELECT calls FROM pool_perf.queries WHERE datname = 'app'", $standby), 3, 'and loads what it saved');
value('SELECT pool_perf.reset()', $standby);
is(value($rows, $standby), '', 'a reset works there');
$standby->stop('immediate');

# Until the checks of health are run again
$node->poll_query_until('reader', "SELECT status <> 'ok' AND value > 1 AND message ~ 'could not be saved' FROM pool_perf.health WHERE check_name = 'save'");
pass('health shows it');
is(value('SELECT saved_at FROM pool_perf.info'), $saved_at, 'info does not show a save');
is(logged($complaint, $since), 1, 'it is reported once');
is(value("SELECT calls FROM pool_perf.queries WHERE datname = 'app' AND query ~ '^VALUES'"), 1, 'counting and reading go on');
rmdir "$file.new" or die "could not remove $file.new: $!";
wait_for_save();
is(logged($complaint, $since), 1, 'it gets over it without a word');

done_testing();
