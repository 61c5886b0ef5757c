# Plans of slow executions: masked, with the rows of each node where the query had been
# slow before, filled in for those that failed, bounded, and seldom in the log

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use PoolPerf;
use Session;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PoolPerf::cluster(
	'main',
	conf => "log_statement = none\nlog_min_error_statement = panic\npool_perf.log_min_duration = -1\npool_perf.alert_min_duration = -1\n"
	  . "pool_perf.critical_min_duration = -1\npool_perf.track_utility = off\npool_perf.log_rate = -1\npool_perf.log_rate_total = -1\n"
	  . "max_parallel_workers_per_gather = 0\n",
	create => 1);

sub value { return $node->safe_psql('postgres', $_[0]) }

# Runs SQL in a session in which all statements are slow
sub slow { return value("SET pool_perf.log_min_duration = 0; $_[0]") }

# Plans of the executions whose text is like that, oldest first
sub plans
{
	my ($like) = @_;
	return split(/\n==\n/, value("SELECT string_agg(coalesce(plan, 'none'), E'\\n==\\n' ORDER BY slow_query_id) FROM pool_perf.slow_queries WHERE query LIKE '$like'"));
}

value(q{CREATE TABLE t AS SELECT g AS id, 'x' || g AS name, now() AS at, NULL::jsonb AS j FROM generate_series(1, 1000) AS g;
CREATE INDEX t_1_id ON t (id); ANALYZE t;
CREATE TABLE "we'ird ""1"" (cost=1" (a int, "b'c" text);
CREATE TABLE parent (id int, v text) PARTITION BY RANGE (id);
CREATE TABLE parent_2024 PARTITION OF parent FOR VALUES FROM (0) TO (4711);
CREATE TABLE parent_2025 PARTITION OF parent FOR VALUES FROM (4711) TO (9999);});

#
# Masked
#
my $secret = 'hush7x';
my @hidden = (
	"SELECT * FROM t WHERE name = 'SECRET' AND id < 31337",
	"SELECT * FROM t WHERE name = 'a''SECRET' || E'\\\\SECRET\\n' OR name = E'line\nFilter: SECRET ''\n->  Seq Scan (cost=31337'",
	"SELECT * FROM t WHERE name = '\"SECRET' AND at > '2031-03-31 13:37' AND 31337.31337 > id * 3.1337e-31",
	"SELECT * FROM t WHERE name LIKE 'SECRET%' OR name ~ 'SECRET' OR id IN (31337, 31338, 31339) OR j \@> '{\"SECRET\": 31337}'",
	"SELECT * FROM t WHERE name::varchar(31337) = B'1010'::text OR 31337 = ANY (ARRAY[id, 31337]) OR id = -31337",
	"SELECT * FROM \"we'ird \"\"1\"\" (cost=1\" AS \"SEC'RET 1\" WHERE \"b'c\" = 'SECRET' AND a = 31337",
	"WITH \"a'b\" AS MATERIALIZED (SELECT id, 'SECRET' || name AS n FROM t WHERE name <> 'SECRET') SELECT * FROM \"a'b\" WHERE n <> 'SECRET' AND id <> 31337",
	"SELECT * FROM t WHERE id = (SELECT max(id) FROM t AS t2 WHERE t2.name > 'SECRET') AND id NOT IN (SELECT id FROM t AS t3 WHERE name = 'SECRET' AND id > 31337)",
	"SELECT count(*) FILTER (WHERE name = 'SECRET'), sum(id + 31337) FROM t GROUP BY id / 31337, name || 'SECRET' HAVING max(name) > 'SECRET' ORDER BY id / 31337, name || 'SECRET'",
	"SELECT * FROM generate_series(31337, 31339) AS g JOIN t ON g = id + 31337 AND name = 'SECRET'",
	"SELECT * FROM (VALUES ('SECRET', 31337), ('SECRET', 31338)) AS v (a, b) WHERE a <> 'SECRET'",
	"SELECT * FROM t TABLESAMPLE bernoulli (31.337) REPEATABLE (31337) WHERE name = 'SECRET'",
	"SELECT * FROM t WHERE ctid = '(31337,1)' OR name = 'SECRET'",
	"INSERT INTO t SELECT 31337, 'SECRET' FROM t WHERE name = 'SECRET'",
	"UPDATE t SET name = 'SECRET' WHERE id = 31337 AND name = 'SECRET'",
	"UPDATE parent SET v = 'SECRET' WHERE id IN (31337, 1, 31338) AND v = 'SECRET'",
	"DELETE FROM t WHERE id = 31337 AND name = 'SECRET' RETURNING 'SECRET'",
	"SELECT xmltable.* FROM XMLTABLE('/SECRET' PASSING '<SECRET/>' COLUMNS a text PATH 'SECRET') WHERE a = 'SECRET'",
	"SELECT rank() OVER (PARTITION BY name || 'SECRET' ORDER BY id % 31337) FROM t WHERE name <> 'SECRET'");
