#!/usr/bin/env bash
# run.sh - builds pool_perf and runs its tests, on servers of their own
#
# Nothing is installed and nothing stays: all of it happens in a scratch
# directory.  When something fails, its output is in test/output.
#
#   TESTS        names of the tests to run, of any kind (default: all)
#   PROVE_TESTS  TAP files to run, instead of all of test/t
#   JOBS         TAP files at a time (default 2)
#   PG_CONFIG    the server to test with (default: the newest that is there)
#   COPT         more words for the compiler
#   SANITIZE     1: the server and COPT are sanitizer builds; reports fail the run
#   PP_OUTPUT    the directory for output, instead of test/output
set -euo pipefail
# shellcheck source=test/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if [[ -z ${PP_SCRATCH-} ]]; then
	"$root/test/setup.sh" test
	find_server || die "no server found"
	output=${PP_OUTPUT:-$root/test/output}
	rm -rf "$output"
	rc=0
	in_scratch test/run.sh || rc=$?
	if [[ $rc != 0 && -d $scratch/output ]]; then
		if mkdir -p "$output" && cp -r "$scratch/output/." "$output"; then
			[[ $(id -u) != 0 ]] || chown -R --reference="$root" "$output"
		fi
	fi
	exit "$rc"
fi

output=$PP_SCRATCH/output
mkdir "$output"
passed=0 failed=0 skipped=0

# count PART PASSED FAILED SKIPPED
count() {
	passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
	printf '== %s: %s passed, %s failed%s (%s s)\n' "$1" "$2" "$3" "$( (($4 == 0)) || echo ", $4 skipped")" "$SECONDS"
	SECONDS=0
}

# finish: the closing line, which programs read
finish() {
	printf '%s passed, %s failed%s\n' "$passed" "$failed" "$( ((skipped == 0)) || echo ", $skipped skipped")"
	((failed == 0 && passed > 0))
	exit
}

# show FILE LINES: the end of a file that explains a failure
show() {
	[[ ! -s $1 ]] || { echo "-- ${1#"$PP_SCRATCH"/}"; tail -n "$2" "$1"; }
}

