/*
 * normalize.c
 *	  Normalised text and fingerprint of one SQL statement: reading it.
 *
 * One pass over the tokens that normalize_token.h reads, without a parse tree.
 * It notes in an array of pieces where the text differs from its source (a
 * constant, a parameter, a squashed list, a comment) and keeps a hash of the
 * tokens.  Which parentheses are lists of constants is found by
 * normalize_member.h and normalize_list.c.  How constants are numbered is known
 * only at the end of the statement: normalize_text.c writes the text then.
 *
 * The rules, with examples, are test/sql/normalize.sql.  The fingerprint is
 * stored and compared across servers and majors: a change of what is hashed
 * is a change of format.
 *
 * Nothing here outlives a call.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "parser/parser.h"
#include "parser/scanner.h"
#include "utils/guc.h"

#include "compat.h"
#include "normalize.h"
#include "normalize_impl.h"
#include "normalize_member.h"
#include "normalize_token.h"

/* of the highest position: a row has at most 1664 columns */
#define PP_POSITION_DIGITS 4

/* Behind these words an operand begins: a minus there is a sign. */
static const char *const operand_words[] = {
	"all", "and", "any", "between", "case", "default", "distinct", "else",
	"except", "fetch", "for", "from", "having", "ilike", "in", "intersect",
	"is", "like", "limit", "not", "offset", "on", "or", "placing",
	"returning", "select", "some", "symmetric", "then", "to", "union",
	"using", "variadic", "when", "where", "with", NULL
};

/* The same for words that may be columns, in a statement without columns. */
static const char *const utility_operand_words[] = {
	"absolute", "backward", "cache", "cost", "forward", "increment",
	"maxvalue", "minvalue", "relative", "restart", "return", "rows",
	"start", "statistics", NULL
};

/* Behind an integer, these words continue an expression. */
static const char *const operator_words[] = {
	"and", "at", "between", "collate", "ilike", "in", "is", "isnull",
	"like", "not", "notnull", "operator", "or", "similar", NULL
};


/*
 * Add a NUL-terminated string, byte order not mattering, and return its length
 * as well.
 */
static inline uint64
hash_string(uint64 hash, uint64 class, const char *string, int *length)
{
	uint64		part = 0;
	int			len = 0;

	for (; string[len] != '\0'; len++)
	{
		part |= (uint64) (unsigned char) string[len] << (8 * (len & 7));
		if ((len & 7) == 7)
		{
			hash = hash_mix(hash, part);
			part = 0;
		}
	}
	*length = len;
	return hash_mix(hash, part | (class | (len & 0x7f)) << 56);
}

static uint64
hash_finish(uint64 hash)
{
	hash = (hash ^ (hash >> 33)) * UINT64CONST(0xff51afd7ed558ccd);
	hash = (hash ^ (hash >> 33)) * UINT64CONST(0xc4ceb9fe1a85ec53);
	hash ^= hash >> 33;
	return hash != 0 ? hash : 1;
}

void
pp_add_piece(PpScan *scan, PpPieceKind kind, int start, int end)
{
	PpPiece    *piece;

	if (scan->npieces == scan->max_pieces)
	{
		scan->pieces = grow(scan->pieces, scan->local_pieces,
							sizeof(PpPiece) * scan->max_pieces);
		scan->max_pieces *= 2;
	}

	piece = &scan->pieces[scan->npieces++];
	piece->start = start;
	piece->end = end;
	piece->kind = kind;
}

/*
 * The integer before this token stands where an item of ORDER BY or GROUP BY
 * begins: unless an expression goes on, it is a position, so structure.
 */
static void
resolve_position(PpScan *scan)
{
	PpPiece    *piece = &scan->pieces[scan->npieces - 1];
	int			i;

	scan->has_position = false;
	switch (scan->symbol)
	{
		case PP_SYM_END:
		case PP_SYM_COMMA:
		case PP_SYM_CLOSE:
		case PP_SYM_SEMICOLON:
			break;
		case PP_SYM_WORD:
			if (is_one_of(scan->value.str, operator_words))
				return;
			break;
		default:
			return;
	}

	scan->hash = scan->position_hash;
	for (i = piece->start; i < piece->end; i++)
		scan->hash = hash_mix(scan->hash, (unsigned char) scan->source[i]);
	scan->npieces--;
	scan->nliterals--;
}

static void
add_symbol(PpScan *scan)
{
	const char *text = scan->extra.scanbuf + scan->location;
	int			length;

	if (text[0] == '!' && text[1] == '=' && text[2] == '\0')
		text = "<>";

	scan->hash = hash_string(scan->hash, PP_HASH_SYMBOL, text, &length);
	scan->end = scan->location + length;
}

