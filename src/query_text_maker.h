/*
 * query_text_maker.h
 *	  Normalised texts of statements, without errors; see query_text_maker.c.
 */
#ifndef PP_QUERY_TEXT_MAKER_H
#define PP_QUERY_TEXT_MAKER_H

#include "execution.h"

extern bool pp_make_text(const PpSource *source, PpQueryText *text);
extern void pp_free_text(void);

#endif							/* PP_QUERY_TEXT_MAKER_H */
