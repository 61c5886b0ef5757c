# Without preload: CREATE EXTENSION works, what needs shared memory says what to do,
# and what does not need it works

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use PoolPerf;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PoolPerf::cluster('main', preload => '', start => 1);

my ($rc, $stdout, $stderr) = $node->psql('postgres', 'CREATE EXTENSION pool_perf');
is($rc, 0, 'CREATE EXTENSION');
unlike($stderr, qr/ERROR|WARNING/, 'without complaint');

# What only computes
my @works = (
	q{SELECT pool_perf.fingerprint('SELECT 1') = pool_perf.fingerprint('select  2')},
	q{SELECT pool_perf.normalize_query('SELECT ''a''') = 'SELECT $1'},
	q{SELECT pool_perf.quantile('{0:1}', 0.5) > 0},
	q{SELECT pool_perf.calls('{0:1,1:2}') = 3},
	q{SELECT count(*) = 2 FROM pool_perf.buckets('{0:1,1:2}')},
	q{SELECT '{0:1}'::pool_perf.histogram OPERATOR(pool_perf.+) '{0:1}' OPERATOR(pool_perf.=) '{0:2}'},
	q{SELECT pool_perf.sum(h) OPERATOR(pool_perf.=) '{0:2}' FROM (VALUES ('{0:1}'::pool_perf.histogram), ('{0:1}')) v(h)},
	q{SELECT pool_perf.library_version() = (SELECT extversion FROM pg_extension WHERE extname = 'pool_perf')});

# Everything else, from the catalogue: views, and functions that are not IMMUTABLE
my $needs = q{
	SELECT 'SELECT count(*) FROM pool_perf.' || relname FROM pg_class
	WHERE relnamespace = 'pool_perf'::regnamespace AND relkind = 'v'
	UNION ALL
	SELECT format('SELECT count(*) FROM pool_perf.%s(%s)', proname,
	              (SELECT coalesce(string_agg(CASE t::regtype::text WHEN 'boolean' THEN 'true' WHEN 'text' THEN '''SELECT 1''' WHEN 'interval' THEN '''1 h''' ELSE '0' END, ', '), '')
	               FROM unnest(proargtypes) t))
	FROM pg_proc
	WHERE pronamespace = 'pool_perf'::regnamespace AND provolatile <> 'i'
	  AND proname NOT IN ('fingerprint', 'normalize_query', 'library_version')
	ORDER BY 1};

sub pure
{
	my ($when) = @_;

	is($node->safe_psql('postgres', $_), 't', "$when: $_") foreach @works;
	return;
}

# Neither the first nor a second call in a session does anything but say so
sub refused
{
	my ($when, $before) = @_;
	my @statements = split(/\n/, $node->safe_psql('postgres', $needs));

	cmp_ok(scalar @statements, '>=', 10, "$when: there are views and functions");
	foreach my $statement (@statements)
	{
		my ($rc, $stdout, $stderr) = $node->psql('postgres', "\\set VERBOSITY verbose\n$before\n$statement;\n$statement;\nSELECT 'alive';", on_error_stop => 0);

		is($stdout, 'alive', "$when: $statement: no result, and the session lives");
		my @errors = $stderr =~ /ERROR:\s+(\S+): /g;
		is("@errors", '55000 55000', "$when: $statement: SQLSTATE");
		like($stderr, qr/ERROR:\s+55000: pool_perf must be loaded at server start\n/, "$when: $statement: message");
		like($stderr, qr/HINT:  Add pool_perf to shared_preload_libraries in postgresql\.conf and restart the server\.\n/, "$when: $statement: hint");
	}
	return;
}

pure('not loaded');
refused('not loaded', '');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_settings WHERE name LIKE 'pool\_perf.%'}), 0, 'no settings');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'pool_perf%'}), 0, 'no worker');

