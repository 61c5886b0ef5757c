#!/usr/bin/env bash
# run.sh          - a small production workload, and what pool_perf says about it
# run.sh stop DIR - stops a server that KEEP=1 left up, and removes all of it
#
# Nothing is installed and nothing stays: all of it happens in a scratch
# directory.
#
#   KEEP       1: leave the server up, and say how to connect and how to stop it
#   PG_CONFIG  the server to use (default: the newest that is there)
set -euo pipefail
# shellcheck source=test/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

if [[ ${1-} == stop ]]; then
	scratch=$(realpath -e "${2-}" 2>/dev/null) || scratch=
	[[ -f $scratch/kept ]] || die "stop which directory? make demo KEEP=1 has printed it"
	started=$(<"$scratch/kept")
	stop_all
	rm -rf "$scratch"
	echo "The server is stopped and removed."
	exit
fi

if [[ -z ${PP_SCRATCH-} ]]; then
	"$root/test/setup.sh" demo
	find_server || die "no server found"
	in_scratch test/demo/run.sh
	if [[ ${KEEP:-0} == 0 ]]; then
		echo "The server is gone; make demo KEEP=1 leaves it up, to look around."
		exit
	fi
	psql=psql
	type -P psql >/dev/null || psql=$bindir/psql
	echo "$started" >"$scratch/kept"
	trap - EXIT HUP INT TERM
	echo "The server stays up, without the workload."
	printf '   to connect:  %q -h %q -U postgres app\n' "$psql" "$scratch"
	printf '   to stop and remove it:  %q stop %q\n' "$root/test/demo/run.sh" "$scratch"
	exit
fi

data=$PP_SCRATCH/data
export PGHOST=$PP_SCRATCH PGDATABASE=app PGUSER=postgres

say() { echo "== $* ($SECONDS s)"; }

# or_show FILE COMMAND...: the output of a command, only where it fails
or_show() {
	local log=$1 rc=0
	shift
	"$@" >"$log" 2>&1 || rc=$?
	((rc == 0)) || { tail -n 20 "$log"; die "the step '$(basename "$log" .log)' failed"; }
}

# client USER NAME: a session that goes on after errors, as applications do
client() {
	PGUSER=$1 PGAPPNAME=$2 psql -Xq >/dev/null 2>>"$PP_SCRATCH/errors.log"
}

until_end() { ((SECONDS < end)); }

# sign_ups: every fourth address is taken; now and then a name is too long
sign_ups() {
	local n=0
	while until_end; do
		echo "INSERT INTO users (email, name) VALUES ('new$((n * 3 / 4))@example.org', 'New user $n');"
		((++n % 15)) || echo "INSERT INTO users (email, name) VALUES ('long$n@example.org', '$(printf 'Maria %.0s' {1..9})');"
		sleep 0.15
	done
}

# support: a screen that divides by the seats, of which some have none, sends to
# users who are gone, deletes what only others may, and waits for the invoices
support() {
	local n=0
	while until_end; do
		((++n))
		echo "SELECT user_id, plan, amount_cents / seats AS cents_per_seat FROM subscriptions WHERE user_id = $((n + 2));"
		((n % 4)) || echo "INSERT INTO alerts (user_id, message) VALUES ($((n % 8 ? 7 : 99999)), 'Please contact us');"
		((n % 20)) || echo "DELETE FROM users WHERE id = $n;"
		((n % 10)) || echo "UPDATE subscriptions SET plan = 'business', seats = 5 WHERE user_id = 4711;"
		sleep 0.2
	done
}

# invoices: keeps a row locked while the payment provider thinks
invoices() {
	while until_end; do
		echo "BEGIN; UPDATE subscriptions SET renews_at = renews_at + interval '1 month' WHERE user_id = 4711;"
		sleep 1.4
		echo "COMMIT;"
		sleep 0.2
	done
}

# searches: more than the application gives them time for
searches() {
	echo "SET statement_timeout = '200ms';"
	while until_end; do
		echo "SELECT id, user_id, source FROM exposures WHERE details ~* 'mail.*dump (7|8|9)\$' ORDER BY found_at DESC;"
		sleep 1.5
	done
}

# table QUESTION SQL: a part of the report, with what produced it
table() {
	local psql=(psql -Xq -v ON_ERROR_STOP=1 -P pager=off -P footer=off)
	printf '\n%s\n%s\n\n' "$1" "   ${2//$'\n'/$'\n'   }"
	if [[ $2 == *\\gx ]]; then
		"${psql[@]}" -P linestyle=unicode <<<"$2"
	else
		"${psql[@]}" -A -F $'\037' -R $'\036' <<<"$2" | awk -v columns="$columns" -f test/demo/table.awk
	fi
}

