# README.md tells of everything there is: a heading for each setting, and each view,
# column and function by its name, as the catalogue has them

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use PoolPerf;
use PostgreSQL::Test::Utils;
use Test::More;

my $readme = slurp_file("$FindBin::RealBin/../../README.md");
my $node = PoolPerf::cluster('main', create => 1);

# Rows of one column of a query
sub list
{
	my ($sql) = @_;
	my @list = split(/\n/, $node->safe_psql('postgres', $sql));

	cmp_ok(scalar @list, '>', 0, 'there is something to look for');
	return @list;
}

# Is the name in the text as a word of its own, which a column of a longer name is not?
sub mentions
{
	my ($text, $name) = @_;
	return $text =~ /(?<![A-Za-z0-9_])\Q$name\E(?![A-Za-z0-9_])/;
}

my @settings = list(q{SELECT name FROM pg_settings WHERE name LIKE 'pool\_perf.%' ORDER BY 1});
my @headings = $readme =~ /^#+\s+(.*?)\s*$/mg;

foreach my $setting (@settings)
{
	my @own = grep { mentions($_, $setting) } @headings;
	is(scalar @own, 1, "a heading for $setting");
}
# and none for what is no setting
foreach my $heading (grep { /^`?pool_perf\.\w+`?(?:\s|$)/ } @headings)
{
	my ($name) = $heading =~ /(pool_perf\.\w+)/;
	my $known = $node->safe_psql('postgres',
		"SELECT count(*) FROM (SELECT name FROM pg_settings UNION ALL SELECT 'pool_perf.' || relname FROM pg_class WHERE relnamespace = 'pool_perf'::regnamespace UNION ALL SELECT 'pool_perf.' || proname FROM pg_proc WHERE pronamespace = 'pool_perf'::regnamespace) s WHERE name = '$name'");
	cmp_ok($known, '>', 0, "the heading $name stands for something");
}

# What a section says of a setting's default is what the server says
foreach my $row (list(q{SELECT name || ' ' || current_setting(name) FROM pg_settings WHERE name LIKE 'pool\_perf.%' ORDER BY 1}))
{
	my ($setting, $default) = split(/ /, $row, 2);
	my ($section) = $readme =~ /^#+[^\n]*\Q$setting\E(?![A-Za-z0-9_])(.*?)(?=^#|\z)/ms;
	my $pattern = $default =~ /^(\d+)(\w+)$/ ? "$1\\s*$2" : quotemeta($default);

	# on the heading's own line, or below it
	$pattern = '5\s*(?:min|000)' if $default eq '5min';
	like($section // '', qr/(?<![A-Za-z0-9])$pattern(?![A-Za-z0-9])/i, "$setting: the default $default is named");
}

foreach my $view (list(q{SELECT relname FROM pg_class WHERE relnamespace = 'pool_perf'::regnamespace AND relkind = 'v' ORDER BY 1}))
{
	ok(mentions($readme, $view), "the view $view");
	ok(mentions($readme, "pool_perf.$view"), "the view $view by its full name");
	foreach my $column (list("SELECT attname FROM pg_attribute WHERE attrelid = 'pool_perf.$view'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"))
	{
		ok(mentions($readme, $column), "$view: the column $column");
	}
}

# Functions that users call: not those behind the type, its operators and its aggregate
foreach my $function (
	list(q{SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pool_perf'::regnamespace AND proname !~ '^histogram_' ORDER BY 1}))
{
	ok(mentions($readme, $function), "the function $function");
}
foreach my $check (list('SELECT check_name FROM pool_perf.health ORDER BY 1'))
{
	ok(mentions($readme, $check), "the health check $check");
}
ok(mentions($readme, 'histogram'), 'the type histogram');

# Nothing is named that is not there
my %known = map { $_ => 1 } list(
	q{SELECT relname FROM pg_class WHERE relnamespace = 'pool_perf'::regnamespace
	  UNION SELECT proname FROM pg_proc WHERE pronamespace = 'pool_perf'::regnamespace
	  UNION SELECT typname FROM pg_type WHERE typnamespace = 'pool_perf'::regnamespace
	  UNION SELECT split_part(name, '.', 2) FROM pg_settings WHERE name LIKE 'pool\_perf.%'});
my %named = map { $_ => 1 } $readme =~ /\bpool_perf\.([a-z_][a-z0-9_]*)/g;
my @unknown = grep { !$known{$_} && !/^(?:so|control|stat|conf|c)$/ } sort keys %named;
is("@unknown", '', 'every pool_perf.x of the README is there');

$node->stop;
done_testing();
