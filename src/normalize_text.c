/*
 * normalize_text.c
 *	  Normalised text of one SQL statement: writing it.
 *
 * Copies the source from where its first token begins to where its last one
 * ends, and replaces the pieces that normalize.c has noted.  Constants and
 * lists get the numbers behind the highest parameter; where a list is squashed,
 * parameters are numbered anew along with them.  Comments go.
 *
 * A text that is longer than it may be is cut so that the mark fits: never
 * inside a character, a parameter or what replaces a piece.  The buffer is
 * palloc'd once, for the longest that the text can become.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "normalize.h"
#include "normalize_impl.h"

/* the text as it is written */
typedef struct PpWriter
{
	char	   *text;
	int			length;
	int			max_length;
	int			soft_length;	/* max_length less the mark */
	int			cut_at;			/* where to cut, if; -1: below soft_length */
	bool		full;
} PpWriter;


/* Append bytes, all or none if they are whole, else as many as fit. */
static void
write_bytes(PpWriter *writer, const char *bytes, int length, bool whole)
{
	if (writer->full)
		return;

	if (writer->cut_at < 0 && length > writer->soft_length - writer->length)
		writer->cut_at = whole ? writer->length : writer->soft_length;

	if (length > writer->max_length - writer->length)
	{
		writer->full = true;
		length = whole ? 0 : writer->max_length - writer->length;
	}
	memcpy(writer->text +writer->length, bytes, length);
	writer->length += length;
}

/* Write $n, with the mark of a list, apart from words on either side. */
static void
write_number(PpWriter *writer, uint64 number, bool is_list, bool space_behind)
{
	char		buffer[32 + sizeof(PP_LIST_MARK)];
	int			length = 0;

	if (writer->length > 0 &&
		is_identifier_char(writer->text[writer->length - 1]))
		buffer[length++] = ' ';
	buffer[length++] = '$';
	length += pg_ulltoa_n(number, buffer + length);
	if (is_list)
	{
		memcpy(buffer + length, PP_LIST_MARK, sizeof(PP_LIST_MARK) - 1);
		length += sizeof(PP_LIST_MARK) - 1;
	}
	if (space_behind)
		buffer[length++] = ' ';
	write_bytes(writer, buffer, length, true);
}

/* The end of the block comment, maybe with others in it, that starts at i. */
static int
block_comment_end(const char *gap, int i, int length)
{
	int			depth = 0;

	while (i + 1 < length)
	{
		if (gap[i] == '/' && gap[i + 1] == '*')
		{
			depth++;
			i += 2;
		}
		else if (gap[i] == '*' && gap[i + 1] == '/')
		{
			depth--;
			i += 2;
			if (depth == 0)
				return i;
		}
		else
			i++;
	}
	return length;
}

/*
 * Write white space without its comments: the last line end outside block
 * comments, with the indentation behind it, or else a space.
 */
static void
write_gap(PpWriter *writer, const char *gap, int length)
{
	int			line = -1;
	int			line_end = 0;
	int			i = 0;

	while (i < length)
	{
		if (gap[i] == '\n')
		{
			line = i++;
			while (i < length && (gap[i] == ' ' || gap[i] == '\t'))
				i++;
			line_end = i;
		}
		else if (gap[i] == '/')
			i = block_comment_end(gap, i, length);
		else if (gap[i] == '-')
		{
			while (i < length && gap[i] != '\n')
				i++;
		}
		else
			i++;
	}

	if (line >= 0)
		write_bytes(writer, gap + line, line_end - line, false);
	else
		write_bytes(writer, " ", 1, false);
}

/* Write the source with its pieces replaced. */
static void
write_pieces(PpWriter *writer, const PpScan *scan)
{
	uint64		number = scan->has_squashed ? 1 : (uint64) scan->max_param + 1;
	int			done = scan->text_start;
	int			i;

	for (i = 0; i < scan->npieces && !writer->full; i++)
	{
		const PpPiece *piece = &scan->pieces[i];

		if (piece->start >= scan->text_end)
			break;

		write_bytes(writer, scan->source + done, piece->start - done, false);
		done = piece->end;
		if (piece->kind == PP_PIECE_GAP)
			write_gap(writer, scan->source + piece->start,
					  piece->end - piece->start);
		else if (piece->kind == PP_PIECE_PARAM && !scan->has_squashed)
			write_bytes(writer, scan->source + piece->start,
						piece->end - piece->start, true);
		else
			write_number(writer, number++, piece->kind == PP_PIECE_LIST,
						 piece->end < scan->text_end &&
						 is_identifier_char(scan->source[piece->end]));
	}
	write_bytes(writer, scan->source + done, scan->text_end - done, false);
}

void
pp_write_text(const PpScan *scan, int max_length, PpNormalized *result)
{
	const int	mark_length = sizeof(PP_CUT_MARK) - 1;
	PpWriter	writer;
	Size		bound;

	/* a piece is written in at most 34 bytes; all of them rarely are */
	bound = scan->text_end - scan->text_start;
	bound += (Size) scan->npieces * 34;
	max_length = Max(max_length, PP_NORMALIZE_MIN_LENGTH);
	max_length = Min(max_length, MaxAllocSize - 1);

	writer.max_length = Min(bound, (Size) max_length);
	writer.soft_length = writer.max_length - mark_length;
	writer.text = palloc(writer.max_length + 1);
	writer.length = 0;
	writer.cut_at = -1;
	writer.full = false;
	write_pieces(&writer, scan);

	if (writer.full)
	{
		writer.length = pg_mbcliplen(writer.text, writer.length,
									 writer.cut_at);
		memcpy(writer.text +writer.length, PP_CUT_MARK, mark_length);
		writer.length += mark_length;
	}
	writer.text[writer.length] = '\0';

	result->text = writer.text;
	result->length = writer.length;
	result->cut = writer.full;
}
