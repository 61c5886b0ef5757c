/*
 * normalize_impl.h
 *	  What the parts of normalising a statement share: reading it
 *	  (normalize.c), its tokens (normalize_token.h) and its lists
 *	  (normalize_list.c, normalize_member.h), and writing its text
 *	  (normalize_text.c); for no other file.
 *
 * A PpScan lives on the stack of pp_normalize(); reading fills it in, writing
 * only looks at it.
 */
#ifndef PP_NORMALIZE_IMPL_H
#define PP_NORMALIZE_IMPL_H

#include "parser/scanner.h"

#include "normalize.h"

/* kinds of tokens */
typedef enum PpSymbol
{
	PP_SYM_END,
	PP_SYM_WORD,				/* unquoted and not behind a dot */
	PP_SYM_NAME,				/* any other identifier */
	PP_SYM_NUMBER,
	PP_SYM_STRING,				/* every form of string or bit string */
	PP_SYM_PARAM,				/* $1 */
	/* from here to the comma: what makes lists */
	PP_SYM_OPEN,
	PP_SYM_CLOSE,
	PP_SYM_OPEN_BRACKET,
	PP_SYM_CLOSE_BRACKET,
	PP_SYM_COMMA,
	PP_SYM_SEMICOLON,
	PP_SYM_DOT,
	PP_SYM_CAST,				/* :: */
	PP_SYM_MINUS,
	PP_SYM_PLUS,
	PP_SYM_OTHER
} PpSymbol;

/* what replaces a piece of the source */
typedef enum PpPieceKind
{
	PP_PIECE_CONSTANT,
	PP_PIECE_PARAM,
	PP_PIECE_LIST,
	PP_PIECE_GAP				/* white space with comments */
} PpPieceKind;

/* offsets in the source, end exclusive; in order and without overlap */
typedef struct PpPiece
{
	int			start;
	int			end;
	PpPieceKind kind;
} PpPiece;

typedef enum PpFrameKind
{
	PP_FRAME_PLAIN,
	PP_FRAME_LIST,				/* IN (...) */
	PP_FRAME_ARRAY,				/* ARRAY[...], and [...] in it */
	PP_FRAME_CAST				/* CAST(...) as a member of a list */
} PpFrameKind;

/* how far the member of a list has been read */
typedef enum PpMember
{
	PP_MEMBER_NONE,				/* not, or no longer, a list of constants */
	PP_MEMBER_START,
	PP_MEMBER_SIGN,
	PP_MEMBER_VALUE,			/* complete */
	PP_MEMBER_TYPE_FIRST,		/* the name in: date '2020-01-01' */
	PP_MEMBER_TYPE_FIRST_DOT,
	PP_MEMBER_TYPED,			/* complete: date '2020-01-01' */
	PP_MEMBER_CAST,				/* behind :: or AS */
	PP_MEMBER_TYPE,				/* complete: 1::int */
	PP_MEMBER_FUNCTION,			/* behind CAST */
	PP_MEMBER_ARRAY				/* behind ARRAY */
} PpMember;

/* which plain integers are positions of result columns */
typedef enum PpPositions
{
	PP_POSITIONS_NONE,
	PP_POSITIONS_ORDER,			/* items of ORDER BY */
	PP_POSITIONS_GROUP,			/* items of GROUP BY */
	PP_POSITIONS_SETS			/* in ROLLUP (), DISTINCT ON () and the like */
} PpPositions;

/* an open parenthesis or bracket; the lowest one is the statement */
typedef struct PpFrame
{
	PpFrameKind kind;
	PpMember	member;
	PpPositions positions;
	bool		at_item;		/* an item of a sort or group list begins */
	bool		has_keyword;	/* TRUE, FALSE or NULL is a member */
	bool		has_comma;
	int			inside;			/* offset behind the parenthesis */
	int			npieces;		/* at its start */
	uint64		hash;			/* at its start */
} PpFrame;

/* what stands in the hash for something that has no spelling */
#define PP_HASH_SEED		UINT64CONST(0x706f6f6c5f706572)
#define PP_HASH_CONSTANT	UINT64CONST(0xff00000000000001)
#define PP_HASH_LIST		UINT64CONST(0xff00000000000002)

/* and what tells words from symbols */
#define PP_HASH_WORD		UINT64CONST(0x00)
#define PP_HASH_SYMBOL		UINT64CONST(0x80)

