/*
 * normalize.c
 *	  Normalised text and fingerprint of one SQL statement: reading it.
 *
 * One pass over the tokens of the server's scanner, without a parse tree.  It
 * notes in an array of pieces where the text differs from its source (a
 * constant, a parameter, a squashed list, a comment) and keeps a hash of the
 * tokens.  Whether a parenthesis is a list of constants is known only at its
 * end, so each open parenthesis is a frame that remembers the number of pieces
 * and the hash at its start, and a list goes back to those.  How constants are
 * numbered is known only at the end of the statement: normalize_text.c writes
 * the text then.
 *
 * Token numbers above 255 differ between majors and are not installed with
 * all of them: a token's first character says what it is.  For every kind of
 * word, keyword or identifier, the scanner hands out the lower-case spelling.
 *
 * The rules, with examples, are test/sql/normalize.sql.  The fingerprint is
 * stored and compared across servers and majors: a change of what is hashed
 * is a change of format.
 *
 * All that runs once a token is in this file, for the compiler to inline.
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

/* of the highest position: a row has at most 1664 columns */
#define PP_POSITION_DIGITS 4

/* what stands in the hash for something that has no spelling */
#define PP_HASH_SEED		UINT64CONST(0x706f6f6c5f706572)
#define PP_HASH_CONSTANT	UINT64CONST(0xff00000000000001)
#define PP_HASH_LIST		UINT64CONST(0xff00000000000002)

/* and what tells words from symbols */
#define PP_HASH_WORD		UINT64CONST(0x00)
#define PP_HASH_SYMBOL		UINT64CONST(0x80)

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

/* Words of a type's name, but the first, and what may stand behind it. */
static const char *const type_words[] = {
	"day", "hour", "minute", "month", "precision", "second", "time", "to",
	"varying", "with", "without", "year", "zone", NULL
};


static inline uint64
hash_mix(uint64 hash, uint64 value)
{
	hash = (hash ^ value) * UINT64CONST(0x9e3779b97f4a7c15);
	return hash ^ (hash >> 32);
}

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

static bool
is_one_of(const char *word, const char *const *words)
{
	for (; *words != NULL; words++)
	{
		if (word[0] == (*words)[0] && strcmp(word, *words) == 0)
			return true;
	}
	return false;
}

static void
add_piece(PpScan *scan, PpPieceKind kind, int start, int end)
{
	PpPiece    *piece;

	if (scan->npieces == scan->max_pieces)
	{
		Size		size = sizeof(PpPiece) * 2 * scan->max_pieces;

		if (scan->pieces == scan->local_pieces)
		{
			scan->pieces = MemoryContextAllocHuge(CurrentMemoryContext, size);
			memcpy(scan->pieces, scan->local_pieces,
				   sizeof(scan->local_pieces));
		}
		else
			scan->pieces = repalloc_huge(scan->pieces, size);
		scan->max_pieces *= 2;
	}

	piece = &scan->pieces[scan->npieces++];
	piece->start = start;
	piece->end = end;
	piece->kind = kind;
}

static void
push_frame(PpScan *scan, PpFrameKind kind, PpPositions positions)
{
	PpFrame    *frame;

	if (scan->nframes == scan->max_frames)
	{
		Size		size = sizeof(PpFrame) * 2 * scan->max_frames;

		if (scan->frames == scan->local_frames)
		{
			scan->frames = MemoryContextAllocHuge(CurrentMemoryContext, size);
			memcpy(scan->frames, scan->local_frames,
				   sizeof(scan->local_frames));
		}
		else
			scan->frames = repalloc_huge(scan->frames, size);
		scan->max_frames *= 2;
	}

	frame = &scan->frames[scan->nframes++];
	frame->kind = kind;
	frame->member = kind == PP_FRAME_PLAIN ? PP_MEMBER_NONE : PP_MEMBER_START;
	frame->positions = positions;
	frame->at_item = positions != PP_POSITIONS_NONE;
	frame->has_keyword = false;
	frame->has_comma = false;
	frame->inside = scan->end;
	frame->npieces = scan->npieces;
	frame->hash = scan->hash;
}

