#!/usr/bin/env bash
# setup.sh [SET...] - installs what the sets need and the machine lacks
#
#   test      to build and test: compiler, server, headers, test modules
#             (what is done without an argument)
#   demo      to run the demo
#   bench     to count instructions and system calls
#   matrix    to make chroots
#   sanitize  to build a server
#   format    to format the sources
#   clang     to build with clang
#
# With apt, as root or by sudo without a password; else it prints the line to
# run.  With PG_CONFIG set, that server is used and none is installed.
set -euo pipefail
# shellcheck source=test/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

missing=()

# need PACKAGE COMMAND...: PACKAGE brings these commands
need() {
	local package=$1 command
	for command in "${@:2}"; do
		type -P "$command" >/dev/null || { missing+=("$package"); return; }
	done
}

need_module() {
	type -P perl >/dev/null && perl -e "for (@INC) { exit 0 if -e qq{\$_/$2} } exit 1" || missing+=("$1")
}

need_build() {
	need make make
	need gcc gcc
	[[ -e /usr/include/stdio.h ]] || missing+=(libc6-dev)
	if find_server; then
		# libpq-be.h includes the headers of what the server was built with
		local configure
		configure=$("$PG_CONFIG" --configure)
		[[ $configure != *gssapi* || -e /usr/include/gssapi.h ]] || missing+=(libkrb5-dev)
		[[ $configure != *openssl* && $configure != *ssl=openssl* || -e /usr/include/openssl/ssl.h ]] || missing+=(libssl-dev)
	else
		missing+=(libkrb5-dev libssl-dev SERVER)
	fi
}

[[ $# -gt 0 ]] || set -- test
for set; do
	case $set in
		test)
			need_build
			need perl prove
			need_module libipc-run-perl IPC/Run.pm
			need pgbadger pgbadger
			;;
		demo) need_build ;;
		bench)
			need_build
			need python3 python3
			need valgrind valgrind
			need strace strace
			;;
		matrix)
			need debootstrap debootstrap
			need util-linux unshare flock
			[[ -e /usr/share/keyrings/debian-archive-keyring.gpg ]] || missing+=(debian-archive-keyring)
			;;
		sanitize)
			need_build
			need perl prove
			need_module libipc-run-perl IPC/Run.pm
			need dpkg-dev dpkg-source
			need bison bison
			need flex flex
			;;
		format) need pg-bsd-indent pg_bsd_indent ;;
		clang) need clang clang ;;
		*) die "no set named '$set'" ;;
	esac
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

type -P apt-get >/dev/null || die "missing: ${missing[*]/SERVER/PostgreSQL server (15 or later) with headers}"
if [[ $(id -u) == 0 ]]; then
	super=(env)
elif type -P sudo >/dev/null && sudo -n true 2>/dev/null; then
	super=(sudo -n env)
else
	super=()
fi

# newest_known: the newest server that apt could install
newest_known() {
	apt-cache pkgnames postgresql-server-dev- | sed -n 's/^postgresql-server-dev-\([0-9]*\)$/\1/p' | sort -n | tail -n 1
}

# resolve_server: in missing, the packages of a server: of that which is
# installed without headers, else of the distribution's default version
resolve_server() {
	local version p all=()
	version=$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres | sed -n 's|^/usr/lib/postgresql/\([0-9]*\)/.*|\1|p' | sort -n | tail -n 1)
	[[ -n $version ]] ||
		version=$(apt-cache depends postgresql 2>/dev/null | sed -n 's/^ *Depends: postgresql-\([0-9][0-9]*\)$/\1/p' | head -n 1)
	[[ -n $version && $version -ge 15 ]] || version=$(newest_known)
	[[ -n $version && $version -ge 15 ]] || die "apt knows no PostgreSQL 15 or later: add a package source that does"
	for p in "${missing[@]}"; do
		if [[ $p == SERVER ]]; then all+=("postgresql-$version" "postgresql-server-dev-$version"); else all+=("$p"); fi
	done
	missing=("${all[@]}")
}

if [[ ${#super[@]} == 0 ]]; then
	[[ " ${missing[*]} " != *' SERVER '* ]] || resolve_server
	die "something is missing; as root, run: apt-get update && apt-get install --no-install-recommends ${missing[*]}"
fi

apt_get() { "${super[@]}" DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" </dev/null; }

apt_get update || echo "setup.sh: apt-get update failed, going on with what apt knows" >&2
if [[ " ${missing[*]} " == *' SERVER '* ]]; then
	resolve_server
	# The package would make and start a cluster that nobody asked for
	drop=/etc/postgresql-common/createcluster.d/pool_perf_setup.conf
	trap '"${super[@]}" rm -f "$drop"' EXIT
	"${super[@]}" mkdir -p "${drop%/*}"
	echo 'create_main_cluster = false' | "${super[@]}" tee "$drop" >/dev/null
fi
echo "installing ${missing[*]}"
log=$(mktemp)
if ! apt_get install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	rm -f "$log"
	die "apt-get could not install ${missing[*]}"
fi
rm -f "$log"