static void
add_minus(PpScan *scan)
{
	switch (scan->last_symbol)
	{
		case PP_SYM_NAME:
		case PP_SYM_NUMBER:
		case PP_SYM_STRING:
		case PP_SYM_PARAM:
		case PP_SYM_CLOSE:
		case PP_SYM_CLOSE_BRACKET:
			break;
		case PP_SYM_WORD:
			scan->has_sign = is_one_of(scan->last_word, operand_words) ||
				(strcmp(scan->last_word, "by") == 0 &&
				 scan->word_before != NULL) ||
				(scan->utility &&
				 is_one_of(scan->last_word, utility_operand_words));
			break;
		default:
			scan->has_sign = true;
	}
	scan->sign_start = scan->start;
	scan->sign_hash = scan->hash;
	add_self(scan);
}

static void
add_constant(PpScan *scan, bool had_sign, bool at_item)
{
	int			start = scan->start;
	int			i;

	scan->end = token_end(scan);

	if (had_sign && scan->symbol == PP_SYM_NUMBER)
	{
		start = scan->sign_start;
		scan->hash = scan->sign_hash;
		if (scan->npieces > 0 &&
			scan->pieces[scan->npieces - 1].start > start)
			scan->npieces--;	/* a comment between sign and number */
	}
	else if (at_item && scan->symbol == PP_SYM_NUMBER)
	{
		for (i = start; i < scan->end; i++)
		{
			if (!is_digit(scan->source[i]))
				break;
		}
		scan->has_position = i == scan->end &&
			i - start <= PP_POSITION_DIGITS;
		scan->position_hash = scan->hash;
	}

	pp_add_piece(scan, PP_PIECE_CONSTANT, start, scan->end);
	scan->nliterals++;
	scan->hash = hash_mix(scan->hash, PP_HASH_CONSTANT);
}

static void
add_param(PpScan *scan)
{
	scan->end = token_end(scan);
	if (scan->value.ival > scan->max_param)
		scan->max_param = scan->value.ival;
	pp_add_piece(scan, PP_PIECE_PARAM, scan->start, scan->end);
	scan->hash = hash_mix(scan->hash, PP_HASH_CONSTANT);
}

static void
add_word(PpScan *scan, PpFrame *frame, bool at_item)
{
	const char *word = scan->value.str;
	int			length;

	scan->hash = hash_string(scan->hash, PP_HASH_WORD, word, &length);

	/* quoted or maybe truncated: the spelling's length is not the token's */
	if (scan->symbol == PP_SYM_NAME ||
		length >= NAMEDATALEN - MAX_MULTIBYTE_CHAR_LEN)
		scan->end = token_end(scan);
	else
		scan->end = scan->location + length;

	if (scan->symbol == PP_SYM_NAME || scan->utility)
		return;

	if (length == 2 && word[0] == 'b' && word[1] == 'y' &&
		scan->last_word != NULL)
	{
		if (strcmp(scan->last_word, "order") == 0)
			frame->positions = PP_POSITIONS_ORDER;
		else if (strcmp(scan->last_word, "group") == 0)
			frame->positions = PP_POSITIONS_GROUP;
		else
			return;
		frame->at_item = true;
	}
	else if (frame->positions != PP_POSITIONS_NONE)
	{
		if (strcmp(word, "select") == 0 || strcmp(word, "returning") == 0)
			frame->positions = PP_POSITIONS_NONE;
		else if (at_item && frame->positions == PP_POSITIONS_GROUP)
			frame->at_item = strcmp(word, "all") == 0 ||
				strcmp(word, "distinct") == 0;
	}
}

/*
 * UESCAPE and its string belong to the token before them.  Behind a string,
 * they are masked with it; behind an identifier, the one character stays.
 * Returns true if the token at hand is such a word or string.
 */
static bool
absorb_uescape(PpScan *scan)
{
	if (scan->in_uescape)
	{
		scan->in_uescape = false;
		if (scan->symbol != PP_SYM_STRING)
			return false;
		scan->end = token_end(scan);
		if (scan->last_symbol == PP_SYM_STRING)
		{
			/* comments in between are part of it now */
			while (scan->pieces[scan->npieces - 1].kind == PP_PIECE_GAP)
				scan->npieces--;
			scan->pieces[scan->npieces - 1].end = scan->end;
		}
		else if (scan->end - scan->start == 3)
			scan->hash = hash_mix(scan->hash,
								  (unsigned char) scan->source[scan->start + 1]);
		else
		{
			pp_add_piece(scan, PP_PIECE_CONSTANT, scan->start, scan->end);
			scan->nliterals++;
		}
		return true;
	}

	if (scan->last_is_unicode && scan->symbol == PP_SYM_WORD &&
		strcmp(scan->value.str, "uescape") == 0)
	{
		scan->last_is_unicode = false;
		scan->in_uescape = true;
		scan->end = token_end(scan);
		return true;
	}
	return false;
}

/* Note where the text begins, comments, and semicolons that are not last. */
static void
begin_token(PpScan *scan)
{
	if (scan->text_start < 0)
	{
		scan->text_start = scan->start;
		return;
	}
	if (scan->start > scan->end && gap_has_comment(scan))
		pp_add_piece(scan, PP_PIECE_GAP, scan->end, scan->start);
	for (; scan->semicolons > 0; scan->semicolons--)
		scan->hash = hash_mix(scan->hash, (PP_HASH_SYMBOL | 1) << 56 | ';');
}

