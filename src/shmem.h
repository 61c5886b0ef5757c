/*
 * shmem.h
 *	  The list of modules with shared memory; see shmem.c.
 */
#ifndef PP_SHMEM_H
#define PP_SHMEM_H

extern void pp_shmem_init(void);
extern void pp_shmem_require(void);

#endif							/* PP_SHMEM_H */
