/*
 * save.h
 *	  The statistics on disk; see save.c.
 */
#ifndef PP_SAVE_H
#define PP_SAVE_H

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"

typedef struct PpSaveState
{
	TimestampTz saved_at;		/* 0: never since server start */
	int64		time;			/* ns that the last save took */
	int64		bytes;			/* length of the file */
	int64		failures;		/* in a row, up to now */
} PpSaveState;

/*
 * A part of the file after the rows of queries, written and read by whom it
 * belongs to.  load runs in the postmaster, before any other process has the
 * shared memory; false, and nothing loaded, if the data make no sense.
 */
typedef struct PpSaveSection
{
	uint32		number;			/* in the file; never used for another thing */
	void		(*save) (StringInfo buf);
	bool		(*load) (const char *data, Size length);
	uint64		(*changes) (void);	/* grows with each change worth saving */
} PpSaveSection;

extern Size pp_save_shmem_size(void);
extern void pp_save_shmem_init(void);

extern void pp_save_load(void);
extern void pp_save_write(bool durable);
extern void pp_save_state(PpSaveState *state);

#endif							/* PP_SAVE_H */
