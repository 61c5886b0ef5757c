/*
 * normalize_token.h
 *	  Normalised text and fingerprint of one SQL statement: reading tokens of
 *	  the server's scanner.
 *
 * Token numbers above 255 differ between majors and are not installed with
 * all of them: a token's first character says what it is.  For every kind of
 * word, keyword or identifier, the scanner hands out the lower-case spelling.
 *
 * Inline functions, since each token runs through them; for normalize.c alone.
 */
#ifndef PP_NORMALIZE_TOKEN_H
#define PP_NORMALIZE_TOKEN_H

#include "parser/scanner.h"

#include "normalize_impl.h"

/* What kind of word, quoted identifier or prefixed string is the token? */
static inline PpSymbol
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
static inline PpSymbol
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
static inline void
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
token_end(const PpScan *scan)
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

#endif							/* PP_NORMALIZE_TOKEN_H */