columns=100
exec 3>&1
[[ ! -t 3 ]] || read -r _ columns < <(stty size <&3) || true
exec 3>&-
((columns >= 80)) || columns=80
((columns <= 120)) || columns=120

or_show "$PP_SCRATCH/initdb.log" initdb -D "$data" -U postgres -A trust -E UTF8 --no-locale --no-sync &
or_show "$PP_SCRATCH/build.log" place_extension
wait $!
cat "$PP_SCRATCH/server.conf" - >>"$data/postgresql.conf" <<END
shared_preload_libraries = 'pool_perf'
listen_addresses = ''
unix_socket_directories = '$PP_SCRATCH'
fsync = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 4GB
maintenance_work_mem = 128MB
END
or_show "$PP_SCRATCH/start.log" pg_ctl -D "$data" -l "$PP_SCRATCH/server.log" -w -s start
say "$("$PG_CONFIG" --version), with pool_perf built and preloaded"

createdb app
psql -Xq -v ON_ERROR_STOP=1 -f test/demo/schema.sql
say "loaded 50,000 users, 1,000,000 exposures, 150,000 alerts"

psql -Xqc "CREATE EXTENSION pool_perf" -c "SELECT pool_perf.reset()" >/dev/null
# All of it is to take less than a minute, on a slow machine too
workload=$((50 - SECONDS))
((workload <= 20)) || workload=20
((workload >= 10)) || workload=10
echo "== $workload s of requests: profile, subscription, dashboard, exposures, alerts; some are slow, some fail"
end=$((SECONDS + workload))
PGUSER=reports PGAPPNAME=reports or_show "$PP_SCRATCH/reports.log" \
	pgbench -n -M simple -T $((workload - 5)) -f test/demo/report.sql &
reports=$!
sign_ups | client web sign-up &
support | client web support &
invoices | client billing invoices &
searches | client web search &
(
	cd test/demo
	PGUSER=web PGAPPNAME=web exec pgbench -n -M prepared -c 6 -R 250 -T "$workload" -P 4 --random-seed=1 \
		-f profile.sql@35 -f subscription.sql@25 -f dashboard.sql@15 -f exposures.sql@15 -f alerts.sql@8 \
		-f read_alert.sql@2 2>&1 >"$PP_SCRATCH/web.log"
) | sed -u '/random seed/d; s/^/   /'
wait "$reports"
wait
say "the clients saw $(grep -c ERROR "$PP_SCRATCH/errors.log") errors"

table "How is the server doing?" \
	"SELECT * FROM pool_perf.summary();"
table "Which queries take the time, and how long do they take (in milliseconds)?" \
	"SELECT time_percent AS \"time %\", calls, mean_time::numeric(15,2) AS mean,
       p95_time::numeric(15,2) AS p95, p99_time::numeric(15,2) AS p99,
       max_time::numeric(15,2) AS max, query
FROM pool_perf.top_queries LIMIT 8;"
table "Which queries fail, and how long did clients wait for that (in milliseconds)?" \
	"SELECT failed_calls AS failed, calls, max_failed_time::numeric(15,1) AS max,
       usename, query
FROM pool_perf.queries WHERE failed_calls > 0 ORDER BY failed_calls DESC;"
table "With which errors, counted also where the application swallows them?" \
	"SELECT errors, sqlstate, condition, message, query
FROM pool_perf.errors ORDER BY errors DESC LIMIT 6;"
table "What was slow lately (in milliseconds), and why?" \
	"SELECT severity, outcome, total_time::numeric(15,0) AS time, rows, query, plan
FROM pool_perf.slow_queries ORDER BY total_time DESC LIMIT 1 \\gx"
table "What was somebody alerted to?" \
	"SELECT kind, severity, is_open, value::numeric(15,0) AS value, unit, occurrences AS times, message
FROM pool_perf.alerts LIMIT 4;"
table "How fast is each database (in milliseconds)?" \
	"SELECT datname, calls, failed_calls AS failed, calls - within_500ms AS over_500ms,
       p50_time::numeric(15,2) AS p50, p95_time::numeric(15,2) AS p95,
       p99_time::numeric(15,2) AS p99, max_time::numeric(15,2) AS max
FROM pool_perf.databases;"
table "Does pool_perf itself need anything?" \
	"SELECT check_name, status, message, remedy FROM pool_perf.health;"
table "What does pool_perf hold, drop and cost?" \
	"SELECT * FROM pool_perf.info \\gx"
