/*
 * normalize_list.c
 *	  Normalised text and fingerprint of one SQL statement: recognising lists of
 *	  constants.
 *
 * Whether a parenthesis is a list of constants is known only at its end, so
 * each open parenthesis or bracket is a frame that remembers the number of
 * pieces and the hash at its start, and a list goes back to those.  Until then
 * normalize_member.h follows its members, token by token.
 */
#include "postgres.h"

#include "normalize_impl.h"


void
pp_push_frame(PpScan *scan, PpFrameKind kind, PpPositions positions)
{
	PpFrame    *frame;

	if (scan->nframes == scan->max_frames)
	{
		scan->frames = grow(scan->frames, scan->local_frames,
							sizeof(PpFrame) * scan->max_frames);
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

void
pp_open_parenthesis(PpScan *scan, PpFrame *frame, bool at_item)
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

	pp_push_frame(scan, kind, positions);
}

void
pp_open_bracket(PpScan *scan, PpFrame *frame)
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

	pp_push_frame(scan, kind, PP_POSITIONS_NONE);
}

/*
 * A list of constants has one hash whatever its members; with two or more of
 * them it becomes one piece.  So does a list of one with the mark behind it:
 * that is a normalised text, normalised again.
 */
void
pp_close_frame(PpScan *scan, int gap_start)
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
			pp_add_piece(scan, PP_PIECE_LIST, frame->inside, scan->start);
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
