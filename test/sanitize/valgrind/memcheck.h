/*
 * Stands in for valgrind's header: a server configured with USE_VALGRIND and
 * this directory first in the include path tells AddressSanitizer, instead of
 * valgrind, which bytes inside a memory context are allocated. Overruns and
 * uses after pfree() within one malloc'd block then become visible to ASan.
 * Needs an assert-enabled server: its wipe_mem() marks freed chunks.
 */
#ifndef PP_SANITIZE_MEMCHECK_H
#define PP_SANITIZE_MEMCHECK_H

#include <sanitizer/asan_interface.h>

#include "valgrind.h"

#define VALGRIND_MAKE_MEM_DEFINED(addr, size) ASAN_UNPOISON_MEMORY_REGION(addr, size)
#define VALGRIND_MAKE_MEM_UNDEFINED(addr, size) ASAN_UNPOISON_MEMORY_REGION(addr, size)
#define VALGRIND_MAKE_MEM_NOACCESS(addr, size) ASAN_POISON_MEMORY_REGION(addr, size)
#define VALGRIND_CHECK_MEM_IS_DEFINED(addr, size) do { (void) (addr); } while (0)
#define VALGRIND_CREATE_MEMPOOL(context, redzones, zeroed) do { (void) (context); } while (0)
#define VALGRIND_DESTROY_MEMPOOL(context) do { (void) (context); } while (0)
#define VALGRIND_MEMPOOL_ALLOC(context, addr, size) ASAN_UNPOISON_MEMORY_REGION(addr, size)
#define VALGRIND_MEMPOOL_FREE(context, addr) do { (void) (addr); } while (0)
#define VALGRIND_MEMPOOL_CHANGE(context, optr, nptr, size) ASAN_UNPOISON_MEMORY_REGION(nptr, size)
#define VALGRIND_MEMPOOL_TRIM(context, addr, size) do { (void) (context); } while (0)

#endif