foreach my $sql (@hidden)
{
	$sql =~ s/SECRET/$secret/g;
	$sql =~ s/SEC'RET/alias'/g;
	# without xml in the server there is no such plan
	my ($rc, $out, $err) = $node->psql('postgres', "SET pool_perf.log_min_duration = 0; $sql; $sql");
	note($err) if $rc != 0;
}
my $texts = value('SELECT string_agg(plan, E\'\n\') FROM pool_perf.slow_queries');
note($texts);
cmp_ok(value('SELECT count(plan) FROM pool_perf.slow_queries'), '>=', 2 * @hidden - 2, 'each has a plan');
unlike($texts, qr/$secret/, 'no string is in a plan');
unlike($texts, qr/(?:3133[789]|31\.337|3\.1337)/, 'no number is in a plan');
unlike($texts, qr/plan not shown/, 'all plans could be read');
unlike(slurp_file($node->logfile), qr/$secret|3133[789]/, 'nor in the log');
like($texts, qr/Seq Scan on t  \(cost=\d+\.\d+\.\.\d+\.\d+ rows=\d+ width=\d+\)\n  Filter: \(\(id < <value>\) AND \(name = <value>::text\)\)/, 'costs stay');
like($texts, qr/Index Scan using t_1_id on t /, 'names with digits stay');
like($texts, qr/Rows Removed by Filter: 1000/, 'numbers of the executor stay');
like($texts, qr/on "we'ird ""1"" \(cost=1" "alias' 1"  \(cost=/, 'names in quotes stay');
like($texts, qr/CTE a'b\n/, 'and names that are not');
like($texts, qr/\(NOT \(hashed SubPlan 2\)\)|hashed SubPlan/, 'and numbers of subplans');
like($texts, qr/on parent_2024/, 'and names of partitions');

slow("SET pool_perf.log_parameters = on; SELECT * FROM t WHERE name = 'shown7x' AND id = 4711");
like((plans('%shown7x%'))[0], qr/Filter: \(name = 'shown7x'::text\)/, 'log_parameters shows literals');

# what foreign data wrappers say of themselves is any text
SKIP:
{
	skip 'no file_fdw', 1 if value("SELECT count(*) FROM pg_available_extensions WHERE name = 'file_fdw'") == 0;
	value(q{CREATE EXTENSION file_fdw; CREATE SERVER fs FOREIGN DATA WRAPPER file_fdw;
	CREATE FOREIGN TABLE ft (a text) SERVER fs OPTIONS (program E'echo it\\\\\'s hunter\necho token: hunter')});
	slow("SELECT * FROM ft WHERE a <> 'x'");
	my $plan = (plans('SELECT * FROM ft%'))[0];
	like($plan, qr/^Foreign Scan on ft  \(cost=[^)]*\)\n  Filter: \(a <> <value>::text\)\n  Foreign Program: <value>$/, 'the value of a label that is not known is hidden');
	unlike(slurp_file($node->logfile), qr/hunter/, 'in the log too');
}

#
# Rows of the nodes, for who was slow before
#
my $rows = qr/\(actual rows=\d+(?:\.\d+)? loops=\d+\)/;
slow('SELECT count(*) FROM t WHERE id > 7;');
my $first = (plans('SELECT count(*) FROM t WHERE id > $1'))[0];
like($first, qr/\(cost=/, 'the first has costs');
unlike($first, qr/actual/, 'and no rows');
slow('SELECT count(*) FROM t WHERE id > 7;' x 2);
my @plans = plans('SELECT count(*) FROM t WHERE id > $1');
is(scalar(grep { /$rows/ } @plans), 2, 'the next ones have rows');
unlike("@plans", qr/time=/, 'without times');
# quick ones use the watch up; another query's do not
value('SELECT count(*) FROM t WHERE id > 7;' x 4 . 'SELECT count(*) FROM t;');
slow('SELECT count(*) FROM t WHERE id > 7;');
unlike((plans('SELECT count(*) FROM t WHERE id > $1'))[-1], qr/actual/, 'three executions are watched, no more');
is(value('EXPLAIN (COSTS OFF) SELECT count(*) FROM t WHERE id > 7') =~ /actual/ ? 1 : 0, 0, 'EXPLAIN is as ever');

#
# Of those that failed
#
my $fail = sub { $node->psql('postgres', "SET pool_perf.log_min_duration = 0; SET statement_timeout = '50ms'; $_[0]") };
my $like = 'SELECT pg_sleep(id) FROM t WHERE id = $1';
$fail->('SELECT pg_sleep(id) FROM t WHERE id = 600');
is((plans($like))[0], 'none', 'a cancelled one has no plan');
value('SELECT pg_sleep(id) FROM t WHERE id = 0');
like((plans($like))[0], qr/^Plan of a later execution:\nIndex (?:Only )?Scan using t_1_id on t  \(cost=[^)]*\) $rows\n  Index Cond: \(id = <value>\)/, 'until the next execution gives it its own, with rows');

$like = 'SELECT pg_sleep(id), $1 FROM t WHERE id = $2';
$fail->('SELECT pg_sleep(id), 1 FROM t WHERE id = 600') foreach 1 .. 3;
@plans = plans($like);
like($plans[0], qr/^Plan of a later execution:\nIndex (?:Only )?Scan/, 'the next execution gives its plan also if it fails');
like($plans[$_], qr/^Index (?:Only )?Scan using t_1_id on t  \(cost=[^)]*\)\n/, 'and has it itself') foreach 1, 2;

