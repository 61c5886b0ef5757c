/*
 * errors_save.h
 *	  The table of errors as a section of the save file; see errors_save.c.
 */
#ifndef PP_ERRORS_SAVE_H
#define PP_ERRORS_SAVE_H

#include "save.h"

extern const PpSaveSection pp_errors_section;

#endif							/* PP_ERRORS_SAVE_H */
