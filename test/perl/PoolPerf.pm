
=head1 NAME

PoolPerf - servers with pool_perf for TAP tests

=head1 SYNOPSIS

  use FindBin;
  use lib "$FindBin::RealBin/../perl";
  use PoolPerf;

  my $node = PoolPerf::cluster('main', create => 1, conf => "pool_perf.track = 'all'");

=cut

package PoolPerf;

use strict;
use warnings;

use Cwd qw(abs_path);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(usleep);

=head1 FUNCTIONS

=head2 PoolPerf::cluster($name, %options)

Makes a server that finds pool_perf and returns its PostgreSQL::Test::Cluster.

=over

=item preload => list

shared_preload_libraries; 'pool_perf' by default, '' for none.

=item conf => text

Lines for postgresql.conf.

=item extra => [ words ]

Further words for initdb. The encoding is UTF8 unless they say otherwise.

=item allows_streaming => value

As for init().

=item start => 1

Start it.

=item create => 1

Start it and create the extension in the database postgres.

=back

=cut

sub cluster
{
	my ($name, %options) = @_;
	my $preload = $options{preload} // 'pool_perf';
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(
		extra => [ '--no-locale', '--encoding=UTF8', @{ $options{extra} // [] } ],
		allows_streaming => $options{allows_streaming} // 0);
	$node->append_conf('postgresql.conf', "shared_preload_libraries = '$preload'") if $preload ne '';
	$node->append_conf('postgresql.conf', server_conf());
	$node->append_conf('postgresql.conf', $options{conf}) if defined $options{conf};
	$node->start if $options{start} || $options{create};
	$node->safe_psql('postgres', 'CREATE EXTENSION pool_perf') if $options{create};
	return $node;
}

=head2 PoolPerf::processes($node, $title)

The ids of a server's processes; with a regular expression, of those alone that
have it in their title.

=cut

sub processes
{
	my ($node, $title) = @_;
	my $directory = abs_path($node->data_dir);
	my @pids;

	foreach my $cwd (glob('/proc/[0-9]*/cwd'))
	{
		my ($pid) = $cwd =~ /(\d+)/;
		next if (readlink($cwd) // '') ne $directory;
		open(my $in, '<', "/proc/$pid/cmdline") or next;
		my $command = <$in> // '';
		close($in);
		push @pids, $pid if !defined $title || $command =~ /$title/;
	}
	return @pids;
}

=head2 PoolPerf::kill9($node)

Kills the postmaster, and waits until its children have noticed and left: until
then their memory is in use, and the server cannot start.

=cut

sub kill9
{
	my ($node) = @_;
	my ($postmaster) = split(/\n/, slurp_file($node->data_dir . '/postmaster.pid'));

	$node->kill9;
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return if processes($node) == 0 && !kill(0, $postmaster);
		usleep(100_000);
	}
	die 'processes stay';
}

=head2 PoolPerf::server_conf()

The lines of postgresql.conf with which a server finds a pool_perf that is not
installed. Empty when the tests run against an installed one.

=cut

sub server_conf
{
	my $file = $ENV{PP_SERVER_CONF};

	return '' unless defined $file;
	open(my $in, '<', $file) or die "could not read $file: $!";
	local $/;
	my $conf = <$in>;
	close($in);
	return $conf;
}

1;
