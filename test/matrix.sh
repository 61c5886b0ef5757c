#!/usr/bin/env bash
# matrix.sh [MAJOR...] - runs the tests on other major versions of PostgreSQL
# (default: 17, 18 and 19), in chroots made from Debian's packages
#
# The chroots are kept, about 0.6 GB each, and made once.  A run takes place on a
# throw-away overlay, in namespaces of its own: nothing of it stays but the
# output of failed tests, in test/output/MAJOR.  18 and 19 come from suites of
# Debian that still change: where there is no chroot to be had, they are skipped.
#
#   PG_MATRIX_CACHE    the chroots and logs (default /var/tmp/pg-matrix)
#   PG_MATRIX_MIRROR   Debian mirror (default: the one that apt uses here)
#   TESTS, PROVE_TESTS, JOBS as in run.sh
#
# Exit status: 1 when anything failed.
set -euo pipefail
# shellcheck source=test/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

[[ $(id -u) == 0 ]] || die "chroots need root"
"$root/test/setup.sh" matrix
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
cache=${PG_MATRIX_CACHE:-/var/tmp/pg-matrix}
mkdir -p "$cache/log"
cache=$(cd "$cache" && pwd)

apt_uri() {		# apt_uri LABEL: Debian's archive, as apt here knows it
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' "Label: $1" 2>/dev/null | head -n 1
}

# in_chroot DIR COMMAND...: as root, with /proc (maintainer scripts want it) in
# a mount namespace of its own, so that no mount is ever left over
in_chroot() {
	# shellcheck disable=SC2016
	unshare --mount bash -c 'mount -t proc proc "$1/proc" && exec chroot "$1" /usr/bin/env -i PATH="$PATH" HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "${@:2}"' \
		matrix "$@"
}

# dummy DIR PACKAGE: an empty package of that name, for a dependency that tests
# have no use for; with an epoch, or apt would upgrade it to the real one
dummy() {
	local d=$1/var/tmp/dummy
	mkdir -p "$d/DEBIAN"
	printf '%s\n' "Package: $2" 'Version: 9:9999' 'Architecture: all' 'Maintainer: none <none@localhost>' 'Description: empty stand-in' >"$d/DEBIAN/control"
	dpkg-deb --root-owner-group -b "$d" "$d.deb" >/dev/null
	chroot "$1" dpkg -i /var/tmp/dummy.deb
	rm -rf "$d" "$d.deb"
}

