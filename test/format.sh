#!/usr/bin/env bash
# format.sh check - fails, with the difference, where the C sources are not
#                   formatted, and where a rule is broken that grep can see
# format.sh write - formats the C sources
set -euo pipefail
# shellcheck source=test/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

test/setup.sh format
shopt -s nullglob
sources=(src/*.[ch] test/unit/*.[ch])
scripts=(sql/*.sql)

# pgindent's own flags
flags=(-bad -bap -bbb -bc -bl -cli1 -cp33 -cdb -nce -d0 -di12 -nfc1 -i4 -l79 -lp -lpl -nip -npro -sac -tpg -ts4
	-Usrc/typedefs.list)

[[ -e src/typedefs.list ]] || die "src/typedefs.list is missing"

formatted() { pg_bsd_indent "${flags[@]}" <"$1"; }

case ${1-} in
	write)
		for file in "${sources[@]}"; do
			text=$(formatted "$file" && echo .)
			text=${text%.}
			[[ $text == "$(cat "$file"; echo .)" ]] || printf '%s' "$text" >"$file"
		done
		exit
		;;
	check) ;;
	*) die "say check or write" ;;
esac

bad=0
complain() { echo "$*"; bad=1; }

for file in "${sources[@]}"; do
	diff -u --label "$file" --label "$file, formatted" "$file" <(formatted "$file") || bad=1
done

for file in "${sources[@]}"; do
	[[ $file != src/compat.h ]] || continue
	! grep -nH PG_VERSION_NUM "$file" || complain "only src/compat.h may look at the version of the server"
done

# An installation runs as superuser, in a database where others may have made
# objects: what exists already, or what search_path decides, may be theirs
perl -0777 -ne '
	s/--.*//g;
	my $kind = qr/FUNCTION|PROCEDURE|AGGREGATE|VIEW|TABLE|TYPE|DOMAIN|SEQUENCE|OPERATOR/i;
	foreach my $rule (qr/^\s*CREATE\s+(?:\w+\s+)*?$kind\s+(?!pool_perf\.)\S+/im, qr/\bOR\s+REPLACE\b/i,
		qr/\bIF\s+NOT\s+EXISTS\b/i, qr/\bSECURITY\s+DEFINER\b/i)
	{
		while (/($rule)/g) { $bad = 1; print "$ARGV: $1\n"; }
	}
	END { exit($bad // 0) }' "${scripts[@]}" </dev/null ||
	complain "an object of the extension must be new, named with its schema, and run with the rights of its caller"

version=$(sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" pool_perf.control)
perl -MJSON::PP -0777 -ne 'my $m = decode_json($_);
	exit !($m->{version} eq "'"$version"'.0" && $m->{provides}{pool_perf}{version} eq $m->{version})' META.json ||
	complain "META.json has another version than pool_perf.control"

[[ $bad == 0 ]] && echo "the format is right"
exit "$bad"