/* Add the token at hand, which is not the end, to pieces and hash. */
static void
add_token(PpScan *scan)
{
	PpFrame    *frame = &scan->frames[scan->nframes - 1];
	bool		at_item = frame->at_item;
	bool		had_sign = scan->has_sign;
	int			gap_start = scan->end;

	begin_token(scan);
	if ((scan->last_is_unicode || scan->in_uescape) && absorb_uescape(scan))
		return;

	frame->at_item = false;
	scan->has_sign = false;
	if (frame->member != PP_MEMBER_NONE &&
		!(scan->symbol >= PP_SYM_OPEN && scan->symbol <= PP_SYM_COMMA))
		frame->member = next_member(frame, scan->symbol, scan->value.str);

	switch (scan->symbol)
	{
		case PP_SYM_WORD:
		case PP_SYM_NAME:
			add_word(scan, frame, at_item);
			break;
		case PP_SYM_NUMBER:
		case PP_SYM_STRING:
			add_constant(scan, had_sign, at_item);
			break;
		case PP_SYM_PARAM:
			add_param(scan);
			break;
		case PP_SYM_OPEN:
			pp_open_parenthesis(scan, frame, at_item);
			break;
		case PP_SYM_OPEN_BRACKET:
			pp_open_bracket(scan, frame);
			break;
		case PP_SYM_CLOSE:
		case PP_SYM_CLOSE_BRACKET:
			pp_close_frame(scan, gap_start);
			break;
		case PP_SYM_COMMA:
			add_comma(scan, frame);
			break;
		case PP_SYM_MINUS:
			add_minus(scan);
			break;
		case PP_SYM_DOT:
		case PP_SYM_PLUS:
			add_self(scan);
			break;
		default:
			add_symbol(scan);
	}

	scan->word_before = scan->last_word;
	scan->last_word = scan->symbol == PP_SYM_WORD ? scan->value.str : NULL;
	scan->last_symbol = scan->symbol;
	scan->last_is_unicode = scan->is_unicode;
}

static void
scan_statement(PpScan *scan)
{
	for (;;)
	{
		read_token(scan);
		if (scan->has_position)
			resolve_position(scan);
		if (scan->symbol == PP_SYM_END)
			break;
		if (scan->symbol == PP_SYM_SEMICOLON)
		{
			/* empty statements at the start count as white space */
			if (scan->text_start >= 0)
			{
				if (gap_has_comment(scan))
					pp_add_piece(scan, PP_PIECE_GAP, scan->end, scan->start);
				scan->semicolons++;
				scan->frames[0].positions = PP_POSITIONS_NONE;
				scan->last_symbol = PP_SYM_SEMICOLON;
				scan->last_word = NULL;
			}
			scan->end = scan->start + 1;
			continue;
		}
		add_token(scan);
		scan->text_end = scan->end;
	}
	scanner_finish(scan->scanner);
}

/* The statement as a string of its own, in the query or as a copy. */
static const char *
find_statement(const char *query, int location, int length)
{
	Size		available;

	if (query == NULL)
		return "";
	if (location < 0)
		return query;
	if (location > 0 && strnlen(query, location) < (Size) location)
		return "";
	query += location;
	if (length <= 0)
		return query;
	available = strnlen(query, length);
	return query[available] == '\0' ? query : pnstrdup(query, available);
}

void
pp_normalize(const char *query, int location, int length, bool utility,
			 int max_length, PpNormalized *result)
{
	int			save_client_min_messages = client_min_messages;
	int			save_log_min_messages = PP_LOG_MIN_MESSAGES;
	PpScan		scan;

	memset(&scan, 0, offsetof(PpScan, local_pieces));
	scan.source = find_statement(query, location, length);
	scan.utility = utility;
	scan.last_symbol = PP_SYM_END;
	scan.hash = PP_HASH_SEED;
	scan.text_start = -1;
	scan.pieces = scan.local_pieces;
	scan.max_pieces = PP_LOCAL_PIECES;
	scan.frames = scan.local_frames;
	scan.max_frames = PP_LOCAL_FRAMES;
	pp_push_frame(&scan, PP_FRAME_PLAIN, PP_POSITIONS_NONE);

	/*
	 * Parsing has warned about escapes and cut identifiers already; about
	 * those there is no other way to keep the scanner silent.
	 */
	PG_TRY();
	{
		client_min_messages = ERROR;
		PP_LOG_MIN_MESSAGES = ERROR;
		scan.scanner = scanner_init(scan.source, &scan.extra, &ScanKeywords,
									ScanKeywordTokens);
		scan.extra.backslash_quote = BACKSLASH_QUOTE_ON;
		scan_statement(&scan);
	}
	PG_FINALLY();
	{
		client_min_messages = save_client_min_messages;
		PP_LOG_MIN_MESSAGES = save_log_min_messages;
	}
	PG_END_TRY();

	if (scan.text_start < 0)
		scan.text_start = scan.text_end = 0;
	pp_write_text(&scan, max_length, result);
	result->masked = scan.nliterals > 0;
	result->fingerprint = hash_finish(scan.hash);
}
