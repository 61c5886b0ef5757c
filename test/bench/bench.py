#!/usr/bin/env python3
"""What pool_perf costs, beside pg_stat_statements; started by run.sh.

Every server is a copy of one cluster (pgbench, scale 1) with settings of its
own.  "added" is the difference to the server `baseline`, which has
compute_query_id = on and no library.  Timing never makes this fail.
"""
import argparse
import contextlib
import os
import random
import re
import shutil
import statistics
import subprocess
import time

SCRATCH = os.environ.get("PP_SCRATCH", "")
BIN = os.environ.get("bindir", "")
ROOT = os.path.join(SCRATCH, "bench")
ABAB = os.path.join(SCRATCH, "abab")

CONF = """
include = '{scratch}/server.conf'
listen_addresses = ''
unix_socket_directories = '{root}'
port = {port}
fsync = off
synchronous_commit = off
jit = off
autovacuum = off
max_wal_size = 4GB
checkpoint_timeout = 1h
logging_collector = off
log_checkpoints = off
shared_preload_libraries = '{library}'
{settings}
"""

SHAPES = 20000
ROOM = 5000             # entries in either table, the default of both
READ_SHAPES = 4900
EXPRESSIONS = ["aid", "bid", "abalance", "aid + 1", "aid - 1", "aid * 2", "bid + 1", "bid - 1", "bid * 2",
               "abalance + 1", "abalance - 1", "- aid"]
LOOKUP = "SELECT abalance FROM pgbench_accounts WHERE aid = $1\n"

WORKLOADS = {           # name: (file of statements, protocol)
    "pk_prepared": ("pk", "prepared"),
    "pk_simple": ("pk", "simple"),
    "pk_extended": ("pk", "extended"),
    "shapes": ("shapes", "simple"),
}

# Valgrind makes system calls of the readings that the kernel's vdso serves in
# about so many instructions, and does not count those
CLOCK_COST = 80
CLOCKS = ("clock_gettime", "gettimeofday")

# The size of the environment moves the stack, and with it what strlen and the
# like take: by 20 instructions a statement.  Each is a start of the server
PADDINGS = (0, 24, 40)

# How often a backend finds its client's next message already there depends on
# the scheduler, and what it does once a second on the machine's speed: such
# functions and system calls are left out
WAITING = {"WaitEventSetWait", "WaitEventSetWaitBlock", "ModifyWaitEvent", "WaitEventAdjustEpoll", "secure_read",
           "secure_raw_read", "recv", "epoll_wait", "epoll_ctl", "__errno_location", "recvfrom", "setitimer",
           "rt_sigreturn", "restart_syscall", "__syscall_cancel", "__internal_syscall_cancel"}
ONCE_A_SECOND = "pgstat_report_stat"


class Server:
    def __init__(self, name, port, library="", **settings):
        self.name = name
        self.port = port
        self.library = library
        self.settings = settings
        self.data = os.path.join(ROOT, name)
        self.log = os.path.join(ROOT, name + ".log")


SERVERS = {s.name: s for s in (
    Server("no module", 5501, compute_query_id="off"),
    Server("baseline", 5502, compute_query_id="on"),
    Server("control", 5503, compute_query_id="on"),
    Server("pg_stat_statements", 5504, "pg_stat_statements",
           **{"compute_query_id": "on", "pg_stat_statements.max": ROOM}),
    Server("pool_perf", 5505, "pool_perf", **{"compute_query_id": "on", "pool_perf.max_queries": ROOM}),
)}
BASELINE = SERVERS["baseline"]
CONTROL = SERVERS["control"]
PGSS = SERVERS["pg_stat_statements"]
POOL_PERF = SERVERS["pool_perf"]
BOTH = (PGSS, POOL_PERF)
THREE = (CONTROL, PGSS, POOL_PERF)


# ---- printing ---------------------------------------------------------------

def say(*words):
    print(*words, flush=True)


