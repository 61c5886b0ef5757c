# Lays out the output of psql -A -F '\037' -R '\036' as a table that fits into
# `columns` columns: numbers to the right, long texts wrapped between words

BEGIN { FS = "\037"; RS = "\036" }

{
	sub(/\n$/, "")
	gsub(/\n/, " ")
	if (NF > fields) fields = NF
	for (f = 1; f <= NF; f++) {
		cell[NR, f] = $f
		if (length($f) > width[f]) width[f] = length($f)
		if (NR > 1 && $f !~ /^-?[0-9.]*$/) is_text[f] = 1
	}
}

function fill(with, times, out) {
	while (times-- > 0) out = out with
	return out
}

# Takes from the rest of a cell what fits on a line
function take(row, f, part, at) {
	part = substr(cell[row, f], 1, width[f] + 1)
	if (length(part) <= width[f]) {
		cell[row, f] = ""
		return part
	}
	at = length(part)
	while (at > 1 && substr(part, at, 1) != " ") at--
	if (at == 1) at = width[f] + 1
	cell[row, f] = substr(cell[row, f], at + (substr(part, at, 1) == " "))
	return substr(part, 1, at - 1)
}

function print_row(row, f, part, line, rest) {
	do {
		line = rest = ""
		for (f = 1; f <= fields; f++) {
			part = take(row, f)
			rest = rest cell[row, f]
			part = is_text[f] ? part fill(" ", width[f] - length(part)) : fill(" ", width[f] - length(part)) part
			line = line (f > 1 ? " │ " : " ") part
		}
		sub(/ +$/, "", line)
		print line
	} while (rest != "")
}

END {
	total = 3 * fields - 1
	for (f = 1; f <= fields; f++) total += width[f]
	for (; total > columns; total--) {
		widest = 0
		for (f = 1; f <= fields; f++)
			if (is_text[f] && (!widest || width[f] > width[widest])) widest = f
		if (!widest || width[widest] <= 12) break
		width[widest]--
	}
	print_row(1)
	for (f = 1; f <= fields; f++) line = line (f > 1 ? "┼" : "") fill("─", width[f] + 2)
	print line
	for (row = 2; row <= NR; row++) print_row(row)
}
