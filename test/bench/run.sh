#!/usr/bin/env bash
# run.sh [ARG...] - what pool_perf costs, beside pg_stat_statements
#
# The arguments, or the words of ARGS, are those of bench.py: run.sh --help.
# Nothing is installed and nothing stays: all of it happens in a scratch
# directory, with servers of its own.
#
#   KEEP=1     leave the scratch directory (clusters, logs, profiles) behind
#   PG_CONFIG  the server to measure (default: the newest that is there)
set -euo pipefail
# shellcheck source=test/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# shellcheck disable=SC2086
[[ $# -gt 0 ]] || set -- ${ARGS-}

if [[ -z ${PP_SCRATCH-} ]]; then
	for word; do
		[[ $word != -h && $word != --help ]] || exec python3 "$root/test/bench/bench.py" "$@"
	done
	"$root/test/setup.sh" bench
	python3 "$root/test/bench/bench.py" "$@" || exit
	find_server || die "no server found"
	if [[ ${KEEP-} == 1 ]]; then
		# shellcheck disable=SC2317
		leave() {
			local rc=$?
			trap - EXIT
			stop_all
			[[ -z ${scratch-} ]] || echo "kept: $scratch"
			exit "$rc"
		}
	fi
	in_scratch test/bench/run.sh "$@"
	exit
fi

log=$PP_SCRATCH/build.log
if ! {
	# shellcheck disable=SC2119
	place_extension &&
		cc -O2 -Wall -I "$("$PG_CONFIG" --includedir)" -o "$PP_SCRATCH/abab" test/bench/abab.c \
			-L "$("$PG_CONFIG" --libdir)" -Wl,-rpath,"$("$PG_CONFIG" --libdir)" -lpq
} >"$log" 2>&1; then
	tail -n 40 "$log" >&2
	die "cannot build"
fi
exec python3 test/bench/bench.py "$@"