# LOAD, once and again
is($node->safe_psql('postgres', q{LOAD 'pool_perf'; LOAD 'pool_perf'; SELECT 1; SELECT count(*) FROM pg_settings WHERE name LIKE 'pool\_perf.%'}),
	"1\n0", 'LOAD does nothing');
refused('LOAD', "LOAD 'pool_perf';");
# a setting of it is one of no module that is loaded
is($node->safe_psql('postgres', q{SET pool_perf.track = 'all'; LOAD 'pool_perf'; SHOW pool_perf.track}), 'all', 'LOAD after SET');
# by nobody but a superuser: it is not in $libdir/plugins
$node->safe_psql('postgres', 'CREATE ROLE plain LOGIN');
($rc, $stdout, $stderr) = $node->psql('postgres', q{SET ROLE plain; LOAD 'pool_perf'});
like($stderr, qr/ERROR:  access to library "pool_perf" is not allowed/, 'LOAD by an ordinary user');
# statements of all kinds run as without it
is($node->safe_psql('postgres', q{LOAD 'pool_perf'; BEGIN; DECLARE c CURSOR FOR SELECT 1; FETCH c; COMMIT; DO 'BEGIN PERFORM 1; END'}), '1', 'statements after LOAD');

# Too late is as never
$node->append_conf('postgresql.conf', "session_preload_libraries = 'pool_perf'\n");
$node->reload;
ok($node->poll_query_until('postgres', "SELECT current_setting('session_preload_libraries') = 'pool_perf'"), 'session_preload_libraries is set');
pure('session_preload_libraries');
refused('session_preload_libraries', '');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_settings WHERE name LIKE 'pool\_perf.%'}), 0, 'session_preload_libraries: no settings');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_shmem_allocations WHERE name LIKE 'pool\_perf%'}), 0, 'no shared memory');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');

# An update path, and what goes with the extension, need nothing either
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'SET client_min_messages = error; CREATE EXTENSION pool_perf; DROP EXTENSION pool_perf; CREATE EXTENSION pool_perf');
$node->safe_psql('postgres', 'ALTER EXTENSION pool_perf UPDATE');
is($node->safe_psql('other', q{SELECT count(*) FROM pg_namespace WHERE nspname = 'pool_perf'}), 1, 'created, dropped and created again');
$node->command_ok([ 'pg_dump', '-f', "$PostgreSQL::Test::Utils::tmp_check/dump.sql", $node->connstr('other') ], 'pg_dump');
like(slurp_file("$PostgreSQL::Test::Utils::tmp_check/dump.sql"), qr/CREATE EXTENSION IF NOT EXISTS pool_perf/, 'the dump has the extension');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$PostgreSQL::Test::Utils::tmp_check/dump.sql", $node->connstr('restored') ], 'restored');

# With the line that the hint names, all of it works
$node->append_conf('postgresql.conf', "session_preload_libraries = ''\nshared_preload_libraries = 'pool_perf'\n");
$node->restart;
pure('preloaded');
foreach my $statement (grep { !/reset|add_silence/ } split(/\n/, $node->safe_psql('postgres', $needs)))
{
	($rc, $stdout, $stderr) = $node->psql('postgres', $statement);
	is("$rc $stderr", '0 ', "preloaded: $statement");
}
# a library of that name in both places is loaded once
$node->append_conf('postgresql.conf', "session_preload_libraries = 'pool_perf'\nshared_preload_libraries = 'pool_perf, pool_perf'\n");
$node->restart;
is($node->safe_psql('postgres', q{LOAD 'pool_perf'; SELECT pool_perf.reset() IS NOT NULL}), 't', 'named several times');
is($node->safe_psql('postgres', 'SELECT 1 AS once; SELECT 2 AS once'), "1\n2", 'and a statement');
is($node->safe_psql('postgres', 'SELECT calls FROM pool_perf.queries WHERE query = \'SELECT $1 AS once\''), 2, 'counted once');

$node->stop;
done_testing();
