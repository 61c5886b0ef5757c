/*
 * Stands in for valgrind's header, as memcheck.h does: nothing runs under
 * valgrind, and so it has found nothing.
 */
#ifndef PP_SANITIZE_VALGRIND_H
#define PP_SANITIZE_VALGRIND_H

#define RUNNING_ON_VALGRIND 0
#define VALGRIND_COUNT_ERRORS 0
#define VALGRIND_PRINTF(...) ((void) 0)

#endif
