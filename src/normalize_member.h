/*
 * normalize_member.h
 *	  Normalised text and fingerprint of one SQL statement: how far the member
 *	  of a list has been read, and whether it can still be a constant.
 *
 * Where a list begins and ends is in normalize_list.c.
 *
 * Inline functions, since each token of a list runs through them; for
 * normalize.c alone.
 */
#ifndef PP_NORMALIZE_MEMBER_H
#define PP_NORMALIZE_MEMBER_H

#include "normalize_impl.h"

/* Words of a type's name, but the first, and what may stand behind it. */
static const char *const type_words[] = {
	"day", "hour", "minute", "month", "precision", "second", "time", "to",
	"varying", "with", "without", "year", "zone", NULL
};

/* The first token of a list's member: how far is the member now? */
static inline PpMember
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
 * One more token of a list, no parenthesis, bracket or comma: how far is its
 * member now?
 */
static inline PpMember
next_member(PpFrame *frame, PpSymbol symbol, const char *word)
{
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

static inline void
add_comma(PpScan *scan, PpFrame *frame)
{
	add_self(scan);
	frame->at_item = frame->positions != PP_POSITIONS_NONE;
	frame->has_comma = true;
	frame->member = member_is_complete(frame) && frame->kind != PP_FRAME_CAST ?
		PP_MEMBER_START : PP_MEMBER_NONE;
}

#endif							/* PP_NORMALIZE_MEMBER_H */
