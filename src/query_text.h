/*
 * query_text.h
 *	  Normalised texts in shared memory; see query_text.c.
 */
#ifndef PP_QUERY_TEXT_H
#define PP_QUERY_TEXT_H

/* No text: what pp_query_text_store() returns when there is no room. */
#define PP_NO_TEXT	(-1)

extern Size pp_query_text_shmem_size(void);
extern void pp_query_text_shmem_init(void);

extern int32 pp_query_text_store(int partition, const char *text, int length);
extern void pp_query_text_free(int partition, int32 chunk);
extern void pp_query_text_copy(int partition, int32 chunk, int length,
							   char *copy);
extern bool pp_query_text_fits(int partition, int length);
extern int	pp_query_text_chunks(void);
extern int	pp_query_text_max_length(void);
extern int	pp_query_text_chunks_used(int partition);
extern Size pp_query_text_partition_bytes(void);

#endif							/* PP_QUERY_TEXT_H */
