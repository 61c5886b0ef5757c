# Shared by the scripts here and in the directories below; sourced, never run.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# What a caller's make or psql was told must not reach the servers and tests;
# PG_CONFIG and the PG_TEST_* of the server's test modules stay
for name in "${!PG@}"; do [[ $name == PG_* ]] || unset "$name"; done
unset name "${!LC_@}" LANGUAGE MAKEFLAGS MAKELEVEL MFLAGS
export LANG=C.UTF-8

die() { echo "${0##*/}: $*" >&2; exit 1; }

# usable PG_CONFIG: is it that of an installed server, 15 or later, with headers?
usable() {
	local pgxs bin version
	pgxs=$("$1" --pgxs 2>/dev/null) && bin=$("$1" --bindir) && version=$("$1" --version) || return
	version=${version#PostgreSQL }
	[[ -e $pgxs && -x $bin/postgres && ${version%%[^0-9]*} -ge 15 ]]
}

# find_server: sets PG_CONFIG, bindir and major; false when there is no server
find_server() {
	local candidate found=
	if [[ -n ${PG_CONFIG-} ]]; then
		if ! found=$(command -v "$PG_CONFIG") || ! usable "$found"; then
			die "PG_CONFIG=$PG_CONFIG does not belong to a server (15 or later) with its headers"
		fi
	else
		for candidate in "$(command -v pg_config || true)" \
			$(printf '%s\n' /usr/lib/postgresql/*/bin/pg_config | sort -rV); do
			if usable "$candidate"; then found=$candidate; break; fi
		done
		[[ -n $found ]] || return 1
	fi
	PG_CONFIG=$(realpath -s "$found")
	bindir=$("$PG_CONFIG" --bindir)
	major=$("$PG_CONFIG" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/')
	export PG_CONFIG bindir major
}

# inhabitants: the ids of all processes whose directory is inside the scratch
# directory.  Servers go to their data directory, all others begin in it.
inhabitants() {
	{ find /proc/[0-9]*/cwd -maxdepth 0 -lname "$scratch/*" -printf '%h\n' 2>/dev/null || true; } | sed 's|/proc/||'
}

# deserted SECONDS: has everything in the scratch directory ended by then?
deserted() {
	local tries=$(($1 * 10))
	while [[ -n $(inhabitants) ]]; do
		((tries-- > 0)) || return 1
		sleep 0.1
	done
}

# stop_all: ends what still runs in the scratch directory.  TERM reaches the
# programs that start servers, INT makes a server disconnect its clients.
stop_all() {
	local signal id creator
	for signal in TERM INT QUIT KILL; do
		# shellcheck disable=SC2046
		deserted 0 || kill -s "$signal" $(inhabitants) 2>/dev/null || true
		! deserted 3 || break
	done
	# Servers that a test has killed, of which only the segment of System V
	# shared memory is left that keeps others out of their data directory
	awk -v uid="$(stat -c %u "$scratch")" -v since="$started" \
		'$4 <= 4096 && $7 == 0 && $8 == uid && $14 >= since { print $2, $5 }' /proc/sysvipc/shm |
		while read -r id creator; do
			readlink "/proc/$creator/exe" >/dev/null || ipcrm -m "$id" 2>/dev/null || true
		done
}

leave() {
	local rc=$?
	trap '' INT TERM HUP
	trap - EXIT
	stop_all
	cd /
	rm -rf "$scratch"
	exit "$rc"
}

# make_scratch: sets scratch, a directory with a short name (a socket's path
# has room for 107 bytes) that goes away with this process, and as, the words
# that run a command as the ordinary user who owns it (servers refuse root).
make_scratch() {
	local base=${TMPDIR:-/tmp} account
	as=(env)
	if [[ $(id -u) == 0 ]]; then
		account=nobody
		! id postgres >/dev/null 2>&1 || account=postgres
		as=(runuser -u "$account" -- env)
	fi
	if ((${#base} > 40)) || ! "${as[@]}" test -x "$base" -a -w "$base"; then base=/tmp; fi
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	started=$EPOCHSECONDS
	scratch=$(mktemp -d "$base/pp.XXXXXX")
	trap leave EXIT
	mkdir "$scratch/src" "$scratch/tmp"
	[[ $(id -u) != 0 ]] || chown -R "$account": "$scratch"
}

# in_scratch SCRIPT [ARG...]: copies the sources to a scratch directory and runs
# SCRIPT of the copy there, as an ordinary user, with PP_SCRATCH set.  The
# directory is there, and goes away, as make_scratch says.
in_scratch() {
	local script=$1
	shift
	make_scratch
	"${as[@]}" test -x "$PG_CONFIG" || die "$PG_CONFIG cannot be run by $("${as[@]}" id -un)"
	tar -C "$root" --warning=no-file-changed --exclude=./.git --exclude=./test/output --exclude='./tmp_check*' \
		--exclude=./log --exclude=./results --exclude='*.o' --exclude='*.so' --exclude='*.bc' -cf - . |
		tar -C "$scratch/src" --no-same-owner -xf - || [[ ${PIPESTATUS[*]} == '1 0' ]]
	[[ $(id -u) != 0 ]] || chown -R --reference="$scratch" "$scratch/src"
	# In the background, since the shell sees a signal only while it waits
	(cd "$scratch/src" && exec "${as[@]}" PP_SCRATCH="$scratch" HOME="$scratch" TMPDIR="$scratch/tmp" \
		PATH="$bindir:$PATH" bash "$script" "$@") &
	wait $!
}

# place_extension [MAKE_WORD...]: builds pool_perf in the directory above this
# file, puts it where no server of the machine sees it, and writes to
# $PP_SCRATCH/server.conf what a server needs to find it.
place_extension() {
	local dest=$PP_SCRATCH/dest conf=$PP_SCRATCH/server.conf share lib prefix
	share=$("$PG_CONFIG" --sharedir) lib=$("$PG_CONFIG" --pkglibdir)
	# Shared memory in files goes away with the directory, whatever happens
	echo "dynamic_shared_memory_type = mmap" >"$conf"
	if grep -qa extension_control_path "$bindir/postgres"; then
		echo "extension_control_path = '$dest$share:\$system'" >>"$conf"
	elif grep -qa extension_destdir "$bindir/postgres"; then
		echo "extension_destdir = '$dest'" >>"$conf"
	else
		# A server that can only be installed into: a copy of it finds its
		# files from where it stands
		prefix=$(dirname "$bindir")
		case $prefix in
			/ | /usr | /usr/local) die "this server finds extensions only where it is installed: try make install, make installcheck" ;;
		esac
		cp -r "$prefix" "$PP_SCRATCH/server"
		prefix=$PP_SCRATCH/server
		PG_CONFIG=$prefix/bin/pg_config bindir=$prefix/bin dest=
		PATH=$bindir:$PATH
	fi
	[[ -z $dest ]] || echo "dynamic_library_path = '$dest$lib:\$libdir'" >>"$conf"
	make -s -C "$root" -j2 PG_CONFIG="$PG_CONFIG" DESTDIR="$dest" "$@" all install
}