def table(head, rows):
    rows = [[str(cell) for cell in row] for row in rows]
    columns = list(zip(head, *rows))
    widths = [max(map(len, column)) for column in columns]
    numbers = [all(cell[0] in "+-.0123456789" for cell in column[1:]) for column in columns]

    def line(row):
        cells = (c.rjust(w) if number else c.ljust(w) for c, w, number in zip(row, widths, numbers))
        return "| " + " | ".join(cells) + " |"

    say(line(head))
    say("|" + "|".join("-" * (w + 1) + (":" if number else "-") for w, number in zip(widths, numbers)) + "|")
    for row in rows:
        say(line(row))


def verdict(what, value, goal, form="{:.2f}", noise=0.0):
    """One line; a comparison, not a test.  Differences below the noise decide nothing."""
    said = "pass" if value <= goal else "over"
    if abs(value - goal) < noise:
        said += ", but two equal servers differ by more"
    say("%s: %s, goal at most %s: %s" % (what, form.format(value), form.format(goal), said))


def title(text):
    say("\n" + text + "\n")


# ---- servers ----------------------------------------------------------------

def run(*words, **more):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if done.returncode != 0:
        raise SystemExit("bench.py: %s failed\n%s" % (" ".join(words), done.stdout[-4000:]))
    return done.stdout


def program(name):
    return os.path.join(BIN, name)


