#!/usr/bin/env bash
# worker.sh [SECONDS [INTERVAL]] - what pool_perf's worker takes of a core, with 100
# idle sessions and 20 that work, and with 100 that wait for one lock
#
# On a server of its own, in a scratch directory; INTERVAL is that of
# pool_perf.sample_interval.
set -euo pipefail
# shellcheck source=test/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

seconds=${1:-60}
interval=${2:-1s}

if [[ -z ${PP_SCRATCH-} ]]; then
	find_server || die "no server found"
	in_scratch test/bench/worker.sh "$seconds" "$interval"
	exit
fi

# shellcheck disable=SC2119
place_extension >"$PP_SCRATCH/build.log" 2>&1 || { tail -n 40 "$PP_SCRATCH/build.log" >&2; die "cannot build"; }
data=$PP_SCRATCH/data
"$bindir/initdb" -D "$data" -A trust -N -U bench >"$PP_SCRATCH/initdb.log"
{
	cat "$PP_SCRATCH/server.conf"
	cat <<-END
		shared_preload_libraries = 'pool_perf'
		pool_perf.sample_interval = '$interval'
		listen_addresses = ''
		unix_socket_directories = '$PP_SCRATCH'
		max_connections = 300
		fsync = off
	END
} >>"$data/postgresql.conf"
"$bindir/pg_ctl" -D "$data" -w -l "$PP_SCRATCH/server.log" start >/dev/null
export PGHOST=$PP_SCRATCH PGUSER=bench PGDATABASE=postgres
"$bindir/pgbench" -i -q -s 5 >"$PP_SCRATCH/init.log" 2>&1

worker=
read -r postmaster <"$data/postmaster.pid"
# there is no end of line
read -ra children <"/proc/$postmaster/task/$postmaster/children" || true
for process in "${children[@]}"; do
	! grep -q 'pool_perf worker' "/proc/$process/cmdline" 2>/dev/null || worker=$process
done
[[ -n $worker ]] || die "there is no worker"

# measure NAME: CPU time of the worker, in percent of one core
measure() {
	local before after begin end
	begin=$(date +%s%N)
	before=$(cut -d ' ' -f 1 "/proc/$worker/schedstat")
	sleep "$seconds"
	after=$(cut -d ' ' -f 1 "/proc/$worker/schedstat")
	end=$(date +%s%N)
	awk -v name="$1" -v cpu=$((after - before)) -v wall=$((end - begin)) \
		'BEGIN { printf "%-45s %.3f %% of a core\n", name, 100 * cpu / wall }'
}

# clients N SCRIPT: as many sessions that run it over and over
clients() {
	echo "$2" >"$PP_SCRATCH/script.$1"
	"$bindir/pgbench" -n -c "$1" -T 36000 -f "$PP_SCRATCH/script.$1" >>"$PP_SCRATCH/pgbench.log" 2>&1 &
}

measure "alone"
clients 100 $'SELECT 1;\n\\sleep 36000 s'
"$bindir/pgbench" -n -c 20 -j 2 -T 36000 >>"$PP_SCRATCH/pgbench.log" 2>&1 &
busy=$!
sleep 3
measure "100 idle sessions, 20 that work (pgbench)"
kill "$busy"
"$bindir/psql" -qc 'BEGIN; LOCK TABLE pgbench_history; SELECT pg_sleep(36000)' >/dev/null 2>&1 &
sleep 1
clients 99 'SELECT count(*) FROM pgbench_history;'
sleep 3
measure "100 idle sessions, 99 that wait for one lock"
