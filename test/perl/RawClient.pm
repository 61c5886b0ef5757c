
=head1 NAME

RawClient - a client that is a socket, for TAP tests with many sessions

=head1 SYNOPSIS

  my $client = RawClient->new($node, user => 'someone', application_name => 'x');
  $client->ask('SELECT 1');       # waits for the answer
  $client->send('SELECT pg_sleep(1000)');
  $client->answer;                # rows, separated by commas, a blank, what ended
  $client->{pid};

It speaks the protocol that psql does not: portals in steps, statements that are
sent without waiting for what comes of them.

=cut

package RawClient;

use strict;
use warnings;

use IO::Socket::UNIX;

sub new
{
	my ($class, $node, %options) = @_;
	my $socket = IO::Socket::UNIX->new($node->host . '/.s.PGSQL.' . $node->port) or die "could not connect: $!";
	my $self = bless({ socket => $socket, user => scalar($ENV{PGUSER} // getpwuid($>)), database => 'postgres', %options }, $class);
	my %startup = map { $_ => $self->{$_} } grep { !/^(?:socket|pid)$/ } keys %$self;
	my $body = pack('N', 196608) . join('', map { "$_\0$startup{$_}\0" } keys %startup) . "\0";

	$socket->autoflush(1);
	syswrite($socket, pack('N', 4 + length $body) . $body);
	$self->answer;
	return $self;
}

sub _read
{
	my ($self, $length) = @_;
	my $data = '';

	while (length $data < $length)
	{
		sysread($self->{socket}, $data, $length - length $data, length $data)
		  or die 'the server closed the connection';
	}
	return $data;
}

# Sends messages: pairs of a type and a body
sub messages
{
	my ($self, @pairs) = @_;
	my $data = '';

	while (my ($type, $body) = splice(@pairs, 0, 2))
	{
		$data .= $type . pack('N', 4 + length $body) . $body;
	}
	syswrite($self->{socket}, $data);
}

# Sends a message with SQL, and does not wait
sub send
{
	my ($self, $sql) = @_;
	$self->messages('Q', "$sql\0");
}

# Parses, binds and executes a statement for so many rows; the unnamed portal
# stays suspended inside of a transaction block
sub portal
{
	my ($self, $sql, $rows) = @_;
	$self->messages(
		'P', "\0$sql\0" . pack('n', 0),
		'B', "\0\0" . pack('nnn', 0, 0, 0),
		'E', "\0" . pack('N', $rows),
		'S', '');
	return $self->answer;
}

# Likewise, with Flush in place of Sync: the server waits for more messages, and
# calls the session active
sub flushed_portal
{
	my ($self, $sql, $rows) = @_;
	$self->messages(
		'P', "\0$sql\0" . pack('n', 0),
		'B', "\0\0" . pack('nnn', 0, 0, 0),
		'E', "\0" . pack('N', $rows),
		'H', '');
	return $self->answer($rows > 0 ? 's' : 'C');
}

# Runs the unnamed portal on
sub more
{
	my ($self, $rows) = @_;
	$self->messages('E', "\0" . pack('N', $rows), 'H', '');
}

# Reads up to ReadyForQuery, or to a message of another type. Returns the rows, and what else came, as letters: s
# for PortalSuspended, C for CommandComplete, and the SQLSTATE of an error.
sub answer
{
	my ($self, $until) = @_;
	my @rows;
	my @events;

	for (;;)
	{
		my ($type, $length) = unpack('a N', $self->_read(5));
		my $body = $self->_read($length - 4);

		push @rows, unpack('x2 N/a', $body) if $type eq 'D';
		push @events, $type if $type eq 's' || $type eq 'C';
		push @events, $body =~ /C([0-9A-Z]{5})\0/ if $type eq 'E';
		$self->{pid} = unpack('N', $body) if $type eq 'K';
		last if $type eq 'Z' || $type eq ($until // '');
		die "could not log in: @events" if $type eq 'E' && !defined $self->{pid};
	}
	return join(',', @rows) . ' ' . join('', @events);
}

sub ask
{
	my ($self, $sql) = @_;
	$self->send($sql);
	return $self->answer;
}

sub close
{
	my ($self) = @_;
	$self->messages('X', '');
	$self->{socket}->close;
}

1;