$like = 'SELECT pg_sleep($1), $2 / (id - id) FROM t';
$fail->('SELECT pg_sleep(0.01), 1 / (id - id) FROM t') foreach 1 .. 2;
is(scalar(grep { /Seq Scan/ } plans($like)), 2, 'likewise after an error');

# in a transaction that goes on, and inside a function
slow(q{SET pool_perf.track = 'all'; DO $$BEGIN FOR i IN 1 .. 2 LOOP BEGIN PERFORM 1 / (id - id) FROM t WHERE name <> 'hush7x'; EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END$$});
is(scalar(grep { /Seq Scan on t/ } plans('SELECT $1 / (id - id) FROM t WHERE name <> $2')), 2, 'in subtransactions');

#
# Size
#
slow('SELECT ' . join(', ', map { "(SELECT max(name) FROM t WHERE id > $_)" } 1 .. 150));
is(value(q{SELECT max(octet_length(plan)) FROM pool_perf.slow_queries}), 8192, 'a plan has at most 8 kB');
like((plans('SELECT (SELECT max%'))[0], qr/ \[\.\.\.\]$/, 'and says that it was cut');

#
# In the log
#
my $log = slurp_file($node->logfile);
my $queryid = value(q{SELECT DISTINCT queryid FROM pool_perf.slow_queries WHERE query = 'SELECT count(*) FROM t WHERE id > $1'});
is(scalar(() = $log =~ /LOG:  plan of a slow execution, queryid: $queryid, slow_query_id: \d+\n[^\n]*DETAIL:  Aggregate  \(cost=/g),
	1, 'the plan of a query is in the log once');

#
# None where none is wanted
#
slow('SET pool_perf.log_plan = off; SELECT 1, 2, 3, 4;' . 'SELECT 1, 2, 3, 4;');
is(join(',', plans('SELECT $1, $2, $3, $4')), 'none,none', 'log_plan = off');
is(value('SELECT slow_query_errors FROM pool_perf.info'), 0, 'nothing went wrong on the way');

# What cannot be explained does not hurt the client
slow('BEGIN; DECLARE c CURSOR FOR SELECT * FROM t; FETCH 1 FROM c; ROLLBACK;');
slow('SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; '
	  . 'SELECT count(*) FROM t WHERE name <> $$y$$;' x 2);
like((plans('SELECT count(*) FROM t WHERE name <> $1'))[1], qr/Workers Planned: \d.*Parallel Seq Scan on t  \(cost=[^)]*\) $rows/s, 'a parallel plan with rows');
#
# No plan is worth a wait for a lock of a catalogue
#
my $sql = 'SELECT pg_advisory_xact_lock_shared(1)::text, name FROM t WHERE id = 1 ORDER BY name COLLATE "POSIX"';
$like = 'SELECT pg_advisory_xact_lock_shared(%';
foreach my $lock ('LOCK TABLE pg_collation IN ACCESS EXCLUSIVE MODE')
{
	my $errors = value('SELECT slow_query_errors FROM pool_perf.info');
	my ($holder, $locker, $client) = map { Session->new($node) } 1 .. 3;
	$holder->rows('BEGIN');
	$holder->rows('SELECT FROM pg_advisory_xact_lock(1)');
	$client->rows('SET pool_perf.log_min_duration = 0');
	$client->send(Session::Query($sql));
	my $waits = 'SELECT count(*) = %d FROM pg_locks WHERE pid = ' . $client->pid;
	$node->poll_query_until('postgres', sprintf("$waits AND locktype = 'advisory' AND NOT granted", 1)) or die 'it does not wait';
	$locker->rows('BEGIN');
	$locker->rows($lock);
	$holder->rows('COMMIT');
	ok($node->poll_query_until('postgres', sprintf($waits, 0)), "$lock: a slow statement ends");
	$_->disconnect foreach $holder, $locker, $client;
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'client backend'") or die 'somebody stays';
	# from 18 on the execution itself has looked the collation up: no catalogue is read
	my $lost = $node->pg_version < 18 ? 1 : 0;
	is(scalar(grep { $_ eq 'none' } (plans($like))[-1]), $lost, 'without a plan, if that needs the catalogue');
	is(value('SELECT slow_query_errors FROM pool_perf.info'), $errors + $lost, 'which is counted');
}
slow($sql);
like((plans($like))[-1], qr/Sort Key: name COLLATE "POSIX"/, 'the next one has a plan');
$node->stop;
done_testing();