#define PP_LOCAL_PIECES 32
#define PP_LOCAL_FRAMES 8

typedef struct PpScan
{
	/* the source and the scanner */
	const char *source;
	core_yyscan_t scanner;
	core_yy_extra_type extra;
	bool		utility;

	/* the token at hand */
	PpSymbol	symbol;
	int			start;			/* offset of its first character */
	int			location;		/* the same, but behind the N of N'...' */
	int			end;			/* of this token, or of the one before */
	core_YYSTYPE value;
	bool		is_unicode;		/* U&'...' or U&"..." */

	/* the tokens before */
	PpSymbol	last_symbol;
	const char *last_word;		/* if it is a word; else NULL */
	const char *word_before;	/* if the one before that is one too */
	bool		last_is_unicode;
	bool		in_uescape;		/* the last one is UESCAPE behind U&'...' */
	bool		has_sign;		/* the last one is a unary minus ... */
	int			sign_start;
	uint64		sign_hash;		/* ... and the hash before it */
	bool		has_position;	/* the last piece may be a position ... */
	uint64		position_hash;	/* ... and the hash before it */

	/* the statement so far */
	uint64		hash;
	int			text_start;		/* -1: no token yet */
	int			text_end;		/* without semicolons at the end */
	int			semicolons;		/* not hashed yet: they may be the last */
	int			max_param;
	int			nliterals;
	bool		has_squashed;
	PpPiece    *pieces;
	int			npieces;
	int			max_pieces;
	PpFrame    *frames;
	int			nframes;
	int			max_frames;
	PpPiece		local_pieces[PP_LOCAL_PIECES];
	PpFrame		local_frames[PP_LOCAL_FRAMES];
} PpScan;

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
is_identifier_char(char c)
{
	return IS_HIGHBIT_SET(c) || (c >= 'a' && c <= 'z') ||
		(c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == '$';
}

static inline bool
is_one_of(const char *word, const char *const *words)
{
	for (; *words != NULL; words++)
	{
		if (word[0] == (*words)[0] && strcmp(word, *words) == 0)
			return true;
	}
	return false;
}

static inline uint64
hash_mix(uint64 hash, uint64 value)
{
	hash = (hash ^ value) * UINT64CONST(0x9e3779b97f4a7c15);
	return hash ^ (hash >> 32);
}

static inline bool
member_is_complete(const PpFrame *frame)
{
	return frame->member == PP_MEMBER_VALUE ||
		frame->member == PP_MEMBER_TYPED || frame->member == PP_MEMBER_TYPE;
}

/* Add the token at hand, a symbol of one character. */
static inline void
add_self(PpScan *scan)
{
	unsigned char c = scan->source[scan->location];

	scan->end = scan->location + 1;
	scan->hash = hash_mix(scan->hash, (PP_HASH_SYMBOL | 1) << 56 | c);
}

/*
 * Return the array, of size bytes and full, with twice the room.  It begins as
 * the local one and goes on in CurrentMemoryContext.
 */
static inline void *
grow(void *array, const void *local, Size size)
{
	void	   *grown;

	if (array != local)
		return repalloc_huge(array, 2 * size);

	grown = MemoryContextAllocHuge(CurrentMemoryContext, 2 * size);
	memcpy(grown, local, size);
	return grown;
}

/* Note that from start to end, the text differs from its source. */
extern void pp_add_piece(PpScan *scan, PpPieceKind kind, int start, int end);

/*
 * Add the token at hand, which begins or ends a frame.  frame is the innermost
 * one so far, which may move, and at_item what it said before this token;
 * gap_start is the end of the token before.
 */
extern void pp_open_parenthesis(PpScan *scan, PpFrame *frame, bool at_item);
extern void pp_open_bracket(PpScan *scan, PpFrame *frame);
extern void pp_close_frame(PpScan *scan, int gap_start);

/* Begin a frame at the end of the token at hand. */
extern void pp_push_frame(PpScan *scan, PpFrameKind kind,
						  PpPositions positions);

/*
 * Write the text of a statement that was read to its end, in at most max_length
 * bytes: sets text, length and cut of the result as normalize.h tells.
 */
extern void pp_write_text(const PpScan *scan, int max_length,
						  PpNormalized *result);

#endif							/* PP_NORMALIZE_IMPL_H */
