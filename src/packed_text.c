/*
 * packed_text.c
 *	  A text in less room than it is long, by the server's own compression.
 *
 * A plan of 8 kB packs into a quarter of that.  One that does not fit is cut,
 * with a mark.  Nothing here allocates or raises.
 */
#include "postgres.h"

#include "common/pg_lzcompress.h"
#include "mb/pg_wchar.h"

#include "normalize.h"
#include "packed_text.h"

/* False if it does not fit. */
static bool
pack(PpPackedText *to, const char *text, int length)
{
	char		buffer[PGLZ_MAX_OUTPUT(PP_PACKED_MAX)];
	int32		packed = pglz_compress(text, length, buffer,
									   PGLZ_strategy_always);

	to->length = length;
	if (packed >= 0 && packed < length && packed <= PP_PACKED_SIZE)
	{
		to->packed = packed;
		memcpy(to->data, buffer, packed);
		return true;
	}
	if (length > PP_PACKED_SIZE)
		return false;
	to->packed = length;
	memcpy(to->data, text, length);
	return true;
}

/*
 * Packs a text of at most PP_PACKED_MAX bytes, in the encoding of the current
 * database, or as much of it as there is room for.
 */
void
pp_pack_text(PpPackedText *to, const char *text, int length)
{
	const int	mark = strlen(PP_CUT_MARK);
	char		cut[PP_PACKED_MAX];

	while (!pack(to, text, length))
	{
		int			kept = pg_mbcliplen(text, length, length * 3 / 4 - mark);

		memmove(cut, text, kept);
		memcpy(cut + kept, PP_CUT_MARK, mark);
		text = cut;

		length = kept + mark;
	}
}

/*
 * The text, into room for PP_PACKED_MAX bytes, not terminated.  Its length; 0 if
 * what was packed is damaged.
 */
int
pp_unpack_text(const PpPackedText *from, char *text)
{
	if (from->length < 0 || from->length > PP_PACKED_MAX ||
		from->packed < 0 || from->packed > PP_PACKED_SIZE)
		return 0;
	if (from->packed == from->length)
		memcpy(text, from->data, from->length);
	else if (pglz_decompress(from->data, from->packed, text, from->length,
							 true) != from->length)
		return 0;
	return from->length;
}
