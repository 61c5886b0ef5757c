/*
 * abab.c - sends statements to servers, and says what time they took
 *
 *   abab [options] -f FILE BASELINE PEER ...
 *
 * The servers are conninfo strings.  A round is: baseline, peer 1, baseline,
 * peer 2, ...  A batch takes a few milliseconds, so that whatever else the
 * machine does falls on both of a pair alike.  Prints a line a batch:
 *   server wall_ns cpu_ns statements
 * where cpu_ns is the backends' time on a CPU, from /proc/PID/schedstat.
 *
 *   abab -1 N [options] -f FILE SERVER
 *
 * Sends N statements in one session and prints the id of its process.
 *
 *   -f FILE  statements, one a line, taken in turn; $1 is a random key
 *   -s N     begin with statement N       -m simple|extended|prepared
 *   -k N     keys are 1..N                -c N   connections to each server
 *   -n N     statements in a batch        -w N   untimed ones before each batch
 *   -t N     seconds
 *
 * One connection: client and backends share the last CPU, so that they never
 * move.  More: the backends are spread over all of them.
 */
#define _GNU_SOURCE
#include <libpq-fe.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_CLIENTS 64
#define MAX_SERVERS 16

typedef struct Server
{
	PGconn	   *conn[MAX_CLIENTS];
	int			next;			/* statement to send */
} Server;

static Server servers[MAX_SERVERS];
static int	nservers;
static int	clients = 1;
static char **statements;
static int	nstatements;
static char mode = 's';
static int	keys = 100000;
static uint64_t seed = 88172645463325252ull;

static uint64_t
next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static uint64_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static void
die(const char *what, PGconn *conn)
{
	fprintf(stderr, "abab: %s%s%s\n", what, conn ? ": " : "", conn ? PQerrorMessage(conn) : "");
	exit(1);
}

static void
send_one(Server *server, PGconn *conn)
{
	const char *statement = statements[server->next];
	const char *parameter = strstr(statement, "$1");
	char		key[16];
	const char *values[1] = {key};
	int			ok;

	server->next = (server->next + 1) % nstatements;
	snprintf(key, sizeof(key), "%d", (int) (next_random() % keys) + 1);
	if (mode == 'p')
		ok = PQsendQueryPrepared(conn, "q", parameter != NULL, values, NULL, NULL, 0);
	else if (mode == 'e')
		ok = PQsendQueryParams(conn, statement, parameter != NULL, NULL, values, NULL, NULL, 0);
	else if (parameter)
	{
		char		text[8192];

		snprintf(text, sizeof(text), "%.*s%s%s", (int) (parameter - statement), statement, key, parameter + 2);
		ok = PQsendQuery(conn, text);
	}
	else
		ok = PQsendQuery(conn, statement);
	if (!ok)
		die("cannot send", conn);
}

/* Takes what has come; true when the statement has ended. */
static int
receive(PGconn *conn)
{
	PGresult   *result;

	if (!PQconsumeInput(conn))
		die("cannot read", conn);
	while (!PQisBusy(conn))
	{
		result = PQgetResult(conn);
		if (result == NULL)
			return 1;
		if (PQresultStatus(result) != PGRES_TUPLES_OK)
			die("a statement failed", conn);
		PQclear(result);
	}
	return 0;
}

static void
batch(Server *server, int n)
{
	struct pollfd polls[MAX_CLIENTS];
	int			sent = 0;
	int			done = 0;

	for (int i = 0; i < clients; i++)
	{
		polls[i].fd = sent < n ? PQsocket(server->conn[i]) : -1;
		polls[i].events = POLLIN;
		if (sent++ < n)
			send_one(server, server->conn[i]);
	}
	while (done < n)
	{
		if (poll(polls, clients, 60000) <= 0)
			die("no answer", NULL);
		for (int i = 0; i < clients; i++)
		{
			if (polls[i].fd < 0 || polls[i].revents == 0 || !receive(server->conn[i]))
				continue;
			done++;
			if (sent < n)
				send_one(server, server->conn[i]);
			else
				polls[i].fd = -1;
			sent++;
		}
	}
}