/* What kind of word, quoted identifier or prefixed string is the token? */
static PpSymbol
classify_word(PpScan *scan)
{
	const char *text = scan->source + scan->location;

	if (text[1] == '\'')
	{
		switch (text[0])
		{
			case 'n':
			case 'N':
				/* the scanner makes two tokens of it */
				core_yylex(&scan->value, &scan->location, scan->scanner);
				return PP_SYM_STRING;
			case 'b':
			case 'B':
			case 'e':
			case 'E':
			case 'x':
			case 'X':
				return PP_SYM_STRING;
		}
	}
	else if (text[1] == '&' && (text[0] == 'u' || text[0] == 'U') &&
			 (text[2] == '\'' || text[2] == '"'))
	{
		scan->is_unicode = true;
		return text[2] == '"' ? PP_SYM_NAME : PP_SYM_STRING;
	}

	return scan->last_symbol == PP_SYM_DOT ? PP_SYM_NAME : PP_SYM_WORD;
}

/* What kind of token begins with this character, no letter nor digit? */
static PpSymbol
classify_punctuation(int token, char c, char next)
{
	switch (c)
	{
		case '(':
			return PP_SYM_OPEN;
		case ')':
			return PP_SYM_CLOSE;
		case '[':
			return PP_SYM_OPEN_BRACKET;
		case ']':
			return PP_SYM_CLOSE_BRACKET;
		case ',':
			return PP_SYM_COMMA;
		case ';':
			return PP_SYM_SEMICOLON;
		case '\'':
			return PP_SYM_STRING;
		case '"':
			return PP_SYM_NAME;
		case '-':
			return token == '-' ? PP_SYM_MINUS : PP_SYM_OTHER;
		case '+':
			return token == '+' ? PP_SYM_PLUS : PP_SYM_OTHER;
		case ':':
			return next == ':' ? PP_SYM_CAST : PP_SYM_OTHER;
		case '.':
			if (token == '.')
				return PP_SYM_DOT;
			return next == '.' ? PP_SYM_OTHER : PP_SYM_NUMBER;
		case '$':
			if (token == '$')
				return PP_SYM_OTHER;
			return is_digit(next) ? PP_SYM_PARAM : PP_SYM_STRING;
		default:
			return PP_SYM_OTHER;
	}
}

/* Read the next token: symbol, start, location, value, is_unicode. */
static void
read_token(PpScan *scan)
{
	int			token;
	char		c;

	token = core_yylex(&scan->value, &scan->location, scan->scanner);
	scan->start = scan->location;
	scan->is_unicode = false;

	c = scan->source[scan->location];
	if (token == 0)
		scan->symbol = PP_SYM_END;
	else if (is_digit(c))
		scan->symbol = PP_SYM_NUMBER;
	else if (is_identifier_char(c) && c != '$')
		scan->symbol = classify_word(scan);
	else
		scan->symbol = classify_punctuation(token, c,
											scan->source[scan->location + 1]);
}

/*
 * The end of the token at hand.  The scanner's buffer holds a NUL there until
 * the next token is read.
 */
static inline int
token_end(PpScan *scan)
{
	return scan->location + (int) strlen(scan->extra.scanbuf + scan->location);
}