# choose FILE...: in chosen, those whose name without ending is in TESTS
choose() {
	local file name
	chosen=()
	for file; do
		name=${file##*/}
		name=${name%.*}
		[[ ! -e $file || -n ${TESTS-} && " $TESTS " != *" $name "* ]] || chosen+=("$file")
	done
}

# pg_regress_run PART PROGRAM FILE...: what pg_regress says is a line a test, up
# to 15 in words of its own and later in TAP
pg_regress_run() {
	local part=$1 program=$2 names=() rc=0 ok bad
	shift 2
	names=("${@##*/}")
	names=("${names[@]%.*}")
	"$pgxs/src/test/$program" --inputdir=test --outputdir=. --bindir="$bindir" --no-locale --encoding=UTF8 \
		--temp-instance="$PP_SCRATCH/data_$part" --temp-config="$PP_SCRATCH/regress.conf" \
		--load-extension=pool_perf --dbname="${part}_pool_perf" "${names[@]}" 2>&1 |
		tee "$output/$part.out" | sed -nE '/^(test .* \.\.\. |(not )?ok [0-9])/p' || rc=$?
	ok=$(grep -cE '^(test .* \.\.\. ok|ok [0-9])' "$output/$part.out" || true)
	bad=$(grep -cE '^(test .* \.\.\. .*(FAILED|failed)|not ok [0-9])' "$output/$part.out" || true)
	# What did not run has failed too
	((ok + bad >= ${#names[@]})) || bad=$((${#names[@]} - ok))
	((rc == 0 || bad > 0)) || bad=1
	mkdir "$output/$part"
	mv log "$output/$part" 2>/dev/null || true
	if ((bad > 0)); then
		mv results regression.diffs "$output/$part" 2>/dev/null || true
		grep -vE '^(test .* \.\.\. |(not )?ok [0-9])' "$output/$part.out" | tail -n 12
		show "$output/$part/regression.diffs" 200
		[[ -s $output/$part/regression.diffs ]] || show "$output/$part/log/postmaster.log" 30
		[[ -s $output/$part/log/postmaster.log ]] || show "$output/$part/log/initdb.log" 20
	fi
	rm -rf results regression.diffs regression.out
	count "$part" "$ok" "$bad" 0
}

# tap_run PART FILE...
tap_run() {
	local part=$1 result=$output/$1.result ok bad skip file
	shift
	perl test/perl/harness.pl "$result" "${JOBS:-2}" "$@" || true
	ok=0 bad=1 skip=0
	[[ ! -s $result ]] || read -r ok bad skip <"$result"
	while read -r file; do
		file=${file##*/}
		show "$TESTLOGDIR/regress_log_${file%.pl}" 60
	done < <(sed 1d "$result" 2>/dev/null)
	rm -f "$result"
	count "$part" "$ok" "$bad" "$skip"
}

if [[ ${SANITIZE-} == 1 ]]; then
	# Recovering shows all the reports of a run; frames are larger
	export ASAN_OPTIONS=detect_leaks=0:halt_on_error=0:abort_on_error=1:detect_stack_use_after_return=0
	export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=0
	export PG_TEST_TIMEOUT_DEFAULT=${PG_TEST_TIMEOUT_DEFAULT:-600}
	! ulimit -s 40960 2>/dev/null || stack='max_stack_depth = 6144kB'
fi

if ! place_extension COPT="${COPT-}" >"$output/build.log" 2>&1; then
	show "$output/build.log" 40
	count build 0 1 0
	finish
fi
echo "== $("$PG_CONFIG" --version), built ($SECONDS s)"
SECONDS=0
[[ -z ${stack-} ]] || echo "$stack" >>"$PP_SCRATCH/server.conf"
pgxs=$(dirname "$("$PG_CONFIG" --pgxs)")/../..
pgxs=$(cd "$pgxs" && pwd)
cat test/pool_perf.conf "$PP_SCRATCH/server.conf" >"$PP_SCRATCH/regress.conf"

choose test/unit/*_test.c
if ((${#chosen[@]} > 0)) && [[ -z ${PROVE_TESTS-} ]]; then
	programs=()
	for file in "${chosen[@]}"; do
		name=$(basename "$file" .c)
		# shellcheck disable=SC2086
		if cc -std=gnu11 -g -O1 -Wall -I src -I test/unit -I "$("$PG_CONFIG" --includedir-server)" ${COPT-} ${SANITIZE:+-fno-sanitize-recover=all} \
			-o "$PP_SCRATCH/$name" "$file" "src/${name%_test}.c" -lm >"$output/$name.log" 2>&1; then
			programs+=("$PP_SCRATCH/$name")
		else
			show "$output/$name.log" 30
			count "$name" 0 1 0
		fi
	done
	((${#programs[@]} == 0)) || tap_run unit "${programs[@]}"
fi

choose test/sql/*.sql
((${#chosen[@]} == 0)) || [[ -n ${PROVE_TESTS-} && -z ${TESTS-} ]] ||
	pg_regress_run regress regress/pg_regress "${chosen[@]}"
choose test/specs/*.spec
((${#chosen[@]} == 0)) || [[ -n ${PROVE_TESTS-} && -z ${TESTS-} ]] ||
	pg_regress_run isolation isolation/pg_isolation_regress "${chosen[@]}"

# shellcheck disable=SC2206
if [[ -n ${PROVE_TESTS-} ]]; then chosen=($PROVE_TESTS); else choose test/t/*.pl; fi
if ((${#chosen[@]} > 0)); then
	export TESTDIR=$PP_SCRATCH/tap
	export TESTDATADIR=$TESTDIR/tmp_check TESTLOGDIR=$TESTDIR/tmp_check/log
	mkdir -p "$TESTLOGDIR"
	export PERL5LIB=$PWD/test/perl:$pgxs/src/test/perl PG_REGRESS=$pgxs/src/test/regress/pg_regress
	export PP_SERVER_CONF=$PP_SCRATCH/server.conf
	tap_run tap "${chosen[@]}"
	mv "$TESTLOGDIR" "$output/tap"
fi

crashes=$(find "$output" -name '*.log' -exec grep -HnE 'PANIC:  |TRAP: |terminated by signal (4|6|7|8|11)([^0-9]|$)' {} + || true)
if [[ -n $crashes ]]; then
	echo "a server crashed:"
	head -n 20 <<<"${crashes//"$output/"/}"
	count crashes 0 "$(wc -l <<<"$crashes")" 0
fi
if [[ ${SANITIZE-} == 1 ]]; then
	# Two runtimes write these, and only one can be given a file of its own
	reports=$(grep -rE 'ERROR: AddressSanitizer|runtime error: ' "$output" || true)
	if [[ -n $reports ]]; then
		echo "the sanitizers have reports:"
		head -n 20 <<<"${reports//"$output/"/}"
		count sanitizers 0 "$(wc -l <<<"$reports")" 0
	fi
fi
# Whoever is not where this script is must be a server
for _ in {1..50}; do
	left=$(find /proc/[0-9]*/cwd -maxdepth 0 -lname "$PP_SCRATCH/*" ! -lname "$PP_SCRATCH/src" 2>/dev/null | wc -l || true)
	((left > 0)) || break
	sleep 0.1
done
((left == 0)) || count 'processes left running' 0 "$left" 0
finish