# bootstrap DIR: a minimal system there
bootstrap() {
	local dir=$1 first=${suites%%+*} suite script=() mirror security key value
	first=${first%!}
	mirror=${PG_MATRIX_MIRROR:-$(apt_uri Debian)}
	[[ -n $mirror ]] || { echo "no Debian mirror in apt's sources: set PG_MATRIX_MIRROR"; return 1; }
	# An older debootstrap does not know the name of a newer suite
	[[ -e /usr/share/debootstrap/scripts/$first ]] || script=(/usr/share/debootstrap/scripts/sid)
	rm -rf "$dir"
	debootstrap --variant=minbase --keyring="$keyring" --include=ca-certificates "$first" "$dir" "$mirror" "${script[@]}" || return

	# The same archive, the same rules about stale release files and the same
	# proxy as apt has here
	rm -f "$dir/etc/apt/sources.list" "$dir"/etc/apt/sources.list.d/*
	for suite in ${suites//+/ }; do
		echo "deb [signed-by=/etc/apt/matrix.gpg] $mirror ${suite%!} main"
	done >"$dir/etc/apt/sources.list.d/matrix.list"
	security=$(apt_uri Debian-Security)
	[[ $suites != *! || -z $security || -n ${PG_MATRIX_MIRROR-} ]] ||
		echo "deb [signed-by=/etc/apt/matrix.gpg] $security $first-security main" >>"$dir/etc/apt/sources.list.d/matrix.list"
	install -m 644 "$keyring" "$dir/etc/apt/matrix.gpg"
	{
		for key in Acquire::Check-Valid-Until Acquire::Check-Date Acquire::http::Proxy Acquire::https::Proxy; do
			value=$(apt-config dump --format '%v' "$key")
			[[ -z $value ]] || printf '%s "%s";\n' "$key" "$value"
		done
		printf '%s\n' 'APT::Install-Recommends "false";' 'Acquire::Languages "none";' 'APT::Sandbox::User "root";'
	} >"$dir/etc/apt/apt.conf.d/90matrix"
	for suite in ${suites//+/ }; do
		[[ ${suite%!} == "$first" ]] ||
			printf '%s\n' "Package: *-$pg postgresql-$pg* libpq*" "Pin: release a=${suite%!}" 'Pin-Priority: 990' ''
	done >"$dir/etc/apt/preferences.d/matrix"
	printf '%s\n' force-unsafe-io 'path-exclude=/usr/share/doc/*' 'path-exclude=/usr/share/man/*' 'path-exclude=/usr/share/locale/*' >"$dir/etc/dpkg/dpkg.cfg.d/matrix"
	cp -L /etc/resolv.conf /etc/hosts "$dir/etc/"
	printf '#!/bin/sh\nexit 101\n' >"$dir/usr/sbin/policy-rc.d"
	chmod 755 "$dir/usr/sbin/policy-rc.d"
	mkdir -p "$dir/etc/postgresql-common/createcluster.d"
	echo 'create_main_cluster = false' >"$dir/etc/postgresql-common/createcluster.d/matrix.conf"
}

# fill DIR: the packages that it lacks
fill() {
	local dir=$1 package
	in_chroot "$dir" apt-get update || return
	for package in $(in_chroot "$dir" apt-cache depends --no-recommends --no-suggests "postgresql-server-dev-$pg" |
		sed -n 's/^ *Depends: \(\(clang\|llvm\)-[0-9][-0-9a-z.]*\)$/\1/p'); do
		in_chroot "$dir" dpkg-query -W "$package" >/dev/null 2>&1 || dummy "$dir" "$package" || return
	done
	in_chroot "$dir" apt-get install -y -o Dpkg::Use-Pty=0 "${packages[@]}" || return
	in_chroot "$dir" apt-get clean
	rm -rf "$dir"/var/lib/apt/lists/*
	in_chroot "$dir" id builder >/dev/null 2>&1 || in_chroot "$dir" useradd -m -s /bin/bash builder || return
	[[ -x $dir/usr/lib/postgresql/$pg/bin/pg_config ]]
}

make_chroot() {
	if [[ -d $base && $(head -n 1 "$base.suites" 2>/dev/null) == "$suites" ]]; then
		fill "$base" && return
	fi
	bootstrap "$base.partial" && fill "$base.partial" || return
	rm -rf "$base" && mv "$base.partial" "$base" && echo "$suites" >"$base.suites"
}

# prepare: base is there and complete afterwards, and locked: runs share the
# lock, and who must make the chroot waits until it is alone
prepare() {
	local stamp="$suites ${packages[*]}"
	ready() { [[ -e $base.ready && $(cat "$base.ready") == "$stamp" ]]; }
	exec 9>"$base.lock"
	flock -s 9
	if ! ready; then
		flock -u 9
		flock -x 9
		if ! ready; then
			echo "== PostgreSQL $pg: making the chroot ($suites)"
			rm -f "$base.ready"
			make_chroot >"$log.provision" 2>&1 </dev/null || return
			echo "$stamp" >"$base.ready"
		fi
		flock -s 9
	fi
}

# in the overlay: make the ordinary user run the tests
# shellcheck disable=SC2016
inside='
set -eu
mkdir -p /build/src
tar -C /build/src -xf /run/matrix/src.tar
chown -R builder: /build
cd /build/src
runuser -u builder -- env HOME=/home/builder PG_CONFIG="/usr/lib/postgresql/$1/bin/pg_config" "${@:2}" test/run.sh || exit
# The shell stays, to reap what the tests leave without a parent
exit 0
'
# shellcheck disable=SC2016
outside='
set -eu
dir=$1/root
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$dir" || exit 113
mount -t proc proc "$dir/proc" || exit 113
mkdir -p "$dir/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$dir/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$dir/dev/pts" 2>/dev/null || true
mount -t tmpfs -o mode=755 tmpfs "$dir/run"
mkdir -p "$dir/run/matrix" "$dir/run/lock"
mv "$1/src.tar" "$dir/run/matrix/"
exec chroot "$dir" /usr/bin/env -i PATH="$PATH" LANG=C.UTF-8 bash -c "$3" matrix "${@:4}"
'

clean() {
	local rc=$?
	trap '' INT TERM HUP
	[[ -z ${child-} ]] || kill -KILL "$child" 2>/dev/null || true
	{ wait; } 2>/dev/null
	[[ -z ${scratch-} ]] || rm -rf "$scratch"
	exit "$rc"
}
trap clean EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# run_major: the tests in the chroot; 113 when there can be no overlay
run_major() {
	local rc=0
	scratch=$(mktemp -d "$cache/run.pg$pg.XXXXXX")
	mkdir "$scratch/upper" "$scratch/work" "$scratch/root"
	chmod 755 "$scratch" "$scratch/upper"
	tar -C "$root" --warning=no-file-changed --exclude=./.git --exclude=./test/output --exclude='./tmp_check*' \
		--exclude='*.o' --exclude='*.so' --exclude='*.bc' -cf "$scratch/src.tar" . || [[ $? == 1 ]]
	unshare --mount --pid --ipc --fork --kill-child bash -c "$outside" matrix "$scratch" "$base" "$inside" \
		"$pg" TESTS="${TESTS-}" PROVE_TESTS="${PROVE_TESTS-}" JOBS="${JOBS-}" >"$log" 2>&1 9>&- &
	child=$!
	wait "$child" || rc=$?
	child=
	rm -rf "$root/test/output/$pg"
	if [[ $rc != 0 && -d $scratch/upper/build/src/test/output ]]; then
		mkdir -p "$root/test/output"
		cp -r "$scratch/upper/build/src/test/output" "$root/test/output/$pg"
		chown -R --reference="$root" "$root/test/output"
	fi
	rm -rf "$scratch"
	scratch=
	return "$rc"
}

passed=0 failed=0 skipped=0
[[ $# -gt 0 ]] || set -- 17 18 19
for pg; do
	# A suite after + adds only the packages of that major; ! marks a released
	# suite, which has security updates
	case $pg in
		15) suites=bookworm! ;;
		17) suites=trixie! ;;
		18) suites=forky ;;
		19) suites=forky+experimental ;;
		*) die "no suite of Debian is known to have PostgreSQL $pg" ;;
	esac
	packages=(make gcc libc6-dev libkrb5-dev libssl-dev libipc-run-perl pgbadger "postgresql-$pg" "postgresql-server-dev-$pg")
	base=$cache/pg$pg
	log=$cache/log/pg$pg.log
	SECONDS=0
	rc=0
	if prepare; then
		run_major || rc=$?
	else
		rc=113 log=$log.provision
	fi
	line=$(tail -n 1 "$log")
	if [[ $rc == 113 ]]; then
		tail -n 15 "$log"
		if ((pg >= 18)); then
			echo "!! PostgreSQL $pg: SKIPPED, there is no chroot with it (log: $log)"
			skipped=$((skipped + 1))
		else
			echo "== PostgreSQL $pg: FAILED, there is no chroot with it (log: $log)"
			failed=$((failed + 1))
		fi
		continue
	fi
	if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)?$ ]]; then
		passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2])) skipped=$((skipped + ${BASH_REMATCH[4]:-0}))
		((rc == 0 || BASH_REMATCH[2] > 0)) || failed=$((failed + 1))
	else
		line='stopped early'
		failed=$((failed + 1))
	fi
	[[ $rc == 0 ]] || cat "$log"
	echo "== PostgreSQL $pg: $line ($SECONDS s, log: $log)"
done
echo "$passed passed, $failed failed$( ((skipped == 0)) || echo ", $skipped skipped")"
((failed == 0))