static uint64_t
cpu_time(Server *server)
{
	uint64_t	sum = 0;

	for (int i = 0; i < clients; i++)
	{
		char		path[64];
		unsigned long long time = 0;
		FILE	   *file;

		snprintf(path, sizeof(path), "/proc/%d/schedstat", PQbackendPID(server->conn[i]));
		file = fopen(path, "r");
		if (!file || fscanf(file, "%llu", &time) != 1)
			die("no schedstat", NULL);
		fclose(file);
		sum += time;
	}
	return sum;
}

static void
timed(int which, int warm, int n)
{
	Server	   *server = &servers[which];
	uint64_t	cpu;
	uint64_t	start;
	uint64_t	end;

	if (warm > 0)
		batch(server, warm);
	cpu = cpu_time(server);
	start = now();
	batch(server, n);
	end = now();
	printf("%d %llu %llu %d\n", which, (unsigned long long) (end - start),
		   (unsigned long long) (cpu_time(server) - cpu), n);
}

/* Where this is not allowed, the numbers are noisier. */
static void
pin(pid_t pid, int cpu)
{
	cpu_set_t	set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	(void) sched_setaffinity(pid, sizeof(set), &set);
}

static void
read_statements(const char *name)
{
	FILE	   *file = fopen(name, "r");
	char	   *line = NULL;
	size_t		size = 0;
	ssize_t		length;

	if (!file)
		die("cannot open the statements", NULL);
	while ((length = getline(&line, &size, file)) > 0)
	{
		line[strcspn(line, "\n")] = '\0';
		statements = realloc(statements, (nstatements + 1) * sizeof(char *));
		statements[nstatements++] = strdup(line);
	}
	free(line);
	fclose(file);
	if (nstatements == 0 || (mode == 'p' && nstatements > 1))
		die("one statement, or several that are not prepared", NULL);
}

static void
connect_to(const char *conninfo, int first)
{
	Server	   *server = &servers[nservers++];
	int			ncpus = sysconf(_SC_NPROCESSORS_ONLN);

	server->next = first % nstatements;
	for (int i = 0; i < clients; i++)
	{
		PGconn	   *conn = server->conn[i] = PQconnectdb(conninfo);

		if (PQstatus(conn) != CONNECTION_OK)
			die("cannot connect", conn);
		if (mode == 'p')
			PQclear(PQprepare(conn, "q", statements[0], 0, NULL));
		pin(PQbackendPID(conn), clients == 1 ? ncpus - 1 : i % ncpus);
	}
	pin(0, ncpus - 1);
}

int
main(int argc, char **argv)
{
	const char *file = NULL;
	int			count = 0;
	int			first = 0;
	int			n = 300;
	int			warm = 30;
	int			seconds = 5;
	int			option;
	uint64_t	end;

	while ((option = getopt(argc, argv, "1:f:s:m:k:c:n:w:t:")) != -1)
		switch (option)
		{
			case '1': count = atoi(optarg); break;
			case 'f': file = optarg; break;
			case 's': first = atoi(optarg); break;
			case 'm': mode = *optarg; break;
			case 'k': keys = atoi(optarg); break;
			case 'c': clients = atoi(optarg); break;
			case 'n': n = atoi(optarg); break;
			case 'w': warm = atoi(optarg); break;
			case 't': seconds = atoi(optarg); break;
			default: return 2;
		}
	if (!file || optind >= argc || argc - optind > MAX_SERVERS || clients < 1 || clients > MAX_CLIENTS)
		die("usage: abab [options] -f FILE BASELINE PEER ...", NULL);

	read_statements(file);
	for (int i = optind; i < argc; i++)
		connect_to(argv[i], first);

	if (count > 0)
	{
		batch(&servers[0], count);
		printf("%d\n", PQbackendPID(servers[0].conn[0]));
		PQfinish(servers[0].conn[0]);
		return 0;
	}

	for (int i = 0; i < nservers; i++)
		batch(&servers[i], 20 * clients + warm);
	end = now() + seconds * 1000000000ull;
	while (now() < end)
		for (int i = 1; i < nservers; i++)
		{
			timed(0, warm, n);
			timed(i, warm, n);
		}
	timed(0, warm, n);
	return 0;
}
