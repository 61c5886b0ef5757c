# harness.pl RESULT JOBS PROGRAM... - runs programs that print TAP, JOBS at a
# time.  The file RESULT gets a line "passed failed skipped" (of single tests;
# a program that fails without a failed test is one more) and then the names of
# the programs that failed.

use strict;
use warnings;

use TAP::Harness;

my ($result, $jobs, @programs) = @ARGV;

my $harness = TAP::Harness->new(
	{
		jobs => $jobs,
		timer => 1,
		exec => sub { my $program = $_[1]; $program =~ /\.pl$/ ? [ $^X, $program ] : [$program] },
	});
my $aggregate = $harness->runtests(@programs);

my ($passed, $failed, $skipped) = (0, 0, 0);
my @bad;
foreach my $program ($aggregate->descriptions)
{
	my ($parser) = $aggregate->parsers($program);

	# Skipped tests are among the passed ones
	$passed += $parser->passed - $parser->skipped;
	$skipped += $parser->skip_all ? 1 : $parser->skipped;
	next unless $parser->has_problems;
	$failed += $parser->failed || 1;
	push @bad, $program;
}

open(my $out, '>', $result) or die "could not write $result: $!";
print $out "$passed $failed $skipped\n", map { "$_\n" } @bad;
close($out) or die "could not write $result: $!";