def psql(server, sql):
    return run(program("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-p", str(server.port), "-c", sql).strip()


def pgbench(server, *words):
    return run(program("pgbench"), "-n", "-p", str(server.port), *map(str, words))


def tps(server, *words):
    return float(re.search(r"tps = ([\d.]+) \(without", pgbench(server, *words)).group(1))


def configure(server):
    if not os.path.isdir(server.data):
        run("cp", "-a", os.path.join(ROOT, "template"), server.data)
    settings = "\n".join("%s = '%s'" % pair for pair in server.settings.items())
    with open(os.path.join(server.data, "bench.conf"), "w") as conf:
        conf.write(CONF.format(scratch=SCRATCH, root=ROOT, port=server.port, library=server.library, settings=settings))


def complain(server, problem):
    with open(server.log) as log:
        end = log.read()[-4000:]
    raise SystemExit("bench.py: %s: %s\n%s" % (server.name, problem, end))


def check_log(server):
    with open(server.log) as log:
        if re.search(r"PANIC:  |TRAP: |terminated by signal (?:4|6|7|8|11)\b", log.read()):
            complain(server, "the server crashed")


def start(server):
    configure(server)
    done = subprocess.run([program("pg_ctl"), "-D", server.data, "-w", "-t", "60", "-l", server.log, "start"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if done.returncode != 0:
        complain(server, "does not start")


def stop(server):
    run(program("pg_ctl"), "-D", server.data, "-m", "fast", "-w", "-t", "120", "stop")
    check_log(server)


@contextlib.contextmanager
def running(*servers):
    for server in servers:
        start(server)
    yield
    for server in servers:
        stop(server)


@contextlib.contextmanager
def running_under(server, *tool, padding=0):
    """The server as a child of another program, which sees all its processes."""
    configure(server)
    with open(server.log, "a") as log:
        process = subprocess.Popen([*tool, program("postgres"), "-D", server.data],
                                   env={**os.environ, "PADDING": "x" * padding},
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    ready = [program("pg_isready"), "-q", "-p", str(server.port)]
    for _ in range(480):
        if process.poll() is not None:
            complain(server, "does not start under " + tool[0])
        if subprocess.run(ready).returncode == 0:
            break
        time.sleep(0.25)
    yield
    stop(server)
    process.wait(120)


def make_template():
    template = Server("template", 5500)
    os.makedirs(ROOT, exist_ok=True)
    run(program("initdb"), "-D", template.data, "-U", "bench", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
    with open(os.path.join(template.data, "postgresql.conf"), "a") as conf:
        conf.write("include = 'bench.conf'\n")
    with running(template):
        pgbench(template, "-i", "-q", "-s", 1)
        psql(template, "VACUUM (FREEZE, ANALYZE)")
    with open(os.path.join(ROOT, "pk.sql"), "w") as file:
        file.write(LOOKUP)
    with open(os.path.join(ROOT, "shapes.sql"), "w") as file:
        file.writelines(shape(i) for i in range(SHAPES))


def shape(i):
    """One of 20 736 statements; constants or aliases would not make them different."""
    targets = []
    for _ in range(4):
        targets.append(EXPRESSIONS[i % 12])
        i //= 12
    return "SELECT %s FROM pgbench_accounts WHERE aid = 4242\n" % ", ".join(targets)


def warm(server):
    psql(server, "SET enable_seqscan = off; SET enable_bitmapscan = off; "
                 "SELECT sum(abalance) FROM pgbench_accounts WHERE aid > 0")


def abab(*words):
    return run(ABAB, *map(str, words))


def statements(name):
    return os.path.join(ROOT, name + ".sql")


def conninfo(server):
    return "port=%d" % server.port


def fill(server):
    abab("-1", SHAPES, "-f", statements("shapes"), conninfo(server))


def session(server, workload, number, first=0):
    """Runs statements in a backend of their own; returns its process id when it is gone."""
    file, protocol = WORKLOADS[workload]
    pid = int(abab("-1", number, "-s", first, "-m", protocol, "-f", statements(file), conninfo(server)))
    while os.path.exists("/proc/%d" % pid):
        time.sleep(0.05)
    return pid


def per_statement(server, workload, n1, n2, look):
    """Difference of two sessions, so that start and first calls do not count."""
    # a shape must not be there from the session before
    step = 6000 if workload == "shapes" else 0
    session(server, workload, 20)
    few = look(session(server, workload, n1, step))
    many = look(session(server, workload, n2, 2 * step))
    return {key: (many.get(key, 0) - few.get(key, 0)) / (n2 - n1) for key in many}


def prepared(workloads):
    """The baseline and both others, one at a time; with full tables where shapes are to be run."""
    for server in (BASELINE, *BOTH):
        if "shapes" in workloads:
            with running(server):
                fill(server)
        yield server


def watch(server, workloads, n1, n2, look, *tool, padding=0):
    """{workload: per_statement() of it}, with the server as a child of the tool."""
    with running_under(server, *tool, padding=padding):
        warm(server)
        return {workload: per_statement(server, workload, n1, n2, look) for workload in workloads}


def mean(dicts):
    return {key: sum(d.get(key, 0) for d in dicts) / len(dicts) for key in set().union(*dicts)}


# ---- instructions -----------------------------------------------------------

def read_callgrind(path):
    """{("fn", function) or ("lib", library): own instructions, ("calls", function): calls,
    ("with", function): instructions with those of what it calls}"""
    sums, functions, objects = {}, {}, {}
    function = library = callee = None
    after_calls = False

    def name(table, text):
        number, _, rest = text.partition(" ")
        if rest:
            # a copy of the function for recursion, or a version of the symbol
            table[number] = re.sub(r"'\d+$|@.*", "", rest)
        return table.get(number, number)

    def add(key, n):
        sums[key] = sums.get(key, 0) + n

    with open(path, errors="replace") as file:
        for line in file:
            line = line.rstrip("\n")
            if line and line[0] in "0123456789+-*":
                n = int(line.split()[1])
                if after_calls:
                    add(("with", callee), n)
                else:
                    add(("fn", function), n)
                    add(("lib", library), n)
                after_calls = False
            elif line.startswith("fn="):
                function = name(functions, line[3:])
            elif line.startswith("cfn="):
                callee = name(functions, line[4:])
            elif line.startswith("calls="):
                add(("calls", callee), int(line[6:].split()[0]))
                after_calls = True
            elif line.startswith("ob="):
                library = os.path.basename(name(objects, line[3:]))
            elif line.startswith("cob="):
                name(objects, line[4:])
    return sums


def clock_readings(sums):
    return sum(n for (kind, key), n in sums.items() if kind == "calls" and key.lstrip("_") in CLOCKS)


def cost(sums):
    """Instructions per statement, with the clock and without waiting."""
    own = sum(n for (kind, key), n in sums.items() if kind == "fn" and key not in WAITING)
    return own - sums.get(("with", ONCE_A_SECOND), 0) + CLOCK_COST * clock_readings(sums)


def icount(args):
    """instructions added per statement, by callgrind"""
    workloads = args.workloads.split(",")
    found = {}
    for server in prepared(workloads):
        profiles = os.path.join(ROOT, "callgrind." + server.name)
        os.makedirs(profiles, exist_ok=True)
        runs = [watch(server, workloads, 200, 1200, lambda pid: read_callgrind("%s/out.%d" % (profiles, pid)),
                      "valgrind", "--tool=callgrind", "--callgrind-out-file=%s/out.%%p" % profiles,
                      "--log-file=%s/log.%%p" % profiles, padding=padding) for padding in PADDINGS]
        for workload in workloads:
            found[server, workload] = mean([run[workload] for run in runs])
            if args.functions and server is not BASELINE:
                functions(server, workload, found)

    title("Instructions added to one statement (user space, callgrind; %d for each reading of the clock)" % CLOCK_COST)
    rows, ratios = [], {}
    for workload in workloads:
        base = found[BASELINE, workload]
        added = {s: cost(found[s, workload]) - cost(base) for s in BOTH}
        ratios[workload] = added[POOL_PERF] / added[PGSS]
        sums = found[POOL_PERF, workload]
        own = sums.get(("lib", "pool_perf.so"), 0)
        clocks = clock_readings(sums) - clock_readings(base)
        rows.append([workload, "%.0f" % cost(base), "%+.0f" % added[PGSS], "%+.0f" % added[POOL_PERF],
                     "%.0f" % own, "%.2f" % clocks, "%.0f" % (added[POOL_PERF] - own - CLOCK_COST * clocks),
                     "%.3f" % ratios[workload]])
    table(["workload", "baseline, total", "pg_stat_statements", "pool_perf", "its own code", "its clock readings",
           "server code it calls", "ratio"], rows)
    say()
    for workload in workloads:
        # what new statements cost is system calls and locks above all
        if workload != "shapes":
            verdict("%s, instructions, part of pg_stat_statements'" % workload, ratios[workload], 0.4, "{:.3f}")


def functions(server, workload, found):
    """Where the instructions are that the baseline does not spend."""
    base = found[BASELINE, workload]
    sums = found[server, workload]
    say("\n%s, %s: instructions (calls) per statement, difference to the baseline" % (server.name, workload))
    rows = [(n - base.get(key, 0), key[1]) for key, n in sums.items() if key[0] == "fn"]
    for n, function in sorted(rows, key=lambda row: -row[0]):
        if abs(n) >= 1:
            calls = sums.get(("calls", function), 0) - base.get(("calls", function), 0)
            say("%10.1f  (%.2f)  %s" % (n, calls, function))


# ---- system calls -----------------------------------------------------------

def read_strace(path):
    calls = {}
    with open(path, errors="replace") as file:
        for line in file:
            match = re.match(r"(\w+)\(", line)
            if match:
                calls[match.group(1)] = calls.get(match.group(1), 0) + 1
    return calls


def syscalls(args):
    """system calls per statement, by strace"""
    workloads = args.workloads.split(",")
    found = {}
    for server in prepared(workloads):
        traces = os.path.join(ROOT, "strace." + server.name)
        os.makedirs(traces, exist_ok=True)
        calls = watch(server, workloads, 1000, 5000, lambda pid: read_strace("%s/out.%d" % (traces, pid)),
                      "strace", "-ff", "-qq", "-o", traces + "/out")
        found.update({(server, workload): calls[workload] for workload in workloads})

    title("System calls per statement (strace; those of waiting for the client apart)")
    rows, most = [], 0.0
    for workload in workloads:
        for server in (BASELINE, *BOTH):
            calls = {k: n for k, n in found[server, workload].items() if k not in WAITING}
            base = found[BASELINE, workload]
            more = {k: n - base.get(k, 0) for k, n in calls.items() if n - base.get(k, 0) >= 0.005}
            if server is POOL_PERF:
                most = max(most, sum(more.values()))
            rows.append([workload, server.name, "%.2f" % sum(calls.values()),
                         ", ".join("%s %.2f" % pair for pair in sorted(more.items())) or "none"])
    table(["workload", "server", "calls", "more than the baseline"], rows)
    say()
    verdict("pool_perf, system calls added to a statement", most, 0)


# ---- time -------------------------------------------------------------------

def batches(server, file, protocol, seconds, *more):
    """Medians over pairs of batches; a pair is one of the server and the two of the baseline beside it."""
    out = abab("-f", statements(file), "-m", protocol, "-t", seconds, *more, conninfo(BASELINE), conninfo(server))
    runs = [tuple(map(int, line.split())) for line in out.splitlines()]
    wall, cpu, base = [], [], []
    for before, this, after in zip(runs[0::2], runs[1::2], runs[2::2]):
        n = this[3]
        wall.append((before[1] + after[1]) / 2 / this[1])
        base.append((before[2] + after[2]) / 2 / n)
        cpu.append(this[2] / n - base[-1])
    return {"throughput": statistics.median(wall), "cpu": statistics.median(cpu), "base": statistics.median(base)}


def alternate(servers, file, protocol, args, *more):
    """{server: a result a pass}; servers start anew for each, since their luck in memory layout lasts as long."""
    found = {server: [] for server in servers}
    for n in range(args.passes):
        order = list(servers)
        random.Random(n).shuffle(order)
        with running(BASELINE, *servers):
            for server in (BASELINE, *servers):
                warm(server)
            began = worker_time()
            for server in order:
                found[server].append(batches(server, file, protocol, args.seconds, *more))
            ended = worker_time()
        for run in found[POOL_PERF][-1:]:
            run["worker"] = (ended[1] - began[1]) / (ended[0] - began[0])
    return found


def worker_time():
    """The clock, and the time that pool_perf's worker has spent on a CPU, in nanoseconds."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        # processes of others come and go, and are not to be looked into
        with contextlib.suppress(OSError):
            with open("/proc/%s/cmdline" % pid) as file:
                if "pool_perf worker" not in file.read() or os.readlink("/proc/%s/cwd" % pid) != POOL_PERF.data:
                    continue
            with open("/proc/%s/schedstat" % pid) as file:
                return time.monotonic_ns(), int(file.read().split()[0])
    complain(POOL_PERF, "no worker")


def width(values):
    values = list(values)
    return max(values) - min(values)


def spread(values, form="{:+.0f}"):
    values = sorted(values)
    return "%s (%s to %s)" % tuple(form.format(v) for v in (statistics.median(values), values[0], values[-1]))


def time_table(found):
    """Prints, and returns the median CPU time that each server adds, and the noise, in nanoseconds."""
    base = statistics.median(run["base"] for runs in found.values() for run in runs)
    say("baseline: %.2f µs of backend CPU a statement; medians (and range over %d passes)\n" %
        (base / 1000, len(next(iter(found.values())))))
    table(["server", "backend CPU added, ns", "throughput ratio"],
          [[server.name, spread(run["cpu"] for run in runs), spread((run["throughput"] for run in runs), "{:.3f}")]
           for server, runs in found.items()])
    say("\npool_perf's background worker meanwhile: %.3f %% of a CPU" %
        (100 * statistics.median(run["worker"] for run in found[POOL_PERF])))
    added = {server.name: statistics.median(run["cpu"] for run in runs) for server, runs in found.items()}
    return added, width(run["cpu"] for run in found[CONTROL])


def shapes(args):
    """time of 20,000 statement shapes in turn, with room for 5,000"""
    servers = (SERVERS["no module"], *THREE)
    for server in (BASELINE, *servers):
        with running(server):
            fill(server)
    found = alternate(servers, "shapes", "simple", args, "-n", 200, "-w", 25)
    title("20,000 statement shapes in turn, room for 5,000 in both tables, simple protocol, 1 client")
    added, noise = time_table(found)
    for what, more in (("the baseline", 0), ("no module", -added["no module"])):
        theirs = added[PGSS.name] + more
        verdict("20,000 shapes, CPU added over %s, part of pg_stat_statements'" % what,
                (added[POOL_PERF.name] + more) / theirs, 1 / 2, noise=noise / theirs)


def pk(args):
    """time of a prepared primary-key lookup, 1 and 8 clients"""
    for clients in (1, 8):
        found = alternate(THREE, "pk", "prepared", args,
                          "-k", 1000, "-c", clients, "-n", 400 * min(clients, 4), "-w", 50)
        title("Prepared primary-key lookup over 1,000 keys, %d client%s" % (clients, "s" * (clients > 1)))
        added, noise = time_table(found)
        verdict("prepared lookup, ns of CPU added, beside pg_stat_statements", added[POOL_PERF.name], added[PGSS.name],
                "{:.0f}", noise)


def throughput(args):
    """pgbench -S with 8 clients, taking turns"""
    words = ("-S", "-M", "prepared", "-c", 8, "-j", 2, "-T", args.seconds)
    found = {server: [] for server in THREE}
    speeds = []
    with running(BASELINE, *THREE):
        for server in (BASELINE, *THREE):
            tps(server, *words[:-1], 1)
        before = tps(BASELINE, *words)
        for n in range(args.passes):
            order = list(THREE)
            random.Random(n).shuffle(order)
            for server in order:
                speed = tps(server, *words)
                after = tps(BASELINE, *words)
                found[server].append(speed * 2 / (before + after))
                speeds.append(before)
                before = after
    title("pgbench -S -M prepared, 8 clients: throughput beside the baseline's before and after")
    say("baseline: %.0f a second\n" % statistics.median(speeds))
    table(["server", "throughput ratio, median (range)"],
          [[server.name, spread(ratios, "{:.3f}")] for server, ratios in found.items()])
    say()
    lost = {server: 1 - statistics.median(ratios) for server, ratios in found.items()}
    verdict("8 clients, throughput lost, beside pg_stat_statements", lost[POOL_PERF], lost[PGSS], "{:.3f}",
            width(found[CONTROL]))


# ---- reading and memory -----------------------------------------------------

VIEWS = {PGSS: "pg_stat_statements", POOL_PERF: "pool_perf.queries"}

READS = {               # what: (columns, "" or the function's argument, goal or None)
    "all columns": ("*", "", 2),
    "numbers without texts": ("*", "(false)", 1),
    "the same numbers of both": ("{both}", "(false)", None),
}


def columns_of(server):
    sql = "SELECT attname FROM pg_attribute WHERE attrelid = '%s'::regclass AND attnum > 0" % VIEWS[server]
    return set(psql(server, sql).split())


def read(args):
    """time to read all rows"""
    with open(statements("few"), "w") as file:
        file.writelines(shape(i) for i in range(READ_SHAPES))
    table_rows, ratios = [], {}
    with running(*BOTH):
        psql(PGSS, "CREATE EXTENSION pg_stat_statements")
        psql(POOL_PERF, "CREATE EXTENSION pool_perf")
        psql(PGSS, "SELECT pg_stat_statements_reset()")
        psql(POOL_PERF, "SELECT pool_perf.reset()")
        for server in BOTH:
            abab("-1", 2 * READ_SHAPES, "-f", statements("few"), conninfo(server))
        both = ", ".join(sorted((columns_of(PGSS) & columns_of(POOL_PERF)) - {"query"}))
        for what, (columns, argument, _) in READS.items():
            queries = {server: "SELECT %s FROM %s%s" % (columns.format(both=both), VIEWS[server], argument)
                       for server in BOTH}
            took = {server: [] for server in BOTH}
            for n in range(args.passes):
                for server in BOTH if n % 2 else reversed(BOTH):
                    with open(statements("read"), "w") as file:
                        file.write(queries[server] + ";\n")
                    took[server].append(1000 / tps(server, "-f", statements("read"), "-t", 5))
            rows = [psql(server, "SELECT count(*) FROM (%s) AS r" % queries[server]) for server in BOTH]
            # pairs, since both of one have met the same neighbours on the machine
            ratios[what] = statistics.median(t / u for t, u in zip(took[POOL_PERF], took[PGSS]))
            table_rows.append([what, *rows, *(spread(took[server], "{:.1f}") for server in BOTH),
                               "%.2f" % ratios[what]])
    title("Reading all rows, ms a query (pgbench, 1 client; medians and ranges)")
    table(["what", "rows in pg_stat_statements", "in pool_perf", "pg_stat_statements", "pool_perf", "ratio"],
          table_rows)
    say()
    for what, (_, _, goal) in READS.items():
        if goal is not None:
            verdict("reading, " + what, ratios[what], goal)


def memory(args):
    """shared memory with default settings"""
    allocated = {}
    sql = "SELECT name || '|' || allocated_size FROM pg_shmem_allocations WHERE name IS NOT NULL"
    for server in (BASELINE, *BOTH):
        with running(server):
            allocated[server] = {name: int(size) for name, size in
                                 (line.rsplit("|", 1) for line in psql(server, sql).splitlines())}
    title("Shared memory with default settings (pg_shmem_allocations, above the baseline)")
    rows, total = [], {}
    for server in BOTH:
        more = {name: size - allocated[BASELINE].get(name, 0) for name, size in allocated[server].items()}
        more = {name: size for name, size in more.items() if size != 0}
        total[server] = sum(more.values())
        rows += [[server.name, name, "%.1f" % (size / 1024)] for name, size in sorted(more.items())]
        rows.append([server.name, "total", "%.1f" % (total[server] / 1024)])
    table(["server", "allocation", "kB"], rows)
    say()
    verdict("shared memory, MB", total[POOL_PERF] / 1048576, 32, "{:.1f}")


# ---- the program ------------------------------------------------------------

PARTS = {               # part: passes and seconds that it has by default
    icount: None, syscalls: None, shapes: (3, 4), pk: (5, 2), throughput: (8, 2), read: (15, None), memory: None,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog='as in: make bench ARGS="icount --workloads pk_prepared"')
    parts = parser.add_subparsers(dest="part", metavar="PART", help="one of (all of them without an argument):")
    for part, how_long in PARTS.items():
        sub = parts.add_parser(part.__name__, help=part.__doc__)
        if part in (icount, syscalls):
            default = "pk_prepared,pk_simple,pk_extended" if part is icount else "pk_prepared,pk_simple,shapes"
            sub.add_argument("--workloads", default=default, help="some of %s (default: %s)" % (
                ",".join(WORKLOADS), default))
        if part is icount:
            sub.add_argument("--functions", action="store_true", help="print where the instructions are")
        if how_long:
            sub.add_argument("--passes", type=int, default=how_long[0])
        if how_long and how_long[1]:
            sub.add_argument("--seconds", type=float, default=how_long[1], help="for each server in each pass")
    args = parser.parse_args()
    if not SCRATCH:         # run.sh only asks whether the arguments are right
        return

    os.environ.update(PGHOST=ROOT, PGDATABASE="postgres", PGUSER="bench")
    shutil.rmtree(ROOT, ignore_errors=True)
    began = time.monotonic()
    make_template()
    say("%s, %d CPUs" % (run(program("postgres"), "-V").strip(), os.cpu_count()))
    for part in PARTS:
        if args.part in (None, part.__name__):
            part(args if args.part else parser.parse_args([part.__name__]))
    say("\n%.0f s" % (time.monotonic() - began))


if __name__ == "__main__":
    main()
