# Shared memory: its size at any setting, and what is said of it.  A session's own
# memory does not grow with the number of its statements.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use PoolPerf;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

# bytes: a quarter of it is for the last slow executions
my $limit = 42_000_000;

my $given = q{SELECT sum(allocated_size) FROM pg_shmem_allocations WHERE name LIKE 'pool\_perf%'};
# each piece is aligned to at most 128 bytes
my $same = q{
	SELECT a.bytes BETWEEN m.bytes AND m.bytes + 128 * a.pieces
	FROM (SELECT sum(allocated_size) AS bytes, count(*) AS pieces FROM pg_shmem_allocations WHERE name LIKE 'pool\_perf%') a,
	     (SELECT sum(max_bytes) AS bytes FROM pool_perf.memory) m};

my $node = PoolPerf::cluster('main', conf => "autovacuum = off\n");

# initdb takes what the machine has: these are the defaults of the server
$node->append_conf('postgresql.conf', "max_connections = 100\nwal_level = replica\nmax_wal_senders = 10\nshared_buffers = 16MB\nmax_worker_processes = 8\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION pool_perf');
my $bytes = $node->safe_psql('postgres', $given);
cmp_ok($bytes, '<=', $limit, "memory at default settings is at most 42 MB ($bytes)");
cmp_ok($bytes, '>', 1_000_000, 'there is some');
is($node->safe_psql('postgres', $same), 't', 'memory says the same');

# Anonymous shared memory would be memory that is not named
my $unnamed = $node->safe_psql('postgres', q{SELECT size FROM pg_shmem_allocations WHERE name = '<anonymous>'});
my $without = do
{
	my $other = PoolPerf::cluster('without', preload => '', conf => "max_connections = 100\nwal_level = replica\nmax_wal_senders = 10\nshared_buffers = 16MB\nmax_worker_processes = 8\n", start => 1);
	my $size = $other->safe_psql('postgres', q{SELECT size FROM pg_shmem_allocations WHERE name = '<anonymous>'});
	$other->stop;
	$size;
};
cmp_ok($unnamed - $without, '<', 100_000, 'nothing is taken without a name');

# The result of SQL; where there are few connections, the last may not be free yet
sub result
{
	my ($sql) = @_;
	my ($rc, $stdout, $stderr);

	for (1 .. 600)
	{
		($rc, $stdout, $stderr) = $node->psql('postgres', $sql, on_error_die => 0);
		last unless $stderr =~ /too many clients|remaining connection slots/;
		usleep(100_000);
	}
	return $stdout . $stderr;
}

# Runs statements in some sessions, and compares the views with that
sub works
{
	my ($name) = @_;

	is(result($same), 't', "$name: memory says what the server gave");
	result('SELECT pool_perf.reset()');
	result(join(';', map { 'SELECT ' . join(', ', (1) x $_) . ' AS counted' } 1 .. 40)) for 1 .. 3;
	is(result(q{SELECT sum(calls) >= 120, count(*) >= 40 FROM pool_perf.queries(false)}), 't|t', "$name: counts");
	is(result(q{SELECT count(*) >= 30, bool_and(calls = 3 AND rows = 3) FROM pool_perf.queries WHERE query LIKE 'SELECT $1%'}), 't|t', "$name: has texts");
	is(result('SELECT count(*) FROM pool_perf.health WHERE status IS NULL'), 0, "$name: health");
	is(result(q{SELECT bool_and(used_bytes BETWEEN 0 AND max_bytes AND used_percent <= 100) FROM pool_perf.memory}), 't', "$name: memory in use");
	return;
}

# Odd settings; the least and the greatest that a server starts with
my @settings = (
	[ 'max_connections = 1', 'max_wal_senders = 0', 'superuser_reserved_connections = 0' ],
	(map { [ "max_connections = $_", 'max_wal_senders = 0', 'superuser_reserved_connections = 0', 'max_worker_processes = ' . ($_ % 3 + 1) ] } 2, 3, 5, 10),
	[ 'max_wal_senders = 100', 'autovacuum_max_workers = 100', 'max_worker_processes = 50', 'max_connections = 20' ],
	[ 'pool_perf.max_queries = 100', 'pool_perf.text_memory = 256kB', 'pool_perf.max_text_length = 64' ],
	[ 'pool_perf.max_queries = 50000', 'pool_perf.text_memory = 64MB', 'pool_perf.max_text_length = 1MB' ],
	[ 'max_connections = 2000' ],
	[ 'max_connections = 380', 'max_worker_processes = 0' ],
	[ 'huge_pages = off', 'shared_memory_type = sysv', 'max_prepared_transactions = 100' ]);
my $conf = slurp_file($node->data_dir . '/postgresql.conf');

foreach my $settings (@settings)
{
	my $name = join(', ', @$settings);

	$node->stop;
	open(my $out, '>', $node->data_dir . '/postgresql.conf') or die $!;
	print $out $conf, map { "$_\n" } @$settings;
	close($out);
	is($node->start(fail_ok => 1), 1, "$name: starts") or last;
	works($name);
	note("$name: " . result($given) . ' bytes');
}

# More connections than a session at a time
$node->stop;
open(my $out, '>', $node->data_dir . '/postgresql.conf') or die $!;
print $out $conf, "max_connections = 20\nmax_prepared_transactions = 5\npool_perf.track = all\n";
close($out);
$node->start;

# A session's memory. Kinds of statements, over and over: after the first rounds
# there is nothing that grows.
$node->safe_psql('postgres', <<'EOSQL');
CREATE TABLE t (id int PRIMARY KEY, n int);
INSERT INTO t SELECT i, i FROM generate_series(1, 100) i;
CREATE FUNCTION nested(i int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN PERFORM n FROM t WHERE id = i; UPDATE t SET n = n WHERE id = i; RETURN i; END $$;
CREATE FUNCTION fails(i int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN PERFORM i / (n - n) FROM t WHERE id = i; RETURN i; EXCEPTION WHEN division_by_zero THEN RETURN 0; END $$;
CREATE PROCEDURE utilities(n int) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1..n LOOP
    EXECUTE 'SET LOCAL work_mem = ' || 100 + i % 100;
    EXECUTE 'NOTIFY x';
    BEGIN EXECUTE 'LOCK TABLE nowhere_' || i % 10; EXCEPTION WHEN undefined_table THEN NULL; END;
    IF i % 10 = 0 THEN COMMIT; END IF;
  END LOOP;
END $$;
CREATE PROCEDURE cursors(n int) LANGUAGE plpgsql AS $$
DECLARE
  c CURSOR FOR SELECT id FROM t ORDER BY id;
  r record;
BEGIN
  FOR i IN 1..n LOOP
    OPEN c; FETCH c INTO r; FETCH c INTO r; CLOSE c;
    BEGIN
      OPEN c; FETCH c INTO r; RAISE 'drop it';
    EXCEPTION WHEN raise_exception THEN NULL;
    END;
  END LOOP;
END $$;
EOSQL

# One round of a script of $n statements of each kind, ended by what is left of it
my $contexts = q{SELECT 'total', sum(total_bytes), sum(total_bytes) FILTER (WHERE name LIKE 'pool_perf%'), count(*) FILTER (WHERE name LIKE 'pool_perf%') FROM pg_backend_memory_contexts};

sub rounds
{
	my ($n) = @_;
	my $simple = join('', map { "SELECT n FROM t WHERE id = $_;\nSELECT " . join(' + ', ($_) x ($_ % 9 + 1)) . ";\n" } 1 .. 50);
	my $other = <<'EOSQL';
BEGIN; SELECT 1; COMMIT;
BEGIN; SELECT 1 / 0; ROLLBACK;
SAVEPOINT none;
BEGIN; SAVEPOINT s; SELECT n / 0 FROM t; ROLLBACK TO s; RELEASE s; COMMIT;
PREPARE p AS SELECT n FROM t WHERE id = $1; EXECUTE p(1); EXECUTE p(2); EXECUTE p(3 / 0); DEALLOCATE p; EXECUTE p(4);
BEGIN; DECLARE c CURSOR FOR SELECT * FROM t; FETCH 3 FROM c; ROLLBACK;
BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT * FROM t; FETCH 3 FROM c; COMMIT; CLOSE c;
EXPLAIN SELECT * FROM t; EXPLAIN ANALYZE SELECT * FROM t; EXPLAIN SELECT 1 / 0;
BEGIN; INSERT INTO t VALUES (1000, 1); PREPARE TRANSACTION 'x'; ROLLBACK PREPARED 'x';
BEGIN; SET LOCAL statement_timeout = 1; SELECT count(*) FROM generate_series(1, 1000000); ROLLBACK;
COPY t TO '/dev/null'; COPY nowhere TO STDOUT; syntax error;
SELECT * FROM pool_perf.queries LIMIT 1 \g /dev/null
SELECT count(*) FROM pool_perf.summary();
EOSQL
	my $nested = "SELECT sum(nested(id)), sum(fails(id)) FROM t;\nCALL utilities(100);\nCALL cursors(20);\n";
	return ($simple . $other . $nested) x $n;
}

# Statements of one session: 4 rounds, then ten times as many
# (twice, since the first look takes memory that the second finds)
my $look = "$contexts \\g /dev/null\n\\o\n$contexts;\n\\o /dev/null\n";
my $script = "\\o /dev/null\n" . rounds(4) . $look . rounds(40) . $look;
$node->psql('postgres', $script, on_error_stop => 0, stdout => \my $stdout, stderr => \my $stderr);
my @totals = map { [ split /\|/ ] } grep { /^total/ } split /\n/, $stdout;
is(scalar @totals, 2, 'the session lived');
note(join("\n", map { join(' ', @$_) } @totals));
cmp_ok($totals[1][1], '<=', $totals[0][1], 'memory of the session after 44 rounds is that after 4');
is($totals[1][2], $totals[0][2], 'that of pool_perf too');
cmp_ok($totals[1][3], '<=', 2, 'two contexts of pool_perf');
cmp_ok($totals[1][2], '<=', 100_000, 'which is small');
my $calls = $node->safe_psql('postgres', q{SELECT sum(calls) >= 20000 AND sum(failed_calls) >= 4000 FROM pool_perf.queries WHERE NOT (query LIKE '%memory_contexts%')});
is($calls, 't', 'there were enough of them');
is($node->safe_psql('postgres', 'SELECT events_dropped FROM pool_perf.info'), 0, 'none was left out');

# The extended protocol, and prepared statements of it
my $bench = "$PostgreSQL::Test::Utils::tmp_check/memory.sql";
append_to_file($bench, "\\set id random(1, 100)\nSELECT n FROM t WHERE id = :id;\nBEGIN;\nUPDATE t SET n = n + 1 WHERE id = :id;\nEND;\n");
foreach my $mode ('extended', 'prepared')
{
	# a million statements where there is time for it, with make test-sanitize
	my $transactions = $ENV{SANITIZE} && $mode eq 'prepared' ? 250_000 : 3_000;
	my $look_every = int($transactions / 6);

	# pgbench shows no results: the statements write down what they see
	$node->safe_psql('postgres', 'CREATE TABLE IF NOT EXISTS seen (mode text, at serial, bytes bigint)');
	my $file = "$PostgreSQL::Test::Utils::tmp_check/memory_$mode.sql";
	append_to_file($file, slurp_file($bench));
	append_to_file($file, "\\set turn :turn + 1\n\\set look :turn % $look_every = 0\n\\if :look\nINSERT INTO seen (mode, bytes) SELECT '$mode', sum(total_bytes) FROM pg_backend_memory_contexts;\n\\endif\n");
	$node->command_ok([ 'pgbench', '-n', '-t', $transactions, '-D', 'turn=0', '-M', $mode, '-f', $file, '-h', $node->host, '-p', $node->port, 'postgres' ], "pgbench -M $mode");
	is($node->safe_psql('postgres', "SELECT count(*) FROM seen WHERE mode = '$mode'"), 6, "$mode: looked at several times");
	is($node->safe_psql('postgres', "SELECT count(DISTINCT bytes) FROM (SELECT bytes FROM seen WHERE mode = '$mode' ORDER BY at OFFSET 2) s"),
		1, "$mode: the session's memory does not grow");
}

# Cursors that stay open need records, which are used again
my $open = join("\n", 'BEGIN;', (map { "DECLARE c$_ CURSOR FOR SELECT id + $_ FROM t; FETCH 1 FROM c$_;" } 1 .. 300), 'COMMIT;');
$node->psql('postgres', "\\o /dev/null\n$open\n$open\n$look$open\n$open\n$open\n$open\n$look", stdout => \$stdout);
@totals = map { [ split /\|/ ] } grep { /^total/ } split /\n/, $stdout;
cmp_ok($totals[1][1], '<=', $totals[0][1], '300 cursors at a time, again and again');

$node->stop;
done_testing();
