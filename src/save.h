/*
 * save.h
 *	  The statistics on disk; see save.c.
 */
#ifndef PP_SAVE_H
#define PP_SAVE_H

#include "datatype/timestamp.h"

typedef struct PpSaveState
{
	TimestampTz saved_at;		/* 0: never since server start */
	int64		time;			/* ns that the last save took */
	int64		bytes;			/* length of the file */
	int64		failures;		/* in a row, up to now */
} PpSaveState;

extern Size pp_save_shmem_size(void);
extern void pp_save_shmem_init(void);

extern void pp_save_load(void);
extern void pp_save_write(bool durable);
extern void pp_save_state(PpSaveState *state);

#endif							/* PP_SAVE_H */
