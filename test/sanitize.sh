#!/usr/bin/env bash
# sanitize.sh - runs the tests on a server with assertions, AddressSanitizer and
# UndefinedBehaviorSanitizer, pool_perf compiled likewise; any report fails
#
# The server is built once, from the distribution's source package of the version
# that PG_CONFIG (default: the newest installed) has: some 10 minutes, 1 GB.
#
#   PG_SANITIZE_CACHE  the server (default /var/tmp/pool_perf-sanitize for root,
#                      else ~/.cache/pool_perf-sanitize)
#   TESTS, PROVE_TESTS, JOBS as in run.sh
set -euo pipefail
# shellcheck source=test/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

"$root/test/setup.sh" sanitize
find_server || die "no server found"
if [[ $(id -u) == 0 ]]; then default=/var/tmp; else default=${XDG_CACHE_HOME:-$HOME/.cache}; fi
cache=${PG_SANITIZE_CACHE:-$default/pool_perf-sanitize}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
# Debian's source would ignore a prefix that does not say pgsql
prefix=$cache/pgsql-$major
log=$cache/pgsql-$major.log
# Programs that exit with memory allocated are no fault, in pg_config no more
# than in a server
export ASAN_OPTIONS=detect_leaks=0
flags='-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined'

# source_package DIR: unpacks the server's source package there.  apt gets lists
# of its own, since the machine's may have no sources of source; the newest
# version in them may be missing from the archive.
source_package() {
	local dir=$1 options version
	mkdir -p "$dir/parts" "$dir/lists/partial" "$dir/archives/partial"
	{ cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null || true; } |
		sed -nE 's/^deb(-src)?[[:space:]]/deb-src /p' | sort -u >"$dir/parts/all.list"
	cp /etc/apt/sources.list.d/*.sources "$dir/parts" 2>/dev/null || true
	sed -i 's/^Types:.*/Types: deb-src/' "$dir/parts"/*
	options=(-o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$dir/parts" -o "Dir::State::Lists=$dir/lists"
		-o "Dir::Cache=$dir" -o APT::Sandbox::User=root)
	cd "$dir"
	apt-get "${options[@]}" update || true
	for version in $(apt-cache "${options[@]}" showsrc "postgresql-$major" | sed -n 's/^Version: //p' | sort -rV -u); do
		if apt-get "${options[@]}" source --download-only --only-source "postgresql-$major=$version"; then
			dpkg-source --no-check -x ./*.dsc "$dir/source"
			return
		fi
		rm -f ./*.dsc ./*.tar.*
	done
	return 1
}

build_server() {
	local contrib
	rm -rf "$prefix"
	# What is compiled with the server's flags finds the header there for good
	cp -r "$root/test/sanitize" "$cache/include.$$"
	rm -rf "$cache/include" && mv "$cache/include.$$" "$cache/include"
	source_package "$scratch/apt"
	mkdir "$scratch/build"
	cd "$scratch/build"
	"$scratch/apt/source/configure" -q --prefix="$prefix" --enable-cassert --enable-debug --enable-tap-tests \
		--without-readline --without-zlib --without-icu CC=gcc CFLAGS="$flags" LDFLAGS=-fsanitize=address,undefined \
		CPPFLAGS="-DUSE_VALGRIND -I$cache/include"
	nice make -s -j2
	make -s install
	for contrib in auto_explain dblink pg_stat_statements; do
		make -s -C "contrib/$contrib" install
	done
	touch "$prefix/complete"
}

exec 9>"$prefix.lock"
flock 9
if [[ ! -e $prefix/complete ]]; then
	echo "== building a server with sanitizers from the source package postgresql-$major (log: $log)"
	make_scratch
	(build_server) >"$log" 2>&1 </dev/null 9>&- &
	wait $! || true
	if [[ ! -e $prefix/complete ]]; then
		tail -n 20 "$log"
		die "the server could not be built (log: $log)"
	fi
	echo "== built ($SECONDS s)"
	trap - EXIT HUP INT TERM
	rm -rf "$scratch"
fi
exec 9>&-

export PG_CONFIG=$prefix/bin/pg_config SANITIZE=1
# The server's own -fwrapv would hide overflows
export COPT="$flags -fno-wrapv -fsanitize-recover=address,undefined"
exec "$root/test/run.sh"
