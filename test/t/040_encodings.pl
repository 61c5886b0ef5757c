# Statements in databases of all kinds of encodings: cut between characters, and
# readable from each of the others

use strict;
use warnings FATAL => 'all';

use Encode ();
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PoolPerf;
use PostgreSQL::Test::Utils;
use Test::More;

# All bytes here are UTF-8 on the wire; those of a database are what it has them
# converted to.
my $length = 200;
my $mark = ' [...]';
my $node = PoolPerf::cluster('main', conf => "pool_perf.max_text_length = $length\n", start => 1);

# name => [ encoding, what Perl calls it, characters of one, two, three, four bytes in it ]
my %databases = (
	utf8 => [ 'UTF8', 'UTF-8', "e\x{e9}\x{df}\x{65e5}\x{672c}\x{8a9e}\x{20ac}\x{1f600}\x{301}" ],
	latin1 => [ 'LATIN1', 'iso-8859-1', "e\x{e9}\x{fc}\x{df}\x{ff}\x{d7}" ],
	euc_jp => [ 'EUC_JP', 'euc-jp', "e\x{65e5}\x{672c}\x{ff76}\x{4e02}\x{8a9e}\x{e9}" ],
	sql_ascii => [ 'SQL_ASCII', 'UTF-8', "e\x{e9}\x{65e5}\x{1f600}" ]);
my @names = sort keys %databases;

sub bytes { return Encode::encode('UTF-8', $_[0]) }

