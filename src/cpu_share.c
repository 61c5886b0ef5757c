/*
 * cpu_share.c
 *	  The server's share of the machine's CPU, from /proc.
 *
 * The CPU time of the server is that of the postmaster, of the children it
 * has waited for, which the kernel adds up, and of those that live.  The
 * machine's is that of all its CPUs, idle or not.  In a container the machine
 * is the host.
 *
 * Readings are kept in the memory of the process that takes them, which is the
 * worker: a ring of as many as the window has, one for each health check.
 * Where there is no /proc, nothing is known.
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/proc.h"

#include "cpu_share.h"
#include "worker.h"

/* readings of one window, and the one that it begins with */
#define READINGS	(PP_CPU_WINDOW / PP_HEALTH_INTERVAL + 1)

/* In clock ticks. */
typedef struct Reading
{
	TimestampTz at;
	uint64		server;
	uint64		machine;
} Reading;

typedef struct ProcessTime
{
	int			parent;
	uint64		own;
	uint64		children;		/* that it has waited for */
} ProcessTime;

static Reading readings[READINGS];
static int	nreadings;			/* ever */

/* Reads the beginning of a small file, as a string. */
static bool
read_file(const char *path, char *text, int size)
{
	int			fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t		length;

	if (fd < 0)
		return false;
	length = read(fd, text, size - 1);
	close(fd);
	if (length <= 0)
		return false;
	text[		length] = '\0';

	return true;
}

/* The name of a process may hold anything, and ends with the last bracket. */
static bool
read_process(int pid, ProcessTime *time)
{
	char		path[64];
	char text[	1024];
	char	   *rest;
	unsigned long user,
				system;
	long		children_user,
				children_system;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (!read_file(path, text, sizeof(text)))
		return false;
	rest = strrchr(text, ')');
	if (rest == NULL ||
		sscanf(rest + 1,
			   " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld",
			   &time->parent, &user, &system, &children_user,
			   &children_system) != 5)
		return false;
	time->own = (uint64) user + system;
	time->children = (uint64) children_user + children_system;
	return true;
}

/* The sum of the first line: user nice system idle iowait irq softirq steal. */
static bool
read_machine(uint64 *ticks)
{
	char text[	512];
	unsigned long long t[8] = {0};

	if (!read_file("/proc/stat", text, sizeof(text)) ||
		sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &t[0],
			   &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]) < 4)
		return false;
	*ticks = 0;
	for (int i = 0; i < lengthof(t); i++)
		*ticks += t[i];
	return true;
}

/* Processes without a PGPROC, the syslogger alone, are left out while they live. */
static bool
read_server(uint64 *ticks)
{
	ProcessTime time;

	if (!read_process(PostmasterPid, &time))
		return false;
	*ticks = time.own + time.children;
	for (uint32 i = 0; i < ProcGlobal->allProcCount; i++)
	{
		int			pid = GetPGProcByNumber(i)->pid;

		/* a place that nobody has can have an old pid, of anybody by now */
		if (pid != 0 && read_process(pid, &time) &&
			time.parent == PostmasterPid)
			*ticks += time.own + time.children;
	}
	return true;
}

/*
 * Takes a reading, and tells the share since the first one of the window.  Not
 * known before the second.
 */
void
pp_cpu_share(TimestampTz now, PpCpuShare *share)
{
	Reading		new = {.at = now};
	const Reading *first;

	share->known = false;
	if (!read_machine(&new.machine) || !read_server(&new.server))
		return;
	if (nreadings > 0 && new.at <= readings[(nreadings - 1) % READINGS].at)
		nreadings = 0;
	readings[nreadings % READINGS] = new;
	nreadings++;

	first = &readings[nreadings < READINGS ? 0 : nreadings % READINGS];
	if (new.machine <= first->machine || new.server < first->server)
		return;
	share->known = true;
	share->percent = 100.0 * (new.server - first->server) /
		(new.machine - first->machine);
	share->percent = Min(share->percent, 100);
	share->seconds = (new.at - first->at) / (double) USECS_PER_SEC;
}
