/*
 * packed_text.h
 *	  A text in less room than it is long, by the server's own compression.
 */
#ifndef PP_PACKED_TEXT_H
#define PP_PACKED_TEXT_H

/* bytes that a text of at most PP_PACKED_MAX bytes gets, packed */
#define PP_PACKED_SIZE	3072
#define PP_PACKED_MAX	8192

typedef struct PpPackedText
{
	int			length;			/* of the text, in bytes */
	int			packed;			/* of data; as long as the text: not packed */
	char		data[PP_PACKED_SIZE];
} PpPackedText;

extern void pp_pack_text(PpPackedText *to, const char *text, int length);
extern int	pp_unpack_text(const PpPackedText *from, char *text);

#endif							/* PP_PACKED_TEXT_H */