# Runs SQL in a database; result and arguments are characters
sub query
{
	my ($name, $sql) = @_;
	local $ENV{PGCLIENTENCODING} = 'UTF8';
	my ($out, $err);
	my $rc = $node->psql($name, bytes($sql), stdout => \$out, stderr => \$err);

	die "in $name: " . substr($sql, 0, 300) . "\n$err" if $rc != 0 || $err =~ m{ERROR|WARNING};
	return Encode::decode('UTF-8', $out // '');
}

# The text of statement $i of a database, $i + 7 bytes of which are ASCII before
# the first other character
sub statement
{
	my ($name, $i, @constants) = @_;
	my $characters = $databases{$name}[2];
	my $n = 0;
	my @columns;

	for my $column (0 .. 9)
	{
		my $alias = ($column == 0 ? 'a' x $i : '') . join('', map { substr($characters, ($_ + $column) % length($characters), 1) } 0 .. 11);
		push @columns, ($constants[ $n++ ] // '$' . $n) . " AS \"$alias\"";
	}
	return 'SELECT ' . join(', ', @columns) . " FROM t_$i";
}

foreach my $name (@names)
{
	query('postgres', "CREATE DATABASE $name ENCODING '$databases{$name}[0]' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
	query($name, 'SET client_min_messages = error; CREATE EXTENSION pool_perf');
	query($name, join('; ', map { "CREATE TABLE t_$_ (a int)" } 0 .. 15));
}

# Long texts, so that every way to cut a character occurs
foreach my $name (@names)
{
	my $characters = $databases{$name}[2];
	my @constants = map { "'$characters$_'" } 1 .. 10;

	query($name, join(";\n", map { "/* $characters */ " . statement($name, $_, @constants) . " -- $characters\n" } 0 .. 15));
	# names that are not quoted, a table's, dollar quotes, prefixes, utility statements
	query($name, qq{CREATE TABLE "t$characters" (x$characters int)});
	query($name, qq{SELECT x$characters AS y$characters FROM "t$characters" WHERE '$characters' <> \$q$characters\$$characters\$q$characters\$});
	query($name, qq{COMMENT ON TABLE "t$characters" IS '$characters secret'});
	query($name, qq{DO \$q$characters\$BEGIN PERFORM '$characters'; END\$q$characters\$});
	query($name, 'SELECT 1 AS only_ascii');
	local $ENV{PGCLIENTENCODING} = 'UTF8';
	my ($rc) = $node->psql($name, bytes(qq{SELECT 1 / (count(*) - count(*)) AS "$characters" FROM t_0}));
	is($rc, 3, "$name: a failing statement");
}

# What is of no encoding at all, in a database that takes it
{
	local $ENV{PGCLIENTENCODING} = 'SQL_ASCII';
	my $bad = "\xff\xfe\x80\xe6\x97\xc0\x80\xf5";
	my $rc = $node->psql('sql_ascii', qq{SELECT 1 AS "bad_$bad", '$bad' AS "bad2_$bad" FROM t_0 WHERE a = 2});
	is($rc, 0, 'sql_ascii: invalid bytes');
	$rc = $node->psql('sql_ascii', 'SELECT 1 AS "' . ($bad x 7) . '", 3 AS "' . ($bad x 7) . '", 3 AS "' . ($bad x 7) . '", 3 AS "' . ($bad x 7) . qq{" FROM t_1 WHERE a = 2});
	is($rc, 0, 'sql_ascii: long invalid bytes');
}

sub check
{
	my ($when) = @_;
	my %seen;

	foreach my $reader (@names)
	{
		# Each text is valid where it is read
		is( query($reader,
				q{SELECT count(*) FROM pool_perf.queries
				  WHERE convert_from(convert_to(query, getdatabaseencoding()), getdatabaseencoding()) IS DISTINCT FROM query}),
			0, "$when: all texts are valid in $reader");
		is(query($reader, q{SELECT count(*) > 0 FROM pool_perf.queries WHERE convert_to(query, 'UTF8') IS NOT NULL}),
			't', "$when: all texts can be converted from $reader") if $reader ne 'sql_ascii';
		is(query($reader, 'SELECT count(*) > 90 FROM pool_perf.top_queries WHERE length(query) > 0'),
			't', "$when: top_queries in $reader");
		is(query($reader, q{SELECT count(*) FROM pool_perf.summary()}), 10, "$when: summary in $reader");
		is(query($reader, q{SELECT count(DISTINCT datname) FROM pool_perf.queries WHERE query = 'SELECT $1 AS only_ascii'}),
			4, "$when: $reader sees all databases");
		is(query($reader, q{SELECT count(DISTINCT fingerprint) FROM pool_perf.queries WHERE query = 'SELECT $1 AS only_ascii'}),
			1, "$when: the same statement has the same fingerprint in $reader");
		is(query($reader, q{SELECT count(*) FROM pool_perf.queries WHERE query LIKE '%secret%' AND query NOT LIKE '%query%'}),
			0, "$when: no constant is shown in $reader");
		is(query($reader, q{SELECT count(*) FROM pool_perf.queries WHERE query = '<text not recorded>'}),
			0, "$when: no text is lost in $reader");

		foreach my $row (split /\n/, query($reader,
				q{SELECT datname || ' ' || length(substring(query from '"(a*)e')) || ' ' || query FROM pool_perf.queries
				  WHERE calls = 1 AND failed_calls = 0 AND query ~ '^SELECT \$1 AS "a*e.*\$2 AS'}))
		{
			my ($writer, $i, $text) = $row =~ /^(\S+) (\d+) (.*)$/ or die "not understood: $row";

			push @{ $seen{$reader}{$writer}[$i] }, $text;
		}
		foreach my $writer (@names)
		{
			my ($good, $bad) = (0, '');

			for my $i (0 .. 15)
			{
				my @texts = @{ $seen{$reader}{$writer}[$i] // [] };
				my $full = statement($writer, $i);
				my $bare = $texts[0] // '';

				# Whatever it is, it shows that it was cut
				if (@texts != 1 || $bare !~ s/\Q$mark\E$//)
				{
				}
				elsif ($reader eq $writer && $reader ne 'sql_ascii')
				{
					# The longest that fits, and nothing but it
					my $bytes = length(Encode::encode($databases{$writer}[1], $bare));
					my ($token) = substr($full, length($bare)) =~ /^(\$\d+|.)/;
					my $next = length(Encode::encode($databases{$writer}[1], $token));

					$good++, next if index($full, $bare) == 0 && $bytes + length($mark) <= $length && $bytes + $next + length($mark) > $length;
				}
				elsif ($reader eq 'utf8' && $writer ne 'sql_ascii')
				{
					$good++, next if index($full, $bare) == 0 && length($bare) > $length / 4;
				}
				else
				{
					# A character that is not there is question marks
					my $pattern = join('', map { /[\x00-\x7f]/ ? quotemeta($_) : "(?:$_|[?]{1,4})" } split(//, substr($full, 0, 50)));

					$good++, next if $bare =~ /^$pattern/;
				}
				$bad ||= "$i: " . bytes(join('|', @texts));
			}
			is($good, 16, "$when: texts of $writer in $reader") or diag($bad);
		}
	}
	is(query('utf8', q{SELECT count(*) FROM pool_perf.queries WHERE datname = 'sql_ascii' AND query ~ 'AS "bad_' AND query ~ '\?\?'}),
		1, "$when: what is in no encoding is question marks elsewhere");
	return \%seen;
}

my $before = check('running');

# A character that the reader lacks is a question mark; what it has is shown
foreach my $pair ([ 'latin1', 'utf8', "e\x{e9}\x{df}" ], [ 'euc_jp', 'utf8', "\x{65e5}\x{672c}\x{8a9e}" ], [ 'utf8', 'latin1', "\x{fc}\x{df}\x{ff}" ], [ 'utf8', 'euc_jp', "\x{ff76}\x{4e02}" ])
{
	my ($reader, $writer, $characters) = @$pair;
	like($before->{$reader}{$writer}[3][0], qr/$characters/, "$reader shows what it can of $writer");
}
unlike($before->{latin1}{utf8}[3][0], qr/\x{65e5}/, 'latin1 shows what it cannot as something else');

# Names, and what is not a constant, stay as they were written
foreach my $name (grep { $_ ne 'sql_ascii' } @names)
{
	my $c = $databases{$name}[2];
	is( query($name, qq{SELECT query FROM pool_perf.queries WHERE datname = '$name' AND query LIKE 'SELECT x%AS y%'}),
		qq{SELECT x$c AS y$c FROM "t$c" WHERE \$1 <> \$2}, "$name: names and dollar quotes");
	is( query($name, qq{SELECT query FROM pool_perf.queries WHERE datname = '$name' AND query LIKE 'COMMENT %'}),
		qq{COMMENT ON TABLE "t$c" IS \$1}, "$name: a utility statement");
	is(query($name, qq{SELECT query FROM pool_perf.queries WHERE datname = '$name' AND query LIKE 'DO %'}),
		'DO $1', "$name: a block");
	is(query($name, qq{SELECT failed_calls FROM pool_perf.queries WHERE datname = '$name' AND query LIKE 'SELECT \$1 / %'}),
		1, "$name: the failing statement");
	# the fingerprint of what was cut is that of the whole
	my $whole = statement($name, 5);
	is( query($name, qq{SELECT count(*) FROM pool_perf.queries WHERE datname = '$name' AND fingerprint = pool_perf.fingerprint(\$q\$$whole\$q\$)}),
		1, "$name: fingerprint of a text that was cut");
}
{
	# a database without encoding has what was written there as it was written
	my $c = $databases{sql_ascii}[2];
	is( query('sql_ascii', q{SELECT query FROM pool_perf.queries WHERE datname = 'sql_ascii' AND query LIKE 'COMMENT %'}),
		qq{COMMENT ON TABLE "t$c" IS \$1}, 'sql_ascii: a text of its own');
}

# Saved and loaded again
$node->restart;
my $after = check('restarted');
is_deeply($after, $before, 'the same after a restart');

# and after a crash, from what was saved last
$node->stop('immediate');
$node->start;
is_deeply(check('crashed'), $before, 'the same after a crash');

# A database that is gone leaves its texts to be read
query('postgres', 'DROP DATABASE euc_jp');
@names = grep { $_ ne 'euc_jp' } @names;
foreach my $reader (@names)
{
	is(query($reader, q{SELECT count(*) FROM pool_perf.queries WHERE datname IS NULL AND query LIKE 'COMMENT ON TABLE %'}),
		1, "texts of a dropped database in $reader");
}

$node->stop;
# a session may still be leaving when the server is told to stop
my @errors = grep { !/division by zero|terminating connection due to administrator command/ } slurp_file($node->logfile) =~ /^.*(?:ERROR|FATAL|PANIC):  .*$/mg;
is("@errors", '', 'no other error in the log');

done_testing();
