
=head1 NAME

Session - sessions of the frontend/backend protocol for TAP tests

=head1 SYNOPSIS

  my $session = Session->new($node, settings => ['pool_perf.track=all']);
  is($session->error('SELECT 1 / 0'), '22012');

=head1 DESCRIPTION

psql would not do: this one tells its pid, does not wait for an answer unless
asked, sends the messages of the extended protocol one at a time, and can
vanish.

=cut

package Session;

use strict;
use warnings;

use IO::Select;
use IO::Socket::UNIX;
use PostgreSQL::Test::Utils ();

sub new
{
	my ($class, $node, %options) = @_;
	my $socket = IO::Socket::UNIX->new(Peer => $node->host . '/.s.PGSQL.' . $node->port)
	  or die "could not connect: $!";
	my $self = bless { socket => $socket, buffer => '' }, $class;
	my %words = (
		user => $options{user} // scalar getpwuid($>),
		database => $options{database} // 'postgres',
		application_name => 'session',
		options => join(' ', map { "-c $_" } @{ $options{settings} // [] }));
	my $packet = pack('N', 196608) . join('', map { "$_\0$words{$_}\0" } sort keys %words) . "\0";

	$socket->autoflush(1);
	print $socket pack('N', 4 + length $packet) . $packet;
	my $error = $self->answer->{error};
	die "could not log in: $error" if $error;
	return $self;
}

sub pid { return $_[0]->{pid} }

sub send
{
	my ($self, @messages) = @_;
	my $socket = $self->{socket};

	print $socket map { substr($_, 0, 1) . pack('N', 3 + length $_) . substr($_, 1) } @messages;
	return $self;
}

# Messages: of the simple protocol, and of the extended one
sub Query { return "Q$_[0]\0" }
sub Parse { my ($name, $query) = @_; return "P$name\0$query\0" . pack('n', 0) }

sub Bind
{
	my ($portal, $name, @values) = @_;
	return "B$portal\0$name\0"
	  . pack('nn', 0, scalar @values)
	  . join('', map { pack('N', length $_) . $_ } @values)
	  . pack('n', 0);
}
sub Execute { my ($portal, $limit) = @_; return "E$portal\0" . pack('N', $limit // 0) }
sub Flush { return 'H' }
sub Sync { return 'S' }

# The next message, or nothing when the server has closed the connection
sub message
{
	my ($self) = @_;
	my $select = IO::Select->new($self->{socket});

	for (;;)
	{
		if (length $self->{buffer} >= 5)
		{
			my $length = unpack('N', substr($self->{buffer}, 1, 4));
			if (length $self->{buffer} > $length)
			{
				my $message = substr($self->{buffer}, 0, $length + 1, '');
				return (substr($message, 0, 1), substr($message, 5));
			}
		}
		die "no answer from the server" unless $select->can_read($PostgreSQL::Test::Utils::timeout_default);
		my $n = sysread($self->{socket}, $self->{buffer}, 65536, length $self->{buffer});
		return unless $n;
	}
}

# What the server says until a message of the type $until, ReadyForQuery unless
# told, or the end of the connection: error (SQLSTATE), message, rows, and closed
sub answer
{
	my ($self, $until) = @_;
	my %answer = (error => '', rows => []);

	while (my ($type, $body) = $self->message)
	{
		if ($type eq 'E')
		{
			my ($state, $text) = map { $body =~ /(?:^|\0)$_([^\0]*)/ } qw(C M);
			$answer{error} ||= $state;
			$answer{message} //= $text;
		}
		elsif ($type eq 'D')
		{
			my ($n, $at) = (unpack('n', $body), 2);
			my @row;
			for (1 .. $n)
			{
				my $length = unpack('l>', substr($body, $at, 4));
				push @row, $length < 0 ? '' : substr($body, $at + 4, $length);
				$at += 4 + ($length < 0 ? 0 : $length);
			}
			push @{ $answer{rows} }, join('|', @row);
		}
		elsif ($type eq 'K')
		{
			$self->{pid} = unpack('N', $body);
		}
		elsif ($type eq 'G')
		{
			$self->send('c');
		}
		return \%answer if $type eq ($until // 'Z');
	}
	$answer{closed} = 1;
	return \%answer;
}

# Runs a query; its rows, which must not fail
sub rows
{
	my ($self, $query) = @_;
	my $answer = $self->send(Query($query))->answer;

	die "$query: $answer->{error}: $answer->{message}" if $answer->{error};
	return @{ $answer->{rows} };
}

sub text { my ($self, $query) = @_; return join("\n", $self->rows($query)) }

# Runs a query; the SQLSTATE of its error, or ''
sub error { my ($self, $query) = @_; return $self->send(Query($query))->answer->{error} }

sub disconnect { close($_[0]->{socket}) }

1;