/* Is there a comment between the last token and this one? */
static inline bool
gap_has_comment(PpScan *scan)
{
	int			i;

	for (i = scan->end; i < scan->start; i++)
	{
		if (scan->source[i] == '-' || scan->source[i] == '/')
			return true;
	}
	return false;
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

/* The first token of a list's member: how far is the member now? */
static PpMember
first_of_member(PpFrame *frame, PpSymbol symbol, const char *word)
{
	if (symbol == PP_SYM_NUMBER || symbol == PP_SYM_STRING ||
		symbol == PP_SYM_PARAM)
		return PP_MEMBER_VALUE;
	if (symbol == PP_SYM_MINUS || symbol == PP_SYM_PLUS)
		return PP_MEMBER_SIGN;
	if (symbol == PP_SYM_NAME)
		return PP_MEMBER_TYPE_FIRST;
	if (symbol != PP_SYM_WORD)
		return PP_MEMBER_NONE;

	if (strcmp(word, "null") == 0 || strcmp(word, "true") == 0 ||
		strcmp(word, "false") == 0)
	{
		frame->has_keyword = true;
		return PP_MEMBER_VALUE;
	}
	if (strcmp(word, "cast") == 0)
		return PP_MEMBER_FUNCTION;
	if (strcmp(word, "array") == 0)
		return PP_MEMBER_ARRAY;
	if (strcmp(word, "select") == 0 || strcmp(word, "not") == 0)
		return PP_MEMBER_NONE;
	return PP_MEMBER_TYPE_FIRST;
}

/*
 * One more token of a list: how far is its member now?  Parentheses,
 * brackets and commas change it where they are handled themselves.
 */
static PpMember
next_member(PpFrame *frame, PpSymbol symbol, const char *word)
{
	if (symbol >= PP_SYM_OPEN && symbol <= PP_SYM_COMMA)
		return frame->member;

	switch (frame->member)
	{
		case PP_MEMBER_START:
			return first_of_member(frame, symbol, word);

		case PP_MEMBER_SIGN:
			return symbol == PP_SYM_NUMBER ? PP_MEMBER_VALUE : PP_MEMBER_NONE;

		case PP_MEMBER_TYPE_FIRST:
			if (symbol == PP_SYM_STRING)
				return PP_MEMBER_TYPED;
			if (symbol == PP_SYM_DOT)
				return PP_MEMBER_TYPE_FIRST_DOT;
			if (symbol == PP_SYM_WORD && is_one_of(word, type_words))
				return PP_MEMBER_TYPE_FIRST;
			return PP_MEMBER_NONE;

		case PP_MEMBER_TYPE_FIRST_DOT:
			return symbol == PP_SYM_NAME ? PP_MEMBER_TYPE_FIRST :
				PP_MEMBER_NONE;

		case PP_MEMBER_VALUE:
		case PP_MEMBER_TYPED:
		case PP_MEMBER_TYPE:
			if (symbol == PP_SYM_CAST)
				return PP_MEMBER_CAST;
			if (symbol == PP_SYM_DOT && frame->member == PP_MEMBER_TYPE)
				return PP_MEMBER_CAST;
			if (symbol != PP_SYM_WORD)
				return PP_MEMBER_NONE;
			if (frame->kind == PP_FRAME_CAST && strcmp(word, "as") == 0)
				return PP_MEMBER_CAST;
			if (frame->member != PP_MEMBER_VALUE &&
				is_one_of(word, type_words))
				return frame->member;
			return PP_MEMBER_NONE;

		case PP_MEMBER_CAST:
			return symbol == PP_SYM_WORD || symbol == PP_SYM_NAME ?
				PP_MEMBER_TYPE : PP_MEMBER_NONE;

		case PP_MEMBER_NONE:
		case PP_MEMBER_FUNCTION:
		case PP_MEMBER_ARRAY:
			break;
	}
	return PP_MEMBER_NONE;
}

static inline bool
member_is_complete(const PpFrame *frame)
{
	return frame->member == PP_MEMBER_VALUE ||
		frame->member == PP_MEMBER_TYPED || frame->member == PP_MEMBER_TYPE;
}

static void
add_self(PpScan *scan)
{
	unsigned char c = scan->source[scan->location];

	scan->end = scan->location + 1;
	scan->hash = hash_mix(scan->hash, (PP_HASH_SYMBOL | 1) << 56 | c);
}

static void
add_comma(PpScan *scan, PpFrame *frame)
{
	add_self(scan);
	frame->at_item = frame->positions != PP_POSITIONS_NONE;
	frame->has_comma = true;
	frame->member = member_is_complete(frame) && frame->kind != PP_FRAME_CAST ?
		PP_MEMBER_START : PP_MEMBER_NONE;
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

	add_piece(scan, PP_PIECE_CONSTANT, start, scan->end);
	scan->nliterals++;
	scan->hash = hash_mix(scan->hash, PP_HASH_CONSTANT);
}

static void
add_param(PpScan *scan)
{
	scan->end = token_end(scan);
	if (scan->value.ival > scan->max_param)
		scan->max_param = scan->value.ival;
	add_piece(scan, PP_PIECE_PARAM, scan->start, scan->end);
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

static void
open_parenthesis(PpScan *scan, PpFrame *frame, bool at_item)
{
	PpFrameKind kind = PP_FRAME_PLAIN;
	PpPositions positions = PP_POSITIONS_NONE;
	const char *word = scan->last_word;

	add_self(scan);

	if (frame->member == PP_MEMBER_FUNCTION)
		kind = PP_FRAME_CAST;
	else if (frame->member != PP_MEMBER_TYPE &&
			 frame->member != PP_MEMBER_TYPED)
		frame->member = PP_MEMBER_NONE;

	if (word != NULL)
	{
		if (strcmp(word, "in") == 0)
			kind = PP_FRAME_LIST;
		else if (frame->positions >= PP_POSITIONS_GROUP &&
				 (strcmp(word, "rollup") == 0 || strcmp(word, "cube") == 0 ||
				  strcmp(word, "sets") == 0))
			positions = PP_POSITIONS_SETS;
		else if (!scan->utility && scan->word_before != NULL &&
				 strcmp(word, "on") == 0 &&
				 strcmp(scan->word_before, "distinct") == 0)
			positions = PP_POSITIONS_SETS;
	}
	else if (at_item && frame->positions == PP_POSITIONS_SETS)
		positions = PP_POSITIONS_SETS;

	push_frame(scan, kind, positions);
}

static void
open_bracket(PpScan *scan, PpFrame *frame)
{
	PpFrameKind kind = PP_FRAME_PLAIN;

	add_self(scan);

	if (scan->last_word != NULL && strcmp(scan->last_word, "array") == 0)
		kind = PP_FRAME_ARRAY;
	else if (frame->kind == PP_FRAME_ARRAY &&
			 frame->member == PP_MEMBER_START)
	{
		frame->member = PP_MEMBER_ARRAY;
		kind = PP_FRAME_ARRAY;
	}

	if (frame->member != PP_MEMBER_ARRAY && frame->member != PP_MEMBER_TYPE)
		frame->member = PP_MEMBER_NONE;

	push_frame(scan, kind, PP_POSITIONS_NONE);
}

/*
 * The end of a frame.  A list of constants has one hash whatever its members;
 * with two or more of them it becomes one piece.  So does a list of one with
 * the mark behind it: that is a normalised text, normalised again.
 */
static void
close_frame(PpScan *scan, int gap_start)
{
	PpFrame    *frame = &scan->frames[scan->nframes - 1];
	PpFrame    *outer;
	bool		is_list;

	if (scan->nframes == 1)
	{
		add_self(scan);
		return;
	}
	outer = frame - 1;

	is_list = member_is_complete(frame) &&
		(frame->kind == PP_FRAME_ARRAY) ==
		(scan->symbol == PP_SYM_CLOSE_BRACKET);

	if (is_list && frame->kind != PP_FRAME_CAST)
	{
		const int	mark_length = sizeof(PP_LIST_MARK) - 1;

		scan->hash = hash_mix(frame->hash, PP_HASH_LIST);
		if (frame->has_comma ||
			(scan->start - gap_start == mark_length &&
			 memcmp(scan->source + gap_start, PP_LIST_MARK, mark_length) == 0))
		{
			scan->npieces = frame->npieces;
			add_piece(scan, PP_PIECE_LIST, frame->inside, scan->start);
			scan->has_squashed = true;
			if (frame->has_keyword)
				scan->nliterals++;
		}
	}

	if (frame->kind == PP_FRAME_ARRAY || frame->kind == PP_FRAME_CAST)
	{
		if (outer->member == PP_MEMBER_ARRAY ||
			outer->member == PP_MEMBER_FUNCTION)
			outer->member = is_list ? PP_MEMBER_VALUE : PP_MEMBER_NONE;
		if (frame->has_keyword)
			outer->has_keyword = true;
	}

	add_self(scan);
	scan->nframes--;
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
			add_piece(scan, PP_PIECE_CONSTANT, scan->start, scan->end);
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
		add_piece(scan, PP_PIECE_GAP, scan->end, scan->start);
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
	if (frame->member != PP_MEMBER_NONE)
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
			open_parenthesis(scan, frame, at_item);
			break;
		case PP_SYM_OPEN_BRACKET:
			open_bracket(scan, frame);
			break;
		case PP_SYM_CLOSE:
		case PP_SYM_CLOSE_BRACKET:
			close_frame(scan, gap_start);
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
					add_piece(scan, PP_PIECE_GAP, scan->end, scan->start);
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
	push_frame(&scan, PP_FRAME_PLAIN, PP_POSITIONS_NONE);

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
